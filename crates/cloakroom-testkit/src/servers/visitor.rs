//! Requests through the engine, as an integration would run them, and how long they take.

use std::{borrow::Cow, time::Duration};

use cloakroom_core::{
    Namespace, Outcome, RequestHead, RequestSessions, ResponseHead, ResponseHeader, Scheme,
    SessionError, SessionManager,
};
use cloakroom_store::Store;
use tokio::time::Instant;

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
    let mut head = Head::default();
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
        token: head.token(),
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
    sessions.judge_all(&Head(
        token
            .map(|token| format!("{COOKIE}={token}"))
            .into_iter()
            .collect(),
    ));
    let Some(session) = sessions.open(NAMESPACE).await? else {
        return Ok(None);
    };
    let held = session.get(KEY)?;
    if let Some(value) = value {
        session.insert(KEY, value)?;
    }
    Ok(held)
}

/// The cookies of a request's head, or those that a response sets.
#[derive(Debug, Default)]
struct Head(Vec<String>);

impl Head {
    fn token(&self) -> Option<String> {
        let pair = self.0.last()?.split(';').next()?;
        let value = pair.strip_prefix(COOKIE)?.strip_prefix('=')?;
        Some(value.to_owned()).filter(|value| !value.is_empty())
    }
}

impl RequestHead for Head {
    fn method(&self) -> &str {
        "POST"
    }

    fn path(&self) -> &str {
        "/"
    }

    fn query(&self) -> Option<&str> {
        None
    }

    fn scheme(&self) -> Scheme {
        Scheme::Https
    }

    fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        if name == "cookie" {
            self.0.iter().for_each(|cookie| visit(cookie.as_bytes()));
        }
    }
}

impl ResponseHead for Head {
    fn values(&self, header: ResponseHeader, visit: &mut dyn FnMut(&[u8])) {
        if header == ResponseHeader::SetCookie {
            self.0.iter().for_each(|cookie| visit(cookie.as_bytes()));
        }
    }

    fn append(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        if header == ResponseHeader::SetCookie {
            self.0.push(value.into_owned());
        }
    }

    fn replace(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        if header == ResponseHeader::SetCookie {
            self.0.clear();
        }
        self.append(header, value);
    }
}
