//! A connection that is open, and its prepared statements.

use std::{
    future::pending,
    sync::{Arc, Weak},
    task::{Context, Waker},
    time::Duration,
};

use cloakroom_store::StoreErrorKind;
use mysql_async::{Conn, Row, Statement, Value, prelude::Queryable};
use tokio::{
    runtime::Handle,
    task::AbortHandle,
    time::{Instant, timeout},
};

use crate::{
    error::{Connection, Failure},
    source::Source,
    sql::{Query, Texts},
};

/// What connections have in common.
pub(crate) struct Shop {
    pub(crate) source: Source,
    pub(crate) texts: Texts,
    pub(crate) connect_timeout: Duration,
}

/// What a statement has found or changed.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    /// How many rows were found by an update, changed or not, or added or removed.
    pub(crate) affected: usize,
}

/// A connection that is open, and idle between calls.
pub(crate) struct Live {
    conn: Conn,
    statements: Vec<(Query, Statement)>,
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
        let mut conn = Conn::new(shop.source.opts()).await?;
        let server = "SELECT VERSION(), @@max_allowed_packet";
        let mut server: Row = conn.query_first(server).await?.ok_or_else(no_server)?;
        let version = server.take_opt(0).and_then(Result::ok);
        let version: Vec<u8> = version.ok_or_else(no_server)?;
        let most_bytes = server.take_opt(1).and_then(Result::ok);
        let most_bytes: usize = most_bytes.ok_or_else(no_server)?;
        let is_mariadb = version.windows(7).any(|part| part == b"MariaDB");
        conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            .await?;
        conn.query_drop(settings(is_mariadb, limit)).await?;
        Ok(Self {
            conn,
            statements: Vec::new(),
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
        let statement = self.statement(query).await?;
        let mut result = self.conn.exec_iter(statement, values).await?;
        let columns = result.columns_ref().len();
        let rows = result.collect().await?;
        let affected = usize::try_from(result.affected_rows()).unwrap_or(usize::MAX);
        result.drop_result().await?;
        self.used = Instant::now();
        if query.is_answered_by(columns, affected) {
            Ok(Answer { rows, affected })
        } else {
            Err(Failure::no_answer())
        }
    }

    async fn statement(&mut self, query: Query) -> Result<Statement, Failure> {
        if let Some((_, statement)) = self.statements.iter().find(|(own, _)| *own == query) {
            return Ok(statement.clone());
        }
        let text = self.shop.texts.get(query).ok_or_else(|| {
            let what = "there is no such statement";
            Failure::said(StoreErrorKind::Other, what)
        })?;
        let statement = self.conn.prep(text).await?;
        self.statements.push((query, statement.clone()));
        Ok(statement)
    }

    /// Runs what is no statement on the store's table, and waits so long for it.
    pub(crate) async fn run_text(&mut self, sql: &str, patience: Duration) -> Result<(), Failure> {
        self.query_text(sql, patience).await.map(drop)
    }

    pub(crate) async fn query_text(
        &mut self,
        sql: &str,
        patience: Duration,
    ) -> Result<Vec<Row>, Failure> {
        match timeout(patience, self.conn.query(sql)).await {
            Ok(rows) => Ok(rows?),
            Err(_) => Err(Failure::said(
                StoreErrorKind::TimedOut,
                "MySQL did not answer while the session table was looked at or made",
            )),
        }
    }

    pub(crate) async fn ping(&mut self) -> Result<(), Failure> {
        self.conn.ping().await?;
        self.used = Instant::now();
        Ok(())
    }

    /// Closes a connection that has not answered in time. Left to itself the driver waits for the rest
    /// of an answer that has begun, to take its leave properly; not while a command is under way.
    pub(crate) fn abandon(mut self) {
        let mut context = Context::from_waker(Waker::noop());
        drop(self.conn.ping().as_mut().poll(&mut context));
    }

    /// Whether it can take a statement, as far as can be seen from here.
    pub(crate) fn is_usable(&self) -> bool {
        !self.conn.is_disconnected() && self.anchor.holds()
    }

    pub(crate) fn idle(&self) -> Duration {
        self.used.elapsed()
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
