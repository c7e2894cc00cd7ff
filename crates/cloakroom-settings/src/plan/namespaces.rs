use std::time::Duration;

use cloakroom_core::{
    Codec, Cookie, CorruptPolicy, DecodePolicy, EndedPolicy, FailurePolicy, Limits, Namespace,
    ReplacedTokenPolicy, SameSite, SaveMode, Transport,
};

use super::{Place, find, needs_feature, unknown_name};
use crate::{error::Problems, schema::Section};

pub(crate) struct NamespacePlan {
    pub(crate) name: String,
    pub(crate) keeper: Keeper,
    pub(super) cookie: Cookie,
    /// What there is in the place of the cookie alone.
    pub(super) transports: Option<Vec<Transport>>,
    pub(super) insecure_http: bool,
    pub(super) limits: Option<Limits>,
    pub(super) persistent: Option<Duration>,
    pub(super) rotate_every: Option<Duration>,
    pub(super) max_size: Option<usize>,
    pub(super) codec: Codec,
    pub(super) is_strict: bool,
    pub(super) save_mode: SaveMode,
    pub(super) refuse_changes_on_get: bool,
    pub(super) save_on_server_error: bool,
    pub(super) on_store_failure: FailurePolicy,
    pub(super) on_ended: EndedPolicy,
    pub(super) on_corrupt: CorruptPolicy,
    pub(super) on_undecodable: DecodePolicy,
    pub(super) on_replaced_token: ReplacedTokenPolicy,
    pub(super) place: Place,
    /// Where what the engine calls so is set.
    pub(super) places: Vec<(&'static str, Place)>,
}

/// Where its sessions are kept.
pub(crate) enum Keeper {
    Store(String),
    Cookie {
        keys: String,
        signed: bool,
        accept_replay: bool,
    },
}

impl NamespacePlan {
    pub(super) fn new(
        name: &str,
        section: &Section,
        stores: &[&str],
        keys: &[&str],
        problems: &mut Problems,
    ) -> Option<Self> {
        let limits = limits(section.section("limits"), problems);
        let codec = match section.choice("codec") {
            Some("json") => json_codec(&Place::of(section, "codec"), problems),
            _ => Codec::MessagePack,
        };
        let cookie = cookie(section.section("cookie"));
        let keeper = keeper(section, stores, keys, problems)?;
        Some(Self {
            name: name.to_owned(),
            keeper,
            transports: transports(section, &cookie, problems),
            cookie,
            insecure_http: section.is_on("insecure_http"),
            limits,
            persistent: section.duration("persistent"),
            rotate_every: section.duration("rotate_every"),
            max_size: section.size("max_size"),
            codec,
            is_strict: section.is_on("strict"),
            save_mode: match section.choice("save_mode") {
                Some("explicit") => SaveMode::Explicit,
                Some("always") => SaveMode::Always,
                _ => SaveMode::OnChange,
            },
            refuse_changes_on_get: section.is_on("refuse_changes_on_get"),
            save_on_server_error: section.is_on("save_on_server_error"),
            on_store_failure: match section.choice("on_store_failure") {
                Some("keep_response") => FailurePolicy::KeepResponse,
                _ => FailurePolicy::Respond503,
            },
            on_ended: match section.choice("on_ended") {
                Some("respond_409") => EndedPolicy::Respond409,
                Some("respond_401") => EndedPolicy::Respond401,
                _ => EndedPolicy::Ignore,
            },
            on_corrupt: match section.choice("on_corrupt") {
                Some("fail") => CorruptPolicy::Fail,
                _ => CorruptPolicy::Reset,
            },
            on_undecodable: match section.choice("on_undecodable") {
                Some("discard") => DecodePolicy::Discard,
                _ => DecodePolicy::Fail,
            },
            on_replaced_token: match section.choice("on_replaced_token") {
                Some("end_session") => ReplacedTokenPolicy::EndSession,
                _ => ReplacedTokenPolicy::Ignore,
            },
            place: Place::of_section(section),
            places: places(section),
        })
    }

    /// Where a setting stands that the engine complains of.
    pub(super) fn place_of(&self, setting: &str) -> Place {
        let whole = || find(&self.places, setting.split_once('.')?.0);
        find(&self.places, setting)
            .or_else(whole)
            .unwrap_or_else(|| self.place.clone())
    }

    /// All that is set of it.
    pub(crate) fn apply(&self, namespace: Namespace) -> Namespace {
        let mut namespace = namespace
            .cookie(self.cookie.clone())
            .codec(self.codec)
            .save_mode(self.save_mode)
            .on_store_failure(self.on_store_failure)
            .on_ended(self.on_ended)
            .on_corrupt(self.on_corrupt)
            .on_undecodable(self.on_undecodable)
            .on_replaced_token(self.on_replaced_token);
        if let Some(transports) = &self.transports {
            namespace = namespace.transports(transports.clone());
        }
        if self.insecure_http {
            namespace = namespace.insecure_http();
        }
        if let Some(limits) = self.limits {
            namespace = namespace.limits(limits);
        }
        if let Some(lifetime) = self.persistent {
            namespace = namespace.persistent(lifetime);
        }
        if let Some(interval) = self.rotate_every {
            namespace = namespace.rotate_every(interval);
        }
        if let Some(bytes) = self.max_size {
            namespace = namespace.max_size(bytes);
        }
        if self.is_strict {
            namespace = namespace.strict();
        }
        if self.refuse_changes_on_get {
            namespace = namespace.refuse_changes_on_get();
        }
        if self.save_on_server_error {
            namespace = namespace.save_on_server_error();
        }
        namespace
    }
}

/// Where the settings stand that the engine complains of, under the names that it has for them.
fn places(section: &Section) -> Vec<(&'static str, Place)> {
    const NAMED: [&str; 9] = [
        "limits",
        "persistent",
        "rotate_every",
        "max_size",
        "cookie",
        "transports",
        "strict",
        "in_cookie",
        "accept_replay",
    ];
    const OF_COOKIE: [(&str, &str); 5] = [
        ("cookie.name", "name"),
        ("cookie.domain", "domain"),
        ("cookie.path", "path"),
        ("cookie.same_site", "same_site"),
        ("cookie.partitioned", "partitioned"),
    ];
    let mut places: Vec<_> = NAMED.map(|name| (name, Place::of(section, name))).into();
    if let Some(cookie) = section.section("cookie") {
        places.extend(OF_COOKIE.map(|(setting, name)| (setting, Place::of(cookie, name))));
    }
    places
}

fn keeper(
    section: &Section,
    stores: &[&str],
    keys: &[&str],
    problems: &mut Problems,
) -> Option<Keeper> {
    let mut wrong = |name: &str, message: String| -> Option<Keeper> {
        let place = Place::of(section, name);
        problems.add(place.origin, &place.path, message);
        None
    };
    let Some(protection) = section.choice("in_cookie") else {
        for name in ["keys", "accept_replay"] {
            if section.has(name) {
                wrong(
                    name,
                    "this is for namespaces that have in_cookie".to_owned(),
                );
            }
        }
        return match (section.text("store"), stores) {
            (Some(name), stores) if stores.contains(&name) => Some(Keeper::Store(name.to_owned())),
            (Some(name), stores) => wrong("store", unknown_name("store", name, stores)),
            (None, [only]) => Some(Keeper::Store((*only).to_owned())),
            (None, []) => wrong(
                "store",
                "it has neither a store nor in_cookie, and there is no [stores.NAME]".to_owned(),
            ),
            (None, several) => {
                let several = several.join(", ");
                wrong(
                    "store",
                    format!("which store is ambiguous, there are {several}: set store"),
                )
            }
        };
    };
    if section.has("store") {
        return wrong(
            "store",
            "this is ambiguous: in_cookie is set too".to_owned(),
        );
    }
    if !cfg!(feature = "client-side") {
        return wrong("in_cookie", needs_feature("client-side"));
    }
    let keys = match (section.text("keys"), keys) {
        (Some(name), keys) if keys.contains(&name) => name.to_owned(),
        (Some(name), keys) => return wrong("keys", unknown_name("key ring", name, keys)),
        (None, [only]) => (*only).to_owned(),
        (None, []) => {
            let message = "a session in its cookie needs keys, and there is no [keys.NAME]";
            return wrong("in_cookie", message.to_owned());
        }
        (None, several) => {
            let several = several.join(", ");
            let message = format!("which keys is ambiguous, there are {several}: set keys");
            return wrong("in_cookie", message);
        }
    };
    Some(Keeper::Cookie {
        keys,
        signed: protection == "signed",
        accept_replay: section.is_on("accept_replay"),
    })
}

/// What `transports` lists, in its order.
fn transports(
    section: &Section,
    cookie: &Cookie,
    problems: &mut Problems,
) -> Option<Vec<Transport>> {
    let answer_in = section.text("answer_in");
    let answering = |transport: Transport| match answer_in {
        Some(header) => transport.answer_in(header),
        None => transport,
    };
    let place = Place::of(section, "transports");
    let texts = section.texts("transports");
    let mut transports = Vec::new();
    for (origin, text) in texts {
        let (way, name) = text.split_once(':').unwrap_or((text, ""));
        transports.push(match (way, name) {
            ("cookie", "") => Transport::cookie(cookie.clone()),
            ("bearer", "") => answering(Transport::bearer()),
            ("header", name) if !name.is_empty() => answering(Transport::header(name)),
            ("query", name) if !name.is_empty() => Transport::query(name),
            _ => {
                let message = format!(
                    "{text:?} is no transport; there are cookie, bearer, header:NAME and query:NAME"
                );
                problems.add(origin.clone(), &place.path, message);
                continue;
            }
        });
    }
    let has_answer =
        |(_, text): &(_, String)| !matches!(text.split(':').next(), Some("cookie" | "query"));
    if answer_in.is_some() && !texts.iter().any(has_answer) {
        let place = Place::of(section, "answer_in");
        let message = "this is for the transports bearer and header:NAME, and it has none of them";
        problems.add(place.origin, &place.path, message);
    }
    section.get("transports")?;
    if section.has("cookie") && !texts.iter().any(|(_, text)| text == "cookie") {
        let cookie = Place::of(section, "cookie");
        let message = "this is ambiguous: cookie is none of its transports";
        problems.add(cookie.origin, &cookie.path, message);
    }
    Some(transports)
}

fn cookie(section: Option<&Section>) -> Cookie {
    let Some(section) = section else {
        return Cookie::default();
    };
    let mut cookie = section
        .text("name")
        .map_or_else(Cookie::default, Cookie::named);
    if let Some(domain) = section.text("domain") {
        cookie = cookie.domain(domain);
    }
    if let Some(path) = section.text("path") {
        cookie = cookie.path(path);
    }
    cookie = cookie.same_site(match section.choice("same_site") {
        Some("strict") => SameSite::Strict,
        Some("none") => SameSite::None,
        _ => SameSite::Lax,
    });
    match section.is_on("partitioned") {
        true => cookie.partitioned(),
        false => cookie,
    }
}

fn limits(section: Option<&Section>, problems: &mut Problems) -> Option<Limits> {
    let section = section?;
    let (idle, absolute) = (section.duration("idle"), section.duration("absolute"));
    let preset = section.choice("preset").map(|preset| match preset {
        "nist_aal1" => Limits::nist_aal1(),
        "nist_aal2" => Limits::nist_aal2(),
        "nist_aal3" => Limits::nist_aal3(),
        _ => Limits::owasp(),
    });
    if preset.is_some() && (idle.is_some() || absolute.is_some()) {
        let place = Place::of(section, "preset");
        let message =
            "this is ambiguous: a preset sets idle and absolute, and one of them is set too";
        problems.add(place.origin, &place.path, message);
    }
    let touch_after = section.duration("touch_after");
    let limits = match (preset, idle, absolute) {
        (Some(preset), _, _) => preset,
        (None, Some(idle), Some(absolute)) => Limits::idle(idle).absolute(absolute),
        (None, Some(idle), None) => Limits::idle(idle),
        (None, None, Some(absolute)) => Limits::absolute_only(absolute),
        (None, None, None) if touch_after.is_some() => Limits::default(),
        (None, None, None) => return None,
    };
    Some(touch_after.map_or(limits, |after| limits.touch_after(after)))
}

#[cfg(feature = "json")]
pub(super) fn json_codec(_: &Place, _: &mut Problems) -> Codec {
    Codec::Json
}

#[cfg(not(feature = "json"))]
pub(super) fn json_codec(place: &Place, problems: &mut Problems) -> Codec {
    problems.add(place.origin.clone(), &place.path, needs_feature("json"));
    Codec::MessagePack
}
