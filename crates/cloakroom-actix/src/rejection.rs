use std::{cell::RefCell, error::Error, fmt, rc::Rc};

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse, ResponseError,
    body::BoxBody,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use cloakroom_core::{ErrorResponse, SessionError};

use crate::head::ResponseView;

/// A [`SessionError`] as a response. Handlers return it, and `?` makes it.
///
/// The client gets a status and a sentence. The log gets what answers 500 or more, but for what it
/// has already: of a store that fails the engine tells when it happens, whatever a handler makes of
/// that. A [`SessionError::Redirect`] redirects the client.
pub struct SessionRejection {
    error: SessionError,
    /// Where the middleware sees it, when an extractor has failed.
    failed: Failed,
}

/// The response to an extractor that has failed. actix-web makes `None` of its error where a handler
/// takes an `Option`; a store that is down must not look like a namespace that is closed.
#[derive(Clone, Default)]
pub(crate) struct Failed(Rc<RefCell<Option<ErrorResponse>>>);

impl Failed {
    pub(crate) fn noted(&self) -> Option<ErrorResponse> {
        self.0.borrow().clone()
    }

    fn take(&self) -> Option<ErrorResponse> {
        self.0.borrow_mut().take()
    }
}

impl SessionRejection {
    /// Of an extractor, and noted in the request.
    pub(crate) fn of_extractor(error: SessionError, request: &HttpRequest) -> Self {
        let failed = match &error {
            SessionError::Closed { .. } => Failed::default(),
            _ => {
                let response = Some(error.respond());
                let failed = Failed(Rc::new(RefCell::new(response)));
                request.extensions_mut().insert(failed.clone());
                failed
            }
        };
        Self { error, failed }
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
        self.failed.take();
        self.error
    }
}

impl From<SessionError> for SessionRejection {
    fn from(error: SessionError) -> Self {
        let failed = Failed::default();
        Self { error, failed }
    }
}

impl fmt::Debug for SessionRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionRejection")
            .field(&self.error)
            .finish()
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
        let noted = self.failed.take();
        answer(&noted.unwrap_or_else(|| self.error.respond()))
    }
}

/// What the client is told of an error. Why a request was refused is in the extensions alone.
pub(crate) fn answer(error: &ErrorResponse) -> HttpResponse<BoxBody> {
    let mut response =
        HttpResponse::with_body(status(error.status()), BoxBody::new(error.message()));
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    error.write_head(&mut ResponseView(response.headers_mut()));
    if let Some(refusal) = error.refusal() {
        response.extensions_mut().insert(refusal);
    }
    response
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
