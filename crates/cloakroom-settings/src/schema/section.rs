use std::time::Duration;

use super::names::{STORE, Setting};
use crate::origin::Origin;

/// A value of the right type.
#[derive(Clone)]
pub(crate) enum Checked {
    Text(String),
    Texts(Vec<(Origin, String)>),
    Bool(bool),
    Duration(Duration),
    /// A count, or a size in bytes.
    Number(u64),
    Choice(&'static str),
    Expires(Expires),
    Section(Section),
    Sections(Vec<(String, Section)>),
}

/// When Beaker has a cookie expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expires {
    WithBrowser,
    Never,
    After(u64),
}

/// One setting that is set.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) path: String,
    pub(crate) origin: Origin,
    pub(crate) value: Checked,
}

/// A group of settings, each of a known name and of the right type.
#[derive(Clone)]
pub(crate) struct Section {
    path: String,
    origin: Option<Origin>,
    settings: &'static [Setting],
    entries: Vec<Entry>,
}

impl Section {
    pub(super) fn new(path: &str, origin: Option<&Origin>, settings: &'static [Setting]) -> Self {
        Self {
            path: path.to_owned(),
            origin: origin.cloned(),
            settings,
            entries: Vec::new(),
        }
    }

    /// A store's, with nothing set.
    pub(crate) fn of_store(path: &str, origin: Option<&Origin>) -> Self {
        Self::new(path, origin, STORE)
    }

    pub(crate) fn add(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn path_of(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        debug_assert!(
            self.settings.iter().any(|setting| setting.name == name),
            "{name} is in no schema"
        );
        self.entries.iter().find(|entry| entry.name == name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match &self.get(name)?.value {
            Checked::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn texts(&self, name: &str) -> &[(Origin, String)] {
        match self.get(name).map(|entry| &entry.value) {
            Some(Checked::Texts(texts)) => texts,
            _ => &[],
        }
    }

    pub(crate) fn bool(&self, name: &str) -> Option<bool> {
        match self.get(name)?.value {
            Checked::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Whether it is set, and set to true.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.bool(name) == Some(true)
    }

    pub(crate) fn duration(&self, name: &str) -> Option<Duration> {
        match self.get(name)?.value {
            Checked::Duration(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        match self.get(name)?.value {
            Checked::Number(value) => Some(value),
            _ => None,
        }
    }

    /// A size or count, as what counts things in memory takes it.
    pub(crate) fn size(&self, name: &str) -> Option<usize> {
        let number = self.number(name)?;
        Some(number.try_into().unwrap_or(usize::MAX))
    }

    pub(crate) fn choice(&self, name: &str) -> Option<&'static str> {
        match self.get(name)?.value {
            Checked::Choice(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn expires(&self, name: &str) -> Option<Expires> {
        match self.get(name)?.value {
            Checked::Expires(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn section(&self, name: &str) -> Option<&Section> {
        match &self.get(name)?.value {
            Checked::Section(section) => Some(section),
            _ => None,
        }
    }

    pub(crate) fn sections(&self, name: &str) -> &[(String, Section)] {
        match self.get(name).map(|entry| &entry.value) {
            Some(Checked::Sections(sections)) => sections,
            _ => &[],
        }
    }
}
