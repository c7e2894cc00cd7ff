//! A connection that is open, and its prepared statements.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cloakroom_store::StoreErrorKind;
use tokio::{sync::OnceCell, time::Instant};
use tokio_postgres::{
    Client, Statement,
    types::{ToSql, Type},
};

use crate::{
    error::Failure,
    source::{Session, Source},
    sql::{Query, Text, Texts},
    values::{Parameter, Parameters, Row},
};

/// What connections have in common.
pub(crate) struct Shop {
    pub(crate) source: Source,
    pub(crate) texts: Texts,
    pub(crate) connect_timeout: Duration,
    /// Statements are prepared, and the session is the store's own for as long as it lives.
    pub(crate) is_prepared: bool,
}

/// A connection that is open.
pub(crate) struct Live {
    shop: Arc<Shop>,
    session: Session,
    statements: Vec<(Query, OnceCell<Statement>)>,
    opened: Instant,
    /// Milliseconds from `opened` to the last answer.
    answered: AtomicU64,
}

impl Live {
    /// Connects, and prepares some statements. No statement runs longer than `limit` on the
    /// server, so that none piles up there that nobody waits for any more.
    pub(crate) async fn open(
        shop: Arc<Shop>,
        queries: &[Query],
        limit: Duration,
        patience: Duration,
    ) -> Result<Self, Failure> {
        // Sweeps and listings are rare.
        let is_brief = queries.contains(&Query::Sweep);
        let session = shop.source.open(patience, is_brief).await?;
        let statements = queries.iter().map(|query| (*query, OnceCell::new()));
        let live = Self {
            statements: statements.collect(),
            session,
            shop,
            opened: Instant::now(),
            answered: AtomicU64::new(0),
        };
        if live.shop.is_prepared {
            live.configure(limit).await?;
            live.prepare(queries).await;
        }
        Ok(live)
    }

    /// A statement that can't be prepared is the error of the call that needs it.
    async fn prepare(&self, queries: &[Query]) {
        let client = self.session.client();
        let mut first = queries
            .iter()
            .filter(|_| client.is_some())
            .map(|query| self.statement(*query));
        let (a, b, c, d) = (first.next(), first.next(), first.next(), first.next());
        let _ = tokio::join!(maybe(a), maybe(b), maybe(c), maybe(d));
    }

    /// Some engines do not know all of these settings, and do without.
    ///
    /// Planning a statement anew takes longer than running it, so its plan is kept. Every statement
    /// looks rows up by an index, but while the table is small a plan that reads all of it may be
    /// made, and kept while it grows; so that is switched off. Each statement is a transaction of its own and
    /// right under READ COMMITTED; under a higher level they would only be rolled back more often.
    async fn configure(&self, limit: Duration) -> Result<(), Failure> {
        let statement = format!("SET statement_timeout = {}", millis(limit * 9 / 10));
        let lock = format!("SET lock_timeout = {}", millis(limit / 4));
        let results = tokio::join!(
            self.run_text(&statement),
            self.run_text(&lock),
            self.run_text("SET default_transaction_isolation = 'read committed'"),
            self.run_text("SET plan_cache_mode = force_generic_plan"),
            self.run_text("SET enable_seqscan = off"),
            self.run_text("SET enable_hashjoin = off"),
            self.run_text("SET enable_mergejoin = off"),
        );
        match results.0 {
            Err(failure) if failure.kind == StoreErrorKind::Unavailable => Err(failure),
            _ => Ok(()),
        }
    }

    pub(crate) async fn run(
        &self,
        query: Query,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let result = match &self.session {
            #[cfg(feature = "sqlx-0_9")]
            Session::Sqlx(line) => line.run(&self.text(query)?.sql, parameters).await,
            _ => self.run_by_driver(query, parameters).await,
        };
        let since = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.answered.fetch_max(since, Ordering::Relaxed);
        result
    }

    async fn run_by_driver(
        &self,
        query: Query,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let client = self.client()?;
        let parameters = parameters.iter();
        let rows = if self.shop.is_prepared {
            let statement = self.statement(query).await?;
            let parameters: Vec<_> = parameters.map(to_sql).collect();
            client.query(&statement, &parameters).await?
        } else {
            let text = self.text(query)?;
            let types = text.types.iter().cloned();
            let typed: Vec<(_, Type)> = parameters.map(to_sql).zip(types).collect();
            client.query_typed(&text.sql, &typed).await?
        };
        Ok(of_driver(rows))
    }

    /// Runs what is no statement on the store's table.
    pub(crate) async fn run_text(&self, sql: &str) -> Result<(), Failure> {
        match &self.session {
            #[cfg(feature = "sqlx-0_9")]
            Session::Sqlx(line) => line.execute(sql).await,
            _ => Ok(self.client()?.batch_execute(sql).await?),
        }
    }

    pub(crate) async fn query_text(&self, sql: &str) -> Result<Vec<Row>, Failure> {
        match &self.session {
            #[cfg(feature = "sqlx-0_9")]
            Session::Sqlx(line) => line.query(sql).await,
            _ => Ok(of_driver(self.client()?.query_typed(sql, &[]).await?)),
        }
    }

    fn text(&self, query: Query) -> Result<&Text, Failure> {
        self.shop.texts.get(query).ok_or_else(unknown)
    }

    async fn statement(&self, query: Query) -> Result<Statement, Failure> {
        let cell = self.statements.iter().find(|(own, _)| *own == query);
        let (_, cell) = cell.ok_or_else(unknown)?;
        let statement = cell.get_or_try_init(|| async {
            let text = self.text(query)?;
            let prepared = self.client()?.prepare_typed(&text.sql, &text.types).await;
            prepared.map_err(Failure::from)
        });
        statement.await.cloned()
    }

    pub(crate) fn is_closed(&self) -> bool {
        match &self.session {
            #[cfg(feature = "sqlx-0_9")]
            Session::Sqlx(line) => line.is_closed(),
            session => session.client().is_none_or(Client::is_closed),
        }
    }

    /// Whether it may be lost without having noticed it.
    pub(crate) fn is_doubtful(&self) -> bool {
        match &self.session {
            #[cfg(feature = "sqlx-0_9")]
            Session::Sqlx(line) => line.is_doubtful(self.last_answer()),
            // The driver notices.
            _ => false,
        }
    }

    /// Whether there was an answer to anything since then.
    pub(crate) fn has_answered_since(&self, then: Instant) -> bool {
        self.last_answer() >= then
    }

    fn last_answer(&self) -> Instant {
        self.opened + Duration::from_millis(self.answered.load(Ordering::Relaxed))
    }

    pub(crate) fn abort(&self) {
        self.session.abort();
    }

    fn client(&self) -> Result<&Client, Failure> {
        let gone = || Failure::said(StoreErrorKind::Unavailable, "the connection is gone");
        self.session.client().ok_or_else(gone)
    }
}

fn to_sql<'a>(value: &&'a (dyn Parameter + Sync)) -> &'a (dyn ToSql + Sync) {
    *value
}

fn of_driver(rows: Vec<tokio_postgres::Row>) -> Vec<Row> {
    rows.into_iter().map(Row::Driver).collect()
}

async fn maybe<T>(future: Option<impl Future<Output = T>>) -> Option<T> {
    match future {
        Some(future) => Some(future.await),
        None => None,
    }
}

fn millis(duration: Duration) -> u128 {
    duration.as_millis().max(1)
}

fn unknown() -> Failure {
    Failure::said(
        StoreErrorKind::Other,
        "this connection does not have that statement",
    )
}
