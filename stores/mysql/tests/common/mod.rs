//! What the tests share.
#![allow(dead_code, unused_imports)] // each test file uses its part

mod meddler;
mod way;

use std::{
    error::Error,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use cloakroom_mysql::{MysqlStore, MysqlStoreBuilder};
use cloakroom_store::{
    Freshness, Key, Loaded, NamespaceId, Record, SessionId, Store, StoreError, StoreErrorKind,
    Subject, Timestamp, Version,
};
#[cfg(unix)]
use cloakroom_testkit::servers::Server;
use mysql_async::{Conn, Opts, prelude::Queryable};
use tokio::sync::Mutex;

pub(crate) use meddler::{Meddler, Trick};
pub(crate) use way::Way;

/// Where the server is; `None` skips the test.
pub(crate) fn url() -> Option<String> {
    cloakroom_testkit::service("CLOAKROOM_TEST_MYSQL_URL")
}

/// A server of this test's own. One that starts removes the temporary tables of those that are being
/// installed, where they share a folder for them.
#[cfg(unix)]
pub(crate) async fn own_server() -> Option<Server> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    let _turn = ONE_AT_A_TIME.lock().await;
    Server::mariadb().await
}

/// A connection without a store.
pub(crate) async fn client(url: &str) -> Conn {
    Conn::from_url(url).await.unwrap()
}

pub(crate) async fn run(client: &mut Conn, sql: &[&str]) {
    for sql in sql {
        client.query_drop(*sql).await.unwrap();
    }
}

/// A store on a table of this test's own, which is made anew.
pub(crate) async fn builder(url: &str, table: &str) -> MysqlStoreBuilder {
    drop_table(url, table).await;
    patient(MysqlStore::builder(url).table(table))
}

async fn drop_table(url: &str, table: &str) {
    let sql = format!("DROP TABLE IF EXISTS {table}, {table}_schema");
    client(url).await.query_drop(sql).await.unwrap();
}

/// A machine that runs many tests is slow.
fn patient(builder: MysqlStoreBuilder) -> MysqlStoreBuilder {
    let patience = Duration::from_secs(5);
    builder.timeout(patience).connect_timeout(patience)
}

pub(crate) async fn store(url: &str, table: &str) -> MysqlStore {
    builder(url, table).await.connect().await.unwrap()
}

/// The URL of the same server with another user.
pub(crate) fn url_of(url: &str, user: &str) -> String {
    let opts = Opts::from_url(url).unwrap();
    let (host, port) = (opts.ip_or_hostname(), opts.tcp_port());
    let database = opts.db_name().unwrap();
    format!("mysql://{user}@{host}:{port}/{database}")
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

pub(crate) async fn load(store: &MysqlStore, key: &Key) -> Result<Option<Loaded>, StoreError> {
    store.load(key, Freshness::Latest).await
}

/// Creates a record and gives what a load would.
pub(crate) async fn create(store: &MysqlStore, key: &Key, record: &Record) -> Loaded {
    store.create(key, record).await.unwrap();
    Loaded::new(record.clone())
}

pub(crate) fn kind<T>(result: Result<T, StoreError>) -> Option<StoreErrorKind> {
    result.err().map(|error| error.kind())
}

/// How soon a store has to work again. Unoptimized, authentication alone takes long.
pub(crate) const RECOVERY: Duration =
    Duration::from_millis(if cfg!(debug_assertions) { 3_000 } else { 1_000 });

/// How long it takes from now until loads and writes work. The writes are of a namespace that no test
/// has records in.
pub(crate) async fn recovers(store: &MysqlStore) -> Duration {
    let own = NamespaceId::new("recovery").unwrap();
    let begin = Instant::now();
    let (mut works_since, mut streak) = (Duration::ZERO, 0);
    while streak < 20 {
        let elapsed = begin.elapsed();
        assert!(elapsed < Duration::from_secs(20), "it does not recover");
        let own = Key::new(own, SessionId::from_bytes([streak; 16]));
        let wrote = store.delete(&own).await;
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

pub(crate) async fn increment(store: &MysqlStore, key: &Key) {
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
