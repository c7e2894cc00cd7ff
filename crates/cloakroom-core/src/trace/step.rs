use std::time::{Duration, Instant};

use cloakroom_store::{Freshness, Operation, SessionId, StoreErrorKind};

use super::data::Data;
use crate::{
    event::{EventKind, VoidReason},
    transport::TransportInfo,
};

/// One thing that the engine does for a session of a request, while it does it.
///
/// It shows no secret: tokens by their public id alone, cookies without their value. Whoever wants
/// to keep the session's values looks at them while they are [lent](Data).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Step<'a> {
    /// The namespace; empty when it is about none.
    pub namespace: &'a str,
    /// What is done.
    pub kind: StepKind<'a>,
}

/// What the engine does.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum StepKind<'a> {
    /// The namespace was asked for the first time, and its condition judged.
    Judged {
        /// Its condition holds, or it has none.
        is_open: bool,
        /// It has a condition.
        has_condition: bool,
    },
    /// The request has something in the place of a token.
    TokenSeen {
        /// Where it is.
        transport: TransportInfo<'a>,
        /// The public id that it claims to be of; `None` for what is malformed, and for a
        /// client-side session, which tells its id only when it is opened.
        id: Option<SessionId>,
        /// It has not the form of a token.
        is_malformed: bool,
    },
    /// What a token is worth has been found out.
    TokenJudged {
        /// The public id.
        id: Option<SessionId>,
        /// What it is worth.
        verdict: TokenVerdict,
    },
    /// A store call begins.
    CallBegun {
        /// Counts store calls, so that the end of this one is known.
        call: u64,
        /// What is asked for.
        operation: Operation,
        /// For a load: whether an answer from a copy will do.
        freshness: Option<Freshness>,
        /// The session; `None` for a list of those of a subject.
        id: Option<SessionId>,
        /// When it begins.
        began: Instant,
    },
    /// A store call has ended.
    CallEnded {
        /// The number that it began with.
        call: u64,
        /// What was asked for.
        operation: Operation,
        /// How it ended.
        outcome: CallOutcome,
        /// How long it took.
        took: Duration,
    },
    /// An event of this request, as observers hear it.
    Event {
        /// The session.
        id: Option<SessionId>,
        /// The key of the value that it is about.
        key: Option<&'a str>,
        /// What happened.
        event: EventKind,
    },
    /// The session was opened: what is in it as it came in.
    Opened(Data<'a>),
    /// The request is done, and its sessions are about to be committed: what the application
    /// leaves.
    Left(Data<'a>),
    /// Something was written: what is in the session now. Another request's changes may be in it.
    Stored(Data<'a>),
    /// What is done at commit, and why.
    Decided(Decision),
    /// A header was added to the response.
    HeaderAdded {
        /// Its name, in lower case.
        name: &'a str,
        /// Its value, where it is neither a token nor a cookie.
        value: Option<&'a str>,
        /// The cookie that it sets or removes.
        cookie: Option<SentCookie<'a>>,
    },
}

/// What a token of a request is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenVerdict {
    /// It opens the session.
    Current,
    /// It opens the session; a rotation has replaced it, and its grace lasts.
    Previous,
    /// A login or a revocation has replaced it a moment ago.
    Late,
    /// A rotation has replaced it, and its grace is over.
    Replaced,
    /// There is such a session, but the token is not its token.
    Wrong,
    /// The session has expired.
    Expired,
    /// There is no such session.
    Unknown,
    /// What the store holds is no session.
    Corrupt,
    /// It is no sealed session, or none of this namespace.
    Unreadable,
}

impl TokenVerdict {
    /// Whether it opens the session.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Current | Self::Previous)
    }
}

/// How a store call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallOutcome {
    /// A load found a record.
    Found,
    /// A load found none.
    NotFound,
    /// A write was done.
    Done,
    /// A touch or a delete found nothing to do.
    NothingThere,
    /// It failed. [`StoreErrorKind::Conflict`] is a conflict, which is replayed.
    Failed(StoreErrorKind),
    /// Nobody waits for it any more: its deadline has passed, or the client has left before the
    /// commit began.
    GivenUp,
}

/// What is done with a session when its request ends, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// Nothing: nothing has changed.
    NothingChanged,
    /// Nothing, and no cookie: the session is new, and there is nothing in it.
    Empty,
    /// Nothing: the response is an error, and the namespace saves none then.
    NotSavedOnError,
    /// Nothing: the namespace saves explicitly, and `save()` was not called.
    NotSavedUnasked,
    /// Nothing: the changes are void.
    Void(VoidReason),
    /// A new session is stored.
    Create(Reasons),
    /// The record is replaced.
    Replace(Reasons),
    /// The session takes its turn: others change it at the same time.
    Queue(Reasons),
    /// The use is noted.
    Touch,
    /// The record is deleted, and the cookie removed.
    Delete,
    /// A client-side session is sealed into its cookie.
    Seal(Reasons),
    /// The commit has failed, and this is the status of the response; `None` when it stays.
    Failed(Option<u16>),
    /// A cookie is not sent: the request is late, and it could overwrite that of the login.
    CookieWithheld,
}

/// Why a session is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Reasons {
    /// Values have changed.
    pub values: bool,
    /// Somebody logs in.
    pub login: bool,
    /// The secret is rotated, since it is time or was asked for.
    pub rotation: bool,
    /// The secret is replaced without a grace.
    pub revocation: bool,
    /// The session gets a lifetime of its own.
    pub persist: bool,
    /// A CSRF token was given out.
    pub csrf: bool,
    /// The client has the next secret: the grace of the previous one is shortened.
    pub grace: bool,
    /// The namespace saves always.
    pub always: bool,
    /// The use is noted with it.
    pub touch: bool,
}

/// A cookie of a response, without its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentCookie<'a> {
    /// The name.
    pub name: &'a str,
    /// The attributes, as they are sent.
    pub attributes: &'a str,
    /// How many bytes the value has.
    pub value_length: usize,
    /// It is removed.
    pub is_removal: bool,
}
