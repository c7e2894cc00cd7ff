// What the examples in this crate's documentation have around them, in hidden lines: a store, and
// something to run its futures. They include it:
//
//     mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/store.rs")); }

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use cloakroom_store::{
    Freshness, Key, Loaded, NamespaceId, Operation, Record, SessionId, Store, StoreError,
    StoreErrorKind, Tag, Timestamp, Version,
};

/// The store of the crate's page.
#[derive(Debug, Default)]
pub struct MapStore(Mutex<BTreeMap<Key, Record>>);

impl MapStore {
    fn map(&self) -> MutexGuard<'_, BTreeMap<Key, Record>> {
        self.0.lock().unwrap()
    }
}

impl Store for MapStore {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, key: &Key, _: Freshness) -> Result<Option<Loaded>, StoreError> {
        Ok(self.map().get(key).cloned().map(Loaded::new))
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        let mut map = self.map();
        if map.contains_key(key) {
            let kind = StoreErrorKind::AlreadyExists;
            return Err(StoreError::new(kind, Operation::Create));
        }
        map.insert(*key, record.clone());
        Ok(Tag::NONE)
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        match self.map().get_mut(key) {
            Some(kept) if kept.version == expected.record.version => *kept = record.clone(),
            _ => {
                let kind = StoreErrorKind::Conflict;
                return Err(StoreError::new(kind, Operation::Replace));
            }
        }
        Ok(Tag::NONE)
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        match self.map().get_mut(key) {
            Some(kept) if kept.version == expected.record.version => {
                kept.last_seen = kept.last_seen.max(record.last_seen);
                kept.expires = kept.expires.max(record.expires);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        Ok(self.map().remove(key).is_some())
    }

    async fn sweep(&self, now: Timestamp, _: usize) -> Result<usize, StoreError> {
        let mut map = self.map();
        let before = map.len();
        map.retain(|_, record| record.expires >= now);
        Ok(before - map.len())
    }
}

/// A key, and a record that was created at 1 s and expires at 61 s.
pub fn key_and_record() -> (Key, Record) {
    let namespace = NamespaceId::new("cart").unwrap();
    let key = Key::new(namespace, SessionId::from_bytes([7; 16]));
    let [created, expires] = [1_000, 61_000].map(Timestamp::from_millis);
    let data = "three apples".into();
    (
        key,
        Record::new(Version::from_bits(1), created, expires, data),
    )
}

/// Runs an example whose futures are never pending.
pub fn block_on<T>(example: impl Future<Output = T>) -> T {
    match pin!(example).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("the example waits for something"),
    }
}
