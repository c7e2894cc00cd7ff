//! The table: what is read, and what is made of it or said of it.

use cloakroom_settings::{Settings, SettingsFormat};

/// A key like those that `openssl rand -base64 32` makes, and two that are none.
pub(crate) const VARIABLES: [(&str, &str); 3] = [
    ("GOOD", "ohP61PE8wkIhKbTggyqy/YzK6lr6xq2l/Ot8918UmD0="),
    ("WEAK", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ("PHRASE", "hunter2 is no key"),
];

/// Settings in one text.
pub(crate) struct Row {
    pub(crate) format: SettingsFormat,
    pub(crate) what: &'static str,
    text: &'static str,
    /// Of bad settings: what is said, to the letter. Of good ones: what can be seen of them.
    pub(crate) expected: &'static [&'static str],
}

/// Variables over a file.
pub(crate) struct Variables {
    pub(crate) what: &'static str,
    pub(crate) variables: &'static [(&'static str, &'static str)],
    pub(crate) messages: &'static [&'static str],
}

pub(crate) const fn row(
    format: SettingsFormat,
    what: &'static str,
    text: &'static str,
    expected: &'static [&'static str],
) -> Row {
    Row {
        format,
        what,
        text,
        expected,
    }
}

impl Row {
    pub(crate) fn settings(&self) -> Settings {
        Settings::new()
            .text(self.format, dedent(self.text))
            .variables(VARIABLES)
    }

    pub(crate) fn check_bad(&self) {
        assert_eq!(
            messages(&self.settings()),
            self.expected,
            "{:?}, {}",
            self.format,
            self.what
        );
    }
}

impl Variables {
    pub(crate) fn check_bad(&self, file: &str) {
        let settings = Settings::new()
            .text(SettingsFormat::Toml, dedent(file))
            .env("SHOP")
            .variables(self.variables.iter().copied());
        assert_eq!(messages(&settings), self.messages, "{}", self.what);
    }
}

/// What is said of settings.
pub(crate) fn messages(settings: &Settings) -> Vec<String> {
    match settings.check() {
        Ok(()) => vec!["nothing".to_owned()],
        Err(error) => error.problems().iter().map(ToString::to_string).collect(),
    }
}

/// A text without the indentation that it has in a table, and without the line before it.
pub(crate) fn dedent(text: &str) -> String {
    let text = text.strip_prefix('\n').unwrap_or(text);
    let indentation = text.len() - text.trim_start().len();
    let lines = text
        .lines()
        .map(|line| line.get(indentation..).unwrap_or_default());
    let mut text: String = lines.flat_map(|line| [line, "\n"]).collect();
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}
