use std::{fmt, sync::Arc};

use cloakroom_store::Summary;

use crate::{MemoryStore, bounds::Bounds};

/// Sets the bounds of a [`MemoryStore`].
///
/// ```
/// use cloakroom_memory::MemoryStore;
///
/// let store = MemoryStore::builder()
///     .max_sessions(50_000)
///     .max_bytes(64 * 1024 * 1024)
///     .on_evict(|session| eprintln!("no room for {}", session.key))
///     .build();
/// assert_eq!(store.stats().sessions, 0);
/// ```
#[must_use = "call build() to get the store"]
pub struct MemoryStoreBuilder {
    pub(crate) bounds: Bounds,
    pub(crate) on_evict: Option<OnEvict>,
}

pub(crate) type OnEvict = Arc<dyn Fn(&Summary) + Send + Sync>;

impl MemoryStoreBuilder {
    pub(crate) fn new() -> Self {
        Self {
            bounds: Bounds {
                sessions: 1_000_000,
                bytes: 512 * 1024 * 1024,
            },
            on_evict: None,
        }
    }

    /// How many sessions the store holds at most: 1,000,000 by default. 0 is taken as 1.
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.bounds.sessions = sessions.max(1);
        self
    }

    /// How many bytes the sessions count at most, as the crate's page counts them: 512 MiB by
    /// default.
    ///
    /// The store is divided into up to 64 parts, and a single record may take the share of one: 8
    /// MiB of the default, all of a bound below 8 MiB, and at least 4 MiB of a larger one. A larger
    /// record is refused with [`TooLarge`](cloakroom_store::StoreErrorKind::TooLarge).
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.bounds.bytes = bytes;
        self
    }

    /// Calls `report` for each session that is evicted, after the write that needed the room, on
    /// the thread of that write and with no lock held: `report` may use the store, and should
    /// be quick.
    pub fn on_evict(mut self, report: impl Fn(&Summary) + Send + Sync + 'static) -> Self {
        self.on_evict = Some(Arc::new(report));
        self
    }

    /// The store.
    #[must_use]
    pub fn build(self) -> MemoryStore {
        MemoryStore::from_builder(self)
    }
}

impl fmt::Debug for MemoryStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStoreBuilder")
            .field("max_sessions", &self.bounds.sessions)
            .field("max_bytes", &self.bounds.bytes)
            .field("on_evict", &self.on_evict.is_some())
            .finish()
    }
}
