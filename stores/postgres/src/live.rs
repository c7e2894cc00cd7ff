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
    Client, Row, Statement,
    types::{ToSql, Type},
};

use crate::{
    error::Failure,
    source::{Session, Source},
    sql::{Query, Texts},
};

/// The parameters of a statement.
pub(crate) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

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
        let session = shop.source.open(patience).await?;
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
            // A statement that can't be prepared is the error of the call that needs it.
            let mut first = queries.iter().map(|query| live.statement(*query));
            let (a, b, c, d) = (first.next(), first.next(), first.next(), first.next());
            let _ = tokio::join!(maybe(a), maybe(b), maybe(c), maybe(d));
        }
        Ok(live)
    }

    /// Some engines do not know all of these settings, and do without.
    ///
    /// Planning a statement anew takes longer than running it, so its plan is kept. Every statement
    /// looks rows up by an index, but while the table is small a plan that reads all of it may be
    /// made, and kept while it grows; so that is switched off. Each statement is a transaction of its own and
    /// right under READ COMMITTED; under a higher level they would only be rolled back more often.
    async fn configure(&self, limit: Duration) -> Result<(), Failure> {
        let client = self.client()?;
        let statement = format!("SET statement_timeout = {}", millis(limit * 9 / 10));
        let lock = format!("SET lock_timeout = {}", millis(limit / 4));
        let results = tokio::join!(
            client.batch_execute(&statement),
            client.batch_execute(&lock),
            client.batch_execute("SET default_transaction_isolation = 'read committed'"),
            client.batch_execute("SET plan_cache_mode = force_generic_plan"),
            client.batch_execute("SET enable_seqscan = off"),
            client.batch_execute("SET enable_hashjoin = off"),
            client.batch_execute("SET enable_mergejoin = off"),
        );
        match results.0 {
            Err(error) if error.is_closed() => Err(error.into()),
            _ => Ok(()),
        }
    }

    pub(crate) async fn run(
        &self,
        query: Query,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let client = self.client()?;
        let result = if self.shop.is_prepared {
            let statement = self.statement(query).await?;
            client.query(&statement, parameters).await
        } else {
            let text = self.shop.texts.get(query).ok_or_else(unknown)?;
            let types = text.types.iter().cloned();
            let typed: Vec<(&(dyn ToSql + Sync), Type)> =
                parameters.iter().copied().zip(types).collect();
            client.query_typed(&text.sql, &typed).await
        };
        let since = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.answered.fetch_max(since, Ordering::Relaxed);
        Ok(result?)
    }

    /// Runs what is no statement on the store's table.
    pub(crate) async fn run_text(&self, sql: &str) -> Result<(), Failure> {
        Ok(self.client()?.batch_execute(sql).await?)
    }

    pub(crate) async fn query_text(&self, sql: &str) -> Result<Vec<Row>, Failure> {
        Ok(self.client()?.query_typed(sql, &[]).await?)
    }

    async fn statement(&self, query: Query) -> Result<Statement, Failure> {
        let cell = self.statements.iter().find(|(own, _)| *own == query);
        let (_, cell) = cell.ok_or_else(unknown)?;
        let statement = cell.get_or_try_init(|| async {
            let text = self.shop.texts.get(query).ok_or_else(unknown)?;
            let prepared = self.client()?.prepare_typed(&text.sql, &text.types).await;
            prepared.map_err(Failure::from)
        });
        statement.await.cloned()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.session.client().is_none_or(Client::is_closed)
    }

    /// Whether there was an answer to anything since then.
    pub(crate) fn has_answered_since(&self, then: Instant) -> bool {
        let answered = Duration::from_millis(self.answered.load(Ordering::Relaxed));
        self.opened + answered >= then
    }

    pub(crate) fn abort(&self) {
        self.session.abort();
    }

    fn client(&self) -> Result<&Client, Failure> {
        let gone = || Failure::said(StoreErrorKind::Unavailable, "the connection is gone");
        self.session.client().ok_or_else(gone)
    }
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
