use std::{
    collections::{BTreeMap, VecDeque},
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cloakroom_memory::MemoryStore;
use cloakroom_store::{
    Change, Feed, Freshness, Key, Loaded, NamespaceId, Operation, Record, Store, StoreError,
    StoreErrorKind, Tag, Timestamp, Watch,
};
use cloakroom_testkit::LinkState;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

pub(crate) const MOST_KEPT: usize = 300;

/// How a store breaks its promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    MissesCreates,
    MissesReplaces,
    MissesTouches,
    MissesDeletes,
    IsLate,
    ListensLater,
    KeepsOnlyTheLast,
    CutsNames,
    TellsOneFeed,
    TellsBefore,
    IsSilent,
    KeepsItsSeat,
    LosesTheOldest,
    KeepsEverything,
    AnswersForTheServer,
    ConnectsAgainUnsaid,
    GoesOnAfterItsEnd,
    SaysDelete,
    EndsForGood,
}

use Defect::*;

/// The server: what it keeps, and who listens.
#[derive(Debug)]
pub(crate) struct Hub {
    store: MemoryStore,
    defect: Option<Defect>,
    state: Mutex<State>,
    seats: AtomicUsize,
}

#[derive(Debug)]
struct State {
    link: LinkState,
    was_cut: bool,
    /// Goes up with each cut.
    era: u64,
    queues: BTreeMap<usize, Arc<Queue>>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<(VecDeque<Key>, bool)>,
    arrived: Notify,
}

impl Hub {
    pub(crate) fn new(defect: Option<Defect>) -> Self {
        Self {
            store: MemoryStore::new(),
            defect,
            state: Mutex::new(State {
                link: LinkState::Whole,
                was_cut: false,
                era: 0,
                queues: BTreeMap::new(),
            }),
            seats: AtomicUsize::new(0),
        }
    }

    pub(crate) fn set_link(&self, link: LinkState) {
        let mut state = self.state.lock().unwrap();
        state.link = link;
        if link == LinkState::Cut {
            state.was_cut = true;
            state.era += 1;
        }
    }

    fn link(&self) -> (LinkState, u64) {
        let state = self.state.lock().unwrap();
        (state.link, state.era)
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    fn tell(&self, key: Key) {
        let state = self.state.lock().unwrap();
        if state.link != LinkState::Whole {
            return;
        }
        let told = if self.has(TellsOneFeed) {
            1
        } else {
            usize::MAX
        };
        for queue in state.queues.values().take(told) {
            let mut waiting = queue.waiting.lock().unwrap();
            if self.has(KeepsOnlyTheLast) {
                waiting.0.clear();
            }
            waiting.0.push_back(key);
            if self.has(LosesTheOldest) && waiting.0.len() > 64 {
                waiting.0.pop_front();
            } else if !self.has(KeepsEverything) && waiting.0.len() > MOST_KEPT {
                waiting.0.clear();
                waiting.1 = true;
            }
            drop(waiting);
            queue.arrived.notify_one();
        }
    }
}

/// One process.
#[derive(Debug, Clone)]
pub(crate) struct TellingStore(Arc<Hub>);

impl TellingStore {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self(hub)
    }

    async fn told<T>(&self, key: &Key, missed: Defect, write: impl Future<Output = T>) -> T {
        let hub = Arc::clone(&self.0);
        let mut key = *key;
        if hub.has(CutsNames) {
            let name = key.namespace.as_str().split('-').next().unwrap();
            key = Key::new(NamespaceId::new(name).unwrap(), key.id);
        }
        if hub.has(TellsBefore) {
            hub.tell(key);
            sleep(Duration::from_millis(10)).await;
            return write.await;
        }
        let answer = write.await;
        if hub.has(IsLate) {
            tokio::spawn(async move {
                sleep(Duration::from_millis(300)).await;
                hub.tell(key);
            });
        } else if !hub.has(missed) {
            hub.tell(key);
        }
        answer
    }
}

impl Store for TellingStore {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Result<Option<Loaded>, StoreError> {
        self.0.store.load(key, freshness).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        let create = self.0.store.create(key, record);
        self.told(key, MissesCreates, create).await
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        let replace = self.0.store.replace(key, record, expected);
        self.told(key, MissesReplaces, replace).await
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let touch = self.0.store.touch(key, record, expected);
        self.told(key, MissesTouches, touch).await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let delete = self.0.store.delete(key);
        self.told(key, MissesDeletes, delete).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.0.store.sweep(now, limit).await
    }
}

fn error(operation: Operation) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, operation)
}

impl Watch for TellingStore {
    type Feed = TellingFeed;

    async fn watch(&self) -> Result<TellingFeed, StoreError> {
        let hub = Arc::clone(&self.0);
        let (link, era) = hub.link();
        let is_over = hub.has(EndsForGood) && hub.state.lock().unwrap().was_cut;
        let is_full = hub.has(KeepsItsSeat) && hub.seats.load(Ordering::SeqCst) > 5;
        match link {
            LinkState::Silent => pending().await,
            LinkState::Whole if !is_over && !is_full => {}
            _ if hub.has(SaysDelete) => return Err(error(Operation::Delete)),
            _ => return Err(error(Operation::Load)),
        }
        let (seat, queue) = (
            hub.seats.fetch_add(1, Ordering::SeqCst),
            Arc::new(Queue::default()),
        );
        if hub.has(ListensLater) {
            let (hub, queue) = (Arc::clone(&hub), Arc::clone(&queue));
            tokio::spawn(async move {
                sleep(Duration::from_millis(20)).await;
                hub.state.lock().unwrap().queues.insert(seat, queue);
            });
        } else {
            let queue = Arc::clone(&queue);
            hub.state.lock().unwrap().queues.insert(seat, queue);
        }
        Ok(TellingFeed {
            hub,
            queue,
            seat,
            era,
        })
    }
}

pub(crate) struct TellingFeed {
    hub: Arc<Hub>,
    queue: Arc<Queue>,
    seat: usize,
    era: u64,
}

impl TellingFeed {
    fn take(&self) -> Option<Change> {
        let mut waiting = self.queue.waiting.lock().unwrap();
        if std::mem::take(&mut waiting.1) {
            return Some(Change::All);
        }
        waiting.0.pop_front().map(Change::Key)
    }
}

impl Feed for TellingFeed {
    const SILENCE: Duration = Duration::from_millis(200);

    async fn next(&mut self) -> Result<Change, StoreError> {
        const PACE: Duration = Duration::from_millis(50);
        loop {
            let (link, era) = self.hub.link();
            if era != self.era && !self.hub.has(ConnectsAgainUnsaid) {
                if self.hub.has(GoesOnAfterItsEnd) && link == LinkState::Whole {
                    self.era = era;
                    continue;
                }
                let operation = match self.hub.has(SaysDelete) {
                    true => Operation::Delete,
                    false => Operation::Load,
                };
                return Err(error(operation));
            }
            if link == LinkState::Silent && !self.hub.has(AnswersForTheServer) {
                return pending().await;
            }
            if let Some(change) = self.take() {
                return Ok(change);
            }
            let is_quiet = timeout(PACE, self.queue.arrived.notified()).await.is_err();
            if is_quiet && !self.hub.has(IsSilent) && self.hub.link() == (link, era) {
                return Ok(Change::Nothing);
            }
        }
    }
}

impl Drop for TellingFeed {
    fn drop(&mut self) {
        self.hub.state.lock().unwrap().queues.remove(&self.seat);
    }
}
