use std::{fmt, time::Duration};

/// How long after its expiry a record is still kept: 60 seconds.
///
/// A session is judged strictly when a request opens it. A request that takes a while, or a
/// machine whose clock is a little ahead, must not find the record gone at commit, so sweeping,
/// touching and a store's own expiry add this margin.
pub const EXPIRY_MARGIN: Duration = Duration::from_secs(60);

/// A point in time: milliseconds since 1970-01-01 00:00:00 UTC.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_store::Timestamp;
/// let created = Timestamp::from_millis(1_000);
/// let expires = created.saturating_add(Duration::from_secs(60));
/// assert_eq!(expires.as_millis(), 61_000);
/// assert_eq!(expires.saturating_since(created), Duration::from_secs(60));
/// assert_eq!(created.saturating_sub(Duration::from_secs(5)), Timestamp::EPOCH);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The beginning of 1970.
    pub const EPOCH: Self = Self(0);
    /// The end of time, for what never expires.
    pub const MAX: Self = Self(u64::MAX);

    /// From milliseconds since the beginning of 1970, UTC.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the beginning of 1970, UTC.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This time plus `duration`, at most [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// This time minus `duration`, at least [`Timestamp::EPOCH`].
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// The time from `earlier` to this one, zero when `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let second = Duration::from_secs(1);
        assert_eq!(Timestamp::MAX.saturating_add(second), Timestamp::MAX);
        assert_eq!(Timestamp::EPOCH.saturating_sub(second), Timestamp::EPOCH);
        assert_eq!(
            Timestamp::EPOCH.saturating_add(Duration::MAX),
            Timestamp::MAX
        );
        let later = Timestamp::from_millis(1500);
        assert_eq!(later.saturating_since(Timestamp::from_millis(500)), second);
        assert_eq!(Timestamp::EPOCH.saturating_since(later), Duration::ZERO);
    }
}
