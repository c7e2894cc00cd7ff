//! What the engine did, in sentences.

use cloakroom_core::{
    CallOutcome, Decision, EventKind, Reasons, Scheme, TokenVerdict, VoidReason,
    store::{Freshness, StoreErrorKind},
};

use super::model::{EntryKind, EntryLevel, RecordedCookie, TimelineEntry};

impl TimelineEntry {
    /// What the engine did, in a sentence. Not escaped for HTML.
    #[must_use]
    pub fn text(&self) -> String {
        self.kind.text()
    }

    /// How it is to be taken.
    #[must_use]
    pub fn level(&self) -> EntryLevel {
        self.kind.level()
    }
}

impl EntryKind {
    fn text(&self) -> String {
        match self {
            Self::Judged {
                is_open,
                has_condition,
                scheme,
            } => judged(*is_open, *has_condition, *scheme),
            Self::TokenSeen {
                transport,
                id,
                is_malformed,
            } => match (id, is_malformed) {
                (Some(id), _) => format!("a token of session {id} came in {transport}"),
                (None, true) => format!("what came in {transport} is no token"),
                (None, false) => format!("a sealed session came in {transport}"),
            },
            Self::TokenJudged { id, verdict } => {
                let whose = id.as_ref().map(|id| format!(" of {id}"));
                let verdict = verdict_text(*verdict);
                format!("the token{} {verdict}", whose.unwrap_or_default())
            }
            Self::Call {
                operation,
                freshness,
                outcome,
                ..
            } => {
                let fresh = match freshness {
                    Some(Freshness::Latest) => " the latest",
                    _ => "",
                };
                let outcome = outcome.map_or_else(|| "under way".to_owned(), outcome_text);
                format!("store: {operation}{fresh}: {outcome}")
            }
            Self::Event {
                key: Some(key),
                event,
                ..
            } => format!("{event} ({key})"),
            Self::Event { event, .. } => event.to_string(),
            Self::Decided(decision) => decision_text(*decision),
            Self::Header {
                cookie: Some(cookie),
                ..
            } => cookie_text(cookie),
            Self::Header {
                name,
                value: Some(value),
                ..
            } => format!("header added: {name}: {value}"),
            Self::Header { name, .. } => format!("header added: {name} (its value is not shown)"),
        }
    }

    fn level(&self) -> EntryLevel {
        use EntryLevel::{Bad, Good, Notable, Plain};
        match self {
            Self::Judged { is_open, .. } => match is_open {
                true => Plain,
                false => Notable,
            },
            Self::TokenSeen { is_malformed, .. } => match is_malformed {
                true => Notable,
                false => Plain,
            },
            Self::TokenJudged { verdict, .. } => match verdict {
                TokenVerdict::Corrupt => Bad,
                good if good.is_good() => Good,
                _ => Notable,
            },
            Self::Call { outcome, .. } => match outcome {
                Some(CallOutcome::Failed(StoreErrorKind::Conflict)) => Notable,
                Some(CallOutcome::Failed(_) | CallOutcome::GivenUp) => Bad,
                Some(CallOutcome::NotFound | CallOutcome::NothingThere) => Notable,
                _ => Plain,
            },
            Self::Event { event, .. } => event_level(*event),
            Self::Decided(decision) => match decision {
                Decision::Failed(_) => Bad,
                Decision::NothingChanged => Plain,
                Decision::Create(_)
                | Decision::Replace(_)
                | Decision::Queue(_)
                | Decision::Touch
                | Decision::Delete
                | Decision::Seal(_) => Good,
                _ => Notable,
            },
            Self::Header { cookie, .. } => match cookie {
                Some(_) => Good,
                None => Plain,
            },
        }
    }
}

fn judged(is_open: bool, has_condition: bool, scheme: Scheme) -> String {
    let scheme = match scheme {
        Scheme::Https => "https",
        Scheme::Http => "http",
    };
    match (is_open, has_condition) {
        (false, _) => format!("closed: its condition is false on this request, over {scheme}"),
        (true, true) => "open: its condition holds".to_owned(),
        (true, false) => "open: it has no condition".to_owned(),
    }
}

fn verdict_text(verdict: TokenVerdict) -> &'static str {
    match verdict {
        TokenVerdict::Current => "is good",
        TokenVerdict::Previous => "is good still: a rotation has replaced it, and its grace lasts",
        TokenVerdict::Late => "is late: a login has replaced it a moment ago",
        TokenVerdict::Replaced => "is not good: a rotation has replaced it, and its grace is over",
        TokenVerdict::Wrong => "is not good: its secret is not that of the session",
        TokenVerdict::Expired => "is not good: the session has expired",
        TokenVerdict::Unknown => "is not good: there is no such session",
        TokenVerdict::Corrupt => "opens nothing: what the store holds is no session",
        TokenVerdict::Unreadable => "is not good: it was not sealed for this cookie by these keys",
        _ => "was judged",
    }
}

fn outcome_text(outcome: CallOutcome) -> String {
    match outcome {
        CallOutcome::Found => "found".to_owned(),
        CallOutcome::NotFound => "not found".to_owned(),
        CallOutcome::Done => "done".to_owned(),
        CallOutcome::NothingThere => "nothing there".to_owned(),
        CallOutcome::Failed(StoreErrorKind::Conflict) => {
            "conflict: somebody else has changed it meanwhile".to_owned()
        }
        CallOutcome::Failed(kind) => format!("failed: {kind}"),
        _ => "given up: it took longer than its deadline, or nobody waits for it".to_owned(),
    }
}

fn event_level(event: EventKind) -> EntryLevel {
    use EntryLevel::{Bad, Good, Notable, Plain};
    match event {
        EventKind::StoreFailed(..)
        | EventKind::Corrupt
        | EventKind::Lost
        | EventKind::Dropped
        | EventKind::CsrfRefused(_) => Bad,
        EventKind::Opened
        | EventKind::Created
        | EventKind::Saved
        | EventKind::Touched
        | EventKind::Rotated
        | EventKind::Revoked
        | EventKind::LoggedIn
        | EventKind::Ended => Good,
        EventKind::NoToken | EventKind::Unchanged => Plain,
        _ => Notable,
    }
}

/// What was decided, in a sentence.
pub(crate) fn decision_text(decision: Decision) -> String {
    let plain = match decision {
        Decision::NothingChanged => "not written: nothing changed; the client has its cookie",
        Decision::Empty => "not written, and cookie not sent: the session is new and empty",
        Decision::NotSavedOnError => {
            "not written: the response is a server error, and save_on_server_error() is not set"
        }
        Decision::NotSavedUnasked => {
            "not written: the namespace saves explicitly, and save() was not called"
        }
        Decision::Void(VoidReason::Gone) => {
            "not written: the session was ended or has expired meanwhile"
        }
        Decision::Void(VoidReason::Late) => {
            "not written: the request came with a token from before the login"
        }
        Decision::Void(_) => "not written: the session was logged in anew meanwhile",
        Decision::Touch => "the use is noted: the last noted one is long enough ago",
        Decision::Delete => "deleted, and the cookie removed: the session is ended",
        Decision::CookieWithheld => {
            "cookie not sent: the request is late, and it could overwrite that of the login"
        }
        Decision::Failed(None) => {
            "not written: the commit failed; the response stays, by the namespace's policy"
        }
        Decision::Failed(Some(status)) => {
            return format!("not written: the commit failed; the response becomes a {status}");
        }
        Decision::Create(why) => return format!("to be created: {}", reasons(why)),
        Decision::Replace(why) => return format!("to be written: {}", reasons(why)),
        Decision::Seal(why) => return format!("sealed into the cookie: {}", reasons(why)),
        Decision::Queue(why) => {
            return format!(
                "takes its turn, since others change it at the same time: {}",
                reasons(why)
            );
        }
        _ => "decided",
    };
    plain.to_owned()
}

fn reasons(why: Reasons) -> String {
    let all = [
        (why.values, "values changed"),
        (why.login, "somebody logs in"),
        (why.rotation, "the token is rotated"),
        (why.revocation, "all tokens are revoked"),
        (why.persist, "its lifetime is set"),
        (why.csrf, "a CSRF token was given out"),
        (why.grace, "the client has the next token, or needs it"),
        (why.always, "the namespace saves always"),
    ];
    let set: Vec<&str> = all
        .into_iter()
        .filter_map(|(is_set, reason)| is_set.then_some(reason))
        .collect();
    match set.is_empty() {
        true => "its use is noted".to_owned(),
        false => set.join(", "),
    }
}

fn cookie_text(cookie: &RecordedCookie) -> String {
    match cookie.is_removal {
        true => format!("cookie {} removed", cookie.name),
        false => format!(
            "cookie {} sent, {} bytes: {}",
            cookie.name, cookie.value_length, cookie.attributes
        ),
    }
}
