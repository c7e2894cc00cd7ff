//! Extractors.

mod form;
mod rejection;
mod session;

pub use form::CsrfForm;
pub use rejection::SessionRejection;
pub use session::{Session, Sessions};

use cloakroom_core::{RequestSessions, SessionError};
use http::request::Parts;

fn request_sessions(parts: &Parts) -> Result<&RequestSessions, SessionError> {
    let sessions = parts.extensions.get::<RequestSessions>();
    let hint = "add `.layer(SessionLayer::new(manager))` to the router, after its routes";
    sessions.ok_or(SessionError::NoLayer { hint })
}
