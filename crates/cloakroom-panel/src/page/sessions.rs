//! The sessions of a request: what came in, what went out, and why.

use std::time::Duration;

use cloakroom_core::{Decision, EventKind, Scheme, store::Timestamp};
use maud::{Markup, html};

use super::{
    Frame,
    value::value,
    words::{bytes, counted, span},
};
use crate::decisions::{decisions, main_decision};
use crate::record::{
    Access, Change, EntryKind, KeyChange, RecordedNamespace, RecordedRequest, TimelineEntry,
    decision_text,
};

/// What a peek at a session found.
#[derive(Debug, Clone)]
pub(crate) struct Peeked {
    pub(crate) namespace: String,
    /// What is in it, or why nothing is known of it.
    pub(crate) found: Result<Vec<KeyChange>, String>,
}

/// What a namespace's part of a request comes to: a class, and a few words.
pub(super) fn state(
    request: &RecordedRequest,
    namespace: &RecordedNamespace,
) -> (&'static str, &'static str) {
    if failure(request, namespace).is_some() {
        return ("bad", "failed");
    }
    match namespace.access {
        Access::NotTouched => return ("plain", "not accessed"),
        Access::Judged => return ("plain", "not opened"),
        Access::Closed => return ("notable", "closed"),
        Access::Opened => {}
    }
    match main_decision(request, namespace) {
        Some(Decision::Failed(_)) => ("bad", "failed"),
        Some(Decision::Create(reasons) | Decision::Replace(reasons) | Decision::Queue(reasons))
            if reasons.login =>
        {
            ("good", "logged in")
        }
        Some(Decision::Create(_)) => ("good", "created"),
        Some(Decision::Seal(_)) if namespace.is_new => ("good", "created"),
        Some(Decision::Replace(reasons) | Decision::Queue(reasons) | Decision::Seal(reasons))
            if reasons.values =>
        {
            ("good", "changed")
        }
        Some(Decision::Replace(_) | Decision::Queue(_) | Decision::Seal(_)) => ("good", "stored"),
        Some(Decision::Delete) => ("notable", "ended"),
        Some(Decision::Touch) => ("plain", "touched"),
        Some(Decision::Empty) => ("plain", "empty"),
        Some(Decision::NothingChanged) => ("plain", "read"),
        Some(Decision::NotSavedOnError | Decision::NotSavedUnasked | Decision::Void(_)) => {
            ("notable", "not stored")
        }
        Some(Decision::CookieWithheld) => ("notable", "late"),
        None if request.end.is_none() => ("plain", "open"),
        _ => ("plain", "opened"),
    }
}

/// What the engine said of the first failure. A call that was replayed well is none.
fn failure(request: &RecordedRequest, namespace: &RecordedNamespace) -> Option<String> {
    let has_failed = |kind: &EntryKind| {
        matches!(
            kind,
            EntryKind::Event {
                event: EventKind::StoreFailed(..) | EventKind::Corrupt,
                ..
            }
        )
    };
    let entries = request.timeline.iter();
    let mut entries = entries.filter(|e| e.namespace.as_deref() == Some(namespace.name()));
    entries
        .find(|entry| has_failed(&entry.kind))
        .map(TimelineEntry::text)
}

/// All sessions of a request: those that were opened come first.
pub(super) fn sessions(
    frame: &Frame<'_>,
    request: &RecordedRequest,
    peeked: Option<&Peeked>,
) -> Markup {
    let mut namespaces: Vec<_> = request.namespaces.iter().collect();
    namespaces.sort_by_key(|namespace| match namespace.access {
        Access::Opened => 0,
        Access::Closed => 1,
        Access::Judged | Access::NotTouched => 2,
    });
    html! {
        @if namespaces.is_empty() {
            p.quiet {
                "No session layer has seen this request: it was answered before it reached one, or there is "
                "none on its route."
            }
        }
        @for namespace in namespaces {
            @let peeked = peeked.filter(|peeked| peeked.namespace == namespace.name());
            (session(frame, request, namespace, peeked))
        }
    }
}

fn session(
    frame: &Frame<'_>,
    request: &RecordedRequest,
    namespace: &RecordedNamespace,
    peeked: Option<&Peeked>,
) -> Markup {
    let (class, words) = state(request, namespace);
    let is_opened = namespace.access == Access::Opened;
    html! {
        section.card.untouched[!is_opened] aria-label={ "Session " (namespace.name()) } {
            header {
                h4 { (namespace.name()) }
                @if is_opened { span.chip { "accessed" } }
                span.chip.(class) { (words) }
                @if namespace.is_new { span.chip { "new" } }
                @if namespace.has_subject && words != "logged in" { span.chip { "logged in" } }
                @if let Some(id) = &namespace.id {
                    small { "id " code { (id) } }
                }
                @if !is_opened { span.quiet { (why_not_opened(request, namespace)) } }
                @if let Some(sizes) = sizes(namespace) { span.sizes.number { (sizes) } }
                @if namespace.may_peek && namespace.access != Access::Closed && peeked.is_none() {
                    form.peek method="post" action={ (frame.base) "/requests/" (request.number) "/peek" } {
                        (frame.token())
                        button name="namespace" value=(namespace.name()) { "Peek" }
                    }
                }
            }
            @if is_opened { (why(request, namespace)) }
            @else if let Some(failure) = failure(request, namespace) {
                ul.why { li { b { "Failed: " } (failure) "." } }
            }
            @if !namespace.keys.is_empty() { (keys(&namespace.keys)) }
            @if let Some(peeked) = peeked { (peek(peeked)) }
        }
    }
}

fn why_not_opened(request: &RecordedRequest, namespace: &RecordedNamespace) -> &'static str {
    match namespace.access {
        Access::Opened => "",
        Access::NotTouched => {
            "The application did not ask for it: nothing was read, and no cookie is sent."
        }
        Access::Judged => {
            "The application saw that it is open, and did not open it: nothing was read."
        }
        Access::Closed => match scheme(request, namespace.name()) {
            Scheme::Http => "Its condition is false for this request, which came over plain http.",
            Scheme::Https => "Its condition is false for this request, which came over https.",
        },
    }
}

/// Over what the request came, as the condition saw it.
fn scheme(request: &RecordedRequest, name: &str) -> Scheme {
    let judged = request.timeline.iter().find_map(|entry| match &entry.kind {
        EntryKind::Judged { scheme, .. } if entry.namespace.as_deref() == Some(name) => {
            Some(*scheme)
        }
        _ => None,
    });
    judged.unwrap_or(request.scheme)
}

fn sizes(namespace: &RecordedNamespace) -> Option<String> {
    match (namespace.bytes_in, namespace.bytes_out) {
        (Some(before), Some(after)) if before != after => {
            Some(format!("{} → {}", bytes(before), bytes(after)))
        }
        (before, after) => after.or(before).map(bytes),
    }
}

/// What was decided, what became of the cookie, and why.
fn why(request: &RecordedRequest, namespace: &RecordedNamespace) -> Markup {
    html! {
        ul.why {
            @if let Some(failure) = failure(request, namespace) { li { b { "Failed: " } (failure) "." } }
            @for decision in decisions(request, namespace) {
                li { b { "Store: " } (decision_text(decision)) "." }
            }
            li { b { "Cookie: " } (cookie(request, namespace)) }
            @if let (Some(created), Some(expires)) = (namespace.created, namespace.expires) {
                li { b { "Life: " } (life(namespace.is_new, request.at, created, expires)) }
            }
        }
    }
}

fn life(is_new: bool, now: Timestamp, created: Timestamp, expires: Timestamp) -> Markup {
    let between = |from: Timestamp, to: Timestamp| {
        let millis = to.as_millis().checked_sub(from.as_millis())?;
        Some(span(Duration::from_millis(millis)))
    };
    html! {
        @match between(created, now) {
            _ if is_new => "begins with this request, ",
            Some(age) => { "began " (age) " before this request, " },
            None => "was created in the future, ",
        }
        @match between(now, expires) {
            Some(rest) => { "expires in " (rest) "." },
            None => "has expired.",
        }
    }
}

/// What became of the cookie.
fn cookie(request: &RecordedRequest, namespace: &RecordedNamespace) -> Markup {
    let mut sent = request.sent.iter();
    let sent = sent.find(|cookie| cookie.namespace == namespace.name());
    html! {
        @if let Some(cookie) = sent {
            @if cookie.is_removal { "removed: " } @else { "sent: " }
            code { (cookie.name) "=…; " (cookie.attributes) }
            @if !cookie.is_removal { " (" (bytes(cookie.name.len().saturating_add(cookie.value_length))) ")" }
        } @else {
            (not_sent(request, namespace))
        }
    }
}

fn not_sent(request: &RecordedRequest, namespace: &RecordedNamespace) -> &'static str {
    if namespace.configuration.cookie_name.is_none() {
        return "none: the tokens of this namespace do not travel in a cookie.";
    }
    match main_decision(request, namespace) {
        Some(Decision::Empty) => "not sent: the session is new, and there is nothing in it.",
        Some(Decision::CookieWithheld) => {
            "not sent: the request is late, and it could overwrite the cookie of the login."
        }
        Some(Decision::Failed(_)) => "not sent: the commit failed.",
        Some(Decision::NotSavedOnError) => {
            "not sent: the response is an error, and nothing was stored."
        }
        Some(Decision::NotSavedUnasked) => {
            "not sent: the namespace saves explicitly, and nothing was stored."
        }
        Some(Decision::Void(_)) => "not sent: the changes are void.",
        None if request.end.is_none() => "not yet: the request is under way.",
        _ => "not sent: the client has it already.",
    }
}

fn keys(keys: &[KeyChange]) -> Markup {
    html! {
        table.keys {
            thead { tr {
                th scope="col" { "Key" }
                th scope="col" { "In" }
                th scope="col" { "Out" }
                th scope="col" { "Bytes" }
            } }
            tbody { @for key in keys { (key_row(key)) } }
        }
    }
}

fn key_row(key: &KeyChange) -> Markup {
    let (class, mark, words) = match key.change {
        Change::Unchanged => ("same", "=", "unchanged"),
        Change::Added => ("added", "+", "added"),
        Change::Changed => ("changed", "~", "changed"),
        Change::Removed => ("removed", "−", "removed"),
    };
    let size =
        |value: &Option<crate::record::RecordedValue>| value.as_ref().map(|v| bytes(v.bytes));
    html! {
        tr.(class) {
            td {
                @if key.change != Change::Unchanged { span.mark aria-hidden="true" { (mark) } }
                code { (key.key) } " "
                @if key.change != Change::Unchanged { span.change { (words) } }
            }
            td data-label="In" { div { (value(key.before.as_ref(), key.is_masked)) } }
            td data-label="Out" {
                div {
                    @if key.change == Change::Unchanged { span.none { "unchanged" } }
                    @else { (value(key.after.as_ref(), key.is_masked)) }
                }
            }
            td.number data-label="Bytes" {
                div {
                    @match (size(&key.before), size(&key.after)) {
                        (Some(before), Some(after)) if before != after => { (before) " → " (after) },
                        (before, after) => (after.or(before).unwrap_or_default()),
                    }
                }
            }
        }
    }
}

fn peek(peeked: &Peeked) -> Markup {
    html! {
        p.why role="status" {
            b { "Peeked: " }
            @match &peeked.found {
                Ok(keys) => {
                    "as it is in the store now, " (counted(keys.len(), "key"))
                    ". Nothing was touched, and no cookie was sent."
                },
                Err(reason) => (reason),
            }
        }
        @if let Ok(keys) = &peeked.found {
            @if !keys.is_empty() {
                table.keys {
                    thead { tr {
                        th scope="col" { "Key" }
                        th scope="col" { "Now" }
                        th scope="col" { "Bytes" }
                    } }
                    tbody {
                        @for key in keys {
                            tr {
                                td { code { (key.key) } }
                                td data-label="Now" { div { (value(key.before.as_ref(), key.is_masked)) } }
                                td.number data-label="Bytes" {
                                    div { @if let Some(value) = &key.before { (bytes(value.bytes)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
