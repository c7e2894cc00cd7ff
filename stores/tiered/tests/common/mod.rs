//! Stores that tests put behind, and what they keep in them.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "not every test uses all of it"
)]

mod held;
mod process;
mod tagging;
mod told;

use std::time::Duration;

use cloakroom_store::{Freshness, Key, NamespaceId, Record, SessionId, Store, Timestamp, Version};
pub(crate) use held::{HeldStore, Stage};
pub(crate) use process::Process;
pub(crate) use tagging::TaggingStore;
pub(crate) use told::{SILENCE, ToldStore};

pub(crate) fn key(number: u8) -> Key {
    let namespace = NamespaceId::new("cart").unwrap();
    Key::new(namespace, SessionId::from_bytes([number; 16]))
}

pub(crate) fn record(version: u64) -> Record {
    let now = Timestamp::from_millis(1_000_000);
    let later = now.saturating_add(Duration::from_secs(3_600));
    let data = format!("data of version {version}");
    Record::new(Version::from_bits(version), now, later, data.into())
}

/// The version that a store serves; 0 when there is nothing.
pub(crate) async fn version(store: &impl Store, key: &Key) -> u64 {
    let loaded = store.load(key, Freshness::Any).await.unwrap();
    loaded.map_or(0, |loaded| {
        assert_eq!(loaded.record, record(loaded.record.version.to_bits()));
        loaded.record.version.to_bits()
    })
}

pub(crate) async fn latest(store: &impl Store, key: &Key) -> u64 {
    let loaded = store.load(key, Freshness::Latest).await.unwrap();
    loaded.map_or(0, |loaded| loaded.record.version.to_bits())
}

/// Replaces what is there.
pub(crate) async fn replace(store: &impl Store, key: &Key, version: u64) {
    let loaded = store.load(key, Freshness::Latest).await.unwrap().unwrap();
    store.replace(key, &record(version), &loaded).await.unwrap();
}

/// Lets every task come to rest, where the time stands still.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
