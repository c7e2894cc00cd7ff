//! What a request sees of its sessions, as JSON: for tests, and to watch them change while you
//! use the shop. A real application would not offer this.

use cloakroom::{SessionError, SessionHandle};
use serde_json::{Map, Value, json};

pub(crate) fn state(session: Option<SessionHandle>) -> Result<Value, SessionError> {
    let Some(session) = session else {
        return Ok(json!({ "closed": true }));
    };
    let values: Map<String, Value> = session.entries()?.into_iter().collect();
    Ok(json!({
        "closed": false,
        "id": session.id().map(|id| id.to_string()),
        "is_new": session.is_new(),
        "created": session.created().as_millis(),
        "last_seen": session.last_seen().as_millis(),
        "expires": session.expires().as_millis(),
        "subject": session.subject().map(|subject| subject.to_string()),
        "values": values,
    }))
}
