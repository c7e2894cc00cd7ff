//! Key rings: where their keys are, and never what they are.

use super::Place;
use crate::{error::Problems, origin::Origin, schema::Section};

#[cfg_attr(
    not(feature = "client-side"),
    expect(dead_code, reason = "nothing needs keys")
)]
pub(crate) struct KeysPlan {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// The current key, then the older ones.
    pub(crate) sources: Vec<(Place, KeySource)>,
    /// Whether the file of the current key is made when it is not there.
    pub(crate) generate: bool,
}

/// Where a key is, or something else that is not to stand in settings.
#[derive(Clone)]
pub(crate) enum KeySource {
    File(std::path::PathBuf),
    Variable(String),
    /// Here; only in a variable.
    Inline(String),
}

impl KeysPlan {
    pub(super) fn new(name: &str, section: &Section, problems: &mut Problems) -> Option<Self> {
        let place = Place::of_section(section);
        let Some(current) = section.get("current") else {
            let message = "a key ring needs a current key: current = \"file:PATH\" or \"env:NAME\"";
            problems.add(place.origin, &place.path, message);
            return None;
        };
        let text = section.text("current").unwrap_or_default();
        let mut texts = vec![(current.path.clone(), current.origin.clone(), text)];
        let path = section.path_of("older");
        let older = section.texts("older").iter();
        texts.extend(older.map(|(origin, text)| (path.clone(), origin.clone(), text.as_str())));
        let mut sources = Vec::new();
        for (path, origin, text) in texts {
            match KeySource::parse(text, &origin) {
                Ok(source) => {
                    let origin = Some(origin);
                    sources.push((Place { origin, path }, source));
                }
                Err(why) => problems.add(origin, &path, why.message()),
            }
        }
        let generate = section.is_on("generate");
        if generate && !matches!(sources.first(), Some((_, KeySource::File(_)))) {
            let place = Place::of(section, "generate");
            let message = "only a key in a file can be made: current = \"file:PATH\"";
            problems.add(place.origin, &place.path, message);
        }
        Some(Self {
            name: name.to_owned(),
            place,
            sources,
            generate,
        })
    }
}

impl KeySource {
    /// The error never repeats the text: it may be a key.
    pub(super) fn parse(text: &str, origin: &Origin) -> Result<Self, NoSource> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("file:") {
            return match path {
                "" => Err(NoSource::NoPath),
                path => Ok(Self::File(origin.folder().join(path))),
            };
        }
        if let Some(name) = text.strip_prefix("env:") {
            return match name {
                "" => Err(NoSource::NoName),
                name => Ok(Self::Variable(name.to_owned())),
            };
        }
        match origin.is_variable() {
            true => Ok(Self::Inline(text.to_owned())),
            false => Err(NoSource::Inline),
        }
    }
}

/// Why a text does not say where a key is.
#[derive(Debug, Clone, Copy)]
pub(super) enum NoSource {
    NoPath,
    NoName,
    Inline,
}

impl NoSource {
    pub(super) const fn message(self) -> &'static str {
        match self {
            Self::NoPath => "file: stands before the path of a file",
            Self::NoName => "env: stands before the name of a variable",
            Self::Inline => {
                "a key does not stand in the settings, which go into version control and backups: \
                 write file:PATH or env:NAME"
            }
        }
    }
}
