//! What the clones of a store share: its connections, and the breaker before them.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cloakroom_store::{Breaker, Key, Operation, Probe, StoreError, StoreErrorKind};
use tokio::{
    runtime::Handle,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    call::Change,
    error::Failure,
    lane::Lane,
    live::{Live, Shop},
    reader::Reader,
    sql::{Query, READS, SLOW, WRITES},
    writer::Writer,
};

/// How long one connection is waited for before the next is begun, and how many are made at once.
const PROBE_PATIENCE: Duration = Duration::from_millis(500);
const MOST_PROBES: usize = 3;
/// After one that was refused.
const PROBE_PAUSE: Duration = Duration::from_millis(200);

pub(crate) struct Settings {
    pub(crate) table: String,
    pub(crate) readers: NonZeroUsize,
    pub(crate) writers: NonZeroUsize,
    pub(crate) timeout: Duration,
    pub(crate) slow_timeout: Duration,
    pub(crate) max_data_size: usize,
}

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    shop: Arc<Shop>,
    readers: Vec<Arc<Reader>>,
    writers: Vec<Arc<Writer>>,
    /// For sweeps and listings, which nobody else has to wait for.
    pub(crate) slow: Lane,
    breaker: Breaker,
    /// The engine lacks what the statements for many calls need.
    is_plain: Arc<AtomicBool>,
}

impl Shared {
    pub(crate) fn new(shop: &Arc<Shop>, settings: Settings) -> Self {
        let is_plain = Arc::new(AtomicBool::new(false));
        let limit = settings.timeout;
        let lane = |queries| Lane::new(Arc::clone(shop), queries, limit);
        let reader = |_| Arc::new(Reader::new(lane(READS), limit));
        let writer = |_| Arc::new(Writer::new(lane(WRITES), limit, Arc::clone(&is_plain)));
        Self {
            readers: (0..settings.readers.get()).map(reader).collect(),
            writers: (0..settings.writers.get()).map(writer).collect(),
            slow: Lane::new(Arc::clone(shop), SLOW, settings.slow_timeout),
            breaker: Breaker::new(),
            is_plain,
            shop: Arc::clone(shop),
            settings,
        }
    }

    /// Makes the connections that requests will need.
    pub(crate) async fn connect_all(&self, patience: Duration) -> Result<(), Failure> {
        for lane in self.lanes() {
            lane.live_within(patience).await?;
        }
        Ok(())
    }

    /// What its connections have in common.
    pub(crate) fn shop(&self) -> &Shop {
        &self.shop
    }

    /// Takes a connection on which the server has answered, and begins to make those that are
    /// missing.
    fn reconnect_all(&self, live: Live) {
        if let Some(reader) = self.readers.first() {
            reader.lane().put(live);
        }
        for lane in self.lanes() {
            // The call that needs it meets the same error.
            drop(lane.connect_anew());
        }
    }

    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        let readers = self.readers.iter().map(|reader| reader.lane());
        let writers = self.writers.iter().map(|writer| writer.lane());
        readers.chain(writers)
    }

    /// The connection with the least to do.
    pub(crate) fn reader(&self) -> Result<&Arc<Reader>, Failure> {
        let readers = self.readers.iter();
        let idlest = readers.min_by_key(|reader| reader.under_way());
        idlest.ok_or_else(no_connections)
    }

    pub(crate) async fn write(
        self: &Arc<Self>,
        operation: Operation,
        key: &Key,
        change: Change,
    ) -> Result<bool, StoreError> {
        let write = async {
            // One writer for a key, so that its calls are in no other's way.
            let [first, ..] = key.id.as_bytes();
            pick(&self.writers, usize::from(*first))?
                .write(key, change)
                .await
        };
        self.quickly(operation, write).await
    }

    /// Runs a call that a request waits for.
    pub(crate) async fn quickly<T>(
        self: &Arc<Self>,
        operation: Operation,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, StoreError> {
        self.guard(operation, self.settings.timeout, call).await
    }

    /// Runs a call that may take its time.
    pub(crate) async fn slowly<T>(
        self: &Arc<Self>,
        operation: Operation,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, StoreError> {
        self.guard(operation, self.settings.slow_timeout, call)
            .await
    }

    /// All calls come through here.
    async fn guard<T>(
        self: &Arc<Self>,
        operation: Operation,
        limit: Duration,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, StoreError> {
        let error = |error| StoreError::new(StoreErrorKind::Other, operation).with_source(error);
        let runtime = Handle::try_current().map_err(error)?;
        let in_time = async {
            let answer = timeout(limit, call).await;
            match answer.unwrap_or_else(|_| Err(Failure::timed_out())) {
                Ok(answer) => Ok(Ok(answer)),
                Err(failure) if failure.is_answer() => Ok(Err(failure.during(operation))),
                Err(failure) => Err(failure.during(operation)),
            }
        };
        let answer = self.breaker.call(operation, in_time).await;
        let answer = answer.and_then(|answer| answer);
        if answer.is_err()
            && let Some(probe) = self.breaker.take_probe()
        {
            runtime.spawn(ask(Arc::downgrade(self), probe));
        }
        answer
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain.load(Ordering::Relaxed)
    }

    pub(crate) fn be_plain(&self) {
        self.is_plain.store(true, Ordering::Relaxed);
    }
}

/// Asks the server until it answers on a new connection, or the store is dropped.
///
/// A distant server may need the whole connect timeout for it, and a connection that was begun
/// before the server came back may never be made. So others are begun while one is waited for, and
/// the last of them is never waited for long.
async fn ask(shared: Weak<Shared>, probe: Probe) {
    let mut attempts = JoinSet::new();
    while let Some(held) = shared.upgrade() {
        let (shop, limit) = (Arc::clone(&held.shop), held.settings.timeout);
        drop(held);
        if attempts.len() < MOST_PROBES {
            let patience = match attempts.len() + 1 < MOST_PROBES {
                true => shop.connect_timeout,
                false => PROBE_PATIENCE.min(shop.connect_timeout),
            };
            attempts.spawn(answering(shop, limit, patience));
        }
        let asked = timeout(PROBE_PATIENCE, attempts.join_next()).await;
        if let Ok(Some(Ok(Some(live)))) = asked {
            if let Some(shared) = shared.upgrade() {
                shared.reconnect_all(live);
                probe.close();
            }
            return;
        }
        if asked.is_ok() {
            sleep(PROBE_PAUSE).await;
        }
    }
}

/// A connection on which the server has answered.
async fn answering(shop: Arc<Shop>, limit: Duration, patience: Duration) -> Option<Live> {
    let live = Live::open(shop, READS, limit, patience).await.ok()?;
    let answered = timeout(limit, live.run(Query::Ping, &[])).await;
    answered.is_ok_and(|answer| answer.is_ok()).then_some(live)
}

fn pick<T>(from: &[T], number: usize) -> Result<&T, Failure> {
    let index = number.checked_rem(from.len());
    let picked = index.and_then(|index| from.get(index));
    picked.ok_or_else(no_connections)
}

fn no_connections() -> Failure {
    Failure::said(StoreErrorKind::Other, "the store has no connections")
}
