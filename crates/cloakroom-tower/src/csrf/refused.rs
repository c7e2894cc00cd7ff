//! What is answered to a request that is refused, and what the log says of it.

use cloakroom_core::{CsrfRefusal, RequestSessions, SessionError};
use http::{Request, Response, StatusCode, header};

use crate::future::plain;

/// The answer to a refusal. Which one it was is in the response's extensions alone.
pub(super) fn answer<R: From<&'static str>>(refusal: CsrfRefusal) -> Response<R> {
    let (status, message) = match refusal {
        CsrfRefusal::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The request is too large.\n"),
        CsrfRefusal::UnreadableBody => (StatusCode::BAD_REQUEST, "The request is incomplete.\n"),
        _ => (
            StatusCode::FORBIDDEN,
            "The request was refused. Please reload the page and try again.\n",
        ),
    };
    let mut response = plain(status, message);
    response.extensions_mut().insert(refusal);
    response
}

/// The answer where a token could not be looked at.
pub(super) fn failed<R: From<&'static str>>(error: &SessionError) -> Response<R> {
    if let SessionError::Csrf { refusal, .. } = error {
        return answer(*refusal);
    }
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status.is_server_error() {
        tracing::error!(target: "cloakroom", "a CSRF token can't be checked: {error}");
    } else {
        tracing::info!(target: "cloakroom", "a CSRF token can't be checked: {error}");
    }
    let message = match status {
        StatusCode::FORBIDDEN => "This is not available here.\n",
        StatusCode::SERVICE_UNAVAILABLE => {
            "The session is not available. Please try again in a moment.\n"
        }
        _ => "Something is wrong with the session.\n",
    };
    plain(status, message)
}

/// Tells of a request that is refused for its origin.
pub(super) fn note<B>(request: &Request<B>, refusal: CsrfRefusal) {
    let named = |name| request.headers().get(name);
    tracing::debug!(
        target: "cloakroom",
        method = %request.method(),
        origin = ?named(header::ORIGIN),
        host = ?named(header::HOST),
        "refused: {refusal}"
    );
    match request.extensions().get::<RequestSessions>() {
        Some(sessions) => sessions.note_refusal(refusal),
        None => tracing::info!(target: "cloakroom", "request refused: {refusal}"),
    }
}
