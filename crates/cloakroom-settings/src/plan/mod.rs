//! What the settings ask for, as a whole: which stores, keys and namespaces, and what of each.

mod beaker;
pub(crate) mod keys;
mod namespaces;
mod stores;
pub(crate) mod tls;

use std::time::Duration;

pub(crate) use self::{
    keys::KeysPlan,
    namespaces::{Keeper, NamespacePlan},
    stores::{StoreKind, StorePlan},
};
use crate::{
    error::Problems,
    origin::Origin,
    schema::{Section, nearest},
    source::Environment,
};

pub(crate) struct Plan {
    pub(crate) application: Option<String>,
    pub(crate) namespaces: Vec<NamespacePlan>,
    pub(crate) stores: Vec<StorePlan>,
    pub(crate) keys: Vec<KeysPlan>,
    pub(crate) deadlines: Deadlines,
    pub(crate) sweep_every: Option<Duration>,
    pub(crate) sweep_older_than: Option<Duration>,
}

#[derive(Default)]
pub(crate) struct Deadlines {
    pub(crate) open: Option<Duration>,
    pub(crate) commit: Option<Duration>,
    pub(crate) call: Option<Duration>,
    places: Vec<(&'static str, Place)>,
}

/// Where something stands, and what it is called.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) origin: Option<Origin>,
    pub(crate) path: String,
}

impl Place {
    /// Of a setting, or of its section when it is not set.
    fn of(section: &Section, name: &str) -> Self {
        section.get(name).map_or_else(
            || Self {
                origin: section.origin().cloned(),
                path: section.path().to_owned(),
            },
            |entry| Self {
                origin: Some(entry.origin.clone()),
                path: entry.path.clone(),
            },
        )
    }

    fn of_section(section: &Section) -> Self {
        Self {
            origin: section.origin().cloned(),
            path: section.path().to_owned(),
        }
    }
}

impl Plan {
    pub(crate) fn new(root: &Section, environment: &Environment, problems: &mut Problems) -> Self {
        let sections = |name| root.sections(name).iter();
        let mut stores: Vec<_> = sections("stores")
            .filter_map(|(name, section)| StorePlan::new(name, section, environment, problems))
            .collect();
        let mut keys: Vec<_> = sections("keys")
            .filter_map(|(name, section)| KeysPlan::new(name, section, problems))
            .collect();
        // A reference to a store that is wrong itself is not wrong too.
        let names = |of| {
            sections(of)
                .map(|(name, _)| name.as_str())
                .collect::<Vec<_>>()
        };
        let (store_names, key_names) = (names("stores"), names("keys"));
        let mut namespaces: Vec<_> = sections("namespaces")
            .filter_map(|(name, section)| {
                NamespacePlan::new(name, section, &store_names, &key_names, problems)
            })
            .collect();
        if let Some(beaker) = root
            .section("beaker")
            .and_then(|beaker| beaker.section("session"))
        {
            beaker::plan(beaker, environment, problems).join(
                &mut namespaces,
                &mut stores,
                &mut keys,
                problems,
            );
        }
        let mut sweeper = |name, least: &str, seconds| {
            let section = root.section("sweeper")?;
            let duration = section.duration(name)?;
            if duration < Duration::from_secs(seconds) {
                let place = Place::of(section, name);
                let message = format!("this is at least {least}");
                problems.add(place.origin, &place.path, message);
            }
            Some(duration)
        };
        Self {
            application: root.text("application").map(str::to_owned),
            namespaces,
            stores,
            keys,
            deadlines: deadlines(root),
            sweep_every: sweeper("every", "1s", 1),
            sweep_older_than: sweeper("older_than", "1m", 60),
        }
    }

    /// Where a setting stands that the engine complains of.
    pub(crate) fn place(&self, namespace: Option<&str>, setting: &str) -> Place {
        let Some(name) = namespace else {
            let places = self.deadlines.places.iter();
            return find(places, setting).unwrap_or_else(|| Place {
                origin: None,
                path: match setting {
                    "namespace" => "namespaces".to_owned(),
                    other => other.to_owned(),
                },
            });
        };
        let namespace = self.namespaces.iter().find(|other| other.name == name);
        namespace.map_or_else(
            || Place {
                origin: None,
                path: format!("namespaces.{name}"),
            },
            |namespace| namespace.place_of(setting),
        )
    }
}

fn deadlines(root: &Section) -> Deadlines {
    let Some(section) = root.section("deadlines") else {
        return Deadlines::default();
    };
    Deadlines {
        open: section.duration("open"),
        commit: section.duration("commit"),
        call: section.duration("call"),
        places: vec![
            ("open_deadline", Place::of(section, "open")),
            ("commit_deadline", Place::of(section, "commit")),
            ("call_deadline", Place::of(section, "call")),
        ],
    }
}

fn find<'p>(
    places: impl IntoIterator<Item = &'p (&'static str, Place)>,
    setting: &str,
) -> Option<Place> {
    let mut places = places.into_iter();
    let (_, place) = places.find(|(name, _)| *name == setting)?;
    Some(place.clone())
}

/// The message for what a cargo feature has that is off.
pub(crate) fn needs_feature(name: &str) -> String {
    format!("this needs the cargo feature {name:?} of cloakroom")
}

/// The message for a name that refers to nothing.
pub(crate) fn unknown_name(what: &str, name: &str, known: &[&str]) -> String {
    match (nearest(name, known.iter().copied()), known) {
        (Some(near), _) => format!("there is no {what} {name:?}; did you mean {near:?}?"),
        (None, []) => format!("there is no {what} {name:?}, nor any other"),
        (None, known) => format!(
            "there is no {what} {name:?}; there are {}",
            known.join(", ")
        ),
    }
}
