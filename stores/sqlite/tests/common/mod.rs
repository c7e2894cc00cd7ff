//! What the tests share.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its part; helpers are no #[test]

use std::path::PathBuf;

use bytes::Bytes;
use cloakroom_sqlite::{SqliteStore, Synchronous};
use cloakroom_store::{
    Freshness, Key, Loaded, NamespaceId, Record, SessionId, Store, StoreError, StoreErrorKind,
    Subject, Timestamp, Version,
};
use tempfile::TempDir;

/// The table of a store with the default settings.
pub(crate) const TABLE: &str = "cloakroom_sessions";

pub(crate) fn store() -> (TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let builder = SqliteStore::builder(path(&dir));
    let store = builder.synchronous(Synchronous::Off).open().unwrap();
    (dir, store)
}

pub(crate) fn path(dir: &TempDir) -> PathBuf {
    dir.path().join("sessions.db")
}

/// A connection that is none of the store's.
pub(crate) fn connection(dir: &TempDir) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path(dir)).unwrap();
    connection
        .busy_timeout(std::time::Duration::from_secs(10))
        .unwrap();
    connection
}

/// A key whose id is one byte repeated.
pub(crate) fn key(byte: u8) -> Key {
    key_of([byte; 16])
}

pub(crate) fn key_of(id: [u8; 16]) -> Key {
    Key::new(NamespaceId::new("cart").unwrap(), SessionId::from_bytes(id))
}

/// A key of its own for each number.
pub(crate) fn numbered(number: u32) -> Key {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_le_bytes());
    id[12..].copy_from_slice(&number.to_be_bytes());
    key_of(id)
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

pub(crate) fn sized(version: u64, bytes: usize) -> Record {
    let mut record = record(version);
    record.data = vec![b'x'; bytes].into();
    record
}

pub(crate) fn subject(who: &str) -> Subject {
    Subject::new(who).unwrap()
}

pub(crate) async fn load(store: &SqliteStore, key: &Key) -> Result<Option<Loaded>, StoreError> {
    store.load(key, Freshness::Latest).await
}

pub(crate) fn kind<T>(result: Result<T, StoreError>) -> Option<StoreErrorKind> {
    result.err().map(|error| error.kind())
}

/// What an error and all behind it say.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
