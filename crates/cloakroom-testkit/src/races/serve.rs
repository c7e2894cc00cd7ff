//! One request through the engine, as an integration would run it.

use std::time::Duration;

use cloakroom_core::{
    Clock, Outcome, RequestSessions, SessionError, SessionHandle, SessionManager, Verdict,
};
use tokio::time::Instant;

use super::{
    gate::{Gates, Stage},
    history::{Answer, End, RequestNo, Seen, Shared, Values},
    operation::Operation,
};
use crate::{
    TestClock,
    heads::{RequestCookie, ResponseCookies},
};

/// The namespace that races are run on.
pub(super) const NAMESPACE: &str = "race";

/// The name of its cookie.
pub(super) const COOKIE: &str = "__Host-race";

/// What a request needs.
pub(super) struct Server {
    pub(super) manager: SessionManager,
    pub(super) gates: Gates,
    pub(super) history: Shared,
    pub(super) clock: TestClock,
}

/// Serves a request and writes down how it was answered.
pub(super) async fn serve(server: Server, number: RequestNo) {
    let began = Instant::now();
    let (operations, token) = {
        let history = server.history.lock();
        let request = history.request(number);
        let token = request.and_then(|request| request.token);
        let text = token.and_then(|token| history.token(token));
        (
            request.map_or_else(Vec::new, |request| request.operations.clone()),
            text.map(|token| token.text.clone()),
        )
    };
    let sessions = RequestSessions::begin(&server.manager);
    let head = RequestCookie::new(COOKIE, token.as_deref());
    let mut returned = None;
    // The application's own time is not the engine's.
    let mut waited = Duration::ZERO;
    let answer = match open(&sessions, &head).await {
        Err(error) => match error.status() {
            503 => Answer::NotOpened,
            other => Answer::Odd(other),
        },
        Ok(session) => {
            let seen = look(&session);
            server.history.lock().open(server.clock.now(), number, seen);
            let opened = Instant::now();
            server.gates.wait(Stage::Handler).await;
            waited = opened.elapsed();
            let handled = handle(&session, &operations, number, &mut returned).await;
            // A handler that has met an error says so with a status at which nothing is saved.
            let outcome = match &handled {
                Err(_) => Outcome::ServerError,
                Ok(()) if operations.contains(&Operation::Fail) => Outcome::ServerError,
                Ok(()) => Outcome::Success,
            };
            let verdict = sessions.commit(outcome).await;
            answer(handled, verdict)
        }
    };
    let mut cookies = ResponseCookies::default();
    sessions.finish(&mut cookies);
    let end = End {
        answer,
        cookie: cookies.change(COOKIE),
        returned,
        took: began.elapsed().saturating_sub(waited),
    };
    server.history.lock().end(server.clock.now(), number, end);
}

async fn open(
    sessions: &RequestSessions,
    head: &RequestCookie,
) -> Result<SessionHandle, SessionError> {
    match sessions.judge(NAMESPACE, head)? {
        Some(unopened) => unopened.open().await,
        None => Err(SessionError::Closed {
            namespace: NAMESPACE.to_owned(),
        }),
    }
}

/// Looks what a token opens, and changes nothing. `Err` when the store has failed.
pub(super) async fn probe(
    manager: &SessionManager,
    token: &str,
) -> Result<Option<Seen>, SessionError> {
    let sessions = RequestSessions::begin(manager);
    let session = open(&sessions, &RequestCookie::new(COOKIE, Some(token))).await?;
    Ok(look(&session))
}

fn look(session: &SessionHandle) -> Option<Seen> {
    let value = |key| session.get::<u64>(key).ok().flatten();
    let subject = session.subject();
    Some(Seen {
        id: session.id()?,
        values: Values {
            n: value("n"),
            k: value("k"),
            keep: value("keep"),
            once: value("once"),
        },
        subject: subject.and_then(|subject| subject.as_str().strip_prefix("user-")?.parse().ok()),
    })
}

/// A value that no other request writes.
pub(super) fn unique(number: RequestNo) -> u64 {
    u64::try_from(number).unwrap_or_default() + 1_000
}

async fn handle(
    session: &SessionHandle,
    operations: &[Operation],
    number: RequestNo,
    returned: &mut Option<u64>,
) -> Result<(), SessionError> {
    let value = unique(number);
    for operation in operations {
        match operation {
            Operation::Increment => session.update("n", |n: &mut u64| *n += 1)?,
            Operation::Set => session.insert("k", value)?,
            Operation::Remove => {
                session.remove("k")?;
            }
            Operation::Clear => session.clear()?,
            Operation::Rotate => {
                session.rotate()?;
            }
            Operation::Revoke => session.rotate()?.revoke(),
            Operation::Login(subject) => session.login(format!("user-{subject}"))?,
            Operation::Logout => session.logout()?,
            Operation::Touch | Operation::Read => {
                session.get::<u64>("n")?;
            }
            Operation::TakeOnce => *returned = session.take_once("once").await?,
            Operation::UpdateNow => {
                let update = |n: &mut u64| {
                    *n += 1;
                    *n
                };
                *returned = Some(session.update_now("n", update).await?);
            }
            Operation::Fail => {}
            Operation::Fill => {
                session.insert("n", 10)?;
                session.insert("k", value)?;
                session.insert("keep", value)?;
                session.insert("once", value)?;
            }
        }
    }
    Ok(())
}

fn answer(handled: Result<(), SessionError>, verdict: Verdict) -> Answer {
    let status = verdict
        .status()
        .or(handled.err().map(|error| error.status()));
    match status {
        None => Answer::Done,
        Some(409) => Answer::Void,
        Some(503) => Answer::Failed,
        Some(other) => Answer::Odd(other),
    }
}
