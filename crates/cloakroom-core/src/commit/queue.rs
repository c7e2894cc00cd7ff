//! Turns for sessions that many requests change at the same time.
//!
//! Nobody queues until a replace has met a conflict. From then on a task of its own commits the
//! session for all requests of this process: it takes what waits, replays it in order on one
//! record, and writes once. It hands the record on to the next round without loading it, and ends
//! when nothing waits.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cloakroom_store::{
    AnyStore, Freshness, Key, Loaded, Operation, StoreError, StoreErrorKind, Tag,
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    apply::{self, Applied, Refusal, Scope},
    changes::{Changes, Client, Stored},
    recover::usable,
};
use crate::{
    call::{Budget, call},
    error::SessionError,
    event::{EventKind, VoidReason},
    frames::Frames,
    manager::SessionManager,
    namespace::CompiledNamespace,
    random,
    trace::Trace,
};

/// How many requests go out with one write.
const BATCH: usize = 64;

/// The longest pause after a conflict with another process.
const MAX_PAUSE: Duration = Duration::from_millis(16);

/// The sessions that requests take turns on.
#[derive(Default)]
pub(crate) struct Queues {
    /// How many there are, so that nobody locks to learn that there is none.
    active: AtomicUsize,
    senders: Mutex<HashMap<Key, mpsc::UnboundedSender<Waiting>>>,
}

/// Changes that wait for their turn. Whoever waits too long takes them back.
#[derive(Clone)]
pub(crate) struct Slot(Arc<Mutex<Option<Changes>>>);

impl Slot {
    pub(crate) fn new(changes: Changes) -> Self {
        Self(Arc::new(Mutex::new(Some(changes))))
    }

    pub(crate) fn take(&self) -> Option<Changes> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Changes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits for its turn.
pub(crate) struct Waiting {
    pub(crate) changes: Slot,
    pub(crate) client: Client,
    pub(crate) seen: Frames,
    pub(crate) deadline: Instant,
    pub(crate) reply: oneshot::Sender<Turnout>,
    pub(crate) trace: Trace,
}

/// What became of the changes.
pub(crate) enum Turnout {
    Applied(Box<Applied>),
    Void(VoidReason),
    Refused(SessionError),
    Failed(StoreError),
}

impl Queues {
    pub(crate) fn is_active(&self, key: &Key) -> bool {
        self.active.load(Ordering::Acquire) > 0 && self.senders().contains_key(key)
    }

    /// Queues a request, and starts the task that commits it if there is none. `false` when there
    /// is no runtime to start it on.
    pub(crate) fn join(
        &self,
        manager: &SessionManager,
        index: usize,
        key: Key,
        waiting: Waiting,
    ) -> bool {
        let Ok(runtime) = Handle::try_current() else {
            return false;
        };
        let mut senders = self.senders();
        let waiting = match senders.get(&key) {
            Some(sender) => match sender.send(waiting) {
                Ok(()) => return true,
                Err(unsent) => unsent.0,
            },
            None => waiting,
        };
        let (sender, receiver) = mpsc::unbounded_channel();
        // The receiver is at hand, so this can't fail.
        let _ = sender.send(waiting);
        senders.insert(key, sender);
        self.active.store(senders.len(), Ordering::Release);
        drop(senders);
        let queue = Queue {
            manager: manager.clone(),
            index,
            key,
            held: None,
        };
        runtime.spawn(queue.run(receiver));
        true
    }

    /// Takes the queue away, unless something has come in.
    fn leave(&self, key: &Key, receiver: &mpsc::UnboundedReceiver<Waiting>) -> bool {
        let mut senders = self.senders();
        if !receiver.is_empty() {
            return false;
        }
        senders.remove(key);
        self.active.store(senders.len(), Ordering::Release);
        true
    }

    fn senders(&self) -> MutexGuard<'_, HashMap<Key, mpsc::UnboundedSender<Waiting>>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that commits one session.
struct Queue {
    manager: SessionManager,
    index: usize,
    key: Key,
    /// The record as it was written last.
    held: Option<Stored>,
}

impl Queue {
    async fn run(mut self, mut receiver: mpsc::UnboundedReceiver<Waiting>) {
        loop {
            let mut batch = Vec::new();
            while batch.len() < BATCH {
                match receiver.try_recv() {
                    Ok(waiting) => batch.push(waiting),
                    Err(_) => break,
                }
            }
            if batch.is_empty() {
                if self.manager.state().queues.leave(&self.key, &receiver) {
                    return;
                }
                continue;
            }
            self.commit(batch).await;
        }
    }

    async fn commit(&mut self, mut batch: Vec<Waiting>) {
        let manager = self.manager.clone();
        let Some(namespace) = manager.namespace(self.index) else {
            return;
        };
        let Some(store) = namespace.store() else {
            return;
        };
        let mut pause = Duration::from_millis(1);
        loop {
            let now = Instant::now();
            batch.retain(|waiting| !waiting.reply.is_closed() && waiting.deadline > now);
            let Some(deadline) = batch.iter().map(|waiting| waiting.deadline).max() else {
                return;
            };
            let trace = Trace::to_all(batch.iter().map(|waiting| &waiting.trace));
            let deadlines = manager.state().deadlines;
            let mut budget = Budget::new(deadline - now, deadlines.call);
            let before = match self.current(namespace, store, &trace, &mut budget).await {
                Ok(Some(stored)) => stored,
                Ok(None) => {
                    return answer(batch, |_| Turnout::Void(VoidReason::Gone));
                }
                Err(error) => return fail(batch, error),
            };
            let round = self.apply_all(namespace, &mut batch, before.clone());
            if !round.is_written {
                self.held = Some(before);
                return round.answer(batch);
            }
            let record = round.after.record();
            let version = record.version;
            let replaced = store.replace(self.key, record, before.expected());
            let replaced = trace.call(namespace.name(), self.key, Operation::Replace, replaced);
            match call(replaced, Operation::Replace, &mut budget).await {
                Ok(tag) => return self.written(round, batch, tag),
                Err(error) if error.kind() == StoreErrorKind::Conflict => {
                    self.held = None;
                    let name = namespace.name();
                    manager
                        .state()
                        .emit(name, Some(self.key.id), EventKind::Conflict);
                    trace.event(name, Some(self.key.id), EventKind::Conflict);
                    tokio::time::sleep(self.jitter(pause)).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
                Err(error) => {
                    self.held = None;
                    let latest = store.load(self.key, Freshness::Latest);
                    let name = namespace.name();
                    let latest = trace.load(name, self.key, Freshness::Latest, latest);
                    let found = match error.is_outcome_unknown() {
                        true => call(latest, Operation::Load, &mut budget)
                            .await
                            .ok()
                            .flatten(),
                        false => None,
                    };
                    return match found {
                        Some(Loaded { record, tag, .. }) if record.version == version => {
                            self.written(round, batch, tag);
                        }
                        _ => fail(batch, error),
                    };
                }
            }
        }
    }

    /// The record to replay on: what was written last, or what the store has.
    async fn current(
        &mut self,
        namespace: &CompiledNamespace,
        store: &AnyStore,
        trace: &Trace,
        budget: &mut Budget,
    ) -> Result<Option<Stored>, StoreError> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        let latest = store.load(self.key, Freshness::Latest);
        let latest = trace.load(namespace.name(), self.key, Freshness::Latest, latest);
        let loaded = call(latest, Operation::Load, budget).await?;
        usable(loaded, self.manager.state().now())
    }

    /// Replays all changes in order. Those that were taken back are left out of the batch.
    fn apply_all(
        &self,
        namespace: &CompiledNamespace,
        batch: &mut Vec<Waiting>,
        before: Stored,
    ) -> Round {
        let engine = self.manager.state();
        let scope = Scope {
            namespace: namespace.name(),
            hasher: &namespace.hasher,
            settings: &namespace.settings,
            random: &*engine.random,
            is_client_side: false,
            now: engine.now(),
        };
        let mut round = Round {
            after: before,
            is_written: false,
            results: Vec::with_capacity(batch.len()),
        };
        batch.retain(|waiting| {
            let slot = waiting.changes.lock();
            let Some(changes) = slot.as_ref() else {
                return false;
            };
            let (client, seen) = (&waiting.client, Some(&waiting.seen));
            let result = apply::apply(changes, client, seen, &round.after, scope);
            if let Ok(applied) = &result
                && applied.is_written
            {
                round.after = applied.stored.clone();
                round.is_written = true;
            }
            round.results.push(result);
            true
        });
        round
    }

    fn written(&mut self, mut round: Round, batch: Vec<Waiting>, tag: Tag) {
        round.after.meta.tag = tag;
        self.held = Some(round.after.clone());
        round.answer(batch);
    }

    fn jitter(&self, pause: Duration) -> Duration {
        let [byte] = random::bytes(&*self.manager.state().random).unwrap_or([128]);
        pause.mul_f32(0.5 + f32::from(byte) / 255.0)
    }
}

/// What replaying a batch has made of a record.
struct Round {
    after: Stored,
    is_written: bool,
    results: Vec<Result<Applied, Refusal>>,
}

impl Round {
    fn answer(self, batch: Vec<Waiting>) {
        let after = self.after;
        let mut results = self.results.into_iter();
        answer(batch, |_| match results.next() {
            Some(Ok(mut applied)) => {
                // All go on from the record that was written for all of them, but for those that
                // came before a login in the same batch: they must not see what is behind it.
                if applied.stored.envelope().epoch == after.envelope().epoch {
                    applied.go_on_from(&after);
                }
                Turnout::Applied(Box::new(applied))
            }
            Some(Err(Refusal::Error(error))) => Turnout::Refused(error),
            Some(Err(Refusal::Void(reason))) => Turnout::Void(reason),
            None => Turnout::Void(VoidReason::Gone),
        });
    }
}

fn answer(batch: Vec<Waiting>, mut turnout: impl FnMut(usize) -> Turnout) {
    for (n, waiting) in batch.into_iter().enumerate() {
        // Whoever has stopped waiting has answered the client already.
        let _ = waiting.reply.send(turnout(n));
    }
}

fn fail(batch: Vec<Waiting>, error: StoreError) {
    let (kind, operation) = (error.kind(), error.operation());
    let mut error = Some(error);
    answer(batch, |_| {
        let copy = || StoreError::new(kind, operation);
        Turnout::Failed(error.take().unwrap_or_else(copy))
    });
}
