use std::time::Duration;

use cloakroom_store::Timestamp;

/// How long a session lives: an idle and an absolute limit, both judged by the server.
///
/// *Idle* counts from the last use, *absolute* from creation or login; rotation and use do not
/// prolong the absolute one. Without a limit of a kind, that kind does not end the session.
///
/// Reads do not become writes: a use is noted only when the last noted one is a tenth of the idle
/// limit ago (see [`touch_after`](Limits::touch_after)), so a session may end after 0.9 of the
/// idle limit.
///
/// The default is [`Limits::owasp`].
///
/// ```
/// use cloakroom_core::{Limits, hours, minutes};
/// let limits = Limits::idle(minutes(30)).absolute(hours(12));
/// assert_eq!(limits.idle_limit(), Some(minutes(30)));
/// assert_eq!(limits.absolute_limit(), Some(hours(12)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub(crate) idle: Option<Duration>,
    pub(crate) absolute: Option<Duration>,
    pub(crate) touch_after: Option<Duration>,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Limits {
    /// An idle limit, and no absolute one yet.
    #[must_use]
    pub const fn idle(idle: Duration) -> Self {
        Self {
            idle: Some(idle),
            absolute: None,
            touch_after: None,
        }
    }

    /// An absolute limit alone.
    ///
    /// ```
    /// use cloakroom_core::{Limits, days};
    /// let limits = Limits::absolute_only(days(30));
    /// assert_eq!(limits.idle_limit(), None);
    /// ```
    #[must_use]
    pub const fn absolute_only(absolute: Duration) -> Self {
        Self {
            idle: None,
            absolute: Some(absolute),
            touch_after: None,
        }
    }

    /// Sets the absolute limit.
    #[must_use]
    pub const fn absolute(self, absolute: Duration) -> Self {
        Self {
            absolute: Some(absolute),
            ..self
        }
    }

    /// How long after the last noted use the next one is noted, at most half of the idle limit.
    /// Zero notes every use, with a write for each, and makes the idle limit exact.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// use std::time::Duration;
    /// use cloakroom_core::{Limits, Namespace, SessionManager, minutes};
    /// let exact = Limits::idle(minutes(30)).touch_after(Duration::ZERO);
    /// let too_late = Limits::idle(minutes(30)).touch_after(minutes(20));
    /// for (limits, is_possible) in [(exact, true), (too_late, false)] {
    ///     let cart = Namespace::new("cart", MemoryStore::new()).limits(limits);
    ///     assert_eq!(SessionManager::builder().namespace(cart).build().is_ok(), is_possible);
    /// }
    /// ```
    #[must_use]
    pub const fn touch_after(self, after: Duration) -> Self {
        Self {
            touch_after: Some(after),
            ..self
        }
    }

    /// 30 minutes idle and 8 hours absolute: the upper ends of what the OWASP Session Management
    /// Cheat Sheet gives for applications of low risk and for a working day.
    ///
    /// ```
    /// use cloakroom_core::{Limits, hours, minutes};
    /// assert_eq!(Limits::owasp(), Limits::idle(minutes(30)).absolute(hours(8)));
    /// ```
    #[must_use]
    pub const fn owasp() -> Self {
        Self::idle(Duration::from_secs(30 * 60)).absolute(Duration::from_secs(8 * 60 * 60))
    }

    /// NIST SP 800-63B-4, AAL1: 30 days absolute, no idle limit.
    ///
    /// ```
    /// use cloakroom_core::{Limits, days};
    /// assert_eq!(Limits::nist_aal1(), Limits::absolute_only(days(30)));
    /// ```
    #[must_use]
    pub const fn nist_aal1() -> Self {
        Self::absolute_only(Duration::from_secs(30 * 24 * 60 * 60))
    }

    /// NIST SP 800-63B-4, AAL2: 1 hour idle, 24 hours absolute.
    ///
    /// ```
    /// use cloakroom_core::{Limits, hours};
    /// assert_eq!(Limits::nist_aal2(), Limits::idle(hours(1)).absolute(hours(24)));
    /// ```
    #[must_use]
    pub const fn nist_aal2() -> Self {
        Self::idle(HOUR).absolute(DAY)
    }

    /// NIST SP 800-63B-4, AAL3: 15 minutes idle, 12 hours absolute.
    ///
    /// ```
    /// use cloakroom_core::{Limits, hours, minutes};
    /// assert_eq!(Limits::nist_aal3(), Limits::idle(minutes(15)).absolute(hours(12)));
    /// ```
    #[must_use]
    pub const fn nist_aal3() -> Self {
        Self::idle(Duration::from_secs(15 * 60)).absolute(Duration::from_secs(12 * 60 * 60))
    }

    /// The idle limit, if there is one.
    #[must_use]
    pub const fn idle_limit(&self) -> Option<Duration> {
        self.idle
    }

    /// The absolute limit, if there is one.
    #[must_use]
    pub const fn absolute_limit(&self) -> Option<Duration> {
        self.absolute
    }

    /// What contradicts itself here, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let is_zero =
            |limit: Option<Duration>| limit.is_some_and(|limit| limit < Duration::from_millis(1));
        match (self.idle, self.absolute, self.touch_after) {
            (None, None, _) => Some("a session without any limit never ends; set one"),
            _ if is_zero(self.idle) || is_zero(self.absolute) => {
                Some("a limit below one millisecond ends every session at once")
            }
            (Some(idle), Some(absolute), _) if idle > absolute => {
                Some("the idle limit is longer than the absolute one, so it never takes effect")
            }
            (None, _, Some(_)) => Some("touch_after is set, but there is no idle limit"),
            (Some(idle), _, Some(after)) if after > idle / 2 => {
                Some("touch_after is more than half of the idle limit, so sessions in use may end")
            }
            _ => None,
        }
    }

    /// The limits of one session: its own lifetime, set by `persist`, takes the place of both.
    pub(crate) fn of_session(&self, lifetime: Option<Duration>) -> Self {
        lifetime.map_or(*self, Self::absolute_only)
    }

    /// When a session last seen at `last_seen`, whose absolute limit began at `began`, ends.
    pub(crate) fn expires(&self, began: Timestamp, last_seen: Timestamp) -> Timestamp {
        let end = |limit: Option<Duration>, from: Timestamp| {
            limit.map_or(Timestamp::MAX, |limit| from.saturating_add(limit))
        };
        end(self.idle, last_seen).min(end(self.absolute, began))
    }

    /// Whether a use at `now` is noted.
    pub(crate) fn touch_is_due(&self, last_seen: Timestamp, now: Timestamp) -> bool {
        self.idle.is_some_and(|idle| {
            let after = self.touch_after.unwrap_or(idle / 10);
            now > last_seen && now.saturating_since(last_seen) >= after
        })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::owasp()
    }
}

/// `n` minutes.
///
/// ```
/// # use std::time::Duration;
/// assert_eq!(cloakroom_core::minutes(2), Duration::from_secs(120));
/// ```
#[must_use]
pub const fn minutes(n: u32) -> Duration {
    times(MINUTE, n)
}

/// `n` hours.
///
/// ```
/// # use std::time::Duration;
/// assert_eq!(cloakroom_core::hours(2), Duration::from_secs(7_200));
/// ```
#[must_use]
pub const fn hours(n: u32) -> Duration {
    times(HOUR, n)
}

/// `n` days of 24 hours.
///
/// ```
/// # use std::time::Duration;
/// assert_eq!(cloakroom_core::days(2), Duration::from_secs(172_800));
/// ```
#[must_use]
pub const fn days(n: u32) -> Duration {
    times(DAY, n)
}

const fn times(unit: Duration, n: u32) -> Duration {
    unit.saturating_mul(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn the_earlier_limit_counts() {
        let limits = Limits::idle(minutes(30)).absolute(hours(1));
        assert_eq!(limits.expires(at(0), at(0)), at(1800));
        assert_eq!(limits.expires(at(0), at(3000)), at(3600));
    }

    #[test]
    fn a_use_is_noted_after_a_tenth_of_the_idle_limit() {
        let limits = Limits::idle(minutes(10));
        assert!(!limits.touch_is_due(at(0), at(59)));
        assert!(limits.touch_is_due(at(0), at(60)));
        let exact = limits.touch_after(Duration::ZERO);
        assert!(exact.touch_is_due(at(0), at(1)));
        assert!(!exact.touch_is_due(at(1), at(1)));
        assert!(!Limits::nist_aal1().touch_is_due(at(0), at(1_000_000)));
    }

    #[test]
    fn contradictions_are_named() {
        for limits in [
            Limits::idle(hours(2)).absolute(hours(1)),
            Limits::idle(Duration::ZERO),
            Limits::absolute_only(Duration::ZERO),
            Limits::absolute_only(hours(1)).touch_after(minutes(1)),
            Limits::idle(minutes(10)).touch_after(minutes(6)),
            Limits {
                idle: None,
                absolute: None,
                touch_after: None,
            },
        ] {
            assert!(limits.problem().is_some(), "{limits:?}");
        }
    }

    #[test]
    fn presets_are_those_of_their_standards() {
        let table = [
            (Limits::nist_aal1(), None, days(30)),
            (Limits::nist_aal2(), Some(hours(1)), hours(24)),
            (Limits::nist_aal3(), Some(minutes(15)), hours(12)),
            (Limits::owasp(), Some(minutes(30)), hours(8)),
        ];
        for (limits, idle, absolute) in table {
            assert_eq!(limits.idle_limit(), idle);
            assert_eq!(limits.absolute_limit(), Some(absolute));
            assert_eq!(limits.problem(), None);
        }
    }
}
