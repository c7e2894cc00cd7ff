use std::{error::Error, fmt, sync::Arc};

/// Whom a session belongs to after login: a user's id in the application's own words.
///
/// 1 to 255 bytes of UTF-8. Compared byte by byte, so normalize it first if your user names
/// come in several spellings. `Debug` shows it; it is no secret, but it is personal data.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(Arc<str>);

impl Subject {
    /// The longest subject, in bytes.
    pub const MAX_LENGTH: usize = 255;

    /// A subject.
    ///
    /// # Errors
    /// When `subject` is empty or longer than [`Subject::MAX_LENGTH`] bytes.
    ///
    /// ```
    /// use cloakroom_store::Subject;
    /// assert_eq!(Subject::new("user-17").unwrap().as_str(), "user-17");
    /// assert!(Subject::new("").is_err());
    /// ```
    pub fn new(subject: &str) -> Result<Self, InvalidSubject> {
        if subject.is_empty() || subject.len() > Self::MAX_LENGTH {
            return Err(InvalidSubject {
                length: subject.len(),
            });
        }
        Ok(Self(Arc::from(subject)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<&str> for Subject {
    type Error = InvalidSubject;

    fn try_from(subject: &str) -> Result<Self, InvalidSubject> {
        Self::new(subject)
    }
}

impl TryFrom<&String> for Subject {
    type Error = InvalidSubject;

    fn try_from(subject: &String) -> Result<Self, InvalidSubject> {
        Self::new(subject)
    }
}

impl TryFrom<String> for Subject {
    type Error = InvalidSubject;

    fn try_from(subject: String) -> Result<Self, InvalidSubject> {
        Self::new(&subject)
    }
}

/// A subject was empty or too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSubject {
    length: usize,
}

impl fmt::Display for InvalidSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a subject has 1 to {} bytes, this one has {}",
            Subject::MAX_LENGTH,
            self.length
        )
    }
}

impl Error for InvalidSubject {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_bounded() {
        assert!(Subject::new(&"x".repeat(255)).is_ok());
        let error = Subject::new(&"x".repeat(256)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a subject has 1 to 255 bytes, this one has 256"
        );
    }
}
