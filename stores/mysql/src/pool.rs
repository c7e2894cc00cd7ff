//! Connections that calls take turns on, one statement at a time on each.
//!
//! The driver has a pool too; that one resets a connection after each use, which is a request of its
//! own and forgets the prepared statements.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use cloakroom_store::StoreErrorKind;
use mysql_async::Value;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    error::{Connection, Failure, Remedy},
    live::{Live, Shop},
    pause::{MOST_TRIES, pause},
    sql::Query,
    wire::Answer,
};

/// An idle connection is asked for a sign of life so often. Before a call it never is.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);

/// Up to a number of connections, made when they are needed.
pub(crate) struct Pool {
    shop: Arc<Shop>,
    /// How long a statement may take.
    limit: Duration,
    most: usize,
    /// How many stay although they are not used for long.
    spare: usize,
    permits: Arc<Semaphore>,
    /// The one used last is used next, so that others can be found dead before they are needed.
    idle: Mutex<Vec<Live>>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

impl Pool {
    pub(crate) fn new(shop: &Arc<Shop>, most: usize, spare: usize, limit: Duration) -> Arc<Self> {
        let most = most.min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            shop: Arc::clone(shop),
            limit,
            most,
            spare,
            permits: Arc::new(Semaphore::new(most)),
            idle: Mutex::default(),
            keeper: Mutex::default(),
        })
    }

    /// Runs a statement. When this is dropped before it was sent, it never is; afterwards the
    /// statement comes to its end all the same, and its connection is used again.
    pub(crate) async fn run(
        self: &Arc<Self>,
        query: Query,
        values: Vec<Value>,
    ) -> Result<Answer, Failure> {
        let lease = self.take().await?;
        let running = runtime()?.spawn(lease.run(query, values));
        running.await.unwrap_or_else(|_| Err(Failure::no_runtime()))
    }

    /// Runs a statement, again when the server has rolled it back, until the deadline. That nobody
    /// else's lock is in the way is waited for without a connection.
    pub(crate) async fn write(
        self: &Arc<Self>,
        query: Query,
        values: impl Fn() -> Vec<Value>,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let mut tries = 0;
        loop {
            let failure = match self.run(query, values()).await {
                Err(failure) if failure.remedy == Remedy::Again => failure,
                result => return result,
            };
            let until = Instant::now() + pause(tries);
            if until >= deadline || (tries >= MOST_TRIES && !failure.is_lock()) {
                return Err(failure);
            }
            sleep_until(until).await;
            tries += 1;
        }
    }

    /// The same for a statement that changes nothing: it is sent once more, on a new connection,
    /// when the one it was sent on turns out to be lost.
    pub(crate) async fn read(
        self: &Arc<Self>,
        query: Query,
        values: impl Fn() -> Vec<Value>,
    ) -> Result<Answer, Failure> {
        let deadline = Instant::now() + self.limit;
        match self.write(query, &values, deadline).await {
            Err(failure) if failure.connection == Connection::Lost => {
                self.write(query, values, deadline).await
            }
            result => result,
        }
    }

    /// Makes a connection, which replaces all that are idle: the server has been away.
    pub(crate) async fn renew(self: &Arc<Self>, patience: Duration) -> Result<(), Failure> {
        let live = Live::open(Arc::clone(&self.shop), self.limit, patience).await?;
        let before = std::mem::replace(&mut *lock(&self.idle), vec![live]);
        drop(before);
        self.keep();
        Ok(())
    }

    /// A connection that is idle, or else a new one. Dropping this does not stop it being made.
    async fn take(self: &Arc<Self>) -> Result<Lease, Failure> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| Failure::no_runtime())?;
        if let Some(live) = self.pop() {
            return Ok(Lease::new(self, live, permit));
        }
        self.keep();
        let (sender, opened) = oneshot::channel();
        let pool = Arc::clone(self);
        runtime()?.spawn(async move {
            let shop = Arc::clone(&pool.shop);
            let patience = shop.connect_timeout;
            let opened = Live::open(shop, pool.limit, patience).await;
            // If nobody waits any more it is for the next.
            drop(sender.send(opened.map(|live| Lease::new(&pool, live, permit))));
        });
        opened.await.unwrap_or_else(|_| Err(Failure::no_runtime()))
    }

    fn pop(&self) -> Option<Live> {
        let mut idle = lock(&self.idle);
        while let Some(live) = idle.pop() {
            if live.is_usable() {
                return Some(live);
            }
        }
        None
    }

    fn put(&self, live: Live, at_the_end: bool) {
        let mut idle = lock(&self.idle);
        if live.is_usable() && idle.len() < self.most {
            let index = if at_the_end { 0 } else { idle.len() };
            idle.insert(index, live);
        }
    }

    fn drop_idle(&self) {
        let idle = std::mem::take(&mut *lock(&self.idle));
        drop(idle);
    }

    /// Sees to it that idle connections are asked for signs of life, on this runtime if need be.
    fn keep(self: &Arc<Self>) {
        let mut keeper = lock(&self.keeper);
        if keeper.as_ref().is_none_or(JoinHandle::is_finished)
            && let Ok(runtime) = runtime()
        {
            *keeper = Some(runtime.spawn(keep_alive(Arc::downgrade(self))));
        }
    }

    /// Takes a connection that has been idle for long.
    fn take_old(self: &Arc<Self>) -> Option<Lease> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let mut idle = lock(&self.idle);
        let old = idle.iter().position(|live| live.idle() >= KEEP_ALIVE)?;
        let live = idle.remove(old);
        drop(idle);
        Some(Lease::new(self, live, permit))
    }
}

/// Ends with the pool.
async fn keep_alive(pool: Weak<Pool>) {
    while let Some(held) = pool.upgrade() {
        let closing = held.shop.source.closing();
        drop(held);
        let is_closed = timeout(KEEP_ALIVE, closing).await.is_ok();
        let Some(pool) = pool.upgrade() else { return };
        if is_closed {
            return pool.drop_idle();
        }
        while let Some(lease) = pool.take_old() {
            let stays = lock(&pool.idle).len() < pool.spare;
            match stays {
                true => lease.ping().await,
                false => lease.close(),
            }
        }
    }
}

/// The use of a connection. Unless it was dropped in the middle of a statement it goes back.
struct Lease {
    pool: Arc<Pool>,
    live: Option<Live>,
    is_fresh: bool,
    permit: OwnedSemaphorePermit,
}

impl Lease {
    fn new(pool: &Arc<Pool>, live: Live, permit: OwnedSemaphorePermit) -> Self {
        Self {
            pool: Arc::clone(pool),
            live: Some(live),
            is_fresh: true,
            permit,
        }
    }

    async fn run(mut self, query: Query, values: Vec<Value>) -> Result<Answer, Failure> {
        let mut live = self.live.take().ok_or_else(|| {
            let what = "the connection is gone";
            Failure::said(StoreErrorKind::Unavailable, what)
        })?;
        let Ok(answer) = timeout(self.pool.limit, live.run(query, values)).await else {
            live.abandon();
            return Err(Failure::timed_out().leaves(Connection::Bad));
        };
        match answer.as_ref().map_err(|failure| failure.connection) {
            Ok(_) | Err(Connection::Good) => self.live = Some(live),
            Err(Connection::Bad) => {}
            Err(Connection::Lost) => self.pool.drop_idle(),
        }
        answer
    }

    fn close(mut self) {
        self.live = None;
    }

    async fn ping(mut self) {
        if let Some(mut live) = self.live.take()
            && let Ok(Ok(())) = timeout(SIGN_OF_LIFE, live.ping()).await
        {
            self.live = Some(live);
            self.is_fresh = false;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(live) = self.live.take() {
            self.pool.put(live, !self.is_fresh);
        }
        // The permit is given back after the connection.
        let _ = &self.permit;
    }
}

fn runtime() -> Result<Handle, Failure> {
    Handle::try_current().map_err(|error| Failure::new(StoreErrorKind::Other, error))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
