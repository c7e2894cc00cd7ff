//! What the tests share.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its part; helpers are no #[test]

use std::path::{Path, PathBuf};

use bytes::Bytes;
use cloakroom_file::{FileStore, Fsync};
use cloakroom_store::{
    Freshness, Key, Loaded, NamespaceId, Record, SessionId, Store, StoreError, StoreErrorKind,
    Subject, Timestamp, Version,
};
use tempfile::TempDir;

pub(crate) fn store() -> (TempDir, FileStore) {
    let dir = tempfile::tempdir().unwrap();
    let builder = FileStore::builder(dir.path().join("sessions"));
    let store = builder.fsync(Fsync::Never).open().unwrap();
    (dir, store)
}

/// A key whose id is one byte repeated.
pub(crate) fn key(byte: u8) -> Key {
    key_of([byte; 16])
}

pub(crate) fn key_of(id: [u8; 16]) -> Key {
    Key::new(NamespaceId::new("cart").unwrap(), SessionId::from_bytes(id))
}

/// A record that expires 100 seconds after the beginning of 1970.
pub(crate) fn record(version: u64) -> Record {
    let data = Bytes::from(format!("data {version}"));
    let (created, expires) = (
        Timestamp::from_millis(1_000),
        Timestamp::from_millis(100_000),
    );
    Record::new(Version::from_bits(version), created, expires, data)
}

pub(crate) fn record_of(version: u64, who: &str) -> Record {
    let mut record = record(version);
    record.subject = Some(subject(who));
    record
}

pub(crate) fn subject(who: &str) -> Subject {
    Subject::new(who).unwrap()
}

pub(crate) async fn load(store: &FileStore, key: &Key) -> Result<Option<Loaded>, StoreError> {
    store.load(key, Freshness::Latest).await
}

pub(crate) fn kind<T>(result: Result<T, StoreError>) -> Option<StoreErrorKind> {
    result.err().map(|error| error.kind())
}

pub(crate) fn leaf(store: &FileStore, key: &Key) -> PathBuf {
    let id = key.id.to_string();
    let (x, y) = (id.get(..1).unwrap(), id.get(1..2).unwrap());
    let namespace = store.dir().join(key.namespace.as_str());
    namespace.join(x).join(y)
}

pub(crate) fn file(store: &FileStore, key: &Key) -> PathBuf {
    leaf(store, key).join(key.id.to_string())
}

/// The names in a folder, sorted.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
