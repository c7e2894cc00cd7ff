use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cloakroom_store::{
    AnyStore, Cursor, Freshness, Key, Loaded, Operation, Page, Record, Store, StoreError,
    StoreErrorKind, Subject, Tag, Timestamp,
};

/// A store that hands every call on to another and remembers it.
///
/// Clones share the store and the memory: give one to the application and keep one to ask.
///
/// ```
/// use cloakroom_memory::MemoryStore;
/// use cloakroom_store::{Operation, Store, Timestamp};
/// use cloakroom_testkit::{CallOutcome, SpyStore};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let spy = SpyStore::new(MemoryStore::new());
/// spy.clone().sweep(Timestamp::EPOCH, 10).await.unwrap();
/// assert_eq!(spy.count(Operation::Sweep), 1);
/// let calls = spy.take();
/// assert_eq!(calls[0].outcome, CallOutcome::Nothing);
/// assert!(spy.calls().is_empty());
/// # });
/// ```
pub struct SpyStore<S> {
    store: Arc<S>,
    log: Arc<Mutex<Log>>,
}

/// A call of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The method.
    pub operation: Operation,
    /// The key, where the method takes one.
    pub key: Option<Key>,
    /// What came of it.
    pub outcome: CallOutcome,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallOutcome {
    /// It is still under way, or its future was dropped.
    Unfinished,
    /// It found or did something.
    Done,
    /// It succeeded and there was nothing to find or to do: `None`, `false`, 0 or an empty page.
    Nothing,
    /// It failed.
    Failed(StoreErrorKind),
}

#[derive(Default)]
struct Log {
    calls: Vec<Call>,
    /// How many calls were taken out before the first one here.
    taken: usize,
}

impl<S> SpyStore<S> {
    /// Spies on a store.
    pub fn new(store: S) -> Self {
        Self {
            store: Arc::new(store),
            log: Arc::default(),
        }
    }

    /// The calls so far, in the order in which they began.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.log().calls.clone()
    }

    /// The calls so far, which are forgotten by this.
    pub fn take(&self) -> Vec<Call> {
        let mut log = self.log();
        log.taken += log.calls.len();
        std::mem::take(&mut log.calls)
    }

    /// How many calls of a method there were.
    #[must_use]
    pub fn count(&self, operation: Operation) -> usize {
        let log = self.log();
        let calls = log.calls.iter();
        calls.filter(|call| call.operation == operation).count()
    }

    /// The methods called so far, in order: what most tests compare.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// use cloakroom_store::{Operation, Store, Timestamp};
    /// use cloakroom_testkit::SpyStore;
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let spy = SpyStore::new(MemoryStore::new());
    /// spy.sweep(Timestamp::EPOCH, 10).await.unwrap();
    /// spy.scan(None, 10).await.unwrap();
    /// assert_eq!(spy.operations(), [Operation::Sweep, Operation::Scan]);
    /// # });
    /// ```
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        self.log().calls.iter().map(|call| call.operation).collect()
    }

    /// The store behind.
    ///
    /// ```
    /// use cloakroom_memory::MemoryStore;
    /// use cloakroom_testkit::SpyStore;
    /// let spy = SpyStore::new(MemoryStore::new());
    /// assert_eq!(spy.inner().stats().sessions, 0);
    /// ```
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.store
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn record<T>(
        &self,
        operation: Operation,
        key: Option<&Key>,
        has_done: impl Fn(&T) -> bool,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let number = {
            let mut log = self.log();
            log.calls.push(Call {
                operation,
                key: key.copied(),
                outcome: CallOutcome::Unfinished,
            });
            log.taken + log.calls.len() - 1
        };
        let result = call.await;
        let mut log = self.log();
        // A call that was taken out while it was under way stays as it was.
        let place = number.checked_sub(log.taken);
        if let Some(call) = place.and_then(|place| log.calls.get_mut(place)) {
            call.outcome = match &result {
                Ok(answer) if has_done(answer) => CallOutcome::Done,
                Ok(_) => CallOutcome::Nothing,
                Err(error) => CallOutcome::Failed(error.kind()),
            };
        }
        result
    }
}

impl<S> Clone for SpyStore<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            log: Arc::clone(&self.log),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for SpyStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpyStore")
            .field("store", &self.store)
            .field("calls", &self.log().calls.len())
            .finish()
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for SpyStore<S> {
    fn answers_from_copies(&self) -> bool {
        self.store.answers_from_copies()
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Result<Option<Loaded>, StoreError> {
        let call = self.store.load(key, freshness);
        self.record(Operation::Load, Some(key), Option::is_some, call)
            .await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        let call = self.store.create(key, record);
        self.record(Operation::Create, Some(key), |_| true, call)
            .await
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        let call = self.store.replace(key, record, expected);
        self.record(Operation::Replace, Some(key), |_| true, call)
            .await
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let call = self.store.touch(key, record, expected);
        self.record(Operation::Touch, Some(key), |touched| *touched, call)
            .await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let call = self.store.delete(key);
        self.record(Operation::Delete, Some(key), |deleted| *deleted, call)
            .await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let call = self.store.sweep(now, limit);
        self.record(Operation::Sweep, None, |removed| *removed > 0, call)
            .await
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let call = self.store.by_subject(namespace, subject, after, limit);
        self.record(Operation::BySubject, None, has_sessions, call)
            .await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let call = self.store.scan(after, limit);
        self.record(Operation::Scan, None, has_sessions, call).await
    }

    fn into_any(self) -> AnyStore {
        AnyStore::new(self)
    }
}

fn has_sessions(page: &Page) -> bool {
    !page.sessions.is_empty()
}
