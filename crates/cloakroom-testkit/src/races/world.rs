//! The model: sessions that are changed by one request after the other.

use std::time::Duration;

use cloakroom_store::Timestamp;

use super::{
    history::{History, RequestNo, TokenInfo, TokenNo, Values},
    intent::{Intent, Write},
};

/// How long requests with a token from before a login are late.
const LATE: Duration = Duration::from_secs(60);

/// The grace of a token whose successor was seen.
const GRACE: Duration = Duration::from_secs(60);

/// The idle limit of the namespace.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Session {
    /// The request that made it.
    pub(super) born: RequestNo,
    /// The request that began its epoch.
    pub(super) epoch: RequestNo,
    pub(super) epoch_began: Timestamp,
    pub(super) values: Values,
    pub(super) subject: Option<u8>,
    pub(super) life: Life,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Life {
    Alive,
    Ended,
    Expired,
}

/// All sessions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct World(Vec<Session>);

/// What a request works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Base {
    /// Nothing: what it stores makes a session.
    New,
    /// Nothing, and what it stores is void.
    Late,
    /// A session, under an epoch.
    Of { born: RequestNo, epoch: RequestNo },
}

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct View {
    pub(super) base: Base,
    pub(super) seen: Option<(RequestNo, Values, Option<u8>)>,
}

impl View {
    const fn nothing(base: Base) -> Self {
        Self { base, seen: None }
    }
}

impl World {
    pub(super) fn session(&self, born: RequestNo) -> Option<&Session> {
        self.0.iter().find(|session| session.born == born)
    }

    fn session_mut(&mut self, born: RequestNo) -> Option<&mut Session> {
        self.0.iter_mut().find(|session| session.born == born)
    }

    /// What a token may open now; several possibilities where it depends on what nobody sees.
    pub(super) fn views(
        &self,
        token: Option<TokenNo>,
        history: &History,
        now: Timestamp,
        events: usize,
    ) -> Vec<View> {
        let known = token.and_then(|token| Some((token, history.token(token)?)));
        let Some((number, token)) = known else {
            return vec![View::nothing(Base::New)];
        };
        let session = self
            .session(token.born)
            .filter(|session| session.life == Life::Alive);
        let Some(session) = session else {
            return vec![View::nothing(Base::New)];
        };
        if session.epoch != token.epoch {
            let base = match now.saturating_since(session.epoch_began) < LATE {
                true => Base::Late,
                false => Base::New,
            };
            return vec![View::nothing(base)];
        }
        let opened = View {
            base: Base::Of {
                born: session.born,
                epoch: session.epoch,
            },
            seen: Some((session.born, session.values, session.subject)),
        };
        match grace(number, token, history, now, events) {
            Grace::Good => vec![opened],
            Grace::Unclear => vec![opened, View::nothing(Base::New)],
            Grace::Over => vec![View::nothing(Base::New)],
        }
    }

    /// Whether changes to a session are void.
    pub(super) fn is_void(&self, born: RequestNo, epoch: RequestNo) -> bool {
        self.session(born)
            .is_none_or(|session| session.life != Life::Alive || session.epoch != epoch)
    }

    /// Everything has expired.
    pub(super) fn expire(&mut self) {
        for session in &mut self.0 {
            if session.life == Life::Alive {
                session.life = Life::Expired;
            }
        }
    }

    pub(super) fn end(&mut self, born: RequestNo) {
        if let Some(session) = self.session_mut(born) {
            session.life = Life::Ended;
        }
    }

    /// Makes a session of what a request stores.
    pub(super) fn create(&mut self, number: RequestNo, intent: &Intent, now: Timestamp) {
        let mut values = Values::default();
        Write::apply_all(&intent.writes, &mut values);
        self.0.push(Session {
            born: number,
            epoch: number,
            epoch_began: now,
            values,
            subject: intent.login,
            life: Life::Alive,
        });
        self.0.sort();
    }

    /// Stores in a session what a request changes. Gives the values before.
    pub(super) fn change(
        &mut self,
        born: RequestNo,
        number: RequestNo,
        intent: &Intent,
        now: Timestamp,
    ) -> Option<(Values, Values)> {
        let session = self.session_mut(born)?;
        let before = session.values;
        Write::apply_all(&intent.writes, &mut session.values);
        if intent.begins_epoch() {
            session.epoch = number;
            session.epoch_began = now;
        }
        if intent.login.is_some() {
            session.subject = intent.login;
        }
        Some((before, session.values))
    }
}

enum Grace {
    Good,
    /// It depends on whether the first sight of the next token was noted.
    Unclear,
    Over,
}

/// Whether a token of the current epoch is still good, as far as rotations go. `events` is how
/// much of the history has happened.
fn grace(
    number: TokenNo,
    token: &TokenInfo,
    history: &History,
    now: Timestamp,
    events: usize,
) -> Grace {
    let mut successors = history
        .successors(number)
        .filter(|(_, next)| next.given_at < events);
    let next = successors.next();
    if let Some((next, _)) = next
        && history
            .successors(next)
            .any(|(_, after)| after.given_at < events)
    {
        return Grace::Over;
    }
    let seen = next.and_then(|(_, next)| next.presented);
    let is_seen_long_ago = seen.is_some_and(|seen| now.saturating_since(seen) >= GRACE);
    let rotated_long_ago = token
        .rotating
        .is_some_and(|rotating| now.saturating_since(rotating) >= IDLE);
    match is_seen_long_ago || rotated_long_ago {
        true => Grace::Unclear,
        false => Grace::Good,
    }
}
