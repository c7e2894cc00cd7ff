//! The engine of cloakroom: several named, independent sessions on one request.
//!
//! It knows no framework and opens no sockets. Applications use it through the crate `cloakroom`
//! and an integration such as `cloakroom-tower`; integrations build on [`RequestSessions`],
//! [`RequestHead`] and [`ResponseHead`].
//!
//! The life of a request, in the files of this crate: `request` begins and ends it, `ticket` reads
//! what the client sent by whichever
//! `transport`, `open` loads and judges, `session` is what the application uses, `journal`
//! keeps its changes, `commit` writes them; `serve` is the future around a handler that does all of
//! it. Beside requests, `subjects` lists and ends the sessions
//! of a user, and `sweeper` removes what has expired. `trace` tells who wants to know.
//!
//! It needs a tokio runtime with time enabled wherever a store does not answer at once.
//!
//! # Features
//! - `json`: values encoded as JSON, per namespace.
//! - `client-side`: namespaces whose sessions are in their cookies.

mod call;
#[cfg(feature = "client-side")]
mod client_side;
mod clock;
mod codec;
mod commit;
mod cookie;
mod csrf;
mod envelope;
mod error;
mod error_response;
mod event;
mod frames;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod head;
mod journal;
#[cfg(feature = "client-side")]
mod keys;
mod limits;
mod manager;
mod namespace;
mod open;
mod random;
mod request;
#[cfg(feature = "client-side")]
mod sealed;
mod serve;
mod session;
mod sessions;
mod shared;
mod subjects;
mod sweeper;
mod ticket;
mod token;
mod trace;
mod transport;

pub use clock::{Clock, SystemClock};
pub use codec::Codec;
pub use commit::{Commit, Outcome, Verdict};
pub use cookie::{Cookie, SameSite};
pub use csrf::{
    CsrfCheck, CsrfRefusal, CsrfTokenRules, FormError, OriginRules, OriginVerdict, UnopenedCheck,
};
pub use error::{ConfigError, ConfigProblem, SessionError};
pub use error_response::ErrorResponse;
pub use event::{Event, EventKind, Observer, VoidReason};
pub use head::{NamespaceName, RequestHead, ResponseHead, ResponseHeader, Scheme};
#[cfg(feature = "client-side")]
pub use keys::{KeyError, KeyId, KeyRing, SecretKey};
pub use limits::{Limits, days, hours, minutes};
pub use manager::{NamespaceInfo, SessionManager, SessionManagerBuilder};
pub use namespace::{
    CorruptPolicy, DecodePolicy, EndedPolicy, FailurePolicy, Namespace, ReplacedTokenPolicy,
    SaveMode,
};
pub use random::{OsRandom, Random, RandomError};
pub use request::{RequestSessions, Unopened};
pub use serve::{Framework, ServeFuture};
pub use session::{
    Csrf, Flash, FlashQueue, Key, KeyName, KeyOf, Level, ReadOnlySession, Rotation, SessionHandle,
};
pub use sessions::SessionsHandle;
pub use subjects::{SessionPage, SessionSummary, Subjects};
pub use sweeper::{Sweeper, Sweeping};
pub use token::Token;
pub use trace::{
    CallOutcome, Data, Decision, Peeked, Reasons, SentCookie, ShownValue, Step, StepKind,
    TokenVerdict, Tracer, Unpeeked, ValueView,
};
pub use transport::{SessionRedirect, TokenTransport, Transport, TransportInfo};

pub use cloakroom_store as store;
