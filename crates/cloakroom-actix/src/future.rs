use std::{
    any::Any,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{BoxBody, EitherBody},
    dev::ServiceResponse,
    error::InternalError,
    http::header,
};
use cloakroom_core::{Commit, ErrorResponse, Outcome, RequestSessions, Verdict};
use pin_project_lite::pin_project;

use crate::{
    head::ResponseView,
    rejection::{Failed, answer},
};

pin_project! {
    /// The future of a [`SessionService`](crate::SessionService).
    ///
    /// Cancel safety: dropped while the handler runs, it saves nothing. Dropped while the sessions
    /// are committed, it lets the commit go on in a task of its own.
    pub struct SessionFuture<F, B> {
        #[pin]
        stage: Stage<F, B>,
        sessions: Option<RequestSessions>,
    }
}

pin_project! {
    #[project = StageProjection]
    #[project_replace = StageReplaced]
    enum Stage<F, B> {
        Handling { #[pin] inner: F },
        // The handler is done, and its sessions are being committed.
        Ending { handled: Handled<B>, commit: Commit },
        Refused { response: ServiceResponse<BoxBody> },
        Done,
    }
}

/// What the inner service has come to: an answer, or a panic.
type Handled<B> = Result<Result<ServiceResponse<B>, Error>, Box<dyn Any + Send>>;

type Response<B> = ServiceResponse<EitherBody<B, BoxBody>>;

impl<F, B> SessionFuture<F, B> {
    pub(crate) fn new(inner: F, sessions: RequestSessions) -> Self {
        Self {
            stage: Stage::Handling { inner },
            sessions: Some(sessions),
        }
    }

    pub(crate) fn refused(response: ServiceResponse<BoxBody>) -> Self {
        Self {
            stage: Stage::Refused { response },
            sessions: None,
        }
    }
}

impl<F, B> Future for SessionFuture<F, B>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    type Output = Result<Response<B>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(sessions) = this.sessions else {
            return match this.stage.project_replace(Stage::Done) {
                StageReplaced::Refused { response } => {
                    Poll::Ready(Ok(response.map_into_right_body()))
                }
                _ => Poll::Pending,
            };
        };
        if let StageProjection::Handling { inner } = this.stage.as_mut().project() {
            let polled = catch_unwind(AssertUnwindSafe(|| inner.poll(context)));
            let handled = match polled {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Ok(mut response))) => {
                    let failed = failed_opening(&response).is_some();
                    let head = &mut ResponseView(response.headers_mut());
                    if !failed && sessions.finish_unchanged(head) {
                        this.stage.set(Stage::Done);
                        return Poll::Ready(Ok(response.map_into_left_body()));
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
            Ok(Err(error)) => Poll::Ready(Err(finish_error(error, verdict, sessions))),
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl<F, B> fmt::Debug for SessionFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionFuture").finish_non_exhaustive()
    }
}

/// What an extractor could not open, and nobody has answered or looked at.
fn failed_opening<B>(response: &ServiceResponse<B>) -> Option<ErrorResponse> {
    let extensions = response.request().extensions();
    extensions.get::<Failed>()?.noted()
}

fn outcome<B>(handled: &Handled<B>) -> Outcome {
    match handled {
        Ok(Ok(response)) => match failed_opening(response) {
            Some(failed) => Outcome::of_status(failed.status()),
            None => Outcome::of_status(response.status().as_u16()),
        },
        Ok(Err(error)) => Outcome::of_status(error.as_response_error().status_code().as_u16()),
        Err(_) => Outcome::ServerError,
    }
}

fn finish<B>(
    response: ServiceResponse<B>,
    verdict: Verdict,
    sessions: &RequestSessions,
) -> Response<B> {
    let mut response = match failed_opening(&response).or(verdict.response()) {
        None => response.map_into_left_body(),
        Some(error) => {
            let replaced = replace(response.response(), &error);
            response.into_response(replaced).map_into_right_body()
        }
    };
    sessions.finish(&mut ResponseView(response.headers_mut()));
    response
}

/// The error of a middleware inside, as the response that it asks for, and the cookies.
fn finish_error(error: Error, verdict: Verdict, sessions: &RequestSessions) -> Error {
    let mut response = error.error_response();
    if let Some(failed) = verdict.response() {
        response = replace(&response, &failed);
    }
    sessions.finish(&mut ResponseView(response.headers_mut()));
    InternalError::from_response(error, response).into()
}

/// The response to an error in the place of another one. Inner middleware may have committed
/// sessions of their own: their cookies, and their tokens in headers, which are marked, stay.
fn replace<B>(replaced: &HttpResponse<B>, error: &ErrorResponse) -> HttpResponse<BoxBody> {
    let mut response = answer(error);
    for (name, value) in replaced.headers() {
        if *name == header::SET_COOKIE || (value.is_sensitive() && *name != header::LOCATION) {
            response.headers_mut().append(name.clone(), value.clone());
        }
    }
    response
}
