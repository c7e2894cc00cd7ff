use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cloakroom_core::{Clock, Random, RandomError};
use cloakroom_store::Timestamp;

use crate::SplitMix64;

/// A clock that stands still until it is moved. Clones are one clock.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_core::Clock;
/// use cloakroom_store::Timestamp;
/// use cloakroom_testkit::TestClock;
///
/// let clock = TestClock::new(Timestamp::from_millis(1_000));
/// let of_the_manager = clock.clone();
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(of_the_manager.now(), Timestamp::from_millis(2_000));
/// ```
#[derive(Debug, Clone)]
pub struct TestClock(Arc<AtomicU64>);

impl TestClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(now.as_millis())))
    }

    /// Shows another time, an earlier one too.
    ///
    /// ```
    /// use cloakroom_core::Clock;
    /// use cloakroom_store::Timestamp;
    /// use cloakroom_testkit::TestClock;
    ///
    /// let clock = TestClock::default();
    /// clock.set(Timestamp::from_millis(1_000)); // a machine whose clock is put back
    /// assert_eq!(clock.now(), Timestamp::from_millis(1_000));
    /// ```
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let later = |now: u64| Some(now.saturating_add(by));
        // The closure always gives a value, so this can't fail.
        let _ = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
    }
}

impl Default for TestClock {
    /// A clock that shows the beginning of 2026.
    fn default() -> Self {
        Self::new(Timestamp::from_millis(1_767_225_600_000))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Random bytes that follow from a seed, so that a test can be replayed. Clones go on with one
/// sequence.
///
/// For tests only: whoever knows the seed knows every secret.
///
/// ```
/// use cloakroom_core::Random;
/// use cloakroom_testkit::TestRandom;
///
/// let (mut first, mut again) = ([0; 16], [0; 16]);
/// TestRandom::new(7).fill(&mut first)?;
/// TestRandom::new(7).fill(&mut again)?;
/// assert_eq!(first, again);
/// # Ok::<(), cloakroom_core::RandomError>(())
/// ```
#[derive(Clone)]
pub struct TestRandom(Arc<Mutex<SplitMix64>>);

impl TestRandom {
    /// A generator that always gives the same bytes for a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(SplitMix64::new(seed))))
    }
}

impl Random for TestRandom {
    fn fill(&self, target: &mut [u8]) -> Result<(), RandomError> {
        let mut random = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in target.chunks_mut(8) {
            let bytes = random.next_u64().to_le_bytes();
            for (to, from) in chunk.iter_mut().zip(bytes) {
                *to = from;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for TestRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestRandom")
    }
}
