//! The list of requests.

use maud::{Markup, html};

use super::{
    filter::{text, touched},
    sessions::state,
    words::{clock, took},
};
use crate::{
    doctor::{Severity, examine_request},
    record::{Access, RecordedRequest, RequestEnd},
};

/// A request in the list. `query` keeps the filter for readers without a script.
pub(crate) fn row(base: &str, request: &RecordedRequest, query: &str, is_shown: bool) -> Markup {
    let namespaces = touched(request).collect::<Vec<_>>().join(" ");
    let findings = examine_request(request);
    let is_problem = findings.iter().any(|f| f.severity == Severity::Problem);
    let href = format!("{base}/requests/{}{query}", request.number);
    html! {
        li data-number=(request.number) data-text=(text(request)) data-namespaces=(namespaces) {
            a.request href=(href) aria-current=[is_shown.then_some("true")] {
                (status(request.end))
                span.what { b.method { (request.method) } " " span.path { (request.path) } }
                span.took.number { @if let Some(duration) = request.duration { (took(duration)) } }
                span.chips {
                    @for namespace in &request.namespaces {
                        @if matches!(namespace.access, Access::Opened | Access::Closed) {
                            @let (class, words) = state(request, namespace);
                            span.chip.(class) { b { (namespace.name()) } " " (words) }
                        }
                    }
                    @if !findings.is_empty() {
                        span.chip.(if is_problem { "bad" } else { "notable" }) {
                            (super::words::counted(findings.len(), "finding"))
                        }
                    }
                }
                span.when { time data-at=(request.at.as_millis()) { (clock(request.at)) } }
            }
        }
    }
}

/// The status, or what there is in its place.
pub(super) fn status(end: Option<RequestEnd>) -> Markup {
    let (class, text, title) = match end {
        None => ("s0", "···".to_owned(), Some("under way")),
        Some(RequestEnd::Answered(status)) => (class(status), status.to_string(), None),
        Some(RequestEnd::Failed) => ("s5", "err".to_owned(), Some("the service failed")),
        Some(RequestEnd::Panicked) => ("s5", "panic".to_owned(), Some("the handler panicked")),
        Some(RequestEnd::Dropped) => ("s4", "left".to_owned(), Some("the client left")),
    };
    html! { span.status.(class) title=[title] { (text) } }
}

fn class(status: u16) -> &'static str {
    match status {
        ..300 => "s2",
        300..400 => "s3",
        400..500 => "s4",
        _ => "s5",
    }
}
