use std::{fmt, time::Duration};

use cloakroom_store::{Store, Watch};

use crate::{
    TieredStore,
    front::Front,
    inner::Inner,
    watcher::{self, Start},
};

/// Sets how a [`TieredStore`] stays coherent.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_memory::MemoryStore;
/// use cloakroom_tiered::TieredStore;
///
/// # let back = MemoryStore::new();
/// let store = TieredStore::builder(MemoryStore::new(), back)
///     .max_age(Duration::from_secs(2))
///     .front_timeout(Duration::from_millis(20))
///     .build();
/// assert!(store.trusts_front());
/// ```
#[must_use = "call build() to get the store"]
pub struct TieredStoreBuilder<F, B> {
    front: F,
    back: B,
    max_age: Option<Duration>,
    front_timeout: Duration,
    start: Option<Start<F, B>>,
}

impl<F: Store, B: Store> TieredStoreBuilder<F, B> {
    /// How old a copy may be that is served, if nothing else is said: 1 second.
    pub const DEFAULT_MAX_AGE: Duration = Duration::from_secs(1);

    /// The same with [`watch`](Self::watch), which makes copies void much earlier: 60 seconds.
    pub const DEFAULT_WATCHED_MAX_AGE: Duration = Duration::from_secs(60);

    /// How long a call of the front may take, if nothing else is said: 50 milliseconds.
    pub const DEFAULT_FRONT_TIMEOUT: Duration = Duration::from_millis(50);

    pub(crate) fn new(front: F, back: B) -> Self {
        Self {
            front,
            back,
            max_age: None,
            front_timeout: Self::DEFAULT_FRONT_TIMEOUT,
            start: None,
        }
    }

    /// Sets how old a copy may be that is served, counted from the moment at which the back was
    /// asked: [`DEFAULT_MAX_AGE`](Self::DEFAULT_MAX_AGE), or
    /// [`DEFAULT_WATCHED_MAX_AGE`](Self::DEFAULT_WATCHED_MAX_AGE) with [`watch`](Self::watch).
    ///
    /// **Without `watch` this is for how long a session goes on in this process that another has
    /// ended.** With it, it is the last resort if the back should fail to tell a change. Zero
    /// serves nothing from the front.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloakroom_memory::MemoryStore;
    /// use cloakroom_tiered::TieredStore;
    ///
    /// # let back = MemoryStore::new();
    /// let store = TieredStore::builder(MemoryStore::new(), back)
    ///     .max_age(Duration::from_millis(500))
    ///     .build();
    /// # drop(store);
    /// ```
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Sets how long a call of the front may take before it counts as failed:
    /// [`DEFAULT_FRONT_TIMEOUT`](Self::DEFAULT_FRONT_TIMEOUT). After three failures in a row the
    /// front is left alone until it answers again.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloakroom_memory::MemoryStore;
    /// use cloakroom_tiered::TieredStore;
    ///
    /// # let back = MemoryStore::new();
    /// let store = TieredStore::builder(MemoryStore::new(), back)
    ///     .front_timeout(Duration::from_millis(5))
    ///     .build();
    /// # drop(store);
    /// ```
    pub fn front_timeout(mut self, timeout: Duration) -> Self {
        self.front_timeout = timeout;
        self
    }

    /// Has the back tell what others change in it.
    ///
    /// A task listens, on the tokio runtime on which the store is built or first loads. While it
    /// can't, the front is not asked: every load goes to the back. It tries again after 100 ms at
    /// first and after a second later on.
    ///
    /// ```
    /// use cloakroom_memory::MemoryStore;
    /// use cloakroom_store::Watch;
    /// use cloakroom_tiered::TieredStore;
    ///
    /// fn coherent<B: Watch>(back: B) -> TieredStore<MemoryStore, B> {
    ///     TieredStore::builder(MemoryStore::new(), back).watch().build()
    /// }
    /// ```
    pub fn watch(mut self) -> Self
    where
        B: Watch,
    {
        self.start = Some(watcher::start);
        self
    }

    /// The store.
    #[must_use]
    pub fn build(self) -> TieredStore<F, B> {
        let max_age = self.max_age.unwrap_or(match self.start {
            Some(_) => Self::DEFAULT_WATCHED_MAX_AGE,
            None => Self::DEFAULT_MAX_AGE,
        });
        let front = Front::new(self.front, self.front_timeout);
        TieredStore::from_inner(Inner::new(front, self.back, max_age, self.start))
    }
}

impl<F: fmt::Debug, B: fmt::Debug> fmt::Debug for TieredStoreBuilder<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TieredStoreBuilder")
            .field("front", &self.front)
            .field("back", &self.back)
            .field("max_age", &self.max_age)
            .field("front_timeout", &self.front_timeout)
            .field("watch", &self.start.is_some())
            .finish()
    }
}
