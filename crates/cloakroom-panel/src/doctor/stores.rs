//! How long the stores took.

use cloakroom_core::{CallOutcome, store::StoreErrorKind};

use super::{Finding, FindingKind, Severity};
use crate::record::{EntryKind, RecordedRequest, TimelineEntry};

pub(super) fn examine(request: &RecordedRequest, findings: &mut Vec<Finding>) {
    for entry in &request.timeline {
        if let Some(finding) = slow(request, entry) {
            // One line for each namespace and severity, however many calls there were.
            let is_new = !findings.iter().any(|other| {
                (other.kind, other.severity, &other.namespace)
                    == (finding.kind, finding.severity, &finding.namespace)
            });
            findings.extend(is_new.then_some(finding));
        }
    }
}

fn slow(request: &RecordedRequest, entry: &TimelineEntry) -> Option<Finding> {
    let EntryKind::Call {
        operation,
        outcome: Some(outcome),
        took: Some(took),
        ..
    } = &entry.kind
    else {
        return None;
    };
    let name = entry.namespace.as_deref()?;
    let mut namespaces = request.namespaces.iter();
    let namespace = namespaces.find(|namespace| namespace.name() == name)?;
    let deadline = namespace.configuration.call_deadline;
    let has_run_out = matches!(outcome, CallOutcome::Failed(StoreErrorKind::TimedOut))
        || (*outcome == CallOutcome::GivenUp && *took >= deadline);
    let severity = match has_run_out || *took >= deadline {
        true => Severity::Problem,
        false if *took >= deadline / 2 => Severity::Advice,
        false => return None,
    };
    let verdict = match severity {
        Severity::Problem => "It was given up",
        Severity::Advice => "It was close to being given up",
    };
    let finding = Finding::of(request, FindingKind::SlowStore, severity);
    Some(finding.in_namespace(name).says(
        format!(
            "A {operation} took {} ms; one call may take {} ms. {verdict}.",
            took.as_millis(),
            deadline.as_millis()
        ),
        "See what keeps the store busy or far away: its load, its disk, the network between. Raise \
         call_deadline only if users shall wait for it.",
    ))
}
