//! The four sources of settings, each read into the same tree.

mod env;
mod ini;
mod json;
mod paste;
mod toml;

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

pub(crate) use self::env::Environment;
use crate::{error::Problems, origin::Origin, tree::Table};

/// How settings are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingsFormat {
    /// TOML 1.1.
    Toml,
    /// `[section]` and `name = value`, one on a line. A section's name is the path to its
    /// settings, as in `[namespaces.cart.limits]`, and names may be paths too. Comments begin with
    /// `#` or `;` and stand on lines of their own. A value may stand in double quotes, and has no
    /// escapes; lists are separated by commas.
    Ini,
    /// JSON (RFC 8259).
    Json,
}

/// A longer file holds no settings.
const MAX_LENGTH: u64 = 1 << 20;

/// Something that settings are read from.
#[derive(Clone)]
pub(crate) enum Layer {
    File(PathBuf),
    Text(SettingsFormat, String),
    /// Variables whose names begin with this and `__`.
    Variables(String),
    /// A section of an INI file for Paste, with Beaker's settings in it.
    Paste {
        file: PathBuf,
        section: String,
    },
}

impl Layer {
    pub(crate) fn read(
        &self,
        below: &Table,
        folder: &Path,
        environment: &Environment,
        problems: &mut Problems,
    ) -> Table {
        match self {
            Self::File(path) => match (format_of(path), contents(path, problems)) {
                (Some(format), Some(text)) => parse(format, &text, &Origin::file(path), problems),
                (None, _) => {
                    let message = "its name ends in none of .toml, .ini and .json, so its format \
                                   can't be told";
                    problems.add(Origin::file(path), "", message);
                    Table::default()
                }
                (Some(_), None) => Table::default(),
            },
            Self::Text(format, text) => parse(*format, text, &Origin::text(folder), problems),
            Self::Variables(prefix) => env::read(prefix, below, folder, environment, problems),
            Self::Paste { file, section } => contents(file, problems)
                .map(|text| paste::read(&text, section, file, problems))
                .unwrap_or_default(),
        }
    }
}

fn parse(format: SettingsFormat, text: &str, origin: &Origin, problems: &mut Problems) -> Table {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        SettingsFormat::Toml => toml::read(text, origin, problems),
        SettingsFormat::Ini => ini::read(text, origin, problems),
        SettingsFormat::Json => json::read(text, origin, problems),
    }
}

fn format_of(path: &Path) -> Option<SettingsFormat> {
    match path.extension()?.to_str()? {
        "toml" => Some(SettingsFormat::Toml),
        "ini" => Some(SettingsFormat::Ini),
        "json" => Some(SettingsFormat::Json),
        _ => None,
    }
}

fn contents(path: &Path, problems: &mut Problems) -> Option<String> {
    let origin = Origin::file(path);
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_LENGTH + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        problems.add(origin, "", format!("it can't be read: {error}"));
        return None;
    }
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_LENGTH) {
        problems.add(origin, "", "it has more than 1 MiB: these are no settings");
        return None;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let good = error.as_bytes().get(..error.utf8_error().valid_up_to());
            let line = good.map_or(0, |good| good.iter().filter(|byte| **byte == b'\n').count());
            problems.add(origin.at(line + 1), "", "it is no UTF-8");
            None
        }
    }
}

/// Tells lines from offsets.
struct Lines<'t> {
    /// Where the lines after the first begin.
    starts: Vec<usize>,
    origin: &'t Origin,
}

impl<'t> Lines<'t> {
    fn new(text: &str, origin: &'t Origin) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Self { starts, origin }
    }

    fn origin(&self, offset: usize) -> Origin {
        let line = self.starts.partition_point(|start| *start <= offset) + 1;
        self.origin.at(line)
    }
}
