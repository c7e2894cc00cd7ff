//! Beaker's settings of one session. What each becomes stands in docs/settings.md.

use std::time::Duration;

use cloakroom_core::{
    Codec, Cookie, CorruptPolicy, DecodePolicy, EndedPolicy, FailurePolicy, Limits,
    ReplacedTokenPolicy, SameSite, SaveMode, days, hours,
};

use super::{
    Keeper, KeysPlan, NamespacePlan, Place, StorePlan, keys::KeySource, namespaces::json_codec,
    needs_feature, stores,
};
use crate::{
    error::Problems,
    schema::{Expires, Section},
    source::Environment,
};

/// The name of the namespace, its store and its keys, unless something else is set.
const NAME: &str = "session";

/// Browsers keep no cookie for longer.
const FOR_EVER: Duration = days(400);

#[derive(Default)]
pub(super) struct Beakers {
    namespace: Option<NamespacePlan>,
    store: Option<StorePlan>,
    keys: Option<KeysPlan>,
}

impl Beakers {
    /// Adds them to those that are set otherwise.
    pub(super) fn join(
        self,
        namespaces: &mut Vec<NamespacePlan>,
        stores: &mut Vec<StorePlan>,
        keys: &mut Vec<KeysPlan>,
        problems: &mut Problems,
    ) {
        let mut clash = |what: &str, place: &Place, is_there: bool| {
            if is_there {
                let message = format!(
                    "there is a {what} of this name already: set beaker.session.namespace to \
                     another name"
                );
                problems.add(place.origin.clone(), &place.path, message);
            }
        };
        if let Some(plan) = self.namespace {
            clash(
                "namespace",
                &plan.place,
                namespaces.iter().any(|other| other.name == plan.name),
            );
            namespaces.push(plan);
        }
        if let Some(plan) = self.store {
            clash(
                "store",
                &plan.place,
                stores.iter().any(|other| other.name == plan.name),
            );
            stores.push(plan);
        }
        if let Some(plan) = self.keys {
            clash(
                "key ring",
                &plan.place,
                keys.iter().any(|other| other.name == plan.name),
            );
            keys.push(plan);
        }
    }
}

pub(super) fn plan(
    beaker: &Section,
    environment: &Environment,
    problems: &mut Problems,
) -> Beakers {
    let name = beaker.text("namespace").unwrap_or(NAME).to_owned();
    let mut plans = Beakers::default();
    let keeper = if beaker.text("type") == Some("cookie") {
        client_side(&name, beaker, &mut plans, problems)
    } else {
        server_side(&name, beaker, environment, &mut plans, problems)
    };
    check_flags(beaker, problems);
    let (limits, persistent) = lifetime(beaker, problems);
    let codec = codec(beaker, problems);
    let place = Place::of_section(beaker);
    plans.namespace = keeper.map(|keeper| NamespacePlan {
        keeper,
        cookie: cookie(beaker, problems),
        transports: None,
        insecure_http: beaker.bool("secure") == Some(false),
        limits,
        persistent,
        rotate_every: None,
        max_size: None,
        codec,
        is_strict: false,
        // Whoever sets `auto` wants to be spared save(); to save what was only read is no use.
        save_mode: match beaker.is_on("auto") {
            true => SaveMode::OnChange,
            false => SaveMode::Explicit,
        },
        refuse_changes_on_get: false,
        save_on_server_error: false,
        on_store_failure: FailurePolicy::default(),
        on_ended: EndedPolicy::default(),
        on_corrupt: match beaker.bool("invalidate_corrupt") {
            Some(false) => CorruptPolicy::Fail,
            _ => CorruptPolicy::Reset,
        },
        on_undecodable: DecodePolicy::default(),
        on_replaced_token: ReplacedTokenPolicy::default(),
        places: vec![
            ("cookie", Place::of(beaker, "key")),
            ("cookie.domain", Place::of(beaker, "cookie_domain")),
            ("cookie.path", Place::of(beaker, "cookie_path")),
            ("cookie.same_site", Place::of(beaker, "samesite")),
            ("limits", Place::of(beaker, "timeout")),
            ("persistent", Place::of(beaker, "cookie_expires")),
            ("name", Place::of(beaker, "namespace")),
        ],
        place,
        name,
    });
    plans
}

fn wrong(beaker: &Section, name: &str, message: impl Into<String>, problems: &mut Problems) {
    let place = Place::of(beaker, name);
    problems.add(place.origin, &place.path, message);
}

/// Settings that have one good value, or none beside others.
fn check_flags(beaker: &Section, problems: &mut Problems) {
    if beaker.bool("httponly") == Some(false) {
        wrong(
            beaker,
            "httponly",
            "this is refused: cookies are HttpOnly, always",
            problems,
        );
    }
    if beaker.bool("use_cookies") == Some(false) {
        let message = "this is refused: say how its token travels, in code or in the namespace's own \
                       settings, as transports";
        wrong(beaker, "use_cookies", message, problems);
    }
    if beaker.bool("save_accessed_time") == Some(false) && beaker.has("timeout") {
        let message = "a timeout needs the time of the last access: leave one of the two out";
        wrong(beaker, "save_accessed_time", message, problems);
    }
}

fn lifetime(beaker: &Section, problems: &mut Problems) -> (Option<Limits>, Option<Duration>) {
    let persistent = match beaker.expires("cookie_expires") {
        None | Some(Expires::WithBrowser) => None,
        Some(Expires::Never) => Some(FOR_EVER),
        Some(Expires::After(0)) => {
            wrong(
                beaker,
                "cookie_expires",
                "a cookie that lives 0 seconds is never sent",
                problems,
            );
            None
        }
        Some(Expires::After(seconds)) => Some(Duration::from_secs(seconds)),
    };
    let limits = match (beaker.number("timeout"), persistent) {
        (Some(seconds), _) => Some(Limits::idle(Duration::from_secs(seconds))),
        (None, None) if beaker.bool("save_accessed_time") == Some(false) => {
            Some(Limits::absolute_only(hours(8)))
        }
        (None, _) => None,
    };
    (limits, persistent)
}

fn codec(beaker: &Section, problems: &mut Problems) -> Codec {
    match beaker.text("data_serializer") {
        None => Codec::MessagePack,
        Some("json") => json_codec(&Place::of(beaker, "data_serializer"), problems),
        Some("pickle") => {
            let message = "this is refused: who can write a pickle can run code; leave it out, \
                           or set it to json";
            wrong(beaker, "data_serializer", message, problems);
            Codec::MessagePack
        }
        Some(_) => {
            let message = "there is no such serializer; leave it out, or set it to json";
            wrong(beaker, "data_serializer", message, problems);
            Codec::MessagePack
        }
    }
}

fn cookie(beaker: &Section, problems: &mut Problems) -> Cookie {
    let mut cookie = Cookie::named(beaker.text("key").unwrap_or("beaker.session.id"));
    if let Some(domain) = beaker.text("cookie_domain") {
        cookie = cookie.domain(domain);
    }
    if let Some(path) = beaker.text("cookie_path") {
        cookie = cookie.path(path);
    }
    let same_site = beaker
        .text("samesite")
        .unwrap_or("lax")
        .to_ascii_lowercase();
    cookie.same_site(match same_site.as_str() {
        "lax" => SameSite::Lax,
        "strict" => SameSite::Strict,
        "none" => SameSite::None,
        other => {
            let message = format!("{other:?} is none of Lax, Strict and None");
            wrong(beaker, "samesite", message, problems);
            SameSite::Lax
        }
    })
}

/// `type = cookie`.
fn client_side(
    name: &str,
    beaker: &Section,
    plans: &mut Beakers,
    problems: &mut Problems,
) -> Option<Keeper> {
    if !cfg!(feature = "client-side") {
        wrong(beaker, "type", needs_feature("client-side"), problems);
        return None;
    }
    for unused in [
        "url",
        "urls",
        "data_dir",
        "file_dir",
        "table_name",
        "schema_name",
    ] {
        if beaker.has(unused) {
            wrong(
                beaker,
                unused,
                "sessions in their cookies have no store: leave it out",
                problems,
            );
        }
    }
    let signed = !beaker.has("encrypt_key");
    let setting = if signed {
        "validate_key"
    } else {
        "encrypt_key"
    };
    let Some(entry) = beaker.get(setting) else {
        let message = "a session in its cookie needs a key: validate_key = file:PATH or env:NAME \
                       signs it, encrypt_key encrypts it";
        wrong(beaker, "type", message, problems);
        return None;
    };
    if !signed && beaker.has("validate_key") {
        let message = "the encrypt_key protects against changes too: leave this out";
        wrong(beaker, "validate_key", message, problems);
    }
    let text = beaker.text(setting).unwrap_or_default();
    match KeySource::parse(text, &entry.origin) {
        Ok(source) => {
            plans.keys = Some(KeysPlan {
                name: name.to_owned(),
                place: Place::of_section(beaker),
                sources: vec![(Place::of(beaker, setting), source)],
                generate: false,
            });
        }
        Err(why) => wrong(beaker, setting, why.message(), problems),
    }
    Some(Keeper::Cookie {
        keys: name.to_owned(),
        signed,
        // Beaker's sessions in cookies can be ended, as far as that goes.
        accept_replay: true,
    })
}

fn server_side(
    name: &str,
    beaker: &Section,
    environment: &Environment,
    plans: &mut Beakers,
    problems: &mut Problems,
) -> Option<Keeper> {
    for unused in ["validate_key", "encrypt_key"] {
        if beaker.has(unused) {
            let message = "only sessions with type = cookie are signed or encrypted: leave it out";
            wrong(beaker, unused, message, problems);
        }
    }
    let folder = beaker.get("file_dir").or_else(|| beaker.get("data_dir"));
    let kind = beaker.text("type").unwrap_or(match folder {
        Some(_) => "file",
        None => "memory",
    });
    let kind_place = Place::of(beaker, "type");
    let (url, place) = match url(kind, beaker, environment) {
        Ok(url) => url,
        Err(message) => {
            problems.add(kind_place.origin, &kind_place.path, message);
            return None;
        }
    };
    let is_sql = kind == "ext:database";
    for (setting, is_of_it) in [
        ("data_dir", kind == "file"),
        ("file_dir", kind == "file"),
        ("url", kind.starts_with("ext:")),
        ("urls", kind == "ext:rediscluster"),
        ("table_name", is_sql),
        ("schema_name", is_sql),
    ] {
        if beaker.has(setting) && !is_of_it {
            let message = format!("sessions with type = {kind} have no such setting: leave it out");
            wrong(beaker, setting, message, problems);
        }
    }
    let options = stores::options(
        beaker,
        &[("table_name", "table"), ("schema_name", "schema")],
    );
    plans.store = StorePlan::at(name, place, &url, &options, problems);
    Some(Keeper::Store(name.to_owned()))
}

/// The URL of the store that takes the place of one of Beaker's. An error repeats nothing of it.
fn url(kind: &str, beaker: &Section, environment: &Environment) -> Result<(String, Place), String> {
    let folder = ["file_dir", "data_dir"]
        .into_iter()
        .find(|name| beaker.has(name));
    match (kind, folder) {
        ("memory", _) => return Ok(("memory:".to_owned(), Place::of(beaker, "type"))),
        ("file", Some(name)) => {
            let folder = beaker.text(name).unwrap_or_default();
            return Ok((format!("file:{folder}"), Place::of(beaker, name)));
        }
        ("file", None) => return Err("sessions in files need a data_dir".to_owned()),
        ("ext:database" | "ext:memcached" | "ext:redis" | "ext:rediscluster", _) => {}
        ("dbm", _) => return Err("there is no dbm store: take type = ext:database with a url such as sqlite:///sessions.db".to_owned()),
        ("ext:sqla", _) => return Err("a table of SQLAlchemy can't be taken: take type = ext:database with its url".to_owned()),
        ("ext:google" | "ext:mongodb", _) => {
            return Err("there is no such store: take ext:database, ext:redis or file".to_owned());
        }
        _ => {
            return Err(
                "there is no such type; there are memory, file, cookie, ext:database, \
                 ext:memcached, ext:redis and ext:rediscluster"
                    .to_owned(),
            );
        }
    }
    let setting = if beaker.has("urls") { "urls" } else { "url" };
    let Some(url) = beaker.text(setting) else {
        return Err(format!("sessions with type = {kind} need a url"));
    };
    let url = stores::from_variable(url, environment)?;
    let url = match kind {
        "ext:database" => sql(&url),
        "ext:memcached" if url.contains([';', ',']) => {
            return Err("a memcached store is one server, and the url names several".to_owned());
        }
        "ext:memcached" if url.contains("://") => url,
        "ext:memcached" => format!("memcache://{url}"),
        "ext:rediscluster" => cluster(&url)?,
        _ => url,
    };
    Ok((url, Place::of(beaker, setting)))
}

/// SQLAlchemy names a driver after a plus, and has one slash more before a path.
fn sql(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let database = scheme.split('+').next().unwrap_or(scheme);
    match (database, rest.strip_prefix('/')) {
        ("sqlite", Some(path)) => format!("sqlite:{path}"),
        _ => format!("{database}://{rest}"),
    }
}

/// `redis://a:7000,redis://b:7001` is `redis-cluster://a:7000,b:7001`.
fn cluster(urls: &str) -> Result<String, String> {
    if urls.starts_with("redis-cluster://") || urls.starts_with("rediss-cluster://") {
        return Ok(urls.to_owned());
    }
    let mut nodes = Vec::new();
    for url in urls.split(',') {
        let node = url
            .trim()
            .strip_prefix("redis://")
            .map(|node| node.trim_end_matches('/'));
        match node.filter(|node| !node.contains(['/', '@', '?'])) {
            Some(node) => nodes.push(node),
            None => {
                return Err(
                    "write the url as redis-cluster://:PASSWORD@HOST:PORT,HOST:PORT".to_owned(),
                );
            }
        }
    }
    Ok(format!("redis-cluster://{}", nodes.join(",")))
}
