use std::{error::Error, fmt, sync::Arc, time::Duration};

use cloakroom_store::{Operation, StoreError, StoreErrorKind};
use redis::{ErrorKind, RedisError, ServerError};

/// A store could not be set up.
///
/// `Display` says what is wrong with which setting or server, and never repeats a URL or a
/// password; what the server or the system said is in [`source`](Error::source).
#[derive(Debug)]
pub struct OpenError {
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl OpenError {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            source: None,
        }
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the Redis store can't be opened: {}", self.what)
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| -> &(dyn Error + 'static) { source })
    }
}

/// Why a server did not answer.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// No connection: nothing was sent.
    Connect(String, Arc<dyn Error + Send + Sync>),
    /// The connection broke; what was sent may have been carried out.
    Lost(String, RedisError),
    /// Nothing came in this time.
    Silent(String, Duration),
    /// There is no tokio runtime, or it is shutting down.
    NoRuntime,
    /// No node of a cluster, of those that are known, says who has the slot.
    NoCluster(String),
    /// The nodes of a cluster point at each other.
    Astray,
    /// A server does not let itself be listened to.
    Refused(String, RedisError),
    /// A server that was listened to has become a replica.
    Deposed(String),
    /// A node names other primaries than those that are listened to.
    OtherPrimaries(String),
}

impl Fault {
    pub(crate) fn during(self, operation: Operation) -> StoreError {
        let kind = match &self {
            Self::Connect(..)
            | Self::Lost(..)
            | Self::NoCluster(_)
            | Self::Astray
            | Self::Refused(..)
            | Self::Deposed(_)
            | Self::OtherPrimaries(_) => StoreErrorKind::Unavailable,
            Self::Silent(..) => StoreErrorKind::TimedOut,
            Self::NoRuntime => StoreErrorKind::Other,
        };
        let refused = matches!(&self, Self::Connect(_, source) if is_refused(&**source));
        let error = StoreError::new(kind, operation);
        let error = if refused {
            error.retryable(false)
        } else {
            error
        };
        error.with_source(self)
    }
}

/// Whether a name or a password was wrong, which no retry helps.
fn is_refused(source: &(dyn Error + Send + Sync + 'static)) -> bool {
    let error = source.downcast_ref::<RedisError>();
    error.is_some_and(|error| {
        // The latter two in RESP3.
        error.kind() == ErrorKind::AuthenticationFailed
            || matches!(error.code(), Some("WRONGPASS" | "NOAUTH"))
    })
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(server, _) => write!(f, "no connection to {server}"),
            Self::Lost(server, _) => write!(f, "the connection to {server} broke"),
            Self::Silent(server, time) => write!(f, "{server} did not answer in {time:?}"),
            Self::NoRuntime => f.write_str("a Redis store needs a running tokio runtime"),
            Self::NoCluster(seeds) => {
                write!(
                    f,
                    "no node says who has the key; known from the start: {seeds}"
                )
            }
            Self::Astray => f.write_str("the nodes send the key from one to another"),
            Self::Refused(server, _) => write!(f, "{server} can't be listened to"),
            Self::Deposed(server) => write!(f, "{server} is not a primary any more"),
            Self::OtherPrimaries(server) => write!(
                f,
                "{server} names other primaries than those that are listened to"
            ),
        }
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Connect(_, source) => Some(&**source),
            Self::Lost(_, source) | Self::Refused(_, source) => Some(source),
            Self::Silent(..)
            | Self::NoRuntime
            | Self::NoCluster(_)
            | Self::Astray
            | Self::Deposed(_)
            | Self::OtherPrimaries(_) => None,
        }
    }
}

/// A command that a server has refused to carry out, as an error of the store.
pub(crate) fn refused(error: ServerError, operation: Operation) -> StoreError {
    use StoreErrorKind::{Corrupt, Other, Unavailable};
    let (kind, can_retry) = match Refusal::of(&error) {
        Refusal::WrongServer | Refusal::NotNow => (Unavailable, true),
        Refusal::Login => (Unavailable, false),
        Refusal::WrongType => (Corrupt, false),
        Refusal::Other => (Other, false),
    };
    let error = StoreError::new(kind, operation).with_source(error);
    error.retryable(can_retry)
}

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is another server that should be asked.
    WrongServer,
    /// The server is loading, full, busy, or misses its replicas.
    NotNow,
    /// The connection has no user, or one without a password that holds.
    Login,
    /// Something that is no record has the key.
    WrongType,
    /// A command that the user may not use, or a mistake.
    Other,
}

impl Refusal {
    pub(crate) fn of(error: &ServerError) -> Self {
        match code(error) {
            "MOVED" | "ASK" | "READONLY" | "MASTERDOWN" => Self::WrongServer,
            "LOADING" | "CLUSTERDOWN" | "TRYAGAIN" | "OOM" | "MISCONF" | "NOREPLICAS" | "BUSY"
            | "UNKILLABLE" => Self::NotNow,
            "NOAUTH" | "WRONGPASS" => Self::Login,
            "WRONGTYPE" => Self::WrongType,
            _ => Self::Other,
        }
    }
}

/// The code of a refusal. Before version 7 the one of a command in a script is in the midst of the
/// text: `ERR Error running script (call to f_..): @user_script:1: -OOM command not allowed ..`.
pub(crate) fn code(error: &ServerError) -> &str {
    const IN_SCRIPTS: [&str; 6] = [
        "READONLY",
        "MASTERDOWN",
        "OOM",
        "MISCONF",
        "NOREPLICAS",
        "WRONGTYPE",
    ];
    let text = error.details().unwrap_or_default();
    if error.code() != "ERR" || !text.starts_with("Error running script") {
        return error.code();
    }
    let words = text.split(' ').map(|word| word.trim_start_matches('-'));
    let mut codes = words.filter(|word| IN_SCRIPTS.contains(word));
    codes.next().unwrap_or(error.code())
}

/// What a server answered is not what the command answers.
#[derive(Debug)]
pub(crate) struct Unexpected;

impl Unexpected {
    pub(crate) fn during(operation: Operation) -> StoreError {
        StoreError::new(StoreErrorKind::Other, operation).with_source(Self)
    }
}

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server answered something that the command does not answer")
    }
}

impl Error for Unexpected {}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    fn refusal(text: &str) -> ServerError {
        match redis::parse_redis_value(format!("-{text}\r\n").as_bytes()) {
            Ok(Value::ServerError(refusal)) => refusal,
            other => panic!("{text} is {other:?}"),
        }
    }

    #[test]
    fn refusals_have_the_right_kinds() {
        use StoreErrorKind::{Corrupt, Other, Unavailable};
        let script = "ERR Error running script (call to f_0123): @user_script:2:";
        for (text, kind, can_retry) in [
            (
                "LOADING Redis is loading the dataset in memory",
                Unavailable,
                true,
            ),
            ("MASTERDOWN Link with MASTER is down", Unavailable, true),
            (
                "READONLY You can't write against a read only replica.",
                Unavailable,
                true,
            ),
            ("CLUSTERDOWN The cluster is down", Unavailable, true),
            ("MOVED 3999 127.0.0.1:6381", Unavailable, true),
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                Unavailable,
                true,
            ),
            ("MISCONF Errors writing to the AOF file", Unavailable, true),
            (
                "NOREPLICAS Not enough good replicas to write.",
                Unavailable,
                true,
            ),
            ("BUSY Redis is busy running a script.", Unavailable, true),
            ("NOAUTH Authentication required.", Unavailable, false),
            (
                "WRONGPASS invalid username-password pair",
                Unavailable,
                false,
            ),
            ("WRONGTYPE Operation against a key", Corrupt, false),
            ("NOPERM this user has no permissions", Other, false),
            ("ERR syntax error", Other, false),
            (
                &format!("{script} -OOM command not allowed"),
                Unavailable,
                true,
            ),
            (
                &format!("{script} -READONLY You can't write"),
                Unavailable,
                true,
            ),
            (
                &format!("{script} WRONGTYPE Operation against"),
                Corrupt,
                false,
            ),
            (&format!("{script} something else"), Other, false),
        ] {
            let error = refused(refusal(text), Operation::Replace);
            assert_eq!(
                (error.kind(), error.can_retry()),
                (kind, can_retry),
                "{text}"
            );
        }
    }
}
