//! What lies in the store, past the engine.

use std::sync::atomic::{AtomicU64, Ordering};

use cloakroom_store::{Freshness, Key, NamespaceId, Record, SessionId, Store, Version};

use super::{ACCOUNT, World};

impl World {
    pub(crate) fn key(namespace: &str, id: SessionId) -> Key {
        Key::new(NamespaceId::new(namespace).unwrap(), id)
    }

    /// The account's record of an id.
    pub(crate) async fn record(&self, id: SessionId) -> Option<Record> {
        self.record_at(Self::key(ACCOUNT, id)).await
    }

    pub(crate) async fn record_at(&self, key: Key) -> Option<Record> {
        let loaded = self.memory().load(&key, Freshness::Latest).await.unwrap();
        loaded.map(|loaded| loaded.record)
    }

    /// Changes the account's record behind the engine's back.
    pub(crate) async fn tamper(&self, id: SessionId, change: impl FnOnce(&mut Record)) {
        let key = Self::key(ACCOUNT, id);
        let loaded = self.memory().load(&key, Freshness::Latest).await.unwrap();
        let loaded = loaded.unwrap();
        let mut record = loaded.record.clone();
        change(&mut record);
        record.version = fresh_version();
        self.memory().replace(&key, &record, &loaded).await.unwrap();
    }

    /// Puts other data into the account's record.
    pub(crate) async fn garble(&self, id: SessionId, change: impl FnOnce(&mut Vec<u8>)) {
        self.tamper(id, |record| {
            let mut data = record.data.to_vec();
            change(&mut data);
            record.data = data.into();
        })
        .await;
    }
}

fn fresh_version() -> Version {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Version::from_bits(NEXT.fetch_add(1, Ordering::Relaxed))
}
