//! Extractors.

mod session;
mod sessions;

pub use session::Session;
pub use sessions::Sessions;

use actix_web::{HttpMessage, HttpRequest};
use cloakroom_core::{RequestSessions, SessionError};

fn request_sessions(request: &HttpRequest) -> Result<RequestSessions, SessionError> {
    let sessions = request.extensions().get::<RequestSessions>().cloned();
    sessions.ok_or(SessionError::NoLayer {
        hint: "add `.wrap(SessionMiddleware::new(manager))` to the application",
    })
}
