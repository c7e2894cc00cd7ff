use std::{
    collections::{BTreeSet, HashMap},
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use cloakroom_store::{Key, NamespaceId, SessionId, Subject};

/// Which sessions belong to which subject, exactly.
///
/// A shard changes it while it holds its own lock, so the order of locks is: one shard, then this.
/// Whoever holds this one takes no other.
#[derive(Default)]
pub(crate) struct Subjects(Mutex<Index>);

// Subjects may be chosen by clients, so this map keeps the standard hasher.
type Index = HashMap<(NamespaceId, Subject), BTreeSet<SessionId>>;

impl Subjects {
    /// Says that the record of `key` had one subject and now has another.
    pub(crate) fn change(&self, key: &Key, old: Option<&Subject>, new: Option<&Subject>) {
        if old == new {
            return;
        }
        let mut index = self.lock();
        if let Some(subject) = old {
            let owner = (key.namespace, subject.clone());
            if let Some(ids) = index.get_mut(&owner) {
                ids.remove(&key.id);
                if ids.is_empty() {
                    index.remove(&owner);
                }
            }
        }
        if let Some(subject) = new {
            let owner = (key.namespace, subject.clone());
            index.entry(owner).or_default().insert(key.id);
        }
    }

    /// Up to `limit` sessions of a subject in the order of their ids.
    pub(crate) fn after(
        &self,
        namespace: NamespaceId,
        subject: &Subject,
        after: Option<SessionId>,
        limit: usize,
    ) -> Vec<SessionId> {
        let index = self.lock();
        let Some(ids) = index.get(&(namespace, subject.clone())) else {
            return Vec::new();
        };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = ids.range((from, Bound::Unbounded));
        rest.take(limit).copied().collect()
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_without_sessions_is_forgotten() {
        let subjects = Subjects::default();
        let namespace = NamespaceId::new("cart").unwrap();
        let key = Key::new(namespace, SessionId::from_bytes([1; 16]));
        let (ann, bob) = (Subject::new("ann").unwrap(), Subject::new("bob").unwrap());
        subjects.change(&key, None, Some(&ann));
        subjects.change(&key, Some(&ann), Some(&bob));
        assert!(subjects.after(namespace, &ann, None, 9).is_empty());
        assert_eq!(subjects.after(namespace, &bob, None, 9), [key.id]);
        assert!(subjects.after(namespace, &bob, Some(key.id), 9).is_empty());
        subjects.change(&key, Some(&bob), None);
        assert!(subjects.is_empty());
    }
}
