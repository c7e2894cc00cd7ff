//! What is promised, and how a broken promise is reported.

use std::{error::Error, fmt};

/// What requests at the same time must not break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Promise {
    /// Everything that was seen is what some serial order of the requests would have shown: no
    /// change is lost, and none that was void or of an older epoch is there.
    SerialOrder,
    /// A session whose end was acknowledged is not there any more, and its tokens open nothing.
    EndedStaysEnded,
    /// After an acknowledged login or revocation no token from before it opens anything.
    NewEpochClosesTheOld,
    /// What a browser holds in the end opens its session.
    NobodyIsLockedOut,
    /// A response whose changes are void sets no cookie.
    VoidIsSilent,
    /// A token leads to one next token, and whoever still comes with it is sent that one.
    OneNextToken,
    /// Of several requests that take a value once, or show a message, one at most gets it.
    TakenOnce,
    /// What an answered request has left to be taken once, or to be shown, is still there or was
    /// given to a request. It may be gone with a request that claimed it and got no answer or a
    /// 503, with its session, and by a request that clears the session or sets the value again.
    LostOnlyWithAResponse,
    /// A CSRF token is good in the session that has given it, until somebody logs in, and in no
    /// other.
    CsrfTokenOfItsSession,
    /// Every request ends within its deadlines, with an answer that fits.
    EveryRequestEnds,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SerialOrder => "some serial order explains all that was seen",
            Self::EndedStaysEnded => "a session that was ended stays ended",
            Self::NewEpochClosesTheOld => "a login or a revocation closes all older tokens",
            Self::NobodyIsLockedOut => "nobody is locked out",
            Self::VoidIsSilent => "a response whose changes are void sets no cookie",
            Self::OneNextToken => "a token leads to one next token",
            Self::TakenOnce => "what is taken once is taken once",
            Self::LostOnlyWithAResponse => "what is left to be shown is lost only with a response",
            Self::CsrfTokenOfItsSession => "a CSRF token is good in its session, until a login",
            Self::EveryRequestEnds => "every request ends in time, with an answer that fits",
        })
    }
}

/// A promise that was broken, and the schedule that did it. `Display` is made for reading.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokenPromise {
    /// The promise.
    pub promise: Promise,
    /// What happened instead.
    pub what: String,
    /// The case, as [`Races::replay`](crate::Races::replay) takes it.
    pub case: String,
    /// What happened, one line each.
    pub schedule: String,
}

impl fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            promise,
            what,
            case,
            schedule,
        } = self;
        writeln!(f, "broken: {promise}")?;
        writeln!(f, "  {what}")?;
        writeln!(f, "  case {case}:")?;
        f.write_str(schedule)
    }
}

impl Error for BrokenPromise {}

/// A broken promise of a case.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) promise: Promise,
    pub(super) what: String,
}

impl Broken {
    pub(super) fn new(promise: Promise, what: impl Into<String>) -> Self {
        Self {
            promise,
            what: what.into(),
        }
    }
}
