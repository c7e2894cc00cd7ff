use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, hash_map::Entry},
};

use cloakroom_store::{
    EXPIRY_MARGIN, Key, Loaded, Operation, Record, StoreError, StoreErrorKind, Summary, Timestamp,
};

use crate::{
    bounds::{Bounds, weight},
    hash::{BuildIdHasher, HashedKey},
    stats::Stats,
    subjects::Subjects,
};

/// A part of the store's sessions, what they weigh and what became of others.
#[derive(Default)]
pub(crate) struct Shard {
    records: HashMap<HashedKey, Record, BuildIdHasher>,
    stats: Stats,
}

/// Where a shard belongs to.
pub(crate) struct Surroundings<'a> {
    pub(crate) share: Bounds,
    pub(crate) subjects: &'a Subjects,
    /// Whether somebody wants to hear what is evicted.
    pub(crate) reports: bool,
}

impl Shard {
    pub(crate) fn load(&self, key: &Key) -> Option<Loaded> {
        let record = self.records.get(&HashedKey(*key))?;
        Some(Loaded::new(record.clone()))
    }

    /// Inserts a record and says what was evicted for it.
    pub(crate) fn create(
        &mut self,
        key: &Key,
        record: &Record,
        around: &Surroundings<'_>,
    ) -> Result<Vec<Summary>, StoreError> {
        if self.records.contains_key(&HashedKey(*key)) {
            let kind = StoreErrorKind::AlreadyExists;
            return Err(StoreError::new(kind, Operation::Create));
        }
        let weight = weight(record);
        let evicted = self.make_room(1, weight, record, None, around);
        self.records.insert(HashedKey(*key), record.clone());
        self.stats.sessions += 1;
        self.stats.bytes += weight;
        around.subjects.change(key, None, record.subject.as_ref());
        Ok(evicted)
    }

    /// Replaces a record of the expected version and says what was evicted for it.
    pub(crate) fn replace(
        &mut self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
        around: &Surroundings<'_>,
    ) -> Result<Vec<Summary>, StoreError> {
        let old = self.records.get_mut(&HashedKey(*key));
        let Some(old) = old.filter(|old| old.version == expected.record.version) else {
            let kind = StoreErrorKind::Conflict;
            return Err(StoreError::new(kind, Operation::Replace));
        };
        let old = std::mem::replace(old, record.clone());
        let (old_weight, new_weight) = (weight(&old), weight(record));
        self.stats.bytes = self.stats.bytes - old_weight + new_weight;
        let (before, after) = (old.subject.as_ref(), record.subject.as_ref());
        around.subjects.change(key, before, after);
        if new_weight <= old_weight {
            return Ok(Vec::new());
        }
        Ok(self.make_room(0, 0, record, Some(key), around))
    }

    pub(crate) fn touch(&mut self, key: &Key, record: &Record, expected: &Loaded) -> bool {
        let kept = self.records.get_mut(&HashedKey(*key));
        let Some(kept) = kept.filter(|kept| {
            kept.version == expected.record.version
                && kept.expires.saturating_add(EXPIRY_MARGIN) >= record.last_seen
        }) else {
            return false;
        };
        kept.last_seen = kept.last_seen.max(record.last_seen);
        kept.expires = kept.expires.max(record.expires);
        true
    }

    pub(crate) fn delete(&mut self, key: &Key, subjects: &Subjects) -> bool {
        let Entry::Occupied(entry) = self.records.entry(HashedKey(*key)) else {
            return false;
        };
        let record = entry.remove();
        self.forget(key, &record, subjects);
        true
    }

    /// Removes up to `limit` records that expired before `now`.
    pub(crate) fn sweep(&mut self, now: Timestamp, limit: usize, subjects: &Subjects) -> usize {
        let expired = |_: &HashedKey, record: &mut Record| record.expires < now;
        let mut removed = 0;
        for (key, record) in self.records.extract_if(expired).take(limit) {
            self.stats.remove(weight(&record));
            subjects.change(&key.0, record.subject.as_ref(), None);
            removed += 1;
        }
        self.shrink();
        removed
    }

    pub(crate) fn summary(&self, key: &Key) -> Option<Summary> {
        let record = self.records.get(&HashedKey(*key))?;
        Some(Summary::new(*key, record))
    }

    /// Up to `limit` sessions in the order of their keys.
    pub(crate) fn after(&self, after: Option<Key>, limit: usize) -> Vec<Summary> {
        let mut first = BinaryHeap::new();
        for HashedKey(key) in self.records.keys() {
            if after.is_some_and(|after| *key <= after) {
                continue;
            }
            if first.len() < limit {
                first.push(*key);
            } else if let Some(mut last) = first.peek_mut()
                && *key < *last
            {
                *last = *key;
            }
        }
        let keys = first.into_sorted_vec();
        keys.iter().filter_map(|key| self.summary(key)).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn stats(&self) -> Stats {
        self.stats
    }

    /// Evicts, if `sessions` more of `bytes` do not fit, until an eighth of the bounds is free:
    /// one pass over the shard pays for many writes to come.
    fn make_room(
        &mut self,
        sessions: usize,
        bytes: usize,
        incoming: &Record,
        keep: Option<&Key>,
        around: &Surroundings<'_>,
    ) -> Vec<Summary> {
        let share = around.share;
        let fits = |stats: &Stats, most: Bounds| {
            stats.sessions + sessions <= most.sessions
                && stats.bytes.saturating_add(bytes) <= most.bytes
        };
        let mut evicted = Vec::new();
        if fits(&self.stats, share) {
            return evicted;
        }
        let target = Bounds {
            sessions: share.sessions - share.sessions / 8,
            bytes: share.bytes - share.bytes / 8,
        };
        let deadline = incoming.last_seen.saturating_sub(EXPIRY_MARGIN);
        let mut queue: BinaryHeap<_> = self
            .records
            .iter()
            .filter(|(key, _)| keep != Some(&key.0))
            .map(|(key, record)| Reverse((Reason::of(record, deadline), record.last_seen, *key)))
            .collect();
        while let Some(Reverse((reason, _, key))) = queue.pop() {
            // What has expired goes in any case: the pass has found it already.
            if reason != Reason::Expired && fits(&self.stats, target) {
                break;
            }
            let Some(record) = self.records.remove(&key) else {
                continue;
            };
            self.forget(&key.0, &record, around.subjects);
            self.stats.count_eviction(reason);
            if around.reports {
                evicted.push(Summary::new(key.0, &record));
            }
        }
        evicted
    }

    fn forget(&mut self, key: &Key, record: &Record, subjects: &Subjects) {
        self.stats.remove(weight(record));
        subjects.change(key, record.subject.as_ref(), None);
    }

    /// Gives memory back after a flood of visitors.
    fn shrink(&mut self) {
        if self.records.capacity() / 4 > self.records.len() {
            self.records.shrink_to(self.records.len() * 2);
        }
    }
}

/// Why a session is evicted, in the order in which they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    Expired,
    Anonymous,
    LoggedIn,
}

impl Reason {
    fn of(record: &Record, deadline: Timestamp) -> Self {
        if record.expires < deadline {
            Self::Expired
        } else if record.subject.is_none() {
            Self::Anonymous
        } else {
            Self::LoggedIn
        }
    }
}
