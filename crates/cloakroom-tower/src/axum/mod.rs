//! Extractors.

mod rejection;
mod session;
mod sessions;

pub use rejection::SessionRejection;
pub use session::Session;
pub use sessions::Sessions;

use cloakroom_core::{RequestSessions, SessionError};
use http::request::Parts;

fn request_sessions(parts: &Parts) -> Result<&RequestSessions, SessionError> {
    parts
        .extensions
        .get::<RequestSessions>()
        .ok_or(SessionError::NoLayer {
            hint: "add `.layer(SessionLayer::new(manager))` to the router, after its routes",
        })
}
