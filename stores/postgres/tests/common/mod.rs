//! What the tests share.
#![allow(dead_code, unused_imports)] // each test file uses its part

pub(crate) mod deaf;
pub(crate) mod proxy;
mod way;

use std::{
    error::Error,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use cloakroom_postgres::{PostgresStore, PostgresStoreBuilder};
use cloakroom_store::{
    Freshness, Key, Loaded, NamespaceId, Record, SessionId, Store, StoreError, StoreErrorKind,
    Subject, Timestamp, Version,
};
use tokio_postgres::{Client, Config, NoTls};

pub(crate) use way::Way;
#[cfg(feature = "deadpool-postgres-0_14")]
pub(crate) use way::deadpool;

/// Where the server is; `None` skips the test.
pub(crate) fn url() -> Option<String> {
    cloakroom_testkit::service("CLOAKROOM_TEST_POSTGRES_URL")
}

/// A connection without a store.
pub(crate) async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A store on a table of this test's own, which is made anew.
pub(crate) async fn builder(url: &str, table: &str) -> PostgresStoreBuilder {
    drop_table(url, table).await;
    patient(PostgresStore::builder(url).table(table))
}

pub(crate) async fn drop_table(url: &str, table: &str) {
    let sql = format!(
        "DROP TABLE IF EXISTS {table}, {table}_schema; DROP FUNCTION IF EXISTS {table}_tell"
    );
    client(url).await.batch_execute(&sql).await.unwrap();
}

/// A machine that runs many tests is slow, unoptimized authentication is slower.
fn patient(builder: PostgresStoreBuilder) -> PostgresStoreBuilder {
    let patience = Duration::from_secs(5);
    builder.timeout(patience).connect_timeout(patience)
}

pub(crate) async fn store(url: &str, table: &str) -> PostgresStore {
    builder(url, table).await.connect().await.unwrap()
}

/// The URL of another host and port, and perhaps another user and database.
pub(crate) fn url_at(url: &str, port: u16) -> String {
    let config: Config = url.parse().unwrap();
    let user = config.get_user().unwrap();
    let password = config.get_password().unwrap_or_default();
    let password = std::str::from_utf8(password).unwrap();
    let database = config.get_dbname().unwrap_or(user);
    format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}")
}

/// Where the server of a URL listens.
pub(crate) async fn address(url: &str) -> SocketAddr {
    let config: Config = url.parse().unwrap();
    let host = match config.get_hosts().first() {
        Some(tokio_postgres::config::Host::Tcp(host)) => host.clone(),
        _ => "127.0.0.1".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let mut found = tokio::net::lookup_host((host, port)).await.unwrap();
    found.next().unwrap()
}

/// A key whose id is one byte repeated.
pub(crate) fn key(byte: u8) -> Key {
    key_of([byte; 16])
}

pub(crate) fn key_of(id: [u8; 16]) -> Key {
    Key::new(NamespaceId::new("cart").unwrap(), SessionId::from_bytes(id))
}

/// The keys of a series.
pub(crate) fn numbered(number: u64) -> Key {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id[8..].copy_from_slice(&number.to_be_bytes());
    key_of(id)
}

/// A version that no other test draws.
pub(crate) fn version() -> Version {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let process = u64::from(std::process::id()) << 32;
    Version::from_bits(process | NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A record that expires in the year 2100.
pub(crate) fn record(data: &str) -> Record {
    let data = Bytes::copy_from_slice(data.as_bytes());
    let (created, expires) = (
        Timestamp::from_millis(1_700_000_000_000),
        Timestamp::from_millis(4_102_444_800_000),
    );
    Record::new(version(), created, expires, data)
}

pub(crate) fn record_of(data: &str, who: &str) -> Record {
    let mut record = record(data);
    record.subject = Some(Subject::new(who).unwrap());
    record
}

pub(crate) async fn load(store: &PostgresStore, key: &Key) -> Result<Option<Loaded>, StoreError> {
    store.load(key, Freshness::Latest).await
}

/// Creates a record and gives what a load would.
pub(crate) async fn create(store: &PostgresStore, key: &Key, record: &Record) -> Loaded {
    store.create(key, record).await.unwrap();
    Loaded::new(record.clone())
}

pub(crate) fn kind<T>(result: Result<T, StoreError>) -> Option<StoreErrorKind> {
    result.err().map(|error| error.kind())
}

/// How soon a store has to work again. Unoptimized, authentication alone takes long.
pub(crate) const RECOVERY: Duration =
    Duration::from_millis(if cfg!(debug_assertions) { 3_000 } else { 1_000 });

/// How long it takes from now until loads and writes work.
pub(crate) async fn recovers(store: &PostgresStore) -> Duration {
    let begin = Instant::now();
    let (mut works_since, mut streak) = (Duration::ZERO, 0);
    while streak < 20 {
        let elapsed = begin.elapsed();
        assert!(elapsed < Duration::from_secs(20), "it does not recover");
        let wrote = store.delete(&numbered(streak)).await;
        let read = load(store, &key(1)).await;
        if wrote.is_ok() && read.is_ok_and(|loaded| loaded.is_some()) {
            streak += 1;
        } else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            (works_since, streak) = (begin.elapsed(), 0);
        }
    }
    works_since
}

/// An error and all that is behind it.
pub(crate) fn told(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        told.push_str(": ");
        told.push_str(&error.to_string());
        source = error.source();
    }
    told
}

pub(crate) async fn increment(store: &PostgresStore, key: &Key) {
    loop {
        let loaded = load(store, key).await.unwrap().unwrap();
        let next = record(&(count(&loaded.record) + 1).to_string());
        match store.replace(key, &next, &loaded).await {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Conflict, "{}", told(&error)),
        }
    }
}

pub(crate) fn count(record: &Record) -> u64 {
    std::str::from_utf8(&record.data).unwrap().parse().unwrap()
}
