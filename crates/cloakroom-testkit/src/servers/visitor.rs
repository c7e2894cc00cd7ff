//! Requests through the engine, as an integration would run them, and how long they take.

use std::time::Duration;

use cloakroom_core::{Namespace, Outcome, RequestSessions, SessionError, SessionManager};
use cloakroom_store::Store;
use tokio::time::Instant;

use crate::heads::{RequestCookie, ResponseCookies};

const NAMESPACE: &str = "outage";
const COOKIE: &str = "__Host-outage";
const KEY: &str = "value";

/// What a request is for.
#[derive(Debug, Clone)]
pub(super) enum Errand {
    /// It asks for no session.
    Nothing,
    /// It looks what a session holds.
    Read(String),
    /// It changes a session.
    Change(String, u64),
    /// It begins a session.
    Begin(u64),
}

/// How a request was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// What the session held when it was opened.
    pub(super) held: Option<u64>,
    /// What the browser got to keep.
    pub(super) token: Option<String>,
    pub(super) took: Duration,
}

/// An application with one namespace.
pub(super) fn application(store: impl Store) -> Option<SessionManager> {
    let namespace = Namespace::new(NAMESPACE, store);
    SessionManager::builder().namespace(namespace).build().ok()
}

/// Serves a request.
pub(super) async fn serve(manager: SessionManager, errand: Errand) -> Answer {
    let began = Instant::now();
    let sessions = RequestSessions::begin(&manager);
    let mut head = ResponseCookies::default();
    let (status, held) = match handle(&sessions, &errand).await {
        Err(error) => (error.status(), None),
        Ok(held) => {
            let verdict = sessions.commit(Outcome::Success).await;
            (verdict.status().unwrap_or(200), held)
        }
    };
    sessions.finish(&mut head);
    Answer {
        status,
        held,
        token: head.change(COOKIE).filter(|token| !token.is_empty()),
        took: began.elapsed(),
    }
}

async fn handle(sessions: &RequestSessions, errand: &Errand) -> Result<Option<u64>, SessionError> {
    let (token, value) = match errand {
        Errand::Nothing => return Ok(None),
        Errand::Read(token) => (Some(token), None),
        Errand::Change(token, value) => (Some(token), Some(*value)),
        Errand::Begin(value) => (None, Some(*value)),
    };
    let all = sessions.judge_all(&RequestCookie::new(COOKIE, token.map(String::as_str)));
    let Some(session) = all.open(NAMESPACE).await? else {
        return Ok(None);
    };
    let held = session.get(KEY)?;
    if let Some(value) = value {
        session.insert(KEY, value)?;
    }
    Ok(held)
}
