//! Connections of the application's own sqlx pool.
//!
//! Such a connection has one statement at a time, and may be left in the middle of one by whoever
//! stops waiting for it. So a task of its own drives it, which ends each statement that it has begun.
//! A connection is never given back to the pool: it has settings and statements of the store.

mod error;
mod line;
mod values;

use std::sync::{Arc, Mutex, PoisonError};

use sqlx_postgres::PgPool;
use tokio::time::Instant;

pub(crate) use self::line::Line;
use crate::error::Failure;

/// How long a connection that serves requests may be quiet before it is asked for a sign of life, and
/// one that sweeps and lists before it is closed.
const QUIET: std::time::Duration = std::time::Duration::from_secs(10);

/// The pool, and what its connections have in common.
pub(crate) struct SqlxPool {
    pool: PgPool,
    loss: Arc<Loss>,
}

impl SqlxPool {
    pub(crate) fn new(pool: PgPool) -> Self {
        let loss = Arc::default();
        Self { pool, loss }
    }

    /// A connection that is the store's until it ends. What is `brief` ends when it is not used.
    pub(crate) async fn open(&self, is_brief: bool) -> Result<Line, Failure> {
        let connection = self.pool.acquire().await.map_err(error::not_given)?;
        let (closing, loss) = (self.pool.close_event(), Arc::clone(&self.loss));
        Ok(Line::new(connection, closing, loss, is_brief))
    }

    /// How many connections it may have.
    pub(crate) fn size(&self) -> u32 {
        self.pool.options().get_max_connections()
    }
}

/// When a connection was last found to be lost. Those that have not answered since may be, too, and
/// would tell only the next write.
#[derive(Default)]
pub(crate) struct Loss(Mutex<Option<Instant>>);

impl Loss {
    fn happens(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_after(&self, then: Instant) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| last > then)
    }
}
