//! A connection that is open.

use std::{
    future::pending,
    sync::{Arc, Weak},
    time::Duration,
};

use cloakroom_store::StoreErrorKind;
use mysql_async::Value;
use tokio::{
    runtime::Handle,
    task::AbortHandle,
    time::{Instant, timeout},
};

use crate::{
    error::{Connection, Failure},
    row,
    source::Source,
    sql::{Query, Texts},
    wire::{Answer, Row, Wire},
};

/// What connections have in common.
pub(crate) struct Shop {
    pub(crate) source: Source,
    pub(crate) texts: Texts,
    pub(crate) connect_timeout: Duration,
}

/// A connection that is open, and idle between calls.
pub(crate) struct Live {
    wire: Wire,
    shop: Arc<Shop>,
    /// The server ends a connection on which more than this comes at once.
    most_bytes: usize,
    anchor: Anchor,
    used: Instant,
}

impl Live {
    /// Connects. No statement runs longer than `limit` on the server, where that can be had.
    pub(crate) async fn open(
        shop: Arc<Shop>,
        limit: Duration,
        patience: Duration,
    ) -> Result<Self, Failure> {
        match timeout(patience, Self::connect(shop, limit)).await {
            Ok(opened) => opened.map_err(refused),
            Err(_) => Err(Failure::said(
                StoreErrorKind::Unavailable,
                "MySQL took no connection within the connect timeout",
            )),
        }
    }

    /// Each statement is a transaction of its own, right under READ COMMITTED, which locks no gaps
    /// between rows.
    async fn connect(shop: Arc<Shop>, limit: Duration) -> Result<Self, Failure> {
        let mut wire = shop.source.connect().await?;
        let server = "SELECT VERSION(), @@max_allowed_packet";
        let rows = wire.query(server).await?;
        let server = rows.first().ok_or_else(no_server)?;
        let version = row::text(server, 0).map_err(|_| no_server())?;
        let is_mariadb = version.windows(7).any(|part| part == b"MariaDB");
        let most_bytes = row::count_of(server, 1).ok_or_else(no_server)?;
        wire.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            .await?;
        wire.execute(&settings(is_mariadb, limit)).await?;
        Ok(Self {
            wire,
            shop,
            most_bytes,
            anchor: Anchor::drop_in(&Handle::current()),
            used: Instant::now(),
        })
    }

    /// Runs a prepared statement. A connection on which this was dropped is of no more use.
    ///
    /// An OK alone is not believed: the answer to another statement, or that of a proxy that has not
    /// asked the server, is one too.
    pub(crate) async fn run(
        &mut self,
        query: Query,
        values: Vec<Value>,
    ) -> Result<Answer, Failure> {
        if size(&values) > self.most_bytes {
            return Err(Failure::too_large());
        }
        let text = self.shop.texts.get(query).ok_or_else(|| {
            let what = "there is no such statement";
            Failure::said(StoreErrorKind::Other, what)
        })?;
        let answer = self.wire.run(query, text, values).await?;
        self.used = Instant::now();
        if query.is_answered_by(answer.columns, answer.affected) {
            Ok(answer)
        } else {
            Err(Failure::no_answer())
        }
    }

    /// Runs what is no statement on the store's table, and waits so long for it.
    pub(crate) async fn run_text(&mut self, sql: &str, patience: Duration) -> Result<(), Failure> {
        in_time(patience, self.wire.execute(sql)).await
    }

    pub(crate) async fn query_text(
        &mut self,
        sql: &str,
        patience: Duration,
    ) -> Result<Vec<Row>, Failure> {
        in_time(patience, self.wire.query(sql)).await
    }

    pub(crate) async fn ping(&mut self) -> Result<(), Failure> {
        self.wire.ping().await?;
        self.used = Instant::now();
        Ok(())
    }

    /// Closes a connection that has not answered in time.
    pub(crate) fn abandon(self) {
        self.wire.abandon();
    }

    /// How many connections the driver's pool may have that this one is of.
    #[cfg(feature = "mysql_async-0_37")]
    pub(crate) fn pool_size(&self) -> Option<usize> {
        self.wire.pool_size()
    }

    /// Whether it can take a statement, as far as can be seen from here.
    pub(crate) fn is_usable(&self) -> bool {
        !self.wire.is_closed() && self.anchor.holds()
    }

    pub(crate) fn idle(&self) -> Duration {
        self.used.elapsed()
    }
}

async fn in_time<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match timeout(patience, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(Failure::said(
            StoreErrorKind::TimedOut,
            "MySQL did not answer while the session table was looked at or made",
        )),
    }
}

fn no_server() -> Failure {
    let what = "what answers is neither MySQL nor MariaDB";
    Failure::said(StoreErrorKind::Unavailable, what)
}

/// About how many bytes they take on the wire.
fn size(values: &[Value]) -> usize {
    const OVERHEAD: usize = 1024;
    let sizes = values.iter().map(|value| match value {
        Value::Bytes(bytes) => bytes.len(),
        _ => 0,
    });
    OVERHEAD + sizes.sum::<usize>()
}

/// Bytes are bytes, whatever the character sets of the server. What does not fit is an error, never
/// cut off. The server waits longer for the next statement than an idle connection waits for a ping.
///
/// MariaDB does not wait for locks of rows, so that no connection is kept by one, and no two
/// statements wait for each other; MySQL waits a second at least. Only MariaDB ends a write that runs
/// too long.
fn settings(is_mariadb: bool, limit: Duration) -> String {
    let limit = limit * 9 / 10;
    let limits = if is_mariadb {
        // Zero would be no limit.
        let seconds = limit.as_secs_f64().max(0.001);
        format!("innodb_lock_wait_timeout = 0, max_statement_time = {seconds:.3}")
    } else {
        let millis = limit.as_millis().max(1);
        format!("innodb_lock_wait_timeout = 1, max_execution_time = {millis}")
    };
    format!(
        "SET NAMES binary, autocommit = 1, lock_wait_timeout = 1, wait_timeout = 600, \
         sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', {limits}"
    )
}

/// Whatever keeps a connection from being made, the server is of no use now.
fn refused(failure: Failure) -> Failure {
    failure
        .of_kind(StoreErrorKind::Unavailable)
        .leaves(Connection::Bad)
}

/// Knows whether the runtime of a connection has ended, with which the connection does not work.
struct Anchor {
    task: AbortHandle,
    held: Weak<()>,
}

impl Anchor {
    fn drop_in(runtime: &Handle) -> Self {
        let ground = Arc::new(());
        let held = Arc::downgrade(&ground);
        let task = runtime.spawn(async move {
            pending::<()>().await;
            drop(ground);
        });
        Self {
            task: task.abort_handle(),
            held,
        }
    }

    fn holds(&self) -> bool {
        self.held.strong_count() > 0
    }
}

impl Drop for Anchor {
    fn drop(&mut self) {
        self.task.abort();
    }
}
