//! What the engine did for a request, in order.

use std::time::Duration;

use cloakroom_core::EventKind;
use maud::{Markup, html};

use super::words::took;
use crate::record::{EntryKind, EntryLevel, RecordedRequest, TimelineEntry};

pub(super) fn timeline(request: &RecordedRequest) -> Markup {
    let whole = whole(request);
    html! {
        @if request.timeline.is_empty() {
            p.quiet { "The engine did nothing: no session was asked for." }
        } @else {
            ol.timeline {
                @for entry in request.timeline.iter().filter(|entry| !is_said_already(entry)) {
                    (row(entry, whole))
                }
            }
        }
    }
}

/// Events that another entry tells with more words.
fn is_said_already(entry: &TimelineEntry) -> bool {
    matches!(
        entry.kind,
        EntryKind::Event {
            event: EventKind::Closed | EventKind::Unchanged,
            ..
        }
    )
}

fn row(entry: &TimelineEntry, whole: Duration) -> Markup {
    let level = match entry.level() {
        EntryLevel::Plain => "plain",
        EntryLevel::Good => "good",
        EntryLevel::Notable => "notable",
        EntryLevel::Bad => "bad",
    };
    let call = match &entry.kind {
        EntryKind::Call { took, .. } => Some(*took),
        _ => None,
    };
    html! {
        li.(level).call[call.is_some()] {
            span.at.number { "+" (took(entry.at)) }
            span { @if let Some(namespace) = &entry.namespace { span.chip { (namespace) } } }
            span.text {
                (entry.text())
                @if entry.is_after_head { " " small { "after the response's head" } }
            }
            span.took.number {
                @match call {
                    Some(Some(duration)) => { (bar(entry.at, duration, whole)) (took(duration)) },
                    Some(None) => "under way",
                    None => {},
                }
            }
        }
    }
}

/// When a call took place within the request. Its length is also said in words.
fn bar(at: Duration, took: Duration, whole: Duration) -> Markup {
    let of_whole = |part: Duration| {
        let share = part.as_secs_f64() / whole.as_secs_f64().max(f64::MIN_POSITIVE);
        share.clamp(0.0, 1.0) * 100.0
    };
    let (x, width) = (of_whole(at), of_whole(took).max(2.0));
    html! {
        svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" {
            rect x=(format!("{:.1}", x.min(100.0 - width))) width=(format!("{width:.1}")) height="4" {}
        }
    }
}

/// The time that the bars are part of.
fn whole(request: &RecordedRequest) -> Duration {
    let ends = request.timeline.iter().map(|entry| match &entry.kind {
        EntryKind::Call {
            took: Some(took), ..
        } => entry.at.saturating_add(*took),
        _ => entry.at,
    });
    ends.chain(request.duration).max().unwrap_or_default()
}
