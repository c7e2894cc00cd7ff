use std::{error::Error, fmt};

use axum_core::response::{IntoResponse, Response};
use cloakroom_core::{SessionError, SessionRedirect};
use http::{HeaderValue, StatusCode, header};

/// A [`SessionError`] as a response. Handlers return it, and `?` makes it.
///
/// The client gets a status and a sentence. The log gets what answers 500 or more, but for what it
/// has already: of a store that fails the engine tells when it happens, whatever a handler makes of
/// that. A [`SessionError::Redirect`] redirects the client.
#[derive(Debug)]
pub struct SessionRejection(SessionError);

impl SessionRejection {
    /// The error, for those who want to answer it themselves.
    ///
    /// ```
    /// use cloakroom_core::SessionError;
    /// use cloakroom_tower::SessionRejection;
    ///
    /// let closed = SessionError::Closed { namespace: "admin".to_owned() };
    /// let answer = match SessionRejection::from(closed).into_error() {
    ///     SessionError::Closed { .. } => "Please use https.",
    ///     _ => "Please try again.",
    /// };
    /// assert_eq!(answer, "Please use https.");
    /// ```
    #[must_use]
    pub fn into_error(self) -> SessionError {
        self.0
    }
}

impl From<SessionError> for SessionRejection {
    fn from(error: SessionError) -> Self {
        Self(error)
    }
}

impl fmt::Display for SessionRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for SessionRejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match status.is_server_error() && !self.0.is_reported() {
            true => tracing::error!(target: "cloakroom", source = self.0.source(), "{}", self.0),
            false => tracing::debug!(target: "cloakroom", "{}", self.0),
        }
        let message = match status {
            StatusCode::FORBIDDEN => "This is not available here.\n",
            StatusCode::PAYLOAD_TOO_LARGE => "There is no room for more in this session.\n",
            StatusCode::CONFLICT => "The session has changed meanwhile. Please try again.\n",
            StatusCode::SERVICE_UNAVAILABLE => {
                "The session is not available. Please try again in a moment.\n"
            }
            _ => "Something is wrong with the session.\n",
        };
        let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        match &self.0 {
            SessionError::Redirect { to, .. } => (no_store, redirect(to)).into_response(),
            _ => (status, no_store, message).into_response(),
        }
    }
}

/// To the same page with a session in its address, which no other page is to learn.
fn redirect(to: &SessionRedirect) -> Response {
    let Ok(mut location) = HeaderValue::from_bytes(to.location().as_bytes()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    location.set_sensitive(true);
    let headers = [
        (header::LOCATION, location),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    (StatusCode::FOUND, headers).into_response()
}
