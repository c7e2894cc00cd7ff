use std::{
    error::Error,
    fmt::{self, Debug},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use cloakroom_store::{Operation, SessionId, StoreErrorKind};

use crate::csrf::CsrfRefusal;

/// One thing that happened to a session, for logs, metrics and the panel.
///
/// It holds neither secrets nor values. Every event goes to `tracing` too, with the target
/// `cloakroom`. A failure is one line there, of level error: it names the namespace and what was
/// tried, has what the store said as its source, and says what to do. What becomes of the request
/// for it, such as [`EventKind::Lost`], is of level info.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The namespace; empty when it is about none.
    pub namespace: &'a str,
    /// The session's public id, if there is a session.
    pub id: Option<SessionId>,
    /// The key of the value that it is about, if it is about one.
    pub key: Option<&'a str>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// The condition does not hold; the namespace is closed for this request.
    Closed,
    /// A session was found and opened.
    Opened,
    /// The request has no token; its session is new.
    NoToken,
    /// The request has something in the place of a token that is none.
    MalformedToken,
    /// There is no session of this id, or it is not of this namespace.
    UnknownToken,
    /// There is such a session, but the secret is not its secret.
    WrongSecret,
    /// The session has expired.
    Expired,
    /// The token was replaced by a login or a revocation a moment ago: a parallel request.
    Late,
    /// A token came that a rotation has replaced, after its grace.
    ReplacedToken,
    /// Two tokens came that open different sessions. Neither is opened.
    DuplicateTokens,
    /// What the store holds is no session.
    Corrupt,
    /// A value is not of the type that was asked for, and counts as none by the namespace's policy.
    Discarded,
    /// A new session was stored.
    Created,
    /// Changes were stored.
    Saved,
    /// A use was noted.
    Touched,
    /// The secret was rotated.
    Rotated,
    /// The secret was replaced without a grace.
    Revoked,
    /// A subject was logged in.
    LoggedIn,
    /// The session was ended.
    Ended,
    /// Nothing was written: nothing has changed.
    Unchanged,
    /// A write met a change by somebody else, and is replayed on it.
    Conflict,
    /// A change landed on a key that this request had read and somebody else has changed since.
    Overwritten,
    /// Changes were not stored: the session is gone, or another epoch has begun.
    Void(VoidReason),
    /// Changes were not stored: the response is an error, and the namespace saves none then; or it
    /// saves explicitly, and that was not asked for.
    NotSaved,
    /// Changes made after the response's head were dropped without a save.
    Dropped,
    /// A store call failed.
    StoreFailed(Operation, StoreErrorKind),
    /// A request was refused: another site may have made the browser send it.
    CsrfRefused(CsrfRefusal),
    /// Changes are lost, and the response stays as it is by the namespace's policy.
    Lost,
    /// Expired records were removed, this many.
    Swept(usize),
}

/// Why changes are void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VoidReason {
    /// The session was ended or has expired meanwhile.
    Gone,
    /// It was logged in or revoked meanwhile.
    NewEpoch,
    /// The request came with a token from before the login.
    Late,
}

/// Hears of every event, synchronously: keep it short. A panic in it is caught and logged.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use cloakroom_core::{Event, EventKind, Observer};
///
/// #[derive(Debug, Default)]
/// struct Logins(AtomicU64);
///
/// impl Observer for Logins {
///     fn on_event(&self, event: &Event<'_>) {
///         if event.kind == EventKind::LoggedIn {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
/// ```
pub trait Observer: Debug + Send + Sync + 'static {
    /// Hears of an event.
    fn on_event(&self, event: &Event<'_>);
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn on_event(&self, event: &Event<'_>) {
        (**self).on_event(event);
    }
}

/// Sends an event to `tracing` and to the observer. What its source says is for the log alone.
pub(crate) fn emit(observer: Option<&dyn Observer>, event: Event<'_>, source: Source<'_>) {
    trace(&event, source);
    if let Some(observer) = observer {
        let heard = catch_unwind(AssertUnwindSafe(|| observer.on_event(&event)));
        if heard.is_err() {
            tracing::error!(target: "cloakroom", "the session observer panicked");
        }
    }
}

/// Why a store call failed.
pub(crate) type Source<'a> = Option<&'a (dyn Error + 'static)>;

fn trace(event: &Event<'_>, source: Source<'_>) {
    use EventKind as K;
    macro_rules! at {
        ($level:ident) => {
            tracing::event!(
                target: "cloakroom",
                tracing::Level::$level,
                namespace = event.namespace,
                id = event.id.map(tracing::field::display),
                key = event.key,
                source,
                "{}{}",
                event.kind,
                advice(event.kind)
            )
        };
    }
    match event.kind {
        K::StoreFailed(..) | K::Corrupt => at!(ERROR),
        K::ReplacedToken | K::DuplicateTokens | K::Overwritten | K::Dropped | K::Discarded => {
            at!(WARN)
        }
        K::LoggedIn | K::Ended | K::Revoked | K::Late | K::CsrfRefused(_) => at!(INFO),
        K::Void(_) | K::NotSaved | K::Lost => at!(INFO),
        K::Closed | K::Opened | K::NoToken | K::Unchanged => at!(TRACE),
        _ => at!(DEBUG),
    }
}

/// What to do about a failure.
const fn advice(event: EventKind) -> &'static str {
    use StoreErrorKind as Failed;
    match event {
        EventKind::Corrupt | EventKind::StoreFailed(_, Failed::Corrupt) => {
            ": see whether the store is damaged, or another or a newer program writes to it"
        }
        EventKind::StoreFailed(_, Failed::Unavailable) => {
            ": see that the store runs and can be reached"
        }
        EventKind::StoreFailed(_, Failed::TimedOut) => {
            ": see what keeps the store busy or out of reach, or raise call_deadline"
        }
        EventKind::StoreFailed(_, Failed::TooLarge) => {
            ": see that the store takes as much as the namespace's max_size allows"
        }
        EventKind::StoreFailed(_, Failed::AlreadyExists) => {
            ": see that the random number generator makes a new id each time"
        }
        EventKind::StoreFailed(_, Failed::Unsupported) => ": see which stores can do it",
        EventKind::StoreFailed(..) => ": see what the source says",
        _ => "",
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed: the condition does not hold",
            Self::Opened => "opened",
            Self::NoToken => "new: the request has no token",
            Self::MalformedToken => "new: the request's token is malformed",
            Self::UnknownToken => "new: there is no session of the request's token",
            Self::WrongSecret => "new: the request's token has a wrong secret",
            Self::Expired => "new: the session has expired",
            Self::Late => "empty: the request's token was replaced by a login a moment ago",
            Self::ReplacedToken => "new: the request's token was replaced by a rotation",
            Self::DuplicateTokens => "new: the request has tokens of different sessions",
            Self::Corrupt => "what the store holds is no session",
            Self::Discarded => "a value is not of the type asked for, and counts as none",
            Self::Created => "created",
            Self::Saved => "saved",
            Self::Touched => "touched",
            Self::Rotated => "rotated",
            Self::Revoked => "revoked all tokens and made a new one",
            Self::LoggedIn => "logged in",
            Self::Ended => "ended",
            Self::Unchanged => "not written: nothing has changed",
            Self::Conflict => "conflict: replaying on somebody else's change",
            Self::Overwritten => {
                "overwrote a value that somebody else has changed since it was read"
            }
            Self::Void(VoidReason::Gone) => "not saved: the session is gone",
            Self::Void(VoidReason::NewEpoch) => "not saved: the session was logged in anew",
            Self::Void(VoidReason::Late) => "not saved: the request is late",
            Self::NotSaved => "not saved: the response is an error, or save() was not called",
            Self::Dropped => "changes after the response's head were dropped without save()",
            Self::CsrfRefused(refusal) => return write!(f, "request refused: {refusal}"),
            Self::Lost => "changes are lost: the store failed",
            Self::StoreFailed(operation, kind) => return write!(f, "{operation} failed: {kind}"),
            Self::Swept(count) => return write!(f, "removed {count} expired records"),
        })
    }
}
