use std::{
    collections::VecDeque,
    fmt,
    future::{Future, pending},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cloakroom_store::{
    AnyStore, Cursor, Freshness, Key, Loaded, Operation, Page, Record, Store, StoreError,
    StoreErrorKind, Subject, Tag, Timestamp,
};

use crate::{SplitMix64, random::fresh_seed};

/// A store that fails on purpose.
///
/// It hands every call on to another store until it is told to fail, by the [`Faults`] that
/// [`FaultyStore::faults`] gives. Clones share the store and the faults.
///
/// ```
/// use cloakroom_memory::MemoryStore;
/// use cloakroom_store::{Operation, Store, StoreErrorKind, Timestamp};
/// use cloakroom_testkit::{Fault, FaultyStore};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let store = FaultyStore::new(MemoryStore::new());
/// let faults = store.faults();
/// faults.fail_next(Operation::Sweep, Fault::BeforeEffect);
/// let error = store.sweep(Timestamp::EPOCH, 10).await.unwrap_err();
/// assert_eq!(error.kind(), StoreErrorKind::Unavailable);
/// assert!(store.sweep(Timestamp::EPOCH, 10).await.is_ok());
/// # });
/// ```
pub struct FaultyStore<S> {
    store: Arc<S>,
    faults: Faults,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing happens in the store, and the answer is `Unavailable`.
    BeforeEffect,
    /// The store does what it was asked, but the answer is lost: it is `Unavailable`.
    AfterEffect,
    /// Nothing happens in the store, and the answer is `TimedOut`.
    Timeout,
    /// The store does what it was asked, but the answer is `TimedOut`.
    TimeoutAfterEffect,
    /// Nothing happens in the store, and there is never an answer.
    Hang,
    /// The store does what it was asked, and there is never an answer.
    HangAfterEffect,
    /// The store is asked after this time, and its answer is given. Uses tokio's clock.
    Delay(Duration),
}

/// Says how a [`FaultyStore`] fails from now on. Clones are the same.
///
/// For each call the faults scripted with [`fail_next`](Faults::fail_next) come first, then those
/// of [`always_on`](Faults::always_on) and [`always`](Faults::always), then those of
/// [`sometimes`](Faults::sometimes).
#[derive(Clone)]
pub struct Faults(Arc<Mutex<Script>>);

#[derive(Debug)]
struct Script {
    next: VecDeque<(Operation, Option<Fault>)>,
    always_on: Vec<(Operation, Fault)>,
    always: Option<Fault>,
    percent: u64,
    sometimes: Vec<Fault>,
    random: SplitMix64,
    injected: usize,
}

impl<S> FaultyStore<S> {
    /// A store without faults so far.
    pub fn new(store: S) -> Self {
        Self::with_seed(store, fresh_seed())
    }

    /// A store whose random faults are the same for a seed.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_store::{Store, Timestamp};
    /// # use cloakroom_testkit::{Fault, FaultyStore};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = FaultyStore::with_seed(MemoryStore::new(), 7);
    /// let again = FaultyStore::with_seed(MemoryStore::new(), 7);
    /// for store in [&store, &again] {
    ///     store.faults().sometimes(50, &[Fault::BeforeEffect]);
    /// }
    /// for _ in 0..100 {
    ///     let result = store.sweep(Timestamp::EPOCH, 10).await;
    ///     assert_eq!(result.is_ok(), again.sweep(Timestamp::EPOCH, 10).await.is_ok());
    /// }
    /// # });
    /// ```
    pub fn with_seed(store: S, seed: u64) -> Self {
        Self {
            store: Arc::new(store),
            faults: Faults(Arc::new(Mutex::new(Script {
                next: VecDeque::new(),
                always_on: Vec::new(),
                always: None,
                percent: 0,
                sometimes: Vec::new(),
                random: SplitMix64::new(seed),
                injected: 0,
            }))),
        }
    }

    /// What makes this store and its clones fail.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// The store behind.
    ///
    /// ```
    /// use cloakroom_memory::MemoryStore;
    /// use cloakroom_testkit::FaultyStore;
    /// let store = FaultyStore::new(MemoryStore::new());
    /// assert_eq!(store.inner().stats().sessions, 0); // past all faults
    /// ```
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.store
    }

    async fn call<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let failed = |kind| {
            let error = StoreError::new(kind, operation);
            Err(error.with_source("the test asked for this fault"))
        };
        match self.faults.draw(operation) {
            None => call.await,
            Some(Fault::BeforeEffect) => failed(StoreErrorKind::Unavailable),
            Some(Fault::Timeout) => failed(StoreErrorKind::TimedOut),
            Some(Fault::Hang) => pending().await,
            Some(Fault::AfterEffect) => {
                let _ = call.await;
                failed(StoreErrorKind::Unavailable)
            }
            Some(Fault::TimeoutAfterEffect) => {
                let _ = call.await;
                failed(StoreErrorKind::TimedOut)
            }
            Some(Fault::HangAfterEffect) => {
                let _ = call.await;
                pending().await
            }
            Some(Fault::Delay(time)) => {
                tokio::time::sleep(time).await;
                call.await
            }
        }
    }
}

impl Faults {
    /// The next call of this method fails so, the one after it as a second such line says.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_store::{Operation, Store, StoreErrorKind, Timestamp};
    /// # use cloakroom_testkit::{Fault, FaultyStore};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let store = FaultyStore::new(MemoryStore::new());
    /// let faults = store.faults();
    /// faults.fail_next(Operation::Sweep, Fault::Timeout);
    /// let error = store.sweep(Timestamp::EPOCH, 10).await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::TimedOut);
    /// assert!(store.sweep(Timestamp::EPOCH, 10).await.is_ok());
    /// # });
    /// ```
    pub fn fail_next(&self, operation: Operation, fault: Fault) {
        self.script().next.push_back((operation, Some(fault)));
    }

    /// The next call of this method, after those scripted already, is spared by all faults.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_store::{Operation, Store, StoreErrorKind, Timestamp};
    /// # use cloakroom_testkit::{Fault, FaultyStore};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let store = FaultyStore::new(MemoryStore::new());
    /// let faults = store.faults();
    /// faults.always(Fault::BeforeEffect);
    /// faults.spare_next(Operation::Sweep);
    /// assert!(store.sweep(Timestamp::EPOCH, 10).await.is_ok());
    /// assert!(store.sweep(Timestamp::EPOCH, 10).await.is_err());
    /// # });
    /// ```
    pub fn spare_next(&self, operation: Operation) {
        self.script().next.push_back((operation, None));
    }

    /// Every call of this method fails so.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_store::{Operation, Store, StoreErrorKind, Timestamp};
    /// # use cloakroom_testkit::{Fault, FaultyStore};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let store = FaultyStore::new(MemoryStore::new());
    /// let faults = store.faults();
    /// faults.always_on(Operation::Sweep, Fault::BeforeEffect);
    /// assert!(store.sweep(Timestamp::EPOCH, 10).await.is_err());
    /// assert!(store.scan(None, 10).await.is_ok());
    /// # });
    /// ```
    pub fn always_on(&self, operation: Operation, fault: Fault) {
        let mut script = self.script();
        script.always_on.retain(|(other, _)| *other != operation);
        script.always_on.push((operation, fault));
    }

    /// Every call fails so.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_store::{Operation, Store, StoreErrorKind, Timestamp};
    /// # use cloakroom_testkit::{Fault, FaultyStore};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let store = FaultyStore::new(MemoryStore::new());
    /// let faults = store.faults();
    /// faults.always(Fault::BeforeEffect);
    /// assert!(store.sweep(Timestamp::EPOCH, 10).await.is_err());
    /// assert!(store.scan(None, 10).await.is_err());
    /// # });
    /// ```
    pub fn always(&self, fault: Fault) {
        self.script().always = Some(fault);
    }

    /// Of a hundred calls about `percent` fail, each with one of `faults`.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_store::{Operation, Store, StoreErrorKind, Timestamp};
    /// # use cloakroom_testkit::{Fault, FaultyStore};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let store = FaultyStore::new(MemoryStore::new());
    /// let faults = store.faults();
    /// faults.sometimes(100, &[Fault::BeforeEffect, Fault::Timeout]);
    /// assert!(store.sweep(Timestamp::EPOCH, 10).await.is_err());
    /// faults.sometimes(0, &[Fault::BeforeEffect]);
    /// assert!(store.sweep(Timestamp::EPOCH, 10).await.is_ok());
    /// # });
    /// ```
    pub fn sometimes(&self, percent: u8, faults: &[Fault]) {
        let mut script = self.script();
        script.percent = u64::from(percent);
        script.sometimes = faults.to_vec();
    }

    /// No call fails any more. Calls that hang already go on hanging.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_store::{Operation, Store, StoreErrorKind, Timestamp};
    /// # use cloakroom_testkit::{Fault, FaultyStore};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let store = FaultyStore::new(MemoryStore::new());
    /// let faults = store.faults();
    /// faults.always(Fault::BeforeEffect);
    /// faults.clear(); // the store is up again
    /// assert!(store.sweep(Timestamp::EPOCH, 10).await.is_ok());
    /// # });
    /// ```
    pub fn clear(&self) {
        let mut script = self.script();
        script.next.clear();
        script.always_on.clear();
        script.always = None;
        script.sometimes.clear();
    }

    /// How many calls have failed or were delayed so far.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_store::{Operation, Store, StoreErrorKind, Timestamp};
    /// # use cloakroom_testkit::{Fault, FaultyStore};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let store = FaultyStore::new(MemoryStore::new());
    /// let faults = store.faults();
    /// faults.always(Fault::AfterEffect);
    /// assert!(store.sweep(Timestamp::EPOCH, 10).await.is_err());
    /// assert_eq!(faults.injected(), 1);
    /// # });
    /// ```
    #[must_use]
    pub fn injected(&self) -> usize {
        self.script().injected
    }

    /// How many scripted faults are still to come.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_store::{Operation, Store, StoreErrorKind, Timestamp};
    /// # use cloakroom_testkit::{Fault, FaultyStore};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let store = FaultyStore::new(MemoryStore::new());
    /// let faults = store.faults();
    /// faults.fail_next(Operation::Load, Fault::Timeout);
    /// store.sweep(Timestamp::EPOCH, 10).await.unwrap();
    /// assert_eq!(faults.remaining(), 1); // nobody has loaded anything
    /// # });
    /// ```
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.script().next.len()
    }

    fn draw(&self, operation: Operation) -> Option<Fault> {
        let mut script = self.script();
        let fault = script.draw(operation);
        script.injected += usize::from(fault.is_some());
        fault
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Script {
    fn draw(&mut self, operation: Operation) -> Option<Fault> {
        let place = self.next.iter().position(|(of, _)| *of == operation);
        if let Some((_, fault)) = place.and_then(|place| self.next.remove(place)) {
            return fault;
        }
        let mut always_on = self.always_on.iter();
        let on = always_on.find(|(of, _)| *of == operation);
        if let Some(fault) = on.map(|(_, fault)| *fault).or(self.always) {
            return Some(fault);
        }
        if self.sometimes.is_empty() || self.random.below(100) >= self.percent {
            return None;
        }
        let count = u64::try_from(self.sometimes.len()).unwrap_or(u64::MAX);
        let index = usize::try_from(self.random.below(count)).unwrap_or(0);
        self.sometimes.get(index).copied()
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.script(), f)
    }
}

impl<S> Clone for FaultyStore<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            faults: self.faults.clone(),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for FaultyStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore")
            .field("store", &self.store)
            .field("faults", &self.faults)
            .finish()
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for FaultyStore<S> {
    fn answers_from_copies(&self) -> bool {
        self.store.answers_from_copies()
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Result<Option<Loaded>, StoreError> {
        let call = self.store.load(key, freshness);
        self.call(Operation::Load, call).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        let call = self.store.create(key, record);
        self.call(Operation::Create, call).await
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        let call = self.store.replace(key, record, expected);
        self.call(Operation::Replace, call).await
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let call = self.store.touch(key, record, expected);
        self.call(Operation::Touch, call).await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        self.call(Operation::Delete, self.store.delete(key)).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let call = self.store.sweep(now, limit);
        self.call(Operation::Sweep, call).await
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let call = self.store.by_subject(namespace, subject, after, limit);
        self.call(Operation::BySubject, call).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let call = self.store.scan(after, limit);
        self.call(Operation::Scan, call).await
    }

    fn into_any(self) -> AnyStore {
        AnyStore::new(self)
    }
}
