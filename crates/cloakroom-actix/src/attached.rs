use std::{cell::RefCell, sync::Arc};

use actix_web::{HttpMessage, HttpRequest, dev::Extensions};
use cloakroom_core::{ErrorResponse, RequestSessions, SessionError};

use crate::rejection::Answer;

/// What the middleware leaves in a request for its extractors.
pub(crate) struct Attached {
    sessions: RequestSessions,
    /// What extractors could not open. actix-web makes `None` of an error where a handler takes an
    /// `Option`; a store that is down must not look like a namespace that is closed. In a cell of
    /// its own, so that an extractor needs no `extensions_mut`, which panics while others look.
    failures: RefCell<Vec<Arc<Answer>>>,
}

impl Attached {
    /// Those of an inner middleware take the place of the outer one's, and keep its failures.
    pub(crate) fn put(sessions: RequestSessions, extensions: &mut Extensions) {
        let outer = extensions.remove::<Self>();
        let failures = outer.map(|outer| outer.failures).unwrap_or_default();
        extensions.insert(Self { sessions, failures });
    }

    pub(crate) fn sessions(extensions: &Extensions) -> Option<RequestSessions> {
        Some(extensions.get::<Self>()?.sessions.clone())
    }

    /// The response to an extractor that has failed, which nobody has answered for.
    pub(crate) fn unanswered(request: &HttpRequest) -> Option<ErrorResponse> {
        let extensions = request.extensions();
        let failures = extensions.get::<Self>()?.failures.borrow();
        failures.iter().find_map(|failure| failure.unanswered())
    }

    pub(crate) fn note(request: &HttpRequest, failure: Arc<Answer>) {
        if let Some(attached) = request.extensions().get::<Self>() {
            attached.failures.borrow_mut().push(failure);
        }
    }
}

pub(crate) fn request_sessions(request: &HttpRequest) -> Result<RequestSessions, SessionError> {
    Attached::sessions(&request.extensions()).ok_or(SessionError::NoLayer {
        hint: "add `.wrap(SessionMiddleware::new(manager))` to the application",
    })
}
