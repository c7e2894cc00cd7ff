//! One connection that is made when it is needed, and made again when it is lost.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cloakroom_store::StoreErrorKind;
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    error::{Failure, Remedy},
    live::{Live, Shop},
    pause::{MOST_TRIES, pause},
    sql::Query,
    values::{Parameters, Row},
};

/// A connection that has not answered anything for so long is given up when a call ends unanswered.
const PATIENCE: Duration = Duration::from_millis(200);

/// A place for one connection. Calls at the same time are pipelined.
pub(crate) struct Lane {
    shop: Arc<Shop>,
    queries: &'static [Query],
    /// How long a statement may take.
    limit: Duration,
    state: Arc<Mutex<State>>,
}

enum State {
    Idle,
    Connecting(watch::Receiver<Option<Attempt>>),
    Ready(Arc<Live>),
}

type Attempt = Result<Arc<Live>, Failure>;

impl Lane {
    pub(crate) fn new(shop: Arc<Shop>, queries: &'static [Query], limit: Duration) -> Self {
        Self {
            shop,
            queries,
            limit,
            state: Arc::new(Mutex::new(State::Idle)),
        }
    }

    /// Whether what waits is better sent together.
    pub(crate) fn is_serial(&self) -> bool {
        self.shop.source.is_serial()
    }

    /// Runs a statement. A connection that does not answer is given up when this is dropped.
    pub(crate) async fn run(
        &self,
        query: Query,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let live = self.live().await?;
        let mut unanswered = Unanswered {
            lane: self,
            live: &live,
            since: Some(Instant::now()),
        };
        let result = live.run(query, parameters).await;
        unanswered.since = None;
        if let Err(failure) = &result
            && (failure.reconnect || live.is_closed())
        {
            self.give_up(&live);
        }
        result
    }

    /// Runs a statement that may be sent again: after a serialization failure, and once on a new
    /// connection when this one turns out to be lost.
    pub(crate) async fn read(
        &self,
        query: Query,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.run(query, parameters).await {
                Err(failure) if failure.remedy == Remedy::Again && tries < MOST_TRIES => {
                    sleep(pause(tries)).await;
                }
                Err(failure) if failure.kind == StoreErrorKind::Unavailable && tries == 1 => {}
                result => return result,
            }
        }
    }

    /// The connection, which is waited for if it is being made. Dropping this does not stop that.
    pub(crate) async fn live(&self) -> Result<Arc<Live>, Failure> {
        self.live_within(self.shop.connect_timeout).await
    }

    /// The same, with another connect timeout if there is no connection yet.
    pub(crate) async fn live_within(&self, patience: Duration) -> Result<Arc<Live>, Failure> {
        let mut attempt = match self.begin(patience)? {
            Begun::Ready(live) => return Ok(live),
            Begun::Connecting(attempt) => attempt,
        };
        let outcome = attempt.wait_for(Option::is_some).await;
        let outcome = outcome.ok().and_then(|outcome| outcome.clone());
        outcome.unwrap_or_else(|| {
            let what = "the runtime that was connecting has ended";
            Err(Failure::said(StoreErrorKind::Unavailable, what))
        })
    }

    /// Begins to connect, if there is no connection. What was begun before may never be made, if the
    /// server has been away.
    pub(crate) fn connect_anew(&self) -> Result<(), Failure> {
        let mut state = lock(&self.state);
        if matches!(&*state, State::Connecting(_)) {
            *state = State::Idle;
        }
        drop(state);
        self.begin(self.shop.connect_timeout).map(drop)
    }

    /// Takes a connection that was made elsewhere.
    pub(crate) fn put(&self, live: Live) {
        *lock(&self.state) = State::Ready(Arc::new(live));
    }

    fn begin(&self, patience: Duration) -> Result<Begun, Failure> {
        let mut state = lock(&self.state);
        match &*state {
            State::Ready(live) if !live.is_closed() && !live.is_doubtful() => {
                return Ok(Begun::Ready(Arc::clone(live)));
            }
            // Without its sender it is of a runtime that has ended.
            State::Connecting(attempt) if attempt.has_changed().is_ok() => {
                return Ok(Begun::Connecting(attempt.clone()));
            }
            _ => {}
        }
        let runtime =
            Handle::try_current().map_err(|error| Failure::new(StoreErrorKind::Other, error))?;
        let (sender, attempt) = watch::channel(None);
        let (shop, queries, limit) = (Arc::clone(&self.shop), self.queries, self.limit);
        let (own_state, own) = (Arc::clone(&self.state), attempt.clone());
        runtime.spawn(async move {
            let opened = Live::open(shop, queries, limit, patience)
                .await
                .map(Arc::new);
            let mut state = lock(&own_state);
            match (&opened, &*state) {
                (Ok(live), _) => *state = State::Ready(Arc::clone(live)),
                (Err(_), State::Connecting(now)) if now.same_channel(&own) => *state = State::Idle,
                (Err(_), _) => {}
            }
            drop(state);
            sender.send_replace(Some(opened));
        });
        *state = State::Connecting(attempt.clone());
        Ok(Begun::Connecting(attempt))
    }

    /// Ends this connection, for all that wait for it, if it is still the one of this place.
    fn give_up(&self, live: &Arc<Live>) {
        let mut state = lock(&self.state);
        if matches!(&*state, State::Ready(own) if Arc::ptr_eq(own, live)) {
            *state = State::Idle;
        }
        drop(state);
        live.abort();
    }
}

enum Begun {
    Ready(Arc<Live>),
    Connecting(watch::Receiver<Option<Attempt>>),
}

/// A call without an answer. When it is dropped, its caller has lost patience.
struct Unanswered<'a> {
    lane: &'a Lane,
    live: &'a Arc<Live>,
    since: Option<Instant>,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let patience = PATIENCE.min(self.lane.limit / 2);
        if let Some(since) = self.since
            && since.elapsed() >= patience
            && !self.live.has_answered_since(since)
        {
            self.lane.give_up(self.live);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
