use std::{error::Error, fmt};

use axum_core::response::{IntoResponse, Response};
use cloakroom_core::SessionError;

use crate::answer::answer;

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
        answer(&self.0.respond())
    }
}
