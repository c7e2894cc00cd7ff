use std::{fmt, future::Future, io, time::Duration};

use cloakroom_core::{Clock as _, SystemClock};
use cloakroom_store::{
    AnyStore, Cursor, Freshness, Key, Loaded, Operation, Page, Record, Store, StoreError,
    StoreErrorKind, StoreFuture, Subject, Tag, Timestamp,
};
use tokio::{
    runtime::{Builder, Runtime},
    task::spawn_blocking,
};

use crate::TestClock;

/// A store that speaks to a server, as [`Races`](super::Races) need it: its calls run on a runtime
/// of their own, and its records live in the time of the server.
///
/// In races time stands still, and moves on when nothing else can. A deadline of the store would be
/// over before any server can answer; and the races begin in 2026 wherever they are run, so a server
/// that expires records itself would drop them at once. Here a call keeps the time of the races from
/// moving while it lasts, and the times of records, and of a sweep, are moved to those of this
/// machine on their way there, and moved back on their way here.
///
/// Dropping a call does not break it off: it is carried out, as by a server that has been asked
/// already. A store without a server needs none of this.
///
/// # Examples
/// ```
/// # use cloakroom_memory::MemoryStore;
/// # struct MyStore;
/// # impl MyStore { async fn connect(_: &str) -> MemoryStore { MemoryStore::new() } }
/// use cloakroom_testkit::{Elsewhere, Races};
///
/// # fn main() -> std::io::Result<()> {
/// let races = Races::new(|| async {
///     let connecting = MyStore::connect("my://server");
///     Elsewhere::new(connecting).await.unwrap()
/// });
/// races.interleavings(10).run()?.assert_kept();
/// # Ok(())
/// # }
/// ```
pub struct Elsewhere {
    store: AnyStore,
    ahead: Duration,
    runtime: OwnRuntime,
}

impl Elsewhere {
    /// Makes the store that `make` gives, on the runtime on which its calls run from then on.
    ///
    /// # Errors
    /// When there is no runtime to be had, or `make` panics.
    pub async fn new<S: Store>(make: impl Future<Output = S> + Send + 'static) -> io::Result<Self> {
        let runtime = OwnRuntime::new()?;
        let store = runtime.run(make).await?;
        Ok(Self {
            store: store.into_any(),
            ahead: SystemClock
                .now()
                .saturating_since(TestClock::default().now()),
            runtime,
        })
    }

    async fn call<T: Send + 'static>(
        &self,
        operation: Operation,
        call: StoreFuture<T>,
    ) -> Result<T, StoreError> {
        let lost = |error| StoreError::new(StoreErrorKind::Other, operation).with_source(error);
        self.runtime.run(call).await.map_err(lost)?
    }

    fn there(&self, record: &Record) -> Record {
        let mut moved = record.clone();
        for time in [&mut moved.created, &mut moved.last_seen, &mut moved.expires] {
            *time = time.saturating_add(self.ahead);
        }
        moved
    }

    fn expected(&self, loaded: &Loaded) -> Loaded {
        Loaded::with_tag(self.there(&loaded.record), loaded.tag)
    }

    fn back<const N: usize>(&self, times: [&mut Timestamp; N]) {
        for time in times {
            *time = time.saturating_sub(self.ahead);
        }
    }

    fn page_back(&self, mut page: Page) -> Page {
        for session in &mut page.sessions {
            let times = [
                &mut session.created,
                &mut session.last_seen,
                &mut session.expires,
            ];
            self.back(times);
        }
        page
    }
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere")
            .field("store", &self.store)
            .field("ahead", &self.ahead)
            .finish_non_exhaustive()
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Elsewhere {
    fn answers_from_copies(&self) -> bool {
        self.store.answers_from_copies()
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Result<Option<Loaded>, StoreError> {
        let load = self.store.load(*key, freshness);
        let mut loaded = self.call(Operation::Load, load).await?;
        if let Some(Loaded { record, .. }) = &mut loaded {
            let times = [
                &mut record.created,
                &mut record.last_seen,
                &mut record.expires,
            ];
            self.back(times);
        }
        Ok(loaded)
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        let create = self.store.create(*key, self.there(record));
        self.call(Operation::Create, create).await
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        let (record, expected) = (self.there(record), self.expected(expected));
        let replace = self.store.replace(*key, record, expected);
        self.call(Operation::Replace, replace).await
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let (record, expected) = (self.there(record), self.expected(expected));
        let touch = self.store.touch(*key, record, expected);
        self.call(Operation::Touch, touch).await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        self.call(Operation::Delete, self.store.delete(*key)).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let sweep = self.store.sweep(now.saturating_add(self.ahead), limit);
        self.call(Operation::Sweep, sweep).await
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let (namespace, subject) = (namespace.to_owned(), subject.clone());
        let list = self
            .store
            .by_subject(namespace, subject, after.cloned(), limit);
        let page = self.call(Operation::BySubject, list).await?;
        Ok(self.page_back(page))
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let scan = self.store.scan(after.cloned(), limit);
        let page = self.call(Operation::Scan, scan).await?;
        Ok(self.page_back(page))
    }

    fn into_any(self) -> AnyStore {
        AnyStore::new(self)
    }
}

/// A runtime on which time passes.
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn new() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).enable_all();
        Ok(Self(Some(builder.build()?)))
    }

    /// Runs something there. The time of the caller stands still meanwhile, since a thread of its
    /// runtime blocks.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<T> {
        let runtime = self.0.as_ref().map(Runtime::handle).cloned();
        let runtime = runtime.ok_or(io::ErrorKind::NotConnected)?;
        let done = spawn_blocking(move || runtime.block_on(work)).await;
        done.map_err(io::Error::other)
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        // Dropped as it is, it would wait for its tasks, which nobody may do in a task of another.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_memory::MemoryStore;
    use cloakroom_store::{NamespaceId, SessionId, Summary, Version};

    use super::*;

    #[tokio::test]
    async fn records_live_in_the_time_of_this_machine() {
        let there = MemoryStore::new().into_any();
        let store = there.clone();
        let elsewhere = Elsewhere::new(async move { store }).await.unwrap();
        let id = SessionId::from_bytes([7; 16]);
        let key = Key::new(NamespaceId::new("cart").unwrap(), id);
        let now = TestClock::default().now();
        let later = now.saturating_add(Duration::from_secs(60));
        let mut record = Record::new(Version::from_bits(1), now, later, "data".into());
        record.subject = Some(Subject::new("ann").unwrap());
        elsewhere.create(&key, &record).await.unwrap();

        let kept = there.load(key, Freshness::Latest).await.unwrap().unwrap();
        let age = SystemClock.now().saturating_since(kept.record.created);
        assert!(age < Duration::from_secs(30), "{age:?}");

        let loaded = elsewhere.load(&key, Freshness::Any).await.unwrap().unwrap();
        assert_eq!(loaded.record, record);
        let listed = elsewhere
            .by_subject("cart", record.subject.as_ref().unwrap(), None, 9)
            .await
            .unwrap();
        let scanned = elsewhere.scan(None, 9).await.unwrap();
        assert_eq!(listed.sessions, [Summary::new(key, &record)]);
        assert_eq!(scanned, listed);
        assert_eq!(elsewhere.sweep(later, 9).await.unwrap(), 0);
        let after = later.saturating_add(Duration::from_millis(1));
        assert_eq!(elsewhere.sweep(after, 9).await.unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_takes_no_time_of_the_races() {
        let slow = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            MemoryStore::new()
        };
        let began = tokio::time::Instant::now();
        let timeout = tokio::time::timeout(Duration::from_millis(1), Elsewhere::new(slow));
        assert!(timeout.await.is_ok());
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    async fn without_a_server() -> MemoryStore {
        panic!("there is no server");
    }

    #[tokio::test]
    async fn a_store_that_can_not_be_made_is_an_error() {
        assert!(Elsewhere::new(without_a_server()).await.is_err());
    }
}
