use std::{error::Error, fmt};

/// A store could not do what it was asked.
///
/// `Display` names the operation and what went wrong; what the driver said is in
/// [`source`](Error::source), for logs alone.
///
/// ```
/// use cloakroom_store::{Operation, StoreError, StoreErrorKind};
/// let error = StoreError::new(StoreErrorKind::Unavailable, Operation::Replace)
///     .with_source("connection reset by 10.0.0.1");
/// assert_eq!(error.kind(), StoreErrorKind::Unavailable);
/// assert_eq!(error.operation(), Operation::Replace);
/// assert!(error.is_outcome_unknown()); // it may have replaced the record
/// assert!(error.can_retry());
/// assert_eq!(error.to_string(), "replace failed: the store is unavailable");
/// ```
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    operation: Operation,
    can_retry: bool,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// An error. Whether a retry can help follows from the kind: yes for `Conflict`,
    /// `Unavailable` and `TimedOut`.
    #[must_use]
    pub const fn new(kind: StoreErrorKind, operation: Operation) -> Self {
        use StoreErrorKind::{Conflict, TimedOut, Unavailable};
        Self {
            kind,
            operation,
            can_retry: matches!(kind, Conflict | Unavailable | TimedOut),
            source: None,
        }
    }

    /// With the error behind it.
    ///
    /// ```
    /// use std::{error::Error, io};
    /// use cloakroom_store::{Operation, StoreError, StoreErrorKind};
    /// let error = StoreError::new(StoreErrorKind::Unavailable, Operation::Load)
    ///     .with_source(io::Error::from(io::ErrorKind::ConnectionRefused));
    /// assert!(error.source().unwrap().is::<io::Error>());
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Overrides whether a retry can help, where the driver knows better than the kind.
    ///
    /// ```
    /// use cloakroom_store::{Operation, StoreError, StoreErrorKind};
    /// let error = StoreError::new(StoreErrorKind::Unavailable, Operation::Load);
    /// let read_only_disk = error.retryable(false);
    /// assert!(!read_only_disk.can_retry());
    /// ```
    #[must_use]
    pub const fn retryable(mut self, can_retry: bool) -> Self {
        self.can_retry = can_retry;
        self
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// What the store was asked to do.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn can_retry(&self) -> bool {
        self.can_retry
    }

    /// Whether a write may have been carried out all the same. Such a write is never sent again.
    #[must_use]
    pub const fn is_outcome_unknown(&self) -> bool {
        use StoreErrorKind::{Other, TimedOut, Unavailable};
        matches!(self.kind, Unavailable | TimedOut | Other)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.operation, self.kind)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| -> &(dyn Error + 'static) { source })
    }
}

/// What went wrong in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// A create found the key taken.
    AlreadyExists,
    /// A replace did not find what it expected; the record may be gone.
    Conflict,
    /// The store can't be reached or refuses to work.
    Unavailable,
    /// The store did not answer in time.
    TimedOut,
    /// The record is larger than the store takes.
    TooLarge,
    /// What the store holds for the key is no record.
    Corrupt,
    /// The store can't do this at all.
    Unsupported,
    /// Anything else.
    Other,
}

impl fmt::Display for StoreErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyExists => "the key is taken",
            Self::Conflict => "the record has changed or is gone",
            Self::Unavailable => "the store is unavailable",
            Self::TimedOut => "the store did not answer in time",
            Self::TooLarge => "the record is too large for the store",
            Self::Corrupt => "the stored record is corrupt",
            Self::Unsupported => "the store does not support it",
            Self::Other => "the store reported an error",
        })
    }
}

/// A method of [`Store`](crate::Store).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// [`Store::load`](crate::Store::load)
    Load,
    /// [`Store::create`](crate::Store::create)
    Create,
    /// [`Store::replace`](crate::Store::replace)
    Replace,
    /// [`Store::touch`](crate::Store::touch)
    Touch,
    /// [`Store::delete`](crate::Store::delete)
    Delete,
    /// [`Store::sweep`](crate::Store::sweep)
    Sweep,
    /// [`Store::by_subject`](crate::Store::by_subject)
    BySubject,
    /// [`Store::scan`](crate::Store::scan)
    Scan,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Load => "load",
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Touch => "touch",
            Self::Delete => "delete",
            Self::Sweep => "sweep",
            Self::BySubject => "by_subject",
            Self::Scan => "scan",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_one_level_and_the_source_is_kept() {
        let error = StoreError::new(StoreErrorKind::Unavailable, Operation::Load)
            .with_source("connection refused by 10.0.0.1");
        assert_eq!(error.to_string(), "load failed: the store is unavailable");
        assert!(error.source().unwrap().to_string().contains("10.0.0.1"));
        assert!(error.can_retry());
        assert!(error.is_outcome_unknown());
    }

    #[test]
    fn conflicts_are_certain_and_worth_a_retry() {
        let error = StoreError::new(StoreErrorKind::Conflict, Operation::Replace);
        assert!(error.can_retry() && !error.is_outcome_unknown());
        assert!(!error.retryable(false).can_retry());
    }
}
