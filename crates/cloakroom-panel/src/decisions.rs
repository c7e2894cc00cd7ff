use cloakroom_core::Decision;

use crate::record::{EntryKind, RecordedNamespace, RecordedRequest};

/// All that was decided for a session, in order: one that is saved early, such as by a claimed
/// message, is decided on more than once.
pub(crate) fn decisions(request: &RecordedRequest, namespace: &RecordedNamespace) -> Vec<Decision> {
    let entries = request.timeline.iter();
    let own = entries.filter(|entry| entry.namespace.as_deref() == Some(namespace.name()));
    let decided: Vec<_> = own
        .filter_map(|entry| match entry.kind {
            EntryKind::Decided(decision) => Some(decision),
            _ => None,
        })
        .collect();
    match decided.is_empty() {
        true => namespace.decision.into_iter().collect(),
        false => decided,
    }
}

/// The one of them that says most: what was written, or else the last.
pub(crate) fn main_decision(
    request: &RecordedRequest,
    namespace: &RecordedNamespace,
) -> Option<Decision> {
    let all = decisions(request, namespace);
    let failed = all.iter().find(|one| matches!(one, Decision::Failed(_)));
    let ended = all.iter().find(|one| matches!(one, Decision::Delete));
    let written = all.iter().find(|one| is_write(**one));
    failed.or(ended).or(written).or(all.last()).copied()
}

/// Whether changes of values are stored by it.
pub(crate) fn is_write(decision: Decision) -> bool {
    matches!(
        decision,
        Decision::Create(_) | Decision::Replace(_) | Decision::Queue(_) | Decision::Seal(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{changed, entry, request};

    #[test]
    fn an_early_save_is_not_forgotten() {
        let mut request = request(1);
        let saved = Decision::Replace(changed());
        let all = [saved, Decision::NothingChanged];
        request.timeline = all.map(|one| entry("cart", EntryKind::Decided(one))).into();
        request.namespaces[0].decision = Some(Decision::NothingChanged);
        let namespace = &request.namespaces[0];
        assert_eq!(decisions(&request, namespace), all);
        assert_eq!(main_decision(&request, namespace), Some(saved));
        request
            .timeline
            .push(entry("cart", EntryKind::Decided(Decision::Delete)));
        let namespace = &request.namespaces[0];
        assert_eq!(main_decision(&request, namespace), Some(Decision::Delete));
    }

    #[test]
    fn decisions_of_other_sessions_do_not_count() {
        let mut request = request(1);
        request.timeline = vec![entry("account", EntryKind::Decided(Decision::Delete))];
        assert_eq!(main_decision(&request, &request.namespaces[0]), None);
    }
}
