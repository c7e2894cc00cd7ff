//! The threads of a store end with it. Alone in its program, since it counts them.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::{
    fs,
    future::Future,
    pin::pin,
    task::{Context, Waker},
    thread,
    time::{Duration, Instant},
};

use cloakroom_sqlite::SqliteStore;
use cloakroom_store::Store;
use common::{connection, key, path, record};

fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name.starts_with("cloakroom-")).count()
}

fn wait_for(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn threads_end_with_the_last_clone() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(path(&dir)).unwrap();
    let clone = store.clone();
    let other = connection(&dir);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    {
        // Begun, and then given up.
        let (key, record) = (key(1), record(1));
        let create = pin!(store.create(&key, &record));
        assert!(
            create
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        wait_for(|| threads() == 4);
    }
    drop(store);
    assert_eq!(threads(), 4);
    drop(clone);
    other.execute_batch("COMMIT").unwrap();
    wait_for(|| threads() == 0);
    drop(other);
    // Who closes the database last moves the log to it and removes it.
    wait_for(|| !dir.path().join("sessions.db-wal").exists());
}
