use std::{
    fmt,
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use cloakroom_store::{
    Cursor, Freshness, Key, Loaded, NamespaceId, Operation, Page, Record, Store, StoreError,
    StoreErrorKind, Subject, Summary, Tag, Timestamp,
};

use crate::{
    MemoryStoreBuilder, Stats,
    bounds::{Bounds, weight},
    builder::OnEvict,
    cursor,
    hash::HashedKey,
    shard::{Shard, Surroundings},
    subjects::Subjects,
};

/// Keeps sessions in the memory of this process. Clones share the sessions.
///
/// ```
/// use cloakroom_memory::MemoryStore;
/// let store = MemoryStore::new();
/// assert_eq!(store.clone().stats(), store.stats());
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    shards: Box<[Padded; Bounds::MAX_SHARDS]>,
    /// What the shards in use are numbered with: one less than a power of two.
    mask: usize,
    share: Bounds,
    subjects: Subjects,
    on_evict: Option<OnEvict>,
    /// The shard that the next sweep begins with.
    sweep_from: AtomicUsize,
}

// Two cache lines, so that neither a neighbour nor the prefetcher shares the lock.
#[derive(Default)]
#[repr(align(128))]
struct Padded(Mutex<Shard>);

impl MemoryStore {
    /// A store with the default bounds: 1,000,000 sessions and 512 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A store with other bounds.
    ///
    /// ```
    /// use cloakroom_memory::MemoryStore;
    /// let store = MemoryStore::builder().max_sessions(50_000).build();
    /// assert_eq!(store.stats().sessions, 0);
    /// ```
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder::new()
    }

    /// What the store holds and what it has evicted. Takes the lock of one shard after the other,
    /// so while others write the figures are those of no single moment.
    ///
    /// ```
    /// use cloakroom_memory::MemoryStore;
    /// # use cloakroom_store::{Key, NamespaceId, Record, SessionId, Store, Timestamp, Version};
    /// # let key = Key::new(NamespaceId::new("cart").unwrap(), SessionId::from_bytes([1; 16]));
    /// # let (now, later) = (Timestamp::from_millis(1_000), Timestamp::from_millis(61_000));
    /// # let record = |data: Vec<u8>| Record::new(Version::from_bits(1), now, later, data.into());
    /// let store = MemoryStore::new();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// store.create(&key, &record(b"three apples".to_vec())).await?;
    /// # Ok::<(), cloakroom_store::StoreError>(())
    /// # }).unwrap();
    /// assert_eq!(store.stats().sessions, 1);
    /// assert!(store.stats().bytes > "three apples".len()); // its place in the tables counts too
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        for shard in &*self.0.shards {
            stats.add(&shard.lock().stats());
        }
        stats
    }

    pub(crate) fn from_builder(builder: MemoryStoreBuilder) -> Self {
        let (shards, share) = builder.bounds.divide();
        Self(Arc::new(Inner {
            shards: Box::new(std::array::from_fn(|_| Padded::default())),
            mask: shards - 1,
            share,
            subjects: Subjects::default(),
            on_evict: builder.on_evict,
            sweep_from: AtomicUsize::new(0),
        }))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for MemoryStore {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, key: &Key, _: Freshness) -> Result<Option<Loaded>, StoreError> {
        Ok(self.0.shard(key).load(key))
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        self.0.check_size(record, Operation::Create)?;
        let evicted = self
            .0
            .shard(key)
            .create(key, record, &self.0.surroundings())?;
        self.0.report(&evicted);
        Ok(Tag::NONE)
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        self.0.check_size(record, Operation::Replace)?;
        let evicted = self
            .0
            .shard(key)
            .replace(key, record, expected, &self.0.surroundings())?;
        self.0.report(&evicted);
        Ok(Tag::NONE)
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        Ok(self.0.shard(key).touch(key, record, expected))
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        Ok(self.0.shard(key).delete(key, &self.0.subjects))
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let inner = &*self.0;
        let shards = inner.mask + 1;
        let first = inner.sweep_from.load(Ordering::Relaxed);
        let mut removed = 0;
        let mut visited = 0;
        for offset in 0..shards {
            let index = (first + offset) % shards;
            inner.sweep_from.store(index, Ordering::Relaxed);
            if removed == limit {
                break;
            }
            if let Some(shard) = inner.shards.get(index) {
                let mut shard = shard.lock();
                visited += shard.len();
                removed += shard.sweep(now, limit - removed, &inner.subjects);
            }
            // Requests on this thread must not wait for millions of sessions.
            if visited >= VISITED_AT_ONCE {
                visited = 0;
                yield_once().await;
            }
        }
        Ok(removed)
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let after = after.map(cursor::read_of_subject).transpose()?;
        let Ok(namespace) = NamespaceId::new(namespace) else {
            return Ok(Page::default());
        };
        let limit = limit.max(1);
        let one_more = limit.saturating_add(1);
        let mut ids = self.0.subjects.after(namespace, subject, after, one_more);
        let more_follow = ids.len() > limit;
        ids.truncate(limit);
        let next = ids.last().filter(|_| more_follow);
        let next = next.map(|last| cursor::of_subject(*last));
        let sessions = ids
            .into_iter()
            .map(|id| Key::new(namespace, id))
            .filter_map(|key| self.0.shard(&key).summary(&key))
            // The session may have changed hands since its id was read.
            .filter(|summary| summary.subject.as_ref() == Some(subject))
            .collect();
        Ok(Page::new(sessions, next))
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let inner = &*self.0;
        let mut after = after.map(cursor::read_of_scan).transpose()?;
        let first = after.map_or(0, |key| inner.index(&key));
        let limit = limit.max(1);
        let one_more = limit.saturating_add(1);
        let mut sessions = Vec::new();
        for shard in inner.shards.iter().skip(first) {
            let missing = one_more - sessions.len();
            sessions.extend(shard.lock().after(after.take(), missing));
            if sessions.len() == one_more {
                break;
            }
        }
        let more_follow = sessions.len() > limit;
        sessions.truncate(limit);
        let next = sessions.last().filter(|_| more_follow);
        let next = next.map(|last| cursor::of_scan(&last.key));
        Ok(Page::new(sessions, next))
    }

    fn into_any(self) -> cloakroom_store::AnyStore {
        cloakroom_store::AnyStore::new(self)
    }
}

impl Inner {
    fn index(&self, key: &Key) -> usize {
        // Neither the lowest bits nor the highest seven: the hash table uses those.
        let bits = HashedKey(*key).bits() >> 40;
        usize::try_from(bits & 0xff).unwrap_or(0) & self.mask
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        let [first, ..] = &*self.shards;
        self.shards.get(self.index(key)).unwrap_or(first).lock()
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            share: self.share,
            subjects: &self.subjects,
            reports: self.on_evict.is_some(),
        }
    }

    fn check_size(&self, record: &Record, operation: Operation) -> Result<(), StoreError> {
        let weight = weight(record);
        if weight <= self.share.bytes {
            return Ok(());
        }
        let source = format!(
            "the record counts {weight} bytes and one may have {}; see MemoryStoreBuilder::max_bytes",
            self.share.bytes
        );
        Err(StoreError::new(StoreErrorKind::TooLarge, operation).with_source(source))
    }

    fn report(&self, evicted: &[Summary]) {
        if let Some(report) = &self.on_evict {
            evicted.iter().for_each(|session| report(session));
        }
    }
}

impl Padded {
    fn lock(&self) -> MutexGuard<'_, Shard> {
        // Nothing below panics halfway through a change, so what a panic leaves is in order.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const VISITED_AT_ONCE: usize = 16 * 1024;

async fn yield_once() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if has_yielded {
            return Poll::Ready(());
        }
        has_yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use cloakroom_store::{SessionId, Version};

    use super::*;

    #[tokio::test]
    async fn the_index_forgets_what_is_gone_for_whatever_reason() {
        let store = MemoryStore::builder().max_sessions(8).build();
        let namespace = NamespaceId::new("cart").unwrap();
        for id in 0..100 {
            let key = Key::new(namespace, SessionId::from_bytes([id; 16]));
            let time = Timestamp::from_millis(u64::from(id));
            let mut record = Record::new(Version::from_bits(1), time, time, "data".into());
            record.subject = Some(Subject::new(&format!("user-{id}")).unwrap());
            store.create(&key, &record).await.unwrap();
            if id % 2 == 0 {
                store.delete(&key).await.unwrap();
            }
        }
        assert!(store.stats().evicted_logged_in > 0 && store.stats().sessions > 0);
        assert!(!store.0.subjects.is_empty());
        store.sweep(Timestamp::MAX, 100).await.unwrap();
        assert!(store.0.subjects.is_empty());
    }

    #[tokio::test]
    async fn a_sweep_goes_on_where_the_last_one_ended() {
        let store = MemoryStore::new();
        let namespace = NamespaceId::new("cart").unwrap();
        let time = Timestamp::EPOCH;
        for shard in 0..=u8::MAX {
            let key = Key::new(namespace, SessionId::from_bytes([shard; 16]));
            let record = Record::new(Version::from_bits(1), time, time, "data".into());
            store.create(&key, &record).await.unwrap();
        }
        // Four in each of the 64 shards.
        for swept in 1..=16 {
            assert_eq!(store.sweep(Timestamp::MAX, 16).await.unwrap(), 16);
            let empty = store
                .0
                .shards
                .iter()
                .filter(|shard| shard.lock().len() == 0);
            assert_eq!(empty.count(), swept * 4);
        }
        assert_eq!(store.sweep(Timestamp::MAX, 16).await.unwrap(), 0);
    }
}
