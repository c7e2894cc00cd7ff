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
    ///
    /// ```
    /// use cloakroom_memory::MemoryStore;
    /// use cloakroom_store::StoreErrorKind;
    /// # use cloakroom_store::{Key, NamespaceId, Record, SessionId, Store, Timestamp, Version};
    /// # let key = Key::new(NamespaceId::new("cart").unwrap(), SessionId::from_bytes([1; 16]));
    /// # let (now, later) = (Timestamp::from_millis(1_000), Timestamp::from_millis(61_000));
    /// # let record = |data: Vec<u8>| Record::new(Version::from_bits(1), now, later, data.into());
    /// let store = MemoryStore::builder().max_bytes(10_000).build();
    /// # let created = tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// #     store.create(&key, &record(vec![0; 10_000])).await
    /// # });
    /// // A record with 10,000 bytes of data, and what it counts besides, has no room.
    /// assert_eq!(created.unwrap_err().kind(), StoreErrorKind::TooLarge);
    /// ```
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.bounds.bytes = bytes;
        self
    }

    /// Calls `report` for each session that is evicted, after the write that needed the room, on
    /// the thread of that write and with no lock held: `report` may use the store, and should
    /// be quick.
    ///
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
    /// use cloakroom_memory::MemoryStore;
    /// # use cloakroom_store::{Key, NamespaceId, Record, SessionId, Store, Timestamp, Version};
    ///
    /// let evicted = Arc::new(AtomicU64::new(0));
    /// let counter = Arc::clone(&evicted);
    /// let store = MemoryStore::builder()
    ///     .max_sessions(1)
    ///     .on_evict(move |_| {
    ///         counter.fetch_add(1, Ordering::Relaxed);
    ///     })
    ///     .build();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # for id in [1, 2] {
    /// #     let id = SessionId::from_bytes([id; 16]);
    /// #     let key = Key::new(NamespaceId::new("cart").unwrap(), id);
    /// #     let (now, later) = (Timestamp::from_millis(1_000), Timestamp::from_millis(61_000));
    /// #     let record = Record::new(Version::from_bits(1), now, later, "data".into());
    /// #     store.create(&key, &record).await.unwrap();
    /// # }
    /// # });
    /// // Two visitors have come.
    /// assert_eq!(evicted.load(Ordering::Relaxed), 1);
    /// ```
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
