use std::{error::Error, fmt, io, sync::Arc, time::Duration};

use cloakroom_store::{Operation, StoreError, StoreErrorKind};

use crate::{address::Address, dial::DialError, reply::Refusal};

/// A store could not be set up.
///
/// `Display` says what is wrong with which setting or server, and never repeats a URL; what the
/// server or the system said is in [`source`](Error::source).
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
        write!(f, "the memcached store can't be opened: {}", self.what)
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| -> &(dyn Error + 'static) { source })
    }
}

/// Why a command has no reply.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// No connection: nothing was sent.
    Connect(Address, DialError),
    /// The connection broke; what was sent may have been carried out.
    Lost(Address, Arc<io::Error>),
    /// Nothing came in this time.
    Silent(Address, Duration),
    /// The server would not take it and drop what it has: nothing was sent.
    TooLarge { size: usize, limit: usize },
    /// There is no tokio runtime, or it is shutting down.
    NoRuntime,
}

impl Fault {
    pub(crate) fn during(self, operation: Operation) -> StoreError {
        let kind = match &self {
            Self::Connect(..) | Self::Lost(..) => StoreErrorKind::Unavailable,
            Self::Silent(..) => StoreErrorKind::TimedOut,
            Self::TooLarge { .. } => StoreErrorKind::TooLarge,
            Self::NoRuntime => StoreErrorKind::Other,
        };
        StoreError::new(kind, operation).with_source(self)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(server, _) => write!(f, "there is no connection to {server}"),
            Self::Lost(server, _) => write!(f, "the connection to {server} broke"),
            Self::Silent(server, time) => write!(f, "{server} did not answer in {time:?}"),
            Self::TooLarge { size, limit } => write!(
                f,
                "the record needs up to {size} bytes, and the server keeps items of {limit} (its option -I)"
            ),
            Self::NoRuntime => f.write_str("a memcached store needs a running tokio runtime"),
        }
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Connect(_, source) => Some(&**source),
            Self::Lost(_, source) => Some(&**source),
            Self::Silent(..) | Self::TooLarge { .. } | Self::NoRuntime => None,
        }
    }
}

/// A command that the server has refused, as an error of the store.
pub(crate) fn refused(refusal: Refusal, operation: Operation) -> StoreError {
    let kind = if refusal.is_too_large() {
        StoreErrorKind::TooLarge
    } else if refusal.is_passing() {
        StoreErrorKind::Unavailable
    } else {
        StoreErrorKind::Other
    };
    StoreError::new(kind, operation).with_source(refusal)
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
