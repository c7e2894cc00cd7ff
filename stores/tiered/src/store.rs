use std::{fmt, sync::Arc};

use cloakroom_store::{
    AnyStore, Cursor, Freshness, Key, Loaded, Page, Record, Store, StoreError, Subject, Tag,
    Timestamp,
};

use crate::{
    Stats, TieredStoreBuilder,
    head::{Head, Stamp},
    inner::{Found, Inner},
};

/// A store in front of another. Clones share both.
///
/// ```
/// use cloakroom_memory::MemoryStore;
/// use cloakroom_tiered::TieredStore;
///
/// # let back = MemoryStore::new();
/// let store = TieredStore::new(MemoryStore::new(), back);
/// assert_eq!(store.stats().hits, 0);
/// ```
pub struct TieredStore<F, B>(Arc<Inner<F, B>>);

impl<F: Store, B: Store> TieredStore<F, B> {
    /// Puts `front` in front of `back`. What others change in the back is seen after
    /// [`TieredStoreBuilder::DEFAULT_MAX_AGE`], one second.
    pub fn new(front: F, back: B) -> Self {
        Self::builder(front, back).build()
    }

    /// As [`new`](Self::new), with settings.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloakroom_memory::MemoryStore;
    /// use cloakroom_tiered::TieredStore;
    ///
    /// # let back = MemoryStore::new();
    /// let store = TieredStore::builder(MemoryStore::new(), back)
    ///     .max_age(Duration::from_secs(5))
    ///     .build();
    /// # drop(store);
    /// ```
    pub fn builder(front: F, back: B) -> TieredStoreBuilder<F, B> {
        TieredStoreBuilder::new(front, back)
    }

    /// What the store has done so far. While others use it the figures are those of no single
    /// moment.
    ///
    /// ```
    /// use cloakroom_memory::MemoryStore;
    /// # use cloakroom_store::{Freshness, Key, NamespaceId, Record, SessionId, Store, Timestamp, Version};
    /// use cloakroom_tiered::TieredStore;
    ///
    /// # let key = Key::new(NamespaceId::new("cart").unwrap(), SessionId::from_bytes([1; 16]));
    /// # let (now, later) = (Timestamp::from_millis(1_000), Timestamp::from_millis(61_000));
    /// # let record = Record::new(Version::from_bits(1), now, later, "data".into());
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let back = MemoryStore::new();
    /// let store = TieredStore::new(MemoryStore::new(), back.clone());
    /// back.create(&key, &record).await?; // by another process
    /// for _ in 0..3 {
    ///     store.load(&key, Freshness::Any).await?;
    /// }
    /// let stats = store.stats();
    /// assert_eq!((stats.misses, stats.hits), (1, 2));
    /// # Ok::<(), cloakroom_store::StoreError>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.counters.stats(self.0.front.errors.get())
    }

    /// Whether the front may answer now. With [`TieredStoreBuilder::watch`] it may not until the
    /// back is listened to, and while it can't be; otherwise it always may.
    ///
    /// ```
    /// use cloakroom_memory::MemoryStore;
    /// use cloakroom_tiered::TieredStore;
    ///
    /// # let back = MemoryStore::new();
    /// assert!(TieredStore::new(MemoryStore::new(), back).trusts_front());
    /// ```
    #[must_use]
    pub fn trusts_front(&self) -> bool {
        self.0.trust.era(self.0.now()).is_some()
    }

    /// The store in front.
    ///
    /// ```
    /// use cloakroom_memory::MemoryStore;
    /// use cloakroom_tiered::TieredStore;
    ///
    /// # let back = MemoryStore::new();
    /// let store = TieredStore::new(MemoryStore::new(), back);
    /// assert_eq!(store.front().stats().sessions, 0);
    /// ```
    #[must_use]
    pub fn front(&self) -> &F {
        &self.0.front.store
    }

    /// The store behind, where everything is.
    ///
    /// ```
    /// use cloakroom_memory::MemoryStore;
    /// use cloakroom_tiered::TieredStore;
    ///
    /// # let back = MemoryStore::new();
    /// let store = TieredStore::new(MemoryStore::new(), back);
    /// assert_eq!(store.back().stats().sessions, 0);
    /// ```
    #[must_use]
    pub fn back(&self) -> &B {
        &self.0.back
    }

    pub(crate) fn from_inner(inner: Inner<F, B>) -> Self {
        let inner = Arc::new(inner);
        inner.listen();
        Self(inner)
    }
}

impl<F, B> Clone for TieredStore<F, B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F: Store, B: Store> fmt::Debug for TieredStore<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TieredStore")
            .field("front", self.front())
            .field("back", self.back())
            .field("trusts_front", &self.trusts_front())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

#[deny(clippy::missing_trait_methods)]
impl<F: Store, B: Store> Store for TieredStore<F, B> {
    fn answers_from_copies(&self) -> bool {
        true
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Result<Option<Loaded>, StoreError> {
        let inner = &self.0;
        if freshness == Freshness::Latest {
            return Box::pin(inner.load_latest(key)).await;
        }
        let void = match inner.find(key).await {
            Found::Good(loaded) => {
                inner.counters.of(key).hits.add();
                return Ok(Some(loaded));
            }
            Found::Void(kept) => Some(kept),
            Found::Nothing => None,
        };
        // A hit has a small future, since what has to wait is in a box.
        Box::pin(inner.load_through(key, void)).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        let inner = &self.0;
        let (sent, changing) = (inner.now(), inner.marks.begin(key));
        let era = inner.trust.era(sent);
        let tag = inner.back.create(key, record).await?;
        let stamp = era.zip(changing.end()).map(Stamp::from);
        let loaded = Loaded::with_tag(record.clone(), tag);
        inner.keep(key, loaded, sent, stamp, None).await;
        Ok(tag)
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        let inner = &self.0;
        let (sent, changing) = (inner.now(), inner.marks.begin(key));
        let era = inner.trust.era(sent);
        let tag = inner.back.replace(key, record, expected).await?;
        let stamp = era.zip(changing.end()).map(Stamp::from);
        let loaded = Loaded::with_tag(record.clone(), tag);
        // What the session was loaded from is there still, as a rule.
        let mut found = expected.clone();
        found.tag = Tag::NONE;
        inner.keep(key, loaded, sent, stamp, Some(&found)).await;
        Ok(tag)
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let inner = &self.0;
        let (sent, changing) = (inner.now(), inner.marks.begin(key));
        let era = inner.trust.era(sent);
        let touched = inner.back.touch(key, record, expected).await?;
        let before = era.map(|era| Stamp::from((era, changing.before())));
        let stamp = era.zip(changing.end()).map(Stamp::from);
        if touched && stamp.is_some() {
            let stamps = (before, stamp);
            inner.touch_copy(key, record, expected, sent, stamps).await;
        }
        Ok(touched)
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let inner = &self.0;
        let changing = inner.marks.begin(key);
        let deleted = inner.back.delete(key).await?;
        drop(changing);
        inner.front.remove(key).await;
        Ok(deleted)
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let inner = &self.0;
        let removed = inner.back.sweep(now, limit).await?;
        inner.front.sweep(now, limit).await;
        Ok(removed)
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let back = &self.0.back;
        back.by_subject(namespace, subject, after, limit).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.0.back.scan(after, limit).await
    }

    fn into_any(self) -> AnyStore {
        AnyStore::new(self)
    }
}

impl<F: Store, B: Store> Inner<F, B> {
    /// Moves the times of a copy that was good before the touch and is what the back has touched.
    async fn touch_copy(
        self: &Arc<Self>,
        key: &Key,
        record: &Record,
        expected: &Loaded,
        sent: u64,
        (before, after): (Option<Stamp>, Option<Stamp>),
    ) {
        let Some(kept) = self.front.get(key).await else {
            return;
        };
        let mut touched = kept.clone();
        let head = Head::take_off(&mut touched.record.data);
        let Some(head) = head.filter(|head| Some(head.stamp) == before) else {
            return;
        };
        if touched.record.version != expected.record.version {
            return;
        }
        touched.tag = head.tag;
        let times = &mut touched.record;
        times.last_seen = times.last_seen.max(record.last_seen);
        times.expires = times.expires.max(record.expires);
        self.keep(key, touched, sent, after, Some(&kept)).await;
    }
}
