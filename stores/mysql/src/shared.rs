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
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{error::Failure, live::Shop, pool::Pool, row, sql::Query, turns::Turns, wire::Answer};

/// How often a delete is sent that leaves the record there.
const MOST_DELETES: u32 = 5;

/// How long one connection is waited for before the next is begun, and how many are begun at once.
const PROBE_PATIENCE: Duration = Duration::from_millis(500);
const MOST_PROBES: usize = 3;
/// After one that was refused.
const PROBE_PAUSE: Duration = Duration::from_millis(200);

pub(crate) struct Settings {
    pub(crate) table: String,
    pub(crate) connections: NonZeroUsize,
    pub(crate) timeout: Duration,
    pub(crate) slow_timeout: Duration,
    pub(crate) connect_timeout: Duration,
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
        let most = settings.connections.get();
        // Of a pool of the application's one connection stays.
        let (spare, slow_spare) = match shop.source.is_shared() {
            true => (1, 0),
            false => (most, 1),
        };
        Self {
            quick: Pool::new(shop, most, spare, settings.timeout),
            slow: Pool::new(shop, 1, slow_spare, settings.slow_timeout),
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
        let call = |deadline| async move { judge(self.quick.write(query, values, deadline).await) };
        self.in_turn(operation, key, call).await
    }

    /// Deletes a record, and says whether there was one.
    ///
    /// MariaDB answers OK, and that it has deleted nothing, when it ends a DELETE early: after
    /// `KILL QUERY`, or for `max_statement_time`. So that nothing was there is believed of a SELECT
    /// alone. A delete may be sent again, whatever became of it.
    pub(crate) async fn delete(self: &Arc<Self>, key: &Key) -> Result<bool, StoreError> {
        let values = || row::key(key).to_vec();
        let call = |deadline| async move {
            for _ in 0..MOST_DELETES {
                let deleted = self.quick.write(Query::Delete, values, deadline).await?;
                if deleted.affected > 0 {
                    return Ok(true);
                }
                let found = self.quick.read(Query::IsThere, values).await?;
                if found.rows.is_empty() {
                    return Ok(false);
                }
            }
            Err(Failure::no_answer())
        };
        self.in_turn(Operation::Delete, key, call).await
    }

    /// Runs a call with which no other write of the key in this process is in the way. It is told
    /// until when it may send something again.
    async fn in_turn<T, F>(
        self: &Arc<Self>,
        operation: Operation,
        key: &Key,
        call: impl FnOnce(Instant) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        runtime(operation)?;
        let begin = Instant::now();
        // A little before the timeout, so that a lock in the way is known to have been it.
        let deadline = begin + self.settings.timeout * 19 / 20;
        // Who waits for a turn learns nothing of the server, so the breaker is not told of it.
        let _turn = match self.breaker.is_open() {
            true => None,
            false => match timeout_at(deadline, self.turns.wait(key)).await {
                Ok(turn) => Some(turn),
                Err(_) => return Err(Failure::locked().during(operation)),
            },
        };
        let end = begin + self.settings.timeout;
        self.guard(operation, end, call(deadline)).await
    }

    /// Runs a call that a request waits for.
    pub(crate) async fn quickly<T>(
        self: &Arc<Self>,
        operation: Operation,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, StoreError> {
        let end = Instant::now() + self.settings.timeout;
        self.guard(operation, end, call).await
    }

    /// Runs a call that may take its time.
    pub(crate) async fn slowly<T>(
        self: &Arc<Self>,
        operation: Operation,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, StoreError> {
        let end = Instant::now() + self.settings.slow_timeout;
        self.guard(operation, end, call).await
    }

    /// All calls come through here.
    async fn guard<T>(
        self: &Arc<Self>,
        operation: Operation,
        end: Instant,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, StoreError> {
        let runtime = runtime(operation)?;
        let in_time = async {
            let answer = timeout_at(end, call).await;
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
///
/// A distant server may need the whole connect timeout for it, and a connection that was begun before
/// the server came back may never be made. So the next is begun while one is waited for,
/// and the last of them is never waited for long.
async fn ask(shared: Weak<Shared>, probe: Probe) {
    let mut attempts = JoinSet::new();
    while let Some(shared) = shared.upgrade() {
        if attempts.len() < MOST_PROBES {
            let pool = Arc::clone(&shared.quick);
            let patience = match attempts.len() + 1 < MOST_PROBES {
                true => shared.settings.connect_timeout,
                false => PROBE_PATIENCE,
            };
            attempts.spawn(async move { pool.renew(patience).await });
        }
        drop(shared);
        match timeout(PROBE_PATIENCE, attempts.join_next()).await {
            Ok(Some(Ok(Ok(())))) => return probe.close(),
            Ok(_) => sleep(PROBE_PAUSE).await,
            Err(_) => {}
        }
    }
}

fn runtime(operation: Operation) -> Result<Handle, StoreError> {
    let error = |error| StoreError::new(StoreErrorKind::Other, operation).with_source(error);
    Handle::try_current().map_err(error)
}
