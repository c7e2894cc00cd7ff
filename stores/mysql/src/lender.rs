//! Takes connections out of the application's pool.

use std::sync::Arc;

use cloakroom_store::StoreErrorKind;
use mysql_async::{Conn, Pool};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, oneshot},
};

use crate::error::Failure;

/// How many requests for a connection may be under way at a time. Those that a server that does not
/// answer keeps waiting end when their connection does.
const MOST_REQUESTS: usize = 64;

/// The driver's pool forgets a place when a request for a connection is given up while it asks an idle
/// one for a sign of life. So each request has a task of its own, and comes to its end; a connection
/// that nobody waits for any more goes back.
pub(crate) struct Lender {
    pool: Pool,
    requests: Arc<Semaphore>,
}

impl Lender {
    pub(crate) fn new(pool: Pool) -> Self {
        let requests = Arc::new(Semaphore::new(MOST_REQUESTS));
        Self { pool, requests }
    }

    pub(crate) async fn lend(&self) -> Result<Conn, Failure> {
        let permit = Arc::clone(&self.requests).acquire_owned().await;
        let permit = permit.map_err(|_| Failure::no_runtime())?;
        let (lent, taken) = oneshot::channel();
        let pool = self.pool.clone();
        let runtime =
            Handle::try_current().map_err(|error| Failure::new(StoreErrorKind::Other, error))?;
        runtime.spawn(async move {
            drop(lent.send(pool.get_conn().await));
            drop(permit);
        });
        let conn = taken.await.map_err(|_| Failure::no_runtime())?;
        Ok(conn?)
    }
}
