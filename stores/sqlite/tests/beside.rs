//! Sessions in an application's own database, beside its tables and its connections.
#![allow(clippy::unwrap_used)] // helpers are no #[test]

use std::{
    sync::Arc,
    thread::spawn,
    time::{Duration, Instant},
};

use cloakroom_sqlite::SqliteStore;
use cloakroom_store::{
    Freshness, Key, NamespaceId, Record, SessionId, Store, StoreError, StoreErrorKind, Timestamp,
    Version,
};
use rusqlite::{Connection, TransactionBehavior};
use tokio::task::JoinSet;

const EACH: u8 = 100;

fn connect(path: &std::path::Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

fn key(number: u8) -> Key {
    let cart = NamespaceId::new("cart").unwrap();
    Key::new(cart, SessionId::from_bytes([number; 16]))
}

async fn create(store: &SqliteStore, number: u8) -> Result<(), StoreError> {
    let now = Timestamp::from_millis(1_000);
    let version = Version::from_bits(u64::from(number));
    let record = Record::new(version, now, now, "three apples".into());
    store.create(&key(number), &record).await.map(drop)
}

fn count(connection: &Connection, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    connection.query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_both_write_at_the_same_time_is_all_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = Arc::new(dir.path().join("app.db"));
    let make = "CREATE TABLE orders (id INTEGER PRIMARY KEY)";
    connect(&path).execute_batch(make).unwrap();
    let store = SqliteStore::open(&*path).unwrap();

    let handlers = [1, 2].map(|_| {
        let path = Arc::clone(&path);
        spawn(move || {
            let mut connection = connect(&path);
            for _ in 0..EACH {
                let begin = TransactionBehavior::Immediate;
                let transaction = connection.transaction_with_behavior(begin).unwrap();
                let order = "INSERT INTO orders DEFAULT VALUES";
                transaction.execute(order, []).unwrap();
                transaction.commit().unwrap();
            }
        })
    });
    let mut sessions = JoinSet::new();
    for number in 0..EACH {
        let store = store.clone();
        sessions.spawn(async move { create(&store, number).await.unwrap() });
    }
    sessions.join_all().await;
    for handler in handlers {
        handler.join().unwrap();
    }

    let connection = connect(&path);
    assert_eq!(count(&connection, "orders"), 2 * i64::from(EACH));
    assert_eq!(count(&connection, "cloakroom_sessions"), i64::from(EACH));
    let loaded = store.load(&key(7), Freshness::Latest).await.unwrap();
    assert_eq!(loaded.unwrap().record.data, "three apples");
}

/// A transaction of the application's holds up changes for as long as they wait, and no loads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_transaction_of_the_applications_makes_changes_time_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    let store = SqliteStore::open(&path).unwrap();
    create(&store, 1).await.unwrap();
    let application = connect(&path);
    application.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begin = Instant::now();
    let error = create(&store, 2).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TimedOut);
    assert!(begin.elapsed() >= Duration::from_millis(350));
    let loaded = store.load(&key(1), Freshness::Latest).await.unwrap();
    assert!(loaded.is_some());
    application.execute_batch("ROLLBACK").unwrap();
    create(&store, 2).await.unwrap();
}
