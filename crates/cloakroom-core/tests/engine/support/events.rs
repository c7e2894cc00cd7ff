use std::sync::{Arc, Mutex};

use cloakroom_core::{Event, EventKind, Observer};

/// Keeps what it hears.
#[derive(Debug, Clone, Default)]
pub(crate) struct Events(Arc<Mutex<Vec<(String, EventKind)>>>);

impl Events {
    /// What was heard since this was asked last.
    pub(crate) fn take(&self) -> Vec<EventKind> {
        let events = std::mem::take(&mut *self.0.lock().unwrap());
        events.into_iter().map(|(_, kind)| kind).collect()
    }

    pub(crate) fn count(&self, kind: EventKind) -> usize {
        let events = self.0.lock().unwrap();
        events.iter().filter(|(_, heard)| *heard == kind).count()
    }

    pub(crate) fn has(&self, kind: EventKind) -> bool {
        self.count(kind) > 0
    }

    /// Whether it was heard of this namespace.
    pub(crate) fn has_of(&self, namespace: &str, kind: EventKind) -> bool {
        let events = self.0.lock().unwrap();
        events.contains(&(namespace.to_owned(), kind))
    }
}

impl Observer for Events {
    fn on_event(&self, event: &Event<'_>) {
        let mut events = self.0.lock().unwrap();
        events.push((event.namespace.to_owned(), event.kind));
    }
}
