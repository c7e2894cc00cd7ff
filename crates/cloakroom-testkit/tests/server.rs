//! The kit against a store of another kind: it knows records by tags, expires them itself, takes
//! little data, lists nothing, and several handles share it, as memcached would.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use cloakroom_store::{
    EXPIRY_MARGIN, Freshness, Key, Loaded, Operation, Record, Store, StoreError, StoreErrorKind,
    Tag, Timestamp,
};
use cloakroom_testkit::Conformance;

const MAX_DATA: usize = 100_000;

#[derive(Debug, Clone, Default)]
struct Server(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    records: HashMap<Key, (Record, u64)>,
    last_tag: u64,
}

impl State {
    fn get(&mut self, key: &Key) -> Option<&mut (Record, u64)> {
        let now = now();
        self.records
            .retain(|_, (record, _)| record.expires.saturating_add(EXPIRY_MARGIN) >= now);
        self.records.get_mut(key)
    }

    /// Writes without learning the new tag.
    fn set(&mut self, key: &Key, record: Record) -> Tag {
        self.last_tag += 1;
        self.records.insert(*key, (record, self.last_tag));
        Tag::NONE
    }
}

impl Server {
    async fn state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // As over a network, others may be faster.
        tokio::task::yield_now().await;
        work(&mut self.0.lock().unwrap())
    }
}

fn is_expected((kept, tag): &(Record, u64), expected: &Loaded) -> bool {
    expected.tag.get() == Some(*tag) || kept.version == expected.record.version
}

fn check_size(record: &Record, operation: Operation) -> Result<(), StoreError> {
    match record.data.len() > MAX_DATA {
        true => Err(StoreError::new(StoreErrorKind::TooLarge, operation)),
        false => Ok(()),
    }
}

impl Store for Server {
    fn answers_from_copies(&self) -> bool {
        true
    }

    async fn load(&self, key: &Key, _: Freshness) -> Result<Option<Loaded>, StoreError> {
        let found = self.state(|state| state.get(key).cloned()).await;
        Ok(found.map(|(record, tag)| Loaded::with_tag(record, Tag::new(tag))))
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        check_size(record, Operation::Create)?;
        self.state(|state| match state.get(key) {
            Some(_) => Err(StoreErrorKind::AlreadyExists),
            None => Ok(state.set(key, record.clone())),
        })
        .await
        .map_err(|kind| StoreError::new(kind, Operation::Create))
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        check_size(record, Operation::Replace)?;
        self.state(|state| match state.get(key) {
            Some(kept) if is_expected(kept, expected) => Ok(state.set(key, record.clone())),
            _ => Err(StoreErrorKind::Conflict),
        })
        .await
        .map_err(|kind| StoreError::new(kind, Operation::Replace))
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let touch = |state: &mut State| {
            let Some(found) = state.get(key).filter(|kept| is_expected(kept, expected)) else {
                return false;
            };
            let mut kept = found.0.clone();
            if kept.expires.saturating_add(EXPIRY_MARGIN) < record.last_seen {
                return false;
            }
            kept.last_seen = kept.last_seen.max(record.last_seen);
            kept.expires = kept.expires.max(record.expires);
            state.set(key, kept);
            true
        };
        Ok(self.state(touch).await)
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let delete =
            |state: &mut State| state.get(key).is_some() && state.records.remove(key).is_some();
        Ok(self.state(delete).await)
    }

    async fn sweep(&self, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_self_expiring_store_without_listings_can_keep_the_contract() {
    let server = Server::default();
    let report = Conformance::new(move || std::future::ready(server.clone()))
        .without_by_subject()
        .without_scan()
        .expires_itself()
        .max_data(MAX_DATA)
        .instances(2)
        .run()
        .await;
    for name in [
        "by_subject/unsupported",
        "sweep/is_not_needed",
        "format/too_large_is_refused",
    ] {
        assert!(report.passed.contains(&name), "{report}");
    }
    let skipped: Vec<&str> = report.skipped.iter().map(|skipped| skipped.name).collect();
    for name in [
        "scan/pages",
        "load/any_shows_own_writes",
        "sweep/keeps_its_limit",
    ] {
        assert!(skipped.contains(&name), "{report}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a server goes by the real time")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::EPOCH.saturating_add(since)
}
