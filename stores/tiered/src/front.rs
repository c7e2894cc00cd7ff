//! The front, whose failures are nobody's business but its own.

use std::{
    future::{Future, poll_fn, ready},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use cloakroom_store::{
    Breaker, Freshness, Key, Loaded, Operation, Record, Store, StoreError, StoreErrorKind,
    Timestamp,
};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

use crate::{head::Head, stats::Counter};

/// How often a front that has failed is asked whether it works again.
const PROBE_EVERY: Duration = Duration::from_millis(200);

pub(crate) struct Front<F> {
    pub(crate) store: F,
    /// How long a call may take.
    limit: Duration,
    breaker: Breaker,
    /// Whether the breaker may have counted failures.
    has_failed: AtomicBool,
    pub(crate) errors: Counter,
}

impl<F: Store> Front<F> {
    pub(crate) fn new(store: F, limit: Duration) -> Self {
        Self {
            store,
            limit,
            breaker: Breaker::new(),
            has_failed: AtomicBool::new(false),
            errors: Counter::default(),
        }
    }

    /// What the front has for a key, whatever it is; `None` when it fails.
    pub(crate) async fn get(self: &Arc<Self>, key: &Key) -> Option<Loaded> {
        let call = self.store.load(key, Freshness::Latest);
        self.call(Operation::Load, Some(key), call)
            .await
            .ok()
            .flatten()
    }

    /// Puts a copy in the place of what was found there.
    ///
    /// If somebody else has put another there meanwhile, the later one stays. `false` when it is
    /// not known what is there.
    pub(crate) async fn put(
        self: &Arc<Self>,
        key: &Key,
        head: Head,
        mut record: Record,
        found: Option<&Loaded>,
    ) -> bool {
        record.data = head.put_before(&record.data);
        match self.put_once(key, &record, found).await {
            Ok(()) => return true,
            Err(StoreErrorKind::AlreadyExists | StoreErrorKind::Conflict) => {}
            Err(_) => return false,
        }
        let mut found = self.get(key).await;
        if found.is_none() {
            // It may be something that can't be loaded.
            self.remove(key).await;
        }
        let theirs = found.as_mut();
        let theirs = theirs.and_then(|found| Head::take_off(&mut found.record.data));
        if theirs.is_some_and(|theirs| theirs.stamp == head.stamp && theirs.sent > head.sent) {
            return true;
        }
        self.put_once(key, &record, found.as_ref()).await.is_ok()
    }

    async fn put_once(
        self: &Arc<Self>,
        key: &Key,
        copy: &Record,
        found: Option<&Loaded>,
    ) -> Result<(), StoreErrorKind> {
        let put = match found {
            Some(found) => {
                let call = self.store.replace(key, copy, found);
                self.call(Operation::Replace, Some(key), call).await
            }
            None => {
                let call = self.store.create(key, copy);
                self.call(Operation::Create, Some(key), call).await
            }
        };
        put.map(drop)
    }

    /// Frees the room of a copy that is void.
    pub(crate) async fn remove(self: &Arc<Self>, key: &Key) {
        let call = self.store.delete(key);
        // It stays there if this fails, and stays void.
        let _ = self.call(Operation::Delete, Some(key), call).await;
    }

    /// As `remove`, if the front does it without waiting for anything.
    pub(crate) async fn remove_at_once(&self, key: &Key) {
        if !self.breaker.is_open() {
            let mut call = pin!(self.store.delete(key));
            let _ = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
        }
    }

    pub(crate) async fn sweep(self: &Arc<Self>, now: Timestamp, limit: usize) {
        let call = self.store.sweep(now, limit);
        let _ = self.call(Operation::Sweep, None, call).await;
    }

    /// Runs a call of the front, if it works, for as long as it may take.
    async fn call<T>(
        self: &Arc<Self>,
        operation: Operation,
        key: Option<&Key>,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreErrorKind> {
        if self.breaker.is_open() {
            self.probe(key);
            return Err(StoreErrorKind::Unavailable);
        }
        let mut call = pin!(call);
        // A front in memory answers at once, and needs neither a timer nor a clock nor a large
        // future to wait in.
        match poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await {
            Poll::Ready(Ok(answer)) if !self.has_failed.load(Ordering::Relaxed) => Ok(answer),
            Poll::Ready(result) => Box::pin(self.judge(operation, key, ready(result))).await,
            Poll::Pending => {
                let late = || Err(StoreError::new(StoreErrorKind::TimedOut, operation));
                let call = async { timeout(self.limit, call).await.unwrap_or_else(|_| late()) };
                Box::pin(self.judge(operation, key, call)).await
            }
        }
    }

    /// Counts what becomes of a call.
    async fn judge<T>(
        self: &Arc<Self>,
        operation: Operation,
        key: Option<&Key>,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreErrorKind> {
        let kind = match self.breaker.call(operation, call).await {
            Ok(answer) => {
                self.has_failed.store(false, Ordering::Relaxed);
                return Ok(answer);
            }
            Err(error) => error.kind(),
        };
        let is_answer = matches!(
            kind,
            StoreErrorKind::AlreadyExists | StoreErrorKind::Conflict
        );
        if !is_answer {
            self.has_failed.store(true, Ordering::Relaxed);
            self.errors.add();
            self.probe(key);
        }
        Err(kind)
    }

    /// Has the front asked for a key until it answers, if nobody does so yet.
    fn probe(self: &Arc<Self>, key: Option<&Key>) {
        let (Some(key), Ok(runtime)) = (key.copied(), Handle::try_current()) else {
            return;
        };
        let Some(probe) = self.breaker.take_probe() else {
            return;
        };
        let front = Arc::downgrade(self);
        runtime.spawn(async move {
            loop {
                sleep(PROBE_EVERY).await;
                let Some(front) = front.upgrade() else {
                    return;
                };
                let asked = timeout(front.limit, front.store.load(&key, Freshness::Latest));
                if let Ok(Ok(_)) = asked.await {
                    return probe.close();
                }
            }
        });
    }
}
