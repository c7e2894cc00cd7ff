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
    time::{sleep, timeout},
};

use crate::{
    call::Change,
    error::Failure,
    lane::Lane,
    live::Shop,
    sql::{Query, READS, SLOW, WRITES},
    writer::Writer,
};

const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
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
    readers: Vec<Lane>,
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
        let writer = |_| Arc::new(Writer::new(lane(WRITES), limit, Arc::clone(&is_plain)));
        Self {
            readers: (0..settings.readers.get()).map(|_| lane(READS)).collect(),
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

    /// Begins to make those that are missing.
    fn reconnect_all(&self) {
        for lane in self.lanes() {
            // The call that needs it meets the same error.
            drop(lane.connect());
        }
    }

    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        let writers = self.writers.iter().map(|writer| writer.lane());
        self.readers.iter().chain(writers)
    }

    /// The connection with the least to do.
    pub(crate) fn reader(&self) -> Result<&Lane, Failure> {
        let readers = self.readers.iter();
        let idlest = readers.min_by_key(|lane| lane.under_way());
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
            let answer = answer.unwrap_or_else(|_| Err(Failure::timed_out()));
            answer.map_err(|failure| failure.during(operation))
        };
        let answer = self.breaker.call(operation, in_time).await;
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

/// Asks the server until it answers or the store is dropped.
async fn ask(shared: Weak<Shared>, probe: Probe) {
    while let Some(shared) = shared.upgrade() {
        let ping = async { shared.reader()?.run(Query::Ping, &[]).await };
        if let Ok(Ok(_)) = timeout(PROBE_TIMEOUT, ping).await {
            shared.reconnect_all();
            return probe.close();
        }
        drop(shared);
        sleep(PROBE_PAUSE).await;
    }
}

fn pick<T>(from: &[T], number: usize) -> Result<&T, Failure> {
    let index = number.checked_rem(from.len());
    let picked = index.and_then(|index| from.get(index));
    picked.ok_or_else(no_connections)
}

fn no_connections() -> Failure {
    Failure::said(StoreErrorKind::Other, "the store has no connections")
}
