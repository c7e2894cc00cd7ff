//! What is kept of a request.

use std::{net::IpAddr, sync::Arc, time::Duration};

use cloakroom_core::{
    CallOutcome, Decision, EventKind, Scheme, TokenVerdict,
    store::{Freshness, Operation, Timestamp},
};

/// A request, as far as it has come.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// 1, 2, 3 and so on; the panel's addresses have it.
    pub number: u64,
    /// When it began.
    pub at: Timestamp,
    /// Who has sent it, where the integration knows.
    pub peer: Option<IpAddr>,
    /// The method.
    pub method: String,
    /// Over what it came, as conditions see it.
    pub scheme: Scheme,
    /// The `Host` header, or the authority of its target; empty without one.
    pub host: String,
    /// The path.
    pub path: String,
    /// The query string; the values of parameters that look secret are dots.
    pub query: Option<String>,
    /// How it ended; `None` while it is under way.
    pub end: Option<RequestEnd>,
    /// From its beginning to the response's head.
    pub duration: Option<Duration>,
    /// The response's `Content-Type`.
    pub content_type: Option<String>,
    /// The response's `Location`, masked like the query string.
    pub location: Option<String>,
    /// The cookies that came: names, how often each came, how many bytes its longest value had.
    pub cookies: Vec<ReceivedCookie>,
    /// How many bytes the `Cookie` headers have together.
    pub cookie_bytes: usize,
    /// What a proxy has said of the scheme (`X-Forwarded-Proto`, or `proto` of `Forwarded`).
    /// Anybody may send it: it is shown and not believed.
    pub forwarded_proto: Option<String>,
    /// The session cookies that the response sets or removes.
    pub sent: Vec<RecordedCookie>,
    /// All namespaces that the request has, those of outer layers first.
    pub namespaces: Vec<RecordedNamespace>,
    /// What the engine did, in order.
    pub timeline: Vec<TimelineEntry>,
    /// Entries and values left out, since there is room for so many bytes of a request alone.
    pub left_out: usize,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestEnd {
    /// With a response of this status.
    Answered(u16),
    /// The service gave an error instead of a response.
    Failed,
    /// It panicked.
    Panicked,
    /// The client left before the response.
    Dropped,
}

/// A cookie of a request, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceivedCookie {
    /// The name, as it came.
    pub name: String,
    /// How often it came.
    pub count: usize,
    /// The bytes of its longest value.
    pub value_length: usize,
}

/// A session cookie of a response, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedCookie {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The attributes, as they are sent.
    pub attributes: String,
    /// The bytes of the value.
    pub value_length: usize,
    /// It is removed.
    pub is_removal: bool,
}

/// What became of one session of a request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RecordedNamespace {
    /// Its configuration.
    pub configuration: Arc<ConfigurationRow>,
    /// What the application did with it.
    pub access: Access,
    /// The public id: of the session that came in, or that was created.
    pub id: Option<String>,
    /// There was no good session: this one began with the request.
    pub is_new: bool,
    /// It belongs to somebody who has logged in.
    pub has_subject: bool,
    /// When the session began and ends, as it came in.
    pub created: Option<Timestamp>,
    /// When the session ends by its limits, as it came in or was stored.
    pub expires: Option<Timestamp>,
    /// The bytes of all keys and values as they came in.
    pub bytes_in: Option<usize>,
    /// The bytes of all keys and values as they went out.
    pub bytes_out: Option<usize>,
    /// The values, by their keys.
    pub keys: Vec<KeyChange>,
    /// What was decided at the end, the last of it.
    pub decision: Option<Decision>,
    /// It can be peeked at: it was not opened, and the request's head was kept.
    pub may_peek: bool,
}

impl RecordedNamespace {
    /// The namespace's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.configuration.namespace
    }
}

/// What the application did with a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Nothing.
    NotTouched,
    /// It asked whether it is open, and did not open it.
    Judged,
    /// Its condition did not hold.
    Closed,
    /// It opened the session.
    Opened,
}

/// A key of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyChange {
    /// The key.
    pub key: String,
    /// The value as it came in.
    pub before: Option<RecordedValue>,
    /// The value as it went out: as it was stored, or as the application left it where nothing
    /// was.
    pub after: Option<RecordedValue>,
    /// What has become of it.
    pub change: Change,
    /// The key looks secret: the value is shown only when that is asked for.
    pub is_masked: bool,
}

/// What has become of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It is the same, byte for byte.
    Unchanged,
    /// It is new.
    Added,
    /// It has another value.
    Changed,
    /// It is gone.
    Removed,
}

/// A value of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedValue {
    /// As JSON, maybe cut; what has no form in JSON is described in a string. Not escaped for HTML.
    pub json: String,
    /// The text above is only the beginning.
    pub is_cut: bool,
    /// The bytes that the value has in the store.
    pub bytes: usize,
    /// The value is not of the namespace's codec: `json` says so.
    pub is_undecodable: bool,
}

/// One thing that the engine did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TimelineEntry {
    /// When, since the request began.
    pub at: Duration,
    /// The namespace; `None` when it is about none.
    pub namespace: Option<String>,
    /// What it did. [`TimelineEntry::text`] says it in a sentence, and [`TimelineEntry::level`]
    /// how it is to be taken.
    pub kind: EntryKind,
    /// It happened after the response's head, such as a save in a stream.
    pub is_after_head: bool,
}

/// What the engine did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryKind {
    /// A condition was judged.
    Judged {
        /// It holds, or there is none.
        is_open: bool,
        /// There is one.
        has_condition: bool,
        /// Over what the request came.
        scheme: Scheme,
    },
    /// A token was seen.
    TokenSeen {
        /// Where, such as ``cookie `__Host-cart` ``.
        transport: String,
        /// The public id that it claims.
        id: Option<String>,
        /// It has not the form of a token.
        is_malformed: bool,
    },
    /// What a token is worth was found out.
    TokenJudged {
        /// The public id.
        id: Option<String>,
        /// What it is worth.
        verdict: TokenVerdict,
    },
    /// A store call.
    Call {
        /// What was asked for.
        operation: Operation,
        /// For a load: whether an answer from a copy would do.
        freshness: Option<Freshness>,
        /// The public id; `None` for a list of the sessions of a subject.
        id: Option<String>,
        /// How it ended; `None` while it is under way.
        outcome: Option<CallOutcome>,
        /// How long it took.
        took: Option<Duration>,
    },
    /// An event.
    Event {
        /// The public id.
        id: Option<String>,
        /// The key of the value that it is about.
        key: Option<String>,
        /// What happened.
        event: EventKind,
    },
    /// What was decided at commit, and why.
    Decided(Decision),
    /// A header was added.
    Header {
        /// Its name, in lower case.
        name: String,
        /// Its value, where it is no secret.
        value: Option<String>,
        /// The cookie.
        cookie: Option<RecordedCookie>,
    },
}

/// How an entry is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum EntryLevel {
    /// All is as it should be.
    Plain,
    /// Something good has happened: a session was opened, stored.
    Good,
    /// It explains why something is missing: no cookie, no session.
    Notable,
    /// Something has failed.
    Bad,
}

/// How a namespace is configured. Shows no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigurationRow {
    /// The namespace.
    pub namespace: String,
    /// How its tokens travel, such as ``cookie `__Host-cart` ``.
    pub transports: Vec<String>,
    /// The name of the cookie, prefix included.
    pub cookie_name: Option<String>,
    /// The attributes of the cookie, as they are sent, without `Max-Age`.
    pub cookie_attributes: Option<String>,
    /// Where its sessions are kept, as the store's `Debug` shows it.
    pub store: String,
    /// The sessions are in their cookies.
    pub is_client_side: bool,
    /// The keys that seal them, by their ids; the current one first.
    pub key_ids: Vec<String>,
    /// It is open only on some requests.
    pub has_condition: bool,
    /// The idle limit.
    pub idle: Option<Duration>,
    /// The absolute limit.
    pub absolute: Option<Duration>,
    /// The cookie outlives the browser.
    pub is_persistent: bool,
    /// How often the secret is rotated.
    pub rotate_every: Option<Duration>,
    /// The most bytes that a session may have.
    pub max_size: usize,
    /// When changes are saved.
    pub save_mode: &'static str,
    /// How values are encoded.
    pub codec: &'static str,
    /// What else is not as it is by default, in words.
    pub notes: Vec<String>,
    /// How long one store call may take.
    pub call_deadline: Duration,
    /// How long opening may take, all calls together.
    pub open_deadline: Duration,
    /// How long committing may take, all calls together.
    pub commit_deadline: Duration,
}
