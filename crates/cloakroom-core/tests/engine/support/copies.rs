use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use cloakroom_memory::MemoryStore;
use cloakroom_store::{
    Freshness, Key, Loaded, Record, SessionId, Store, StoreError, Tag, Timestamp,
};

use super::World;

/// A store whose `Freshness::Any` may answer from a copy that lags behind.
#[derive(Debug, Clone, Default)]
pub(crate) struct CopyStore {
    latest: MemoryStore,
    copies: Arc<Mutex<HashMap<Key, Option<Loaded>>>>,
}

impl CopyStore {
    /// Keeps a copy of the account's record as it is now, absence included.
    pub(crate) async fn freeze(&self, id: SessionId) {
        let key = World::key(super::ACCOUNT, id);
        let now = self.latest.load(&key, Freshness::Latest).await.unwrap();
        self.copies.lock().unwrap().insert(key, now);
    }

    /// Keeps a copy that is none of the record's states.
    pub(crate) async fn freeze_as(&self, id: SessionId, change: impl FnOnce(&mut Record)) {
        self.freeze(id).await;
        let mut copies = self.copies.lock().unwrap();
        let copy = copies.get_mut(&World::key(super::ACCOUNT, id)).unwrap();
        change(&mut copy.as_mut().unwrap().record);
    }

    /// Keeps a copy without the record, as a replica has before it hears of it.
    pub(crate) fn freeze_absent(&self, id: SessionId) {
        let key = World::key(super::ACCOUNT, id);
        self.copies.lock().unwrap().insert(key, None);
    }
}

impl Store for CopyStore {
    fn answers_from_copies(&self) -> bool {
        true
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Result<Option<Loaded>, StoreError> {
        let copy = match freshness {
            Freshness::Any => self.copies.lock().unwrap().get(key).cloned(),
            Freshness::Latest => None,
        };
        match copy {
            Some(copy) => Ok(copy),
            None => self.latest.load(key, freshness).await,
        }
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        self.latest.create(key, record).await
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        self.latest.replace(key, record, expected).await
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        self.latest.touch(key, record, expected).await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        self.latest.delete(key).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.latest.sweep(now, limit).await
    }
}
