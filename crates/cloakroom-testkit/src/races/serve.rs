//! One request through the engine, as an integration would run it.

use std::time::Duration;

use cloakroom_core::{
    Clock, Flash, Level, Outcome, RequestSessions, SessionError, SessionHandle, SessionManager,
    Verdict,
};
use tokio::time::Instant;

use super::{
    gate::{Gates, Stage},
    history::{Answer, End, RequestNo, Seen, Shared, Values},
    messages::Messages,
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

/// What a request brings.
struct Sent {
    operations: Vec<Operation>,
    token: Option<String>,
    /// The CSRF token of the form that it comes from.
    csrf: Option<String>,
}

impl Sent {
    fn of(number: RequestNo, server: &Server) -> Self {
        let history = server.history.lock();
        let request = history.request(number);
        let token = request.and_then(|request| history.token(request.token?));
        let form = request.and_then(|request| history.request(request.form?));
        Self {
            operations: request.map_or_else(Vec::new, |request| request.operations.clone()),
            token: token.map(|token| token.text.clone()),
            csrf: form.and_then(|form| form.csrf.clone()),
        }
    }
}

/// What a handler was given.
#[derive(Default)]
struct Given {
    returned: Option<u64>,
    shown: Messages,
}

/// What a page says of forms: whether the one that led to it was good, and the token of its own.
struct Form {
    is_vouched_for: Option<bool>,
    csrf: Option<String>,
}

impl Form {
    fn of(session: &SessionHandle, brought: Option<&str>) -> Self {
        let is_good = |token| session.csrf().verify(token).is_ok();
        Self {
            is_vouched_for: brought.map(is_good),
            // In a new session, asking for a token would be a change.
            csrf: session.id().and_then(|_| session.csrf().token().ok()),
        }
    }

    fn note(self, number: RequestNo, history: &Shared) {
        if let Some(request) = history.lock().requests.get_mut(number) {
            request.is_vouched_for = self.is_vouched_for;
            request.csrf = self.csrf;
        }
    }
}

/// Serves a request and writes down how it was answered.
pub(super) async fn serve(server: Server, number: RequestNo) {
    let began = Instant::now();
    let Sent {
        operations,
        token,
        csrf,
    } = Sent::of(number, &server);
    let sessions = RequestSessions::begin(&server.manager);
    let head = RequestCookie::new(COOKIE, token.as_deref());
    let mut given = Given::default();
    // The application's own time is not the engine's.
    let mut waited = Duration::ZERO;
    let answer = match open(&sessions, &head).await {
        Err(error) => match error.status() {
            503 => Answer::NotOpened,
            other => Answer::Odd(other),
        },
        Ok(session) => {
            let seen = look(&session);
            let form = Form::of(&session, csrf.as_deref());
            form.note(number, &server.history);
            server.history.lock().open(server.clock.now(), number, seen);
            let opened = Instant::now();
            server.gates.wait(Stage::Handler).await;
            waited = opened.elapsed();
            let handled = handle(&session, &operations, number, &mut given).await;
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
        returned: given.returned,
        shown: given.shown,
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
            messages: messages(session.flash_queue("").peek().unwrap_or_default()),
        },
        subject: subject.and_then(|subject| subject.as_str().strip_prefix("user-")?.parse().ok()),
    })
}

fn messages(shown: Vec<Flash<u64>>) -> Messages {
    let number = |flash: Flash<u64>| flash.message.checked_sub(unique(0));
    let number = |flash| usize::try_from(number(flash)?).ok();
    Messages::of(shown.into_iter().filter_map(number))
}

/// A value that no other request writes.
pub(super) fn unique(number: RequestNo) -> u64 {
    u64::try_from(number).unwrap_or_default() + 1_000
}

async fn handle(
    session: &SessionHandle,
    operations: &[Operation],
    number: RequestNo,
    given: &mut Given,
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
            Operation::TakeOnce => given.returned = session.take_once("once").await?,
            Operation::UpdateNow => {
                let update = |n: &mut u64| {
                    *n += 1;
                    *n
                };
                given.returned = Some(session.update_now("n", update).await?);
            }
            Operation::Flash => session.flash(Level::Info, value)?,
            Operation::Flashes => given.shown = messages(session.flashes().await?),
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
