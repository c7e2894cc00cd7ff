//! A connection that was taken out of a pool, and the task that drives it.

use std::{pin::pin, sync::Arc, time::Duration};

use cloakroom_store::StoreErrorKind;
use sqlx_core::{
    connection::Connection as _,
    executor::Executor as _,
    pool::{CloseEvent, PoolConnection},
    query::query_with,
    raw_sql::raw_sql,
    sql_str::AssertSqlSafe,
};
use sqlx_postgres::{PgArguments, Postgres};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::{Instant, timeout},
};

use super::{Loss, QUIET, error};
use crate::{
    error::Failure,
    values::{Parameters, Row},
};

/// How many statements may wait for a connection before their callers wait.
const MOST_WAITING: usize = 128;

/// How long a connection may take to give a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);

/// A connection. It ends when this is dropped, whatever it waits for.
pub(crate) struct Line {
    orders: mpsc::Sender<Order>,
    driver: AbortHandle,
    loss: Arc<Loss>,
}

/// A statement that somebody waits for.
struct Order {
    sql: Arc<str>,
    /// Without arguments it is text for the server to read, which has no answer.
    arguments: Option<PgArguments>,
    is_kept: bool,
    answer: oneshot::Sender<Result<Vec<Row>, Failure>>,
}

impl Line {
    pub(super) fn new(
        mut connection: PoolConnection<Postgres>,
        closing: CloseEvent,
        loss: Arc<Loss>,
        is_brief: bool,
    ) -> Self {
        connection.close_on_drop();
        let (orders, taken) = mpsc::channel(MOST_WAITING);
        let driver = Driver {
            connection,
            orders: taken,
            loss: Arc::clone(&loss),
            is_brief,
        };
        let driver = Handle::current().spawn(driver.run(closing)).abort_handle();
        Self {
            orders,
            driver,
            loss,
        }
    }

    /// Runs a statement that is prepared once.
    pub(crate) async fn run(
        &self,
        sql: &Arc<str>,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let mut arguments = PgArguments::default();
        for parameter in parameters {
            parameter.add_to(&mut arguments)?;
        }
        self.order(Arc::clone(sql), Some(arguments), true).await
    }

    /// Runs a statement that is not needed again.
    pub(crate) async fn query(&self, sql: &str) -> Result<Vec<Row>, Failure> {
        let arguments = Some(PgArguments::default());
        self.order(sql.into(), arguments, false).await
    }

    /// Runs what has no answer.
    pub(crate) async fn execute(&self, sql: &str) -> Result<(), Failure> {
        self.order(sql.into(), None, false).await.map(drop)
    }

    async fn order(
        &self,
        sql: Arc<str>,
        arguments: Option<PgArguments>,
        is_kept: bool,
    ) -> Result<Vec<Row>, Failure> {
        let (answer, answered) = oneshot::channel();
        let order = Order {
            sql,
            arguments,
            is_kept,
            answer,
        };
        self.orders.send(order).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.orders.is_closed()
    }

    /// Whether another connection was lost since this one has last answered.
    pub(crate) fn is_doubtful(&self, answered: Instant) -> bool {
        self.loss.is_after(answered)
    }

    pub(crate) fn abort(&self) {
        self.driver.abort();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.abort();
    }
}

fn gone() -> Failure {
    Failure::said(
        StoreErrorKind::Unavailable,
        "the connection of the pool is gone",
    )
}

/// Who drives a connection. When it ends, the pool closes it.
struct Driver {
    connection: PoolConnection<Postgres>,
    orders: mpsc::Receiver<Order>,
    loss: Arc<Loss>,
    is_brief: bool,
}

impl Driver {
    async fn run(mut self, closing: CloseEvent) {
        let mut closing = pin!(closing);
        loop {
            let order = tokio::select! {
                biased;
                // Who closes a pool waits for all of its connections.
                () = &mut closing => return,
                order = timeout(QUIET, self.orders.recv()) => order,
            };
            let is_well = match order {
                Ok(Some(order)) => self.carry_out(order).await,
                Err(_) if !self.is_brief => self.is_alive().await,
                _ => return,
            };
            if !is_well {
                return;
            }
        }
    }

    /// Whether the connection can be used again.
    async fn carry_out(&mut self, order: Order) -> bool {
        // Nobody waits for it any more, and it was not sent.
        if order.answer.is_closed() {
            return true;
        }
        let connection = &mut *self.connection;
        let sql = AssertSqlSafe(order.sql);
        let result = match order.arguments {
            Some(arguments) => {
                let query = query_with(sql, arguments).persistent(order.is_kept);
                connection.fetch_all(query).await
            }
            None => connection.execute(raw_sql(sql)).await.map(|_| Vec::new()),
        };
        // Before anybody asks for another connection.
        if result.as_ref().err().is_some_and(error::is_end) {
            self.loss.happens();
        }
        let result = result.map_err(Failure::from);
        let is_well = result
            .as_ref()
            .err()
            .is_none_or(|failure| !failure.reconnect);
        let rows = result.map(|rows| rows.into_iter().map(Row::Sqlx).collect());
        drop(order.answer.send(rows));
        is_well
    }

    async fn is_alive(&mut self) -> bool {
        let sign = timeout(SIGN_OF_LIFE, self.connection.ping()).await;
        let is_alive = sign.is_ok_and(|sign| sign.is_ok());
        if !is_alive {
            self.loss.happens();
        }
        is_alive
    }
}
