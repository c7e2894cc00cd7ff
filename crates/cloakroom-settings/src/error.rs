use std::{error::Error, fmt};

use crate::origin::Origin;

/// Settings that can't be used. For whoever starts the program.
///
/// It lists everything that is wrong, each with the file and line, or the variable, the setting,
/// and what to do. It shows no key and no URL: what it says can go to a log.
///
/// ```
/// use cloakroom_settings::{Settings, SettingsFormat};
/// let text = "[namespaces.cart]\nin_cookie = \"signed\"\nmax_sise = \"4KiB\"";
/// let error = Settings::new().text(SettingsFormat::Toml, text).check().unwrap_err();
/// let problem = &error.problems()[0];
/// assert_eq!(problem.origin().as_deref(), Some("line 3"));
/// assert_eq!(problem.setting(), "namespaces.cart.max_sise");
/// assert_eq!(problem.message(), "there is no such setting; did you mean max_size?");
/// assert!(error.to_string().starts_with("the session settings are wrong\n  - line 3: "));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    problems: Vec<SettingsProblem>,
}

impl SettingsError {
    /// What is wrong, at least one thing.
    #[must_use]
    pub fn problems(&self) -> &[SettingsProblem] {
        &self.problems
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the session settings are wrong")?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

impl Error for SettingsError {}

/// One thing that is wrong with the settings. `Display` gives all of it on one line:
/// `sessions.toml:3: namespaces.cart.max_sise: there is no such setting; ..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsProblem {
    origin: Option<Origin>,
    setting: String,
    message: String,
}

impl SettingsProblem {
    /// Where it stands: `sessions.toml:3`, `line 3` of a text, or the name of a variable. `None`
    /// for what stands nowhere, such as a setting that code adjusts and the settings don't have.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        self.origin.as_ref().map(ToString::to_string)
    }

    /// The setting's whole name, such as `namespaces.cart.limits.idle`; empty when it is about a
    /// source as a whole.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// What is wrong, and what to do.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if !self.setting.is_empty() {
            write!(f, "{}: ", self.setting)?;
        }
        f.write_str(&self.message)
    }
}

/// Collects what is wrong.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<SettingsProblem>);

impl Problems {
    pub(crate) fn add(
        &mut self,
        origin: impl Into<Option<Origin>>,
        setting: &str,
        message: impl Into<String>,
    ) {
        let problem = SettingsProblem {
            origin: origin.into(),
            setting: setting.to_owned(),
            message: message.into(),
        };
        // Two namespaces that share what is wrong say it once.
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// The error, if there is anything wrong.
    pub(crate) fn into_result(self) -> Result<(), SettingsError> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(self.into_error()),
        }
    }

    /// The error, where something is known to be wrong.
    pub(crate) fn into_error(self) -> SettingsError {
        SettingsError { problems: self.0 }
    }
}
