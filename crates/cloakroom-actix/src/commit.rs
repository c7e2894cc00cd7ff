//! What follows on a handler: committing its sessions, and finishing the response.

use std::{
    cell::OnceCell,
    future::Future,
    panic::{AssertUnwindSafe, resume_unwind},
};

use actix_web::{
    Error,
    body::{BoxBody, EitherBody},
    dev::ServiceResponse,
    error::InternalError,
};
use cloakroom_core::{ErrorResponse, Outcome, RequestSessions, Verdict};
use futures_util::FutureExt;

use crate::{attached::Attached, head::ResponseView, rejection::in_place_of};

pub(crate) type Response<B> = ServiceResponse<EitherBody<B, BoxBody>>;

/// Cancel safety: dropped while the handler runs, it saves nothing. Dropped while the sessions are
/// committed, it lets the commit go on in a task of its own.
pub(crate) async fn serve<B>(
    handler: impl Future<Output = Result<ServiceResponse<B>, Error>>,
    sessions: RequestSessions,
) -> Result<Response<B>, Error> {
    let mut handled = match AssertUnwindSafe(handler).catch_unwind().await {
        Ok(handled) => handled.map(answered),
        Err(panic) => {
            let _ = sessions.commit(Outcome::ServerError).await;
            resume_unwind(panic);
        }
    };
    if let Ok(response) = &mut handled
        && sessions.finish_unchanged(&mut ResponseView(response.headers_mut()))
    {
        return handled;
    }
    let status = match &handled {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    let outcome = Outcome::of_status(status.as_u16());
    let verdict = sessions.commit(outcome).await;
    match handled {
        Ok(mut response) => {
            if let Some(failed) = verdict.response() {
                response = replace(response, &failed);
            }
            sessions.finish(&mut ResponseView(response.headers_mut()));
            Ok(response)
        }
        Err(error) => Err(finish_error(error, verdict, sessions)),
    }
}

/// The response, unless an extractor has failed and nobody has answered for that.
fn answered<B>(response: ServiceResponse<B>) -> Response<B> {
    match Attached::unanswered(response.request()) {
        None => response.map_into_left_body(),
        Some(failed) => replace(response, &failed),
    }
}

fn replace<A, B>(response: ServiceResponse<A>, error: &ErrorResponse) -> Response<B> {
    let (request, replaced) = response.into_parts();
    ServiceResponse::new(request, in_place_of(replaced, error)).map_into_right_body()
}

/// The error of a middleware inside: the response that it makes gets the headers.
fn finish_error(mut error: Error, verdict: Verdict, sessions: RequestSessions) -> Error {
    if let Some(failed) = verdict.response() {
        let replaced = in_place_of(error.error_response(), &failed);
        error = InternalError::from_response(error, replaced).into();
    }
    // The response may be made several times, and a session is finished once.
    let finished = OnceCell::new();
    error.add_response_mapper(move |mut response| {
        let headers = finished.get_or_init(|| {
            sessions.finish(&mut ResponseView(response.headers_mut()));
            response.headers().clone()
        });
        *response.headers_mut() = headers.clone();
        response
    });
    error
}
