//! What happened in a case, as it looks from outside: requests, answers, cookies.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cloakroom_core::Token;
use cloakroom_store::{SessionId, Timestamp};

use super::{messages::Messages, note::Note, operation::Operation};

pub(super) type RequestNo = usize;
pub(super) type TokenNo = usize;

/// Who makes a store call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Actor {
    Request(RequestNo),
    /// A task of the engine: a queue of commits, or a commit whose request has gone.
    Engine,
    Sweeper,
}

tokio::task_local! {
    pub(super) static ACTOR: Actor;
}

pub(super) fn current_actor() -> Actor {
    ACTOR.try_with(|actor| *actor).unwrap_or(Actor::Engine)
}

/// The values of a session, one field a key. The keys of the map are the names of the fields, that
/// of the messages excepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Values {
    pub(super) n: Option<u64>,
    pub(super) k: Option<u64>,
    pub(super) keep: Option<u64>,
    pub(super) once: Option<u64>,
    pub(super) messages: Messages,
}

/// What a request has seen of a session when it opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) id: SessionId,
    pub(super) values: Values,
    pub(super) subject: Option<u8>,
}

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// As the handler wanted it.
    Done,
    /// With a 409: its changes are void.
    Void,
    /// With a 503 at commit: its changes may be stored or not.
    Failed,
    /// With a 503 when it opened the session.
    NotOpened,
    /// Not at all: the client has gone.
    Left,
    /// With a status that nothing here leads to.
    Odd(u16),
    /// Its task has panicked.
    Panicked,
}

/// What a response does to the cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CookieChange {
    Set(TokenNo),
    Remove,
}

/// What became of a response on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Open,
    Delivered,
    Lost,
}

/// All that is known of a request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) browser: usize,
    pub(super) process: usize,
    pub(super) operations: Vec<Operation>,
    pub(super) token: Option<TokenNo>,
    /// The numbers of events.
    pub(super) began: usize,
    pub(super) ended: usize,
    pub(super) seen: Option<Seen>,
    /// `None` while it is under way.
    pub(super) answer: Option<Answer>,
    pub(super) cookie: Option<CookieChange>,
    /// What `take_once` or `update_now` gave.
    pub(super) returned: Option<u64>,
    /// What `flashes` gave.
    pub(super) shown: Messages,
    /// The page that the browser shows, whose form this request comes from.
    pub(super) form: Option<RequestNo>,
    /// The CSRF token of the form on its own page.
    pub(super) csrf: Option<String>,
    /// Whether the CSRF token that it brought was good.
    pub(super) is_vouched_for: Option<bool>,
    pub(super) took: Duration,
    pub(super) way: Way,
}

/// A token that a response has handed out.
#[derive(Debug, Clone)]
pub(super) struct TokenInfo {
    pub(super) text: String,
    pub(super) id: SessionId,
    pub(super) given_at: usize,
    /// The request that made the session.
    pub(super) born: RequestNo,
    /// The request that began the epoch.
    pub(super) epoch: RequestNo,
    /// The request that made the session or, later, logged in.
    pub(super) login: RequestNo,
    /// The token that a rotation led from to this one.
    pub(super) from: Option<TokenNo>,
    /// When a request first came with it.
    pub(super) presented: Option<Timestamp>,
    /// When a request first came with it that may have rotated it.
    pub(super) rotating: Option<Timestamp>,
}

/// One thing after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Began(RequestNo),
    Opened(RequestNo),
    Ended(RequestNo),
    ClockMoved {
        to: Timestamp,
        ends_all: bool,
    },
    /// Somebody looked what a token opens, and changed nothing.
    Probed(TokenNo, Option<Seen>),
    /// Somebody looked whether there is a record.
    Looked(SessionId, bool),
}

/// What happened so far.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) requests: Vec<Request>,
    pub(super) tokens: Vec<TokenInfo>,
    pub(super) events: Vec<(Timestamp, Event)>,
    pub(super) notes: Vec<Note>,
    /// In the order of their arrival.
    pub(super) delivered: Vec<RequestNo>,
    /// Sessions of logged in subjects are rotated by themselves.
    pub(super) rotates_itself: bool,
}

/// The history that all tasks of a case write to.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<History>>);

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, History> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self) -> History {
        std::mem::take(&mut *self.lock())
    }
}

impl History {
    pub(super) fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    pub(super) fn event(&mut self, now: Timestamp, event: Event) {
        self.events.push((now, event));
    }

    /// A request goes out.
    pub(super) fn begin(&mut self, now: Timestamp, mut request: Request) -> RequestNo {
        let number = self.requests.len();
        request.began = self.events.len();
        let may_rotate = request.operations.contains(&Operation::Rotate) || self.rotates_itself;
        if let Some(token) = request.token.and_then(|token| self.tokens.get_mut(token)) {
            token.presented.get_or_insert(now);
            if may_rotate {
                token.rotating.get_or_insert(now);
            }
        }
        self.requests.push(request);
        self.event(now, Event::Began(number));
        self.note(Note::Sent(number));
        number
    }

    pub(super) fn open(&mut self, now: Timestamp, number: RequestNo, seen: Option<Seen>) {
        if let Some(request) = self.requests.get_mut(number) {
            request.seen = seen;
        }
        self.event(now, Event::Opened(number));
        self.note(Note::Opened(number, seen));
    }

    /// A request is answered; `cookie` is the value of its `Set-Cookie`, empty for a removal.
    pub(super) fn end(&mut self, now: Timestamp, number: RequestNo, end: End) {
        let change = end.cookie.map(|value| match value.is_empty() {
            true => CookieChange::Remove,
            false => self.intern(number, value),
        });
        let at = self.events.len();
        if let Some(request) = self.requests.get_mut(number) {
            request.ended = at;
            request.answer = Some(end.answer);
            request.cookie = change;
            request.returned = end.returned;
            request.shown = end.shown;
            request.took = end.took;
            if matches!(end.answer, Answer::Left | Answer::Panicked) {
                request.way = Way::Lost;
            }
        }
        self.event(now, Event::Ended(number));
        self.note(Note::Answered(number));
    }

    fn intern(&mut self, number: RequestNo, text: String) -> CookieChange {
        if let Some(known) = self.tokens.iter().position(|token| token.text == text) {
            return CookieChange::Set(known);
        }
        let Some(id) = Token::parse(text.as_bytes()).map(|token| token.id()) else {
            return CookieChange::Remove;
        };
        let request = self.requests.get(number);
        let has = |wanted: fn(&Operation) -> bool| {
            request.is_some_and(|request| request.operations.iter().any(wanted))
        };
        let begins_epoch = has(|operation| operation.begins_epoch());
        let logs_in = has(|operation| matches!(operation, Operation::Login(_)));
        let presented = request.and_then(|request| request.token);
        let of_same = presented
            .and_then(|token| Some((token, self.tokens.get(token)?)))
            .filter(|(_, token)| token.id == id);
        let (born, epoch, from) = match of_same {
            Some((_, token)) if begins_epoch => (token.born, number, None),
            Some((no, token)) => (token.born, token.epoch, Some(no)),
            None => (number, number, None),
        };
        let login = match of_same {
            Some((_, token)) if !logs_in => token.login,
            _ => number,
        };
        self.tokens.push(TokenInfo {
            text,
            id,
            given_at: self.events.len(),
            born,
            epoch,
            login,
            from,
            presented: None,
            rotating: None,
        });
        CookieChange::Set(self.tokens.len() - 1)
    }

    pub(super) fn request(&self, number: RequestNo) -> Option<&Request> {
        self.requests.get(number)
    }

    pub(super) fn token(&self, number: TokenNo) -> Option<&TokenInfo> {
        self.tokens.get(number)
    }

    /// The page that a browser shows: the last one that it got with a form.
    pub(super) fn page(&self, browser: usize) -> Option<RequestNo> {
        let is_page = |number: &&RequestNo| {
            let request = self.requests.get(**number);
            request.is_some_and(|request| request.browser == browser && request.csrf.is_some())
        };
        self.delivered.iter().rev().find(is_page).copied()
    }

    /// The session of an id, by the request that made it.
    pub(super) fn born(&self, id: SessionId) -> Option<RequestNo> {
        let token = self.tokens.iter().find(|token| token.id == id)?;
        Some(token.born)
    }

    /// The tokens that rotations led to from this one. There should be one.
    pub(super) fn successors(&self, of: TokenNo) -> impl Iterator<Item = (TokenNo, &TokenInfo)> {
        let tokens = self.tokens.iter().enumerate();
        tokens.filter(move |(_, token)| token.from == Some(of))
    }
}

/// What a request is answered with.
#[derive(Debug)]
pub(super) struct End {
    pub(super) answer: Answer,
    pub(super) cookie: Option<String>,
    pub(super) returned: Option<u64>,
    pub(super) shown: Messages,
    pub(super) took: Duration,
}
