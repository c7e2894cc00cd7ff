//! What the clones of a store share: its connections, and the breaker before them.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Weak},
    time::Duration,
};

use cloakroom_store::{Breaker, Key, Operation, Probe, StoreError, StoreErrorKind};
use mysql_async::Value;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{
    error::Failure,
    live::{Answer, Shop},
    pool::Pool,
    sql::Query,
    turns::Turns,
};

const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
const PROBE_PAUSE: Duration = Duration::from_millis(200);

pub(crate) struct Settings {
    pub(crate) table: String,
    pub(crate) connections: NonZeroUsize,
    pub(crate) timeout: Duration,
    pub(crate) slow_timeout: Duration,
    pub(crate) max_data_size: usize,
}

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    /// For what requests wait for.
    pub(crate) quick: Arc<Pool>,
    /// For sweeps and listings, which nobody else has to wait for.
    pub(crate) slow: Arc<Pool>,
    turns: Turns,
    breaker: Breaker,
}

impl Shared {
    pub(crate) fn new(shop: &Arc<Shop>, settings: Settings) -> Self {
        Self {
            quick: Pool::new(shop, settings.connections.get(), settings.timeout),
            slow: Pool::new(shop, 1, settings.slow_timeout),
            turns: Turns::default(),
            breaker: Breaker::new(),
            settings,
        }
    }

    /// Runs a write on one key.
    pub(crate) async fn write<T>(
        self: &Arc<Self>,
        operation: Operation,
        key: &Key,
        query: Query,
        values: impl Fn() -> Vec<Value>,
        judge: impl FnOnce(Result<Answer, Failure>) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let write = async {
            // A little before the timeout, so that a lock in the way is known to have been it.
            let deadline = Instant::now() + self.settings.timeout * 19 / 20;
            let turn = timeout_at(deadline, self.turns.wait(key)).await;
            let _turn = turn.map_err(|_| Failure::locked())?;
            judge(self.quick.write(query, values, deadline).await)
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
                // A locked row is an answer: the breaker is not to hold up the others for it.
                Err(failure) if failure.is_lock() => Ok(Err(failure.during(operation))),
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
}

/// Asks the server for a new connection until it gives one or the store is dropped.
async fn ask(shared: Weak<Shared>, probe: Probe) {
    while let Some(shared) = shared.upgrade() {
        if shared.quick.renew(PROBE_TIMEOUT).await.is_ok() {
            return probe.close();
        }
        drop(shared);
        sleep(PROBE_PAUSE).await;
    }
}
