use std::{fmt::Debug, sync::Arc};

use cloakroom_store::Timestamp;

/// Tells the time that limits are judged by.
///
/// [`SystemClock`] is the default; tests inject one that they can move.
///
/// ```
/// use cloakroom_core::{Clock, store::Timestamp};
///
/// #[derive(Debug)]
/// struct Stopped(Timestamp);
///
/// impl Clock for Stopped {
///     fn now(&self) -> Timestamp {
///         self.0
///     }
/// }
/// let clock = Stopped(Timestamp::from_millis(1_767_225_600_000));
/// assert_eq!(clock.now(), clock.now());
/// ```
pub trait Clock: Debug + Send + Sync + 'static {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the time"
    )]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::EPOCH.saturating_add(since_epoch)
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}
