//! What a request sees of its sessions, as JSON: for tests, and to watch them change while you
//! use the shop. A real application would not offer this.

use axum::{
    Json,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use cloakroom::{SessionError, SessionHandle, SessionRejection, Sessions};
use serde_json::{Map, Value, json};

pub(crate) async fn all(sessions: Sessions) -> Result<Json<Value>, SessionRejection> {
    let mut states = Map::new();
    for name in sessions.names() {
        states.insert(name.to_owned(), state(sessions.open(name).await?)?);
    }
    Ok(Json(states.into()))
}

/// Opens this session and no other.
pub(crate) async fn one(
    sessions: Sessions,
    Path(name): Path<String>,
) -> Result<Response, SessionRejection> {
    match sessions.open(&name).await {
        Ok(session) => Ok(Json(state(session)?).into_response()),
        Err(SessionError::UnknownNamespace { .. }) => Ok(StatusCode::NOT_FOUND.into_response()),
        Err(error) => Err(error.into()),
    }
}

fn state(session: Option<SessionHandle>) -> Result<Value, SessionError> {
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
