//! A store whose calls wait at gates, so that a scheduler decides on their order.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cloakroom_store::{
    AnyStore, Cursor, Freshness, Key, Loaded, Operation, Page, Record, Store, StoreError,
    StoreErrorKind, StoreFuture, Subject, Tag, Timestamp,
};
use tokio::sync::oneshot;

use super::history::{Actor, current_actor};

/// No case needs more calls. An engine that calls again without waiting would go on for ever.
const MOST_CALLS: u64 = 5_000;

/// Where something waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// A store call before its effect.
    Before(Operation),
    /// A store call after its effect, before its reply.
    After(Operation),
    /// A handler between opening and committing.
    Handler,
}

/// What the scheduler lets happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Go on.
    Go,
    /// The store answers that it is unavailable.
    Fail,
    /// The store never answers.
    Hang,
    /// The store never answers, and carries the call out later all the same.
    Late,
}

/// The gates of a store. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Gates(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    is_closed: bool,
    kinds: Kinds,
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
    effects_under_way: usize,
    late: Vec<(Actor, Operation, StoreFuture<()>)>,
    keys: BTreeSet<Key>,
}

/// Which gates there are, beside those before an effect.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Kinds {
    pub(super) replies: bool,
    pub(super) handlers: bool,
}

struct Waiting {
    actor: Actor,
    stage: Stage,
    order: oneshot::Sender<Order>,
}

/// Something that waits at a gate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    pub(super) number: u64,
    pub(super) actor: Actor,
    pub(super) stage: Stage,
}

impl Gates {
    /// Lets everything through from now on, or holds it up.
    pub(super) fn set_closed(&self, is_closed: bool) {
        self.inner().is_closed = is_closed;
    }

    pub(super) fn set_kinds(&self, kinds: Kinds) {
        self.inner().kinds = kinds;
    }

    /// Whether some effect is being carried out right now.
    pub(super) fn is_busy(&self) -> bool {
        self.inner().effects_under_way > 0
    }

    /// What waits, in the order of its coming.
    pub(super) fn waiting(&self) -> Vec<Waits> {
        let waits = |(number, waiting): (&u64, &Waiting)| Waits {
            number: *number,
            actor: waiting.actor,
            stage: waiting.stage,
        };
        self.inner().waiting.iter().map(waits).collect()
    }

    pub(super) fn give(&self, number: u64, order: Order) {
        let waiting = self.inner().waiting.remove(&number);
        if let Some(waiting) = waiting {
            // Whoever waited may have given up meanwhile.
            let _ = waiting.order.send(order);
        }
    }

    /// The calls that are still to be carried out although nobody waits for them.
    pub(super) fn late(&self) -> Vec<(Actor, Operation)> {
        let late = |(actor, operation, _): &(Actor, Operation, _)| (*actor, *operation);
        self.inner().late.iter().map(late).collect()
    }

    pub(super) fn take_late(&self, n: usize) -> Option<StoreFuture<()>> {
        let mut inner = self.inner();
        (n < inner.late.len()).then(|| inner.late.remove(n).2)
    }

    /// The keys under which records were created.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.inner().keys.iter().copied().collect()
    }

    /// Waits until the scheduler says what happens.
    pub(super) async fn wait(&self, stage: Stage) -> Order {
        let (number, order) = {
            let mut inner = self.inner();
            let is_gate = match stage {
                Stage::Before(_) => true,
                Stage::After(_) => inner.kinds.replies,
                Stage::Handler => inner.kinds.handlers,
            };
            if !inner.is_closed || !is_gate {
                return Order::Go;
            }
            let number = inner.next;
            inner.next += 1;
            assert!(
                number < MOST_CALLS,
                "the engine calls the store again and again"
            );
            let (sender, receiver) = oneshot::channel();
            let waiting = Waiting {
                actor: current_actor(),
                stage,
                order: sender,
            };
            inner.waiting.insert(number, waiting);
            (number, receiver)
        };
        let _leaving = Leaving {
            gates: self,
            number,
        };
        order.await.unwrap_or(Order::Go)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that was given up waits no longer.
struct Leaving<'a> {
    gates: &'a Gates,
    number: u64,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.gates.inner().waiting.remove(&self.number);
    }
}

struct Effect<'a>(&'a Gates);

impl<'a> Effect<'a> {
    fn begin(gates: &'a Gates) -> Self {
        gates.inner().effects_under_way += 1;
        Self(gates)
    }
}

impl Drop for Effect<'_> {
    fn drop(&mut self) {
        self.0.inner().effects_under_way -= 1;
    }
}

/// A store with gates.
pub(super) struct GatedStore {
    store: AnyStore,
    gates: Gates,
}

impl GatedStore {
    pub(super) const fn new(store: AnyStore, gates: Gates) -> Self {
        Self { store, gates }
    }

    async fn call<T: Send + 'static>(
        &self,
        operation: Operation,
        effect: StoreFuture<T>,
    ) -> Result<T, StoreError> {
        let failed = || Err(StoreError::new(StoreErrorKind::Unavailable, operation));
        match self.gates.wait(Stage::Before(operation)).await {
            Order::Go => {}
            Order::Fail => return failed(),
            Order::Hang => return pending().await,
            Order::Late => {
                let later: StoreFuture<()> = Box::pin(async move { effect.await.map(|_| ()) });
                let late = (current_actor(), operation, later);
                self.gates.inner().late.push(late);
                return pending().await;
            }
        }
        let result = {
            let _effect = Effect::begin(&self.gates);
            effect.await
        };
        match self.gates.wait(Stage::After(operation)).await {
            Order::Go => result,
            Order::Fail => failed(),
            Order::Hang | Order::Late => pending().await,
        }
    }
}

impl fmt::Debug for GatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.store, f)
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for GatedStore {
    fn answers_from_copies(&self) -> bool {
        self.store.answers_from_copies()
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Result<Option<Loaded>, StoreError> {
        let effect = self.store.load(*key, freshness);
        self.call(Operation::Load, effect).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        self.gates.inner().keys.insert(*key);
        let effect = self.store.create(*key, record.clone());
        self.call(Operation::Create, effect).await
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        let effect = self.store.replace(*key, record.clone(), expected.clone());
        self.call(Operation::Replace, effect).await
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let effect = self.store.touch(*key, record.clone(), expected.clone());
        self.call(Operation::Touch, effect).await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        self.call(Operation::Delete, self.store.delete(*key)).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.call(Operation::Sweep, self.store.sweep(now, limit))
            .await
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let effect =
            self.store
                .by_subject(namespace.to_owned(), subject.clone(), after.cloned(), limit);
        self.call(Operation::BySubject, effect).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let effect = self.store.scan(after.cloned(), limit);
        self.call(Operation::Scan, effect).await
    }

    fn into_any(self) -> AnyStore {
        AnyStore::new(self)
    }
}
