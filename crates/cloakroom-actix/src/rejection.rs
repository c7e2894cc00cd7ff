use std::{
    error::Error,
    fmt,
    sync::{Arc, OnceLock, atomic::AtomicBool, atomic::Ordering::Relaxed},
};

use actix_web::{
    HttpRequest, HttpResponse, ResponseError, body::BoxBody, http::StatusCode, http::header,
};
use cloakroom_core::{ErrorResponse, SessionError};

use crate::{head::ResponseView, middleware::note};

/// A [`SessionError`] as a response. Handlers return it, and `?` makes it.
///
/// The client gets a status and a sentence. The log gets what answers 500 or more, but for what it
/// has already: of a store that fails the engine tells when it happens, whatever a handler makes of
/// that. A [`SessionError::Redirect`] redirects the client.
#[derive(Debug)]
pub struct SessionRejection {
    error: SessionError,
    /// The middleware has it too, when an extractor has failed.
    answer: Arc<Answer>,
}

/// How an error is answered.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Made once, since the log is told then.
    response: OnceLock<ErrorResponse>,
    is_given: AtomicBool,
}

impl Answer {
    pub(crate) fn unanswered(&self) -> Option<ErrorResponse> {
        let is_given = self.is_given.load(Relaxed);
        self.response.get().filter(|_| !is_given).cloned()
    }
}

impl SessionRejection {
    /// Of an extractor, and noted in the request: who takes an `Option` does not see it.
    pub(crate) fn of_extractor(error: SessionError, request: &HttpRequest) -> Self {
        let rejection = Self::from(error);
        if !matches!(rejection.error, SessionError::Closed { .. }) {
            rejection.response();
            note(request, Arc::clone(&rejection.answer));
        }
        rejection
    }

    fn response(&self) -> &ErrorResponse {
        let response = &self.answer.response;
        response.get_or_init(|| self.error.respond())
    }

    /// The error, for those who want to answer it themselves.
    ///
    /// ```
    /// use cloakroom_actix::SessionRejection;
    /// use cloakroom_core::SessionError;
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
        self.answer.is_given.store(true, Relaxed);
        self.error
    }
}

impl From<SessionError> for SessionRejection {
    fn from(error: SessionError) -> Self {
        let answer = Arc::default();
        Self { error, answer }
    }
}

impl fmt::Display for SessionRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for SessionRejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

impl ResponseError for SessionRejection {
    fn status_code(&self) -> StatusCode {
        status(self.error.status())
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        self.answer.is_given.store(true, Relaxed);
        answer(self.response())
    }
}

/// What the client is told of an error. Why a request was refused is in the extensions alone.
pub(crate) fn answer(error: &ErrorResponse) -> HttpResponse<BoxBody> {
    in_place_of(HttpResponse::Ok().finish(), error)
}

/// The response to an error, with the cookies of the one whose place it takes, and its tokens in
/// headers, which are marked: inner middleware may have committed sessions of their own.
pub(crate) fn in_place_of<B>(
    mut replaced: HttpResponse<B>,
    error: &ErrorResponse,
) -> HttpResponse<BoxBody> {
    *replaced.status_mut() = status(error.status());
    replaced.extensions_mut().clear();
    if let Some(refusal) = error.refusal() {
        replaced.extensions_mut().insert(refusal);
    }
    let headers = replaced.headers_mut();
    headers.retain(|name, value| {
        *name == header::SET_COOKIE || (value.is_sensitive() && *name != header::LOCATION)
    });
    let text = header::HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, text);
    error.write_head(&mut ResponseView(headers));
    replaced.set_body(BoxBody::new(error.message()))
}

pub(crate) fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
