use std::{convert::Infallible, error::Error, fmt};

use cloakroom_store::{InvalidSubject, StoreError};

use crate::{
    codec::CodecError,
    csrf::{CsrfRefusal, FormError},
    random::RandomError,
    transport::SessionRedirect,
};

/// What goes wrong in a handler that uses sessions.
///
/// `Display` is for logs: it names the namespace or the key and never a value. Clients see a
/// status alone (see [`SessionError::status`]).
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// A value can't be encoded.
    Encode {
        /// The value's key.
        key: String,
        /// What the codec said.
        source: CodecError,
    },
    /// A stored value is not of the type that was asked for.
    Decode {
        /// The value's key.
        key: String,
        /// What the codec said.
        source: CodecError,
    },
    /// The session would grow beyond its limit. Nothing has changed.
    TooLarge {
        /// The namespace.
        namespace: String,
        /// The size that it would have, in bytes.
        size: usize,
        /// The most that it may have, in bytes.
        limit: usize,
    },
    /// The store could not answer in time, or at all.
    Store(StoreError),
    /// What the store holds is no session. The namespace's [`CorruptPolicy`](crate::CorruptPolicy)
    /// asks for this error.
    Corrupt {
        /// The namespace.
        namespace: String,
    },
    /// There is no such namespace.
    UnknownNamespace {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// The namespace is closed on this request: its condition does not hold.
    Closed {
        /// The namespace.
        namespace: String,
    },
    /// The session was ended, or logged in anew, while this request used it. Its changes are void.
    Ended {
        /// The namespace.
        namespace: String,
    },
    /// Somebody else has changed what this request had read, in a strict namespace.
    Conflict {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
    },
    /// The request's method is safe, such as `GET`, and the namespace allows no change on it.
    SafeMethod {
        /// The namespace.
        namespace: String,
        /// What was asked for.
        operation: &'static str,
    },
    /// The response's head has been sent, and what was asked for needs a cookie or another header.
    HeadSent {
        /// The namespace.
        namespace: String,
        /// What was asked for.
        operation: &'static str,
    },
    /// The request did not pass a session layer that has the namespace.
    NoLayer {
        /// What to do.
        hint: &'static str,
    },
    /// The namespace can't do this.
    Unsupported {
        /// The namespace.
        namespace: String,
        /// What was asked for.
        operation: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// The request is refused: another site may have made the browser send it.
    Csrf {
        /// The namespace whose token it was to have.
        namespace: String,
        /// Why it is refused.
        refusal: CsrfRefusal,
    },
    /// The fields of a form can't be had, whatever its token.
    Form(FormError),
    /// The request's address has no session, and it is to have one: the client is to be
    /// redirected. Only of a namespace whose sessions travel in the query string.
    Redirect {
        /// The namespace.
        namespace: String,
        /// Where to.
        to: SessionRedirect,
    },
    /// The subject is empty or too long.
    InvalidSubject(InvalidSubject),
    /// There were no random bytes to be had.
    Random(RandomError),
    /// A closure given to `update` panicked when it ran again. Its request's changes are lost.
    Panicked {
        /// The value's key.
        key: String,
    },
}

impl SessionError {
    /// The error of a namespace that is closed on this request.
    ///
    /// ```
    /// use cloakroom_core::SessionError;
    /// assert_eq!(SessionError::closed("admin").status(), 403);
    /// ```
    #[must_use]
    pub fn closed(namespace: &str) -> Self {
        let namespace = namespace.to_owned();
        Self::Closed { namespace }
    }

    /// The HTTP status that tells a client as much as it may know.
    ///
    /// ```
    /// use cloakroom_core::SessionError;
    /// let error = SessionError::Closed { namespace: "admin".to_owned() };
    /// assert_eq!(error.status(), 403);
    /// assert!(error.to_string().contains("admin")); // for logs
    /// ```
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Redirect { .. } => 302,
            Self::Closed { .. } => 403,
            Self::Csrf { refusal, .. } => refusal.status(),
            Self::Form(error) => error.status(),
            Self::Ended { .. } | Self::Conflict { .. } => 409,
            Self::TooLarge { .. } => 413,
            Self::Store(_) | Self::Random(_) => 503,
            _ => 500,
        }
    }

    /// Whether the engine has told of it, by an event and in the log, when it happened: so it is
    /// with stores that fail. An integration logs the others for which it answers 500 or more, so
    /// that one failure is one line.
    ///
    /// ```
    /// use cloakroom_core::{SessionError, store::{Operation, StoreError, StoreErrorKind}};
    /// let down = StoreError::new(StoreErrorKind::Unavailable, Operation::Load);
    /// assert!(SessionError::from(down).is_reported());
    /// let hint = "add the session layer to the router";
    /// assert!(!SessionError::NoLayer { hint }.is_reported());
    /// ```
    #[must_use]
    pub const fn is_reported(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Corrupt { .. })
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode { key, .. } => write!(f, "the value of {key:?} can't be encoded"),
            Self::Decode { key, .. } => {
                write!(
                    f,
                    "the stored value of {key:?} is not of the type asked for"
                )
            }
            Self::TooLarge {
                namespace,
                size,
                limit,
            } => write!(
                f,
                "session {namespace:?} would have {size} bytes, and may have {limit}"
            ),
            Self::Store(_) => f.write_str("the session store failed"),
            Self::Corrupt { namespace } => {
                write!(
                    f,
                    "what the store holds for session {namespace:?} is no session"
                )
            }
            Self::UnknownNamespace { name, known } => {
                write!(f, "there is no namespace {name:?}; there are {known:?}")
            }
            Self::Closed { namespace } => write!(
                f,
                "namespace {namespace:?} is closed: its condition does not hold for this request"
            ),
            Self::Ended { namespace } => write!(
                f,
                "session {namespace:?} was ended or logged in anew meanwhile; the changes are void"
            ),
            Self::Conflict { namespace, key } => write!(
                f,
                "somebody else has changed {key:?} of session {namespace:?} since it was read"
            ),
            Self::SafeMethod {
                namespace,
                operation,
            } => write!(
                f,
                "{operation} on session {namespace:?} is refused on GET and other safe methods: \
                 use POST, or drop refuse_changes_on_get()"
            ),
            Self::HeadSent {
                namespace,
                operation,
            } => write!(
                f,
                "{operation} on session {namespace:?} needs a header of the response, and its head has \
                 been sent"
            ),
            Self::NoLayer { hint } => write!(f, "no session layer: {hint}"),
            Self::Unsupported {
                namespace,
                operation,
                hint,
            } => write!(
                f,
                "{operation} on session {namespace:?} is not possible: {hint}"
            ),
            Self::Csrf { namespace, refusal } => {
                write!(
                    f,
                    "a request with session {namespace:?} is refused: {refusal}"
                )
            }
            Self::Redirect { namespace, .. } => write!(
                f,
                "the request has no session {namespace:?} in its address: redirect it"
            ),
            Self::Form(error) => fmt::Display::fmt(error, f),
            Self::InvalidSubject(error) => fmt::Display::fmt(error, f),
            Self::Random(error) => fmt::Display::fmt(error, f),
            Self::Panicked { key } => write!(f, "an update of {key:?} panicked when it ran again"),
        }
    }
}

impl Error for SessionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode { source, .. } | Self::Decode { source, .. } => Some(&**source),
            Self::Store(source) => Some(source),
            // Shown as it is.
            Self::Random(error) => error.source(),
            _ => None,
        }
    }
}

impl From<FormError> for SessionError {
    fn from(error: FormError) -> Self {
        Self::Form(error)
    }
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<RandomError> for SessionError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

/// What is a [`Subject`](cloakroom_store::Subject) already needs no check.
impl From<Infallible> for SessionError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<InvalidSubject> for SessionError {
    fn from(error: InvalidSubject) -> Self {
        Self::InvalidSubject(error)
    }
}

/// A session configuration that does not work, or is not safe. For whoever starts the program.
///
/// It lists everything that is wrong, each with the namespace, the setting and what to do.
///
/// ```
/// use cloakroom_core::{Namespace, SessionManager};
/// # let store = cloakroom_memory::MemoryStore::new();
/// let builder = SessionManager::builder().namespace(Namespace::new("Cart", store));
/// let error = builder.build().unwrap_err();
/// assert_eq!(error.problems().len(), 1);
/// assert_eq!(error.problems()[0].namespace(), Some("Cart"));
/// assert!(error.to_string().contains("lower-case letters")); // what to do
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<ConfigProblem>,
}

impl ConfigError {
    pub(crate) fn new(problems: Vec<ConfigProblem>) -> Self {
        Self { problems }
    }

    /// What is wrong, at least one thing.
    #[must_use]
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the session configuration is wrong")?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

impl Error for ConfigError {}

/// One thing that is wrong with a configuration.
///
/// ```
/// use cloakroom_core::SessionManager;
/// let error = SessionManager::builder().build().unwrap_err();
/// let problem = &error.problems()[0];
/// assert_eq!(problem.namespace(), None); // it is about the manager
/// assert_eq!(problem.setting(), "namespace");
/// assert_eq!(problem.message(), "there is none: add one");
/// assert_eq!(problem.to_string(), "namespace: there is none: add one");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    pub(crate) namespace: Option<String>,
    pub(crate) setting: &'static str,
    pub(crate) message: String,
}

impl ConfigProblem {
    /// The namespace that it is about; `None` when it is about the manager.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The setting that it is about; of a cookie which of its settings, such as `cookie.domain`.
    #[must_use]
    pub const fn setting(&self) -> &'static str {
        self.setting
    }

    /// What is wrong, and what to do: without the namespace and the setting, for whoever names
    /// these in a way of their own.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "namespace {namespace:?}, ")?;
        }
        write!(f, "{}: {}", self.setting, self.message)
    }
}
