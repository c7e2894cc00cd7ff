use std::{
    any::Any,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use cloakroom_core::{Commit, ErrorResponse, Outcome, RequestSessions, Verdict};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use pin_project_lite::pin_project;

use crate::head::ResponseView;

pin_project! {
    /// The future of a [`SessionService`](crate::SessionService).
    ///
    /// Cancel safety: dropped while the handler runs, it saves nothing. Dropped while the sessions
    /// are committed, it lets the commit go on in a task of its own.
    pub struct ResponseFuture<F, R, E> {
        #[pin]
        stage: Stage<F, R, E>,
        sessions: RequestSessions,
    }
}

pin_project! {
    #[project = StageProjection]
    #[project_replace = StageReplaced]
    enum Stage<F, R, E> {
        Handling { #[pin] inner: F },
        // The handler is done, and its sessions are being committed.
        Ending { handled: Handled<R, E>, commit: Commit },
        Done,
    }
}

/// What the inner service has come to: an answer, or a panic.
type Handled<R, E> = Result<Result<Response<R>, E>, Box<dyn Any + Send>>;

impl<F, R, E> ResponseFuture<F, R, E> {
    pub(crate) fn new(inner: F, sessions: RequestSessions) -> Self {
        let stage = Stage::Handling { inner };
        Self { stage, sessions }
    }
}

impl<F, R, E> Future for ResponseFuture<F, R, E>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: From<&'static str>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let sessions = this.sessions;
        if let StageProjection::Handling { inner } = this.stage.as_mut().project() {
            let polled = catch_unwind(AssertUnwindSafe(|| inner.poll(context)));
            let handled = match polled {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Ok(mut response))) => {
                    if sessions.finish_unchanged(&mut ResponseView(response.headers_mut())) {
                        this.stage.set(Stage::Done);
                        return Poll::Ready(Ok(response));
                    }
                    Ok(Ok(response))
                }
                Ok(Poll::Ready(error)) => Ok(error),
                Err(panic) => Err(panic),
            };
            let commit = sessions.commit(outcome(&handled));
            this.stage.set(Stage::Ending { handled, commit });
        }
        let StageProjection::Ending { commit, .. } = this.stage.as_mut().project() else {
            return Poll::Pending;
        };
        let verdict = ready!(Pin::new(commit).poll(context));
        let StageReplaced::Ending { handled, .. } = this.stage.project_replace(Stage::Done) else {
            return Poll::Pending;
        };
        match handled {
            Ok(Ok(response)) => Poll::Ready(Ok(finish(response, verdict, sessions))),
            Ok(Err(error)) => Poll::Ready(Err(error)),
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl<F, R, E> fmt::Debug for ResponseFuture<F, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

fn outcome<R, E>(handled: &Handled<R, E>) -> Outcome {
    match handled {
        Ok(Ok(response)) => Outcome::of_status(response.status().as_u16()),
        _ => Outcome::ServerError,
    }
}

fn finish<R: From<&'static str>>(
    response: Response<R>,
    verdict: Verdict,
    sessions: &RequestSessions,
) -> Response<R> {
    let mut response = match verdict.response() {
        None => response,
        Some(error) => {
            // Inner layers may have committed sessions of their own.
            let tokens = take_tokens(response.headers());
            let mut response = answer(&error);
            response.headers_mut().extend(tokens);
            response
        }
    };
    sessions.finish(&mut ResponseView(response.headers_mut()));
    response
}

/// Cookies, and tokens in headers of their own: those are marked.
fn take_tokens(headers: &HeaderMap) -> HeaderMap {
    let is_token = |name: &HeaderName, value: &HeaderValue| {
        *name == header::SET_COOKIE || (value.is_sensitive() && *name != header::LOCATION)
    };
    headers
        .iter()
        .filter(|(name, value)| is_token(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What the client is told of an error. Why a request was refused is in the extensions alone.
pub(crate) fn answer<R: From<&'static str>>(error: &ErrorResponse) -> Response<R> {
    let mut response = Response::new(R::from(error.message()));
    let status = StatusCode::from_u16(error.status());
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    error.write_head(&mut ResponseView(response.headers_mut()));
    if let Some(refusal) = error.refusal() {
        response.extensions_mut().insert(refusal);
    }
    response
}
