//! A handler's run, and the commit of its request's sessions: the same for every framework.

use std::{
    any::Any,
    fmt,
    future::Future,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use crate::{
    commit::{Commit, Outcome, Verdict},
    error_response::ErrorResponse,
    head::ResponseHead,
    request::RequestSessions,
};

/// How the engine deals with what the handlers of a framework come to. Each integration has one
/// type that says it, and runs handlers with [`RequestSessions::serve`].
pub trait Framework {
    /// What a handler comes to: a response, or the framework's own error.
    type Handled;

    /// The status of the response that it makes; 500 where it makes none.
    fn status(handled: &Self::Handled) -> u16;

    /// Shows the head of its response; `None` when there is none yet.
    fn head<T>(
        handled: &mut Self::Handled,
        look: impl FnOnce(&mut dyn ResponseHead) -> T,
    ) -> Option<T>;

    /// Puts another response in its place. Cookies and tokens stay: inner layers may have
    /// committed sessions of their own.
    fn replace(handled: Self::Handled, error: &ErrorResponse) -> Self::Handled;

    /// Lets the sessions write into the head of its response, now or when it is made.
    fn finish(mut handled: Self::Handled, sessions: &RequestSessions) -> Self::Handled {
        Self::head(&mut handled, |head| sessions.finish(head));
        handled
    }
}

impl RequestSessions {
    /// Runs a handler, commits the sessions of this layer with what it comes to, and writes their
    /// headers. A handler that panics saves nothing and carries out `end`; its panic goes on.
    ///
    /// Cancel safety: dropped while the handler runs, it saves nothing. Dropped while the sessions
    /// are committed, it lets the commit go on in a task of its own.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use doc::Response;
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// /// A framework whose handlers always answer 200.
    /// struct Simple;
    ///
    /// impl Framework for Simple {
    ///     type Handled = Response;
    ///
    ///     fn status(_: &Response) -> u16 {
    ///         200
    ///     }
    ///
    ///     fn head<T>(
    ///         response: &mut Response,
    ///         look: impl FnOnce(&mut dyn ResponseHead) -> T,
    ///     ) -> Option<T> {
    ///         Some(look(response))
    ///     }
    ///
    ///     fn replace(response: Response, _: &ErrorResponse) -> Response {
    ///         response
    ///     }
    /// }
    ///
    /// # doc::block_on(async {
    /// # let request = doc::Request::default();
    /// # let manager = SessionManager::builder()
    /// #     .namespace(Namespace::new("cart", MemoryStore::new()))
    /// #     .build()?;
    /// let sessions = RequestSessions::begin(&manager);
    /// let all = sessions.judge_all(&request);
    /// let handler = async move {
    ///     let cart = all.open("cart").await.unwrap().unwrap();
    ///     cart.insert("items", 3).unwrap();
    ///     Response::default()
    /// };
    /// let response = sessions.serve::<Simple, _>(handler).await;
    /// assert!(response.set_cookie[0].starts_with("__Host-cart="));
    /// # Ok::<(), ConfigError>(())
    /// # }).unwrap();
    /// ```
    pub fn serve<W, F>(self, handler: F) -> ServeFuture<W, F>
    where
        W: Framework,
        F: Future<Output = W::Handled>,
    {
        ServeFuture {
            stage: Stage::Handling { handler },
            sessions: self,
            framework: PhantomData,
        }
    }
}

pin_project! {
    /// The future of [`RequestSessions::serve`].
    pub struct ServeFuture<W, F>
    where
        F: Future,
    {
        #[pin]
        stage: Stage<F, F::Output>,
        sessions: RequestSessions,
        framework: PhantomData<fn() -> W>,
    }
}

pin_project! {
    #[project = StageProjection]
    #[project_replace = StageReplaced]
    enum Stage<F, H> {
        Handling { #[pin] handler: F },
        // The handler is done, and its sessions are being committed.
        Ending { handled: Result<H, Panic>, commit: Commit },
        Done,
    }
}

type Panic = Box<dyn Any + Send>;

impl<W, F> Future for ServeFuture<W, F>
where
    W: Framework,
    F: Future<Output = W::Handled>,
{
    type Output = W::Handled;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<W::Handled> {
        let mut this = self.project();
        let sessions = this.sessions;
        if let StageProjection::Handling { handler } = this.stage.as_mut().project() {
            let polled = catch_unwind(AssertUnwindSafe(|| handler.poll(context)));
            let (handled, outcome) = match polled {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(mut handled)) => {
                    let finish = |head: &mut dyn ResponseHead| sessions.finish_unchanged(head);
                    if W::head(&mut handled, finish) == Some(true) {
                        this.stage.set(Stage::Done);
                        return Poll::Ready(handled);
                    }
                    let outcome = Outcome::of_status(W::status(&handled));
                    (Ok(handled), outcome)
                }
                Err(panic) => (Err(panic), Outcome::ServerError),
            };
            let commit = sessions.commit(outcome);
            this.stage.set(Stage::Ending { handled, commit });
        }
        let StageProjection::Ending { commit, .. } = this.stage.as_mut().project() else {
            return Poll::Pending;
        };
        let verdict = ready!(Pin::new(commit).poll(context));
        match this.stage.project_replace(Stage::Done) {
            StageReplaced::Ending { handled, .. } => match handled {
                Ok(handled) => Poll::Ready(end::<W>(handled, verdict, sessions)),
                Err(panic) => resume_unwind(panic),
            },
            _ => Poll::Pending,
        }
    }
}

fn end<W: Framework>(
    mut handled: W::Handled,
    verdict: Verdict,
    sessions: &RequestSessions,
) -> W::Handled {
    if let Some(error) = verdict.response() {
        handled = W::replace(handled, &error);
    }
    W::finish(handled, sessions)
}

impl<W, F: Future> fmt::Debug for ServeFuture<W, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeFuture")
            .field("sessions", &self.sessions)
            .finish_non_exhaustive()
    }
}
