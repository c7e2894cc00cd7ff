//! The schedule of a case in readable lines.

use std::fmt;

use cloakroom_store::{Operation, Timestamp};

use super::{
    gate::{Order, Stage},
    history::{Actor, Answer, CookieChange, History, RequestNo, Seen, TokenNo, Values},
};

/// One line of a schedule.
#[derive(Debug, Clone, Copy)]
pub(super) enum Note {
    Sent(RequestNo),
    Opened(RequestNo, Option<Seen>),
    Passed(Actor, Stage, Order),
    CarriedOutLate(Actor, Operation),
    Answered(RequestNo),
    Delivered(RequestNo),
    Lost(RequestNo),
    ClientLeft(RequestNo),
    TimePasses(u64),
    ClockMoved(Timestamp),
    Copied(usize, usize),
    Probed(TokenNo, Option<Seen>),
}

/// All notes of a history.
pub(super) struct Schedule<'a>(pub(super) &'a History);

impl fmt::Display for Schedule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.0.notes {
            write!(f, "    ")?;
            self.write(*note, f)?;
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Schedule<'_> {
    fn write(&self, note: Note, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match note {
            Note::Sent(number) => self.sent(number, f),
            Note::Opened(number, seen) => {
                write!(f, "request {number} opens {}", self.session(seen))
            }
            Note::Passed(actor, stage, order) => passed(actor, stage, order, f),
            Note::CarriedOutLate(actor, operation) => {
                write!(
                    f,
                    "the store carries out the {operation} that {actor} gave up"
                )
            }
            Note::Answered(number) => self.answered(number, f),
            Note::Delivered(number) => write!(f, "the response of request {number} arrives"),
            Note::Lost(number) => write!(f, "the response of request {number} is lost"),
            Note::ClientLeft(number) => write!(f, "the client of request {number} disconnects"),
            Note::TimePasses(millis) => write!(f, "{millis} ms pass without an answer"),
            Note::ClockMoved(to) => write!(f, "the clock moves to {to:?}"),
            Note::Copied(from, to) => {
                write!(
                    f,
                    "browser {to} gets a copy of the cookie of browser {from}"
                )
            }
            Note::Probed(token, seen) => {
                write!(f, "a look: t{token} opens {}", self.session(seen))
            }
        }
    }

    fn sent(&self, number: RequestNo, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(request) = self.0.request(number) else {
            return write!(f, "request {number}");
        };
        let (browser, process) = (request.browser, request.process);
        write!(f, "request {number} (")?;
        for (n, operation) in request.operations.iter().enumerate() {
            write!(f, "{}{operation}", if n > 0 { ", " } else { "" })?;
        }
        match request.token {
            Some(token) => write!(f, ") goes out of browser {browser} with t{token}")?,
            None => write!(f, ") goes out of browser {browser} without a cookie")?,
        }
        write!(f, ", to process {process}")
    }

    fn answered(&self, number: RequestNo, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(request) = self.0.request(number) else {
            return write!(f, "request {number} is answered");
        };
        let (was, took) = (request.answer.unwrap_or(Answer::Left), request.took);
        write!(f, "request {number} is answered: {was}, after {took:?}")?;
        if let Some(returned) = request.returned {
            write!(f, ", with {returned}")?;
        }
        if !request.shown.is_empty() {
            write!(f, ", with the messages of {:?}", request.shown)?;
        }
        match request.cookie {
            Some(CookieChange::Set(token)) => write!(f, ", sets t{token}"),
            Some(CookieChange::Remove) => write!(f, ", removes the cookie"),
            None => Ok(()),
        }
    }

    fn session(&self, seen: Option<Seen>) -> String {
        match seen {
            None => "nothing".to_owned(),
            Some(seen) => {
                let subject = seen
                    .subject
                    .map_or_else(|| "nobody".to_owned(), |subject| format!("user-{subject}"));
                let born = self
                    .0
                    .born(seen.id)
                    .map_or_else(|| "?".to_owned(), |born| born.to_string());
                format!(
                    "the session of request {born}: {} of {subject}",
                    seen.values
                )
            }
        }
    }
}

fn passed(actor: Actor, stage: Stage, order: Order, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match (stage, order) {
        (Stage::Handler, _) => write!(f, "{actor} goes on to commit"),
        (Stage::Before(operation), Order::Go) => write!(f, "{actor}: {operation} happens"),
        (Stage::After(operation), Order::Go) => write!(f, "{actor}: {operation} is answered"),
        (Stage::Before(operation), Order::Fail) => {
            write!(f, "{actor}: {operation} fails, without an effect")
        }
        (Stage::After(operation), Order::Fail) => {
            write!(
                f,
                "{actor}: {operation} has happened, but is answered with an error"
            )
        }
        (Stage::Before(operation), Order::Late) => {
            write!(f, "{actor}: {operation} is delayed beyond all deadlines")
        }
        (Stage::Before(operation), Order::Hang) => {
            write!(f, "{actor}: {operation} is never carried out, nor answered")
        }
        (Stage::After(operation), _) => {
            write!(
                f,
                "{actor}: {operation} has happened, but is never answered"
            )
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(number) => write!(f, "request {number}"),
            Self::Engine => f.write_str("a task of the engine"),
            Self::Sweeper => f.write_str("the sweeper"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Void => "void",
            Self::Failed => "503",
            Self::NotOpened => "503, not opened",
            Self::Left => "nobody is there",
            Self::Odd(status) => return write!(f, "status {status}"),
            Self::Panicked => "it panicked",
        })
    }
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            n,
            k,
            keep,
            once,
            messages,
        } = self;
        let mut separator = "{";
        for (key, value) in [("n", n), ("k", k), ("keep", keep), ("once", once)] {
            if let Some(value) = value {
                write!(f, "{separator}{key}: {value}")?;
                separator = ", ";
            }
        }
        if !messages.is_empty() {
            write!(f, "{separator}messages of {messages:?}")?;
            separator = ", ";
        }
        f.write_str(if separator == "{" { "{}" } else { "}" })
    }
}
