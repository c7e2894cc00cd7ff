//! Store calls that are watched.

use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll},
    time::Instant,
};

use cloakroom_store::{
    Freshness, Key, Loaded, NamespaceId, Operation, Page, SessionId, StoreError, StoreFuture, Tag,
};

use super::{CallOutcome, StepKind, Trace};

static CALLS: AtomicU64 = AtomicU64::new(1);

/// What a successful call has to say.
pub(crate) trait Answer {
    fn outcome(&self) -> CallOutcome;
}

impl Answer for Option<Loaded> {
    fn outcome(&self) -> CallOutcome {
        match self {
            Some(_) => CallOutcome::Found,
            None => CallOutcome::NotFound,
        }
    }
}

impl Answer for Tag {
    fn outcome(&self) -> CallOutcome {
        CallOutcome::Done
    }
}

impl Answer for bool {
    fn outcome(&self) -> CallOutcome {
        match self {
            true => CallOutcome::Done,
            false => CallOutcome::NothingThere,
        }
    }
}

impl Answer for Page {
    fn outcome(&self) -> CallOutcome {
        match self.sessions.is_empty() {
            true => CallOutcome::NothingThere,
            false => CallOutcome::Done,
        }
    }
}

impl Trace {
    /// Watches a load.
    #[inline]
    pub(crate) fn load(
        &self,
        namespace: &str,
        key: Key,
        freshness: Freshness,
        future: StoreFuture<Option<Loaded>>,
    ) -> StoreFuture<Option<Loaded>> {
        match self.is_on() {
            false => future,
            true => {
                let (place, freshness) = ((key.namespace, Some(key.id)), Some(freshness));
                self.watch(namespace, place, Operation::Load, freshness, future)
            }
        }
    }

    /// Watches another call.
    #[inline]
    pub(crate) fn call<T: Answer + 'static>(
        &self,
        namespace: &str,
        key: Key,
        operation: Operation,
        future: StoreFuture<T>,
    ) -> StoreFuture<T> {
        match self.is_on() {
            false => future,
            true => {
                let place = (key.namespace, Some(key.id));
                self.watch(namespace, place, operation, None, future)
            }
        }
    }

    /// Watches a list of the sessions of a subject.
    pub(crate) fn list(
        &self,
        namespace: &str,
        place: NamespaceId,
        future: StoreFuture<Page>,
    ) -> StoreFuture<Page> {
        match self.is_on() {
            false => future,
            true => self.watch(namespace, (place, None), Operation::BySubject, None, future),
        }
    }

    #[cold]
    #[inline(never)]
    fn watch<T: Answer + 'static>(
        &self,
        namespace: &str,
        (place, id): (NamespaceId, Option<SessionId>),
        operation: Operation,
        freshness: Option<Freshness>,
        future: StoreFuture<T>,
    ) -> StoreFuture<T> {
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        self.tell(namespace, || StepKind::CallBegun {
            call,
            operation,
            freshness,
            id,
            began,
        });
        Box::pin(Watched {
            future,
            trace: self.clone(),
            namespace: place,
            call,
            operation,
            began,
            has_ended: false,
        })
    }
}

struct Watched<T> {
    future: StoreFuture<T>,
    trace: Trace,
    namespace: NamespaceId,
    call: u64,
    operation: Operation,
    began: Instant,
    has_ended: bool,
}

impl<T> Watched<T> {
    fn end(&mut self, outcome: CallOutcome) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        self.trace
            .tell(self.namespace.as_str(), || StepKind::CallEnded {
                call: self.call,
                operation: self.operation,
                outcome,
                took: self.began.elapsed(),
            });
    }
}

impl<T: Answer> Future for Watched<T> {
    type Output = Result<T, StoreError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let polled = this.future.as_mut().poll(context);
        if let Poll::Ready(result) = &polled {
            this.end(match result {
                Ok(answer) => answer.outcome(),
                Err(error) => CallOutcome::Failed(error.kind()),
            });
        }
        polled
    }
}

impl<T> Drop for Watched<T> {
    fn drop(&mut self) {
        self.end(CallOutcome::GivenUp);
    }
}
