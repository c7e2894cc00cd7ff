//! Stores: which, where, and what is set of each.

use std::path::{Path, PathBuf};

use super::{Place, needs_feature, tls::TlsPlan};
use crate::{
    error::Problems,
    origin::Origin,
    schema::{Entry, Section, nearest},
    source::Environment,
};

pub(crate) struct StorePlan {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) kind: StoreKind,
    /// Whether memory is in front of it.
    pub(crate) is_tiered: bool,
    /// The URL, or the path of a file or folder; it may hold a password.
    #[cfg_attr(
        not(any(
            feature = "file",
            feature = "sqlite",
            feature = "postgres",
            feature = "mysql",
            feature = "redis",
            feature = "memcached"
        )),
        expect(dead_code, reason = "no such store")
    )]
    pub(crate) address: String,
    #[cfg_attr(
        not(any(
            feature = "memory",
            feature = "file",
            feature = "sqlite",
            feature = "postgres",
            feature = "mysql",
            feature = "redis",
            feature = "memcached"
        )),
        expect(dead_code, reason = "no such store")
    )]
    pub(crate) options: Section,
    pub(crate) tls: TlsPlan,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    Memory,
    File,
    Sqlite,
    Postgres,
    Mysql,
    Redis,
    Memcached,
}

use StoreKind::{File, Memcached, Memory, Mysql, Postgres, Redis, Sqlite};

const KINDS: [StoreKind; 7] = [Memory, File, Sqlite, Postgres, Mysql, Redis, Memcached];
const SERVERS: &[StoreKind] = &[Postgres, Mysql, Redis, Memcached];
const DATABASES: &[StoreKind] = &[Sqlite, Postgres, Mysql];

/// Which stores have which settings.
const OPTIONS: &[(&str, &[StoreKind])] = &[
    ("connect_lazily", SERVERS),
    ("prefix", &[Redis, Memcached]),
    ("schema", &[Postgres, Mysql]),
    ("table", DATABASES),
    ("migrate", DATABASES),
    ("connections", &[Mysql]),
    ("readers", &[Postgres]),
    ("writers", &[Postgres]),
    ("prepared", &[Postgres]),
    ("tell_changes", &[Postgres]),
    ("timeout", SERVERS),
    ("slow_timeout", &[Postgres, Mysql]),
    ("connect_timeout", SERVERS),
    ("tls_roots", &[Postgres, Mysql, Redis]),
    ("tls_certificate", &[Redis]),
    ("tls_key", &[Redis]),
    (
        "max_data_size",
        &[File, Sqlite, Postgres, Mysql, Redis, Memcached],
    ),
    ("fsync", &[File]),
    ("allow_network_file_system", &[File]),
    ("synchronous", &[Sqlite]),
    ("max_file_size", &[Sqlite]),
    ("inline_loads", &[Sqlite]),
    ("max_sessions", &[Memory]),
    ("max_bytes", &[Memory]),
];

/// Those of what stands in front.
const TIERED: &[&str] = &["max_age", "front_timeout", "max_sessions", "max_bytes"];

impl StoreKind {
    /// Its `type`, which is the cargo feature too.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Memory => "memory",
            File => "file",
            Sqlite => "sqlite",
            Postgres => "postgres",
            Mysql => "mysql",
            Redis => "redis",
            Memcached => "memcached",
        }
    }

    /// What its URLs begin with, up to the colon; the first is that of examples.
    const fn schemes(self) -> &'static [&'static str] {
        match self {
            Memory => &["memory"],
            File => &["file"],
            Sqlite => &["sqlite"],
            Postgres => &["postgres", "postgresql"],
            Mysql => &["mysql"],
            Redis => &[
                "redis",
                "rediss",
                "redis+unix",
                "redis-sentinel",
                "rediss-sentinel",
                "redis-cluster",
                "rediss-cluster",
                "valkey",
                "valkeys",
                "valkey+unix",
                "valkey-sentinel",
                "valkeys-sentinel",
                "valkey-cluster",
                "valkeys-cluster",
            ],
            Memcached => &["memcache", "memcached", "memcache+unix", "memcached+unix"],
        }
    }

    pub(crate) const fn example(self) -> &'static str {
        match self {
            Memory => "memory:",
            File => "file:FOLDER",
            Sqlite => "sqlite:FILE",
            Postgres => "postgres://USER@HOST/DATABASE",
            Mysql => "mysql://USER@HOST/DATABASE",
            Redis => "redis://HOST",
            Memcached => "memcache://HOST",
        }
    }

    pub(crate) const fn is_available(self) -> bool {
        match self {
            Memory => cfg!(feature = "memory"),
            File => cfg!(feature = "file"),
            Sqlite => cfg!(feature = "sqlite"),
            Postgres => cfg!(feature = "postgres"),
            Mysql => cfg!(feature = "mysql"),
            Redis => cfg!(feature = "redis"),
            Memcached => cfg!(feature = "memcached"),
        }
    }
}

impl StorePlan {
    pub(super) fn new(
        name: &str,
        section: &Section,
        environment: &Environment,
        problems: &mut Problems,
    ) -> Option<Self> {
        let place = Place::of_section(section);
        let stated = section.choice("type");
        let Some(url) = section.text("url") else {
            let message = match stated {
                Some("memory") => {
                    return Self::at(name, place, "memory:", section, problems);
                }
                Some("tiered") => "it needs a url, that of the store behind: tiered:URL".to_owned(),
                Some(stated) => {
                    let kind = KINDS.into_iter().find(|kind| kind.name() == stated);
                    let example = kind.map_or("..", StoreKind::example);
                    format!("it needs a url, such as {example:?}")
                }
                None => "it needs a url, such as \"sqlite:FILE\" or \"redis://HOST\"".to_owned(),
            };
            problems.add(place.origin, &place.path, message);
            return None;
        };
        let url_place = Place::of(section, "url");
        let url = match from_variable(url, environment) {
            Ok(url) => url,
            Err(message) => {
                problems.add(url_place.origin, &url_place.path, message);
                return None;
            }
        };
        let plan = Self::at(name, url_place, &url, section, problems)?;
        let is = if plan.is_tiered {
            "tiered"
        } else {
            plan.kind.name()
        };
        if let Some(stated) = stated.filter(|stated| *stated != is) {
            let place = Place::of(section, "type");
            let message =
                format!("this is ambiguous: the type is {stated}, and the url that of {is}");
            problems.add(place.origin, &place.path, message);
            return None;
        }
        Some(plan)
    }

    /// A store at an address.
    pub(super) fn at(
        name: &str,
        place: Place,
        url: &str,
        options: &Section,
        problems: &mut Problems,
    ) -> Option<Self> {
        let located = locate(url, place.origin.as_ref());
        let (kind, is_tiered, address) = match located {
            Ok(located) => located,
            Err(message) => {
                problems.add(place.origin, &place.path, message);
                return None;
            }
        };
        let features = [
            (kind.is_available(), kind.name()),
            (!is_tiered || cfg!(feature = "tiered"), "tiered"),
        ];
        for (_, feature) in features.iter().filter(|(is_there, _)| !is_there) {
            problems.add(place.origin.clone(), &place.path, needs_feature(feature));
        }
        check_options(kind, is_tiered, options, problems);
        let tls = TlsPlan::new(kind, &address, &place, options, problems);
        Some(Self {
            name: name.to_owned(),
            place,
            tls,
            kind,
            is_tiered,
            address,
            options: options.clone(),
        })
    }
}

/// `env:NAME` is what the variable holds.
pub(super) fn from_variable(url: &str, environment: &Environment) -> Result<String, String> {
    let Some(variable) = url.strip_prefix("env:") else {
        return Ok(url.to_owned());
    };
    match environment.get(variable) {
        Ok(Some(url)) if !url.is_empty() => Ok(url),
        Ok(_) => Err(format!("the variable {variable} is not set")),
        Err(()) => Err(format!("the variable {variable} is no UTF-8")),
    }
}

/// The settings of a store that stand under other names.
pub(super) fn options(section: &Section, names: &[(&str, &'static str)]) -> Section {
    let mut options = Section::of_store(section.path(), section.origin());
    for (name, ours) in names {
        if let Some(entry) = section.get(name) {
            options.add(Entry {
                name: ours,
                ..entry.clone()
            });
        }
    }
    options
}

/// What a URL names. An error repeats nothing of it.
fn locate(url: &str, origin: Option<&Origin>) -> Result<(StoreKind, bool, String), String> {
    let (is_tiered, url) = match url.strip_prefix("tiered:") {
        Some(url) => (true, url),
        None => (false, url),
    };
    let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
    let kind = KINDS
        .into_iter()
        .find(|kind| kind.schemes().contains(&scheme));
    let Some(kind) = kind.filter(|_| url.contains(':')) else {
        let examples: Vec<_> = KINDS.into_iter().map(StoreKind::example).collect();
        let schemes = KINDS.into_iter().flat_map(StoreKind::schemes);
        let near = nearest(scheme, schemes.copied());
        let near = near
            .map(|near| format!("; did you mean {near}:?"))
            .unwrap_or_default();
        let all = examples.join(", ");
        return Err(format!(
            "no store has such a url; there are {all}, and tiered:URL{near}"
        ));
    };
    let rest = url.get(scheme.len() + 1..).unwrap_or_default();
    let folder = origin.map_or(Path::new(""), Origin::folder);
    let address = match kind {
        Memory if rest.is_empty() => String::new(),
        Memory => return Err("nothing follows memory:".to_owned()),
        File => text(folder.join(file(rest)?))?,
        Sqlite => text(folder.join(sqlite(rest)?))?,
        _ => url.to_owned(),
    };
    Ok((kind, is_tiered, address))
}

fn file(path: &str) -> Result<PathBuf, String> {
    match (path.is_empty(), path.strip_prefix("//")) {
        (true, _) => Err("file: stands before the path of a folder".to_owned()),
        (_, Some(host)) if !host.starts_with('/') => {
            Err("after file:// a host would follow: write file:FOLDER".to_owned())
        }
        (_, Some(path)) => Ok(path.into()),
        (_, None) => Ok(path.into()),
    }
}

fn sqlite(path: &str) -> Result<PathBuf, String> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.contains('?') {
        return Err("write what follows the ? as settings: table, synchronous, migrate".to_owned());
    }
    match path {
        "" => Err("sqlite: stands before the path of a file".to_owned()),
        ":memory:" => Err("sessions in memory are those of memory:".to_owned()),
        path => Ok(decode(path)?.into()),
    }
}

/// Percent-decodes a path, as the SQLite store does with its addresses.
fn decode(path: &str) -> Result<String, String> {
    let wrong = || "in a path, % is followed by two hex digits, and all of it is UTF-8".to_owned();
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or_else(wrong)?;
        let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
        if digits.starts_with('+') {
            return Err(wrong());
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

fn text(path: PathBuf) -> Result<String, String> {
    path.into_os_string()
        .into_string()
        .map_err(|_| "the folder of the settings has a name that is no UTF-8".to_owned())
}

fn check_options(kind: StoreKind, is_tiered: bool, options: &Section, problems: &mut Problems) {
    let of_kind = OPTIONS.iter().filter(|(_, kinds)| kinds.contains(&kind));
    let mut known: Vec<&str> = of_kind.map(|(name, _)| *name).collect();
    if is_tiered {
        known.extend(
            TIERED
                .iter()
                .filter(|name| !known.contains(name))
                .copied()
                .collect::<Vec<_>>(),
        );
    }
    for entry in options.entries() {
        if matches!(entry.name, "type" | "url") || known.contains(&entry.name) {
            continue;
        }
        let message = format!(
            "a {}{} store has no such setting; it has {}",
            if is_tiered { "tiered " } else { "" },
            kind.name(),
            known.join(", ")
        );
        problems.add(entry.origin.clone(), &entry.path, message);
    }
}
