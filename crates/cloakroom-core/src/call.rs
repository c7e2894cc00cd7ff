//! Store calls that end in time.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use cloakroom_store::{Operation, StoreError, StoreErrorKind};
use tokio::{runtime::Handle, time::Instant};

/// The time that is left for several calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    total: Duration,
    call: Duration,
    began: Option<Instant>,
    retries: u8,
}

/// How often a write is tried again under another id.
const MAX_RETRIES: u8 = 3;

impl Budget {
    pub(crate) fn new(total: Duration, call: Duration) -> Self {
        Self {
            total,
            call,
            began: None,
            retries: 0,
        }
    }

    /// How long the next call may take. The clock starts with the first call that has to wait.
    pub(crate) fn next(&mut self) -> Duration {
        match self.began {
            None => {
                self.began = Some(Instant::now());
                self.call.min(self.total)
            }
            Some(began) => self.call.min(self.total.saturating_sub(began.elapsed())),
        }
    }

    /// Whether there may be another try.
    pub(crate) fn retry(&mut self) -> bool {
        self.retries += 1;
        self.retries <= MAX_RETRIES
    }

    /// Waits for something beside the store, until the time is over.
    pub(crate) async fn wait<T>(
        &mut self,
        future: impl Future<Output = T>,
        operation: Operation,
    ) -> Result<T, StoreError> {
        if Handle::try_current().is_err() {
            // What is waited for needs a runtime itself, and ends for want of one.
            return Ok(future.await);
        }
        match tokio::time::timeout_at(self.deadline(), future).await {
            Ok(result) => Ok(result),
            Err(_) => Err(StoreError::new(StoreErrorKind::TimedOut, operation)),
        }
    }

    /// When the time is over.
    pub(crate) fn deadline(&mut self) -> Instant {
        *self.began.get_or_insert_with(Instant::now) + self.total
    }

    /// The same with its clock started, so that copies for calls at the same time end together.
    pub(crate) fn begun(mut self) -> Self {
        self.began.get_or_insert_with(Instant::now);
        self
    }
}

/// Waits for a store, as long as the budget allows. No timer is set for a store that answers at
/// once.
pub(crate) async fn call<T>(
    mut future: impl Future<Output = Result<T, StoreError>> + Unpin,
    operation: Operation,
    budget: &mut Budget,
) -> Result<T, StoreError> {
    let first = poll_fn(|context| Poll::Ready(Pin::new(&mut future).poll(context))).await;
    match first {
        Poll::Ready(result) => result,
        Poll::Pending => go_on(future, operation, budget).await,
    }
}

/// The same for a future that this task has polled a moment ago, without waiting since.
pub(crate) async fn go_on<T>(
    future: impl Future<Output = Result<T, StoreError>> + Unpin,
    operation: Operation,
    budget: &mut Budget,
) -> Result<T, StoreError> {
    // Boxed, so that the futures of callers stay small; a store that waits costs more than that.
    Box::pin(wait(future, operation, budget.next())).await
}

async fn wait<T>(
    mut future: impl Future<Output = Result<T, StoreError>> + Unpin,
    operation: Operation,
    limit: Duration,
) -> Result<T, StoreError> {
    if Handle::try_current().is_err() {
        let error = StoreError::new(StoreErrorKind::Other, operation);
        return Err(error.with_source("a store that does not answer at once needs a tokio runtime"));
    }
    let mut limit = pin!(tokio::time::sleep(limit));
    // It has been polled in this very turn, so it knows whom to wake.
    let mut is_polled = true;
    poll_fn(|context| {
        if !std::mem::take(&mut is_polled)
            && let Poll::Ready(result) = Pin::new(&mut future).poll(context)
        {
            return Poll::Ready(result);
        }
        let late = limit.as_mut().poll(context);
        late.map(|()| Err(StoreError::new(StoreErrorKind::TimedOut, operation)))
    })
    .await
}
