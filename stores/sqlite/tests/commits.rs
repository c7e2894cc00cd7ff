//! How many statements a call costs, and how many calls share a commit.
#![allow(clippy::indexing_slicing, clippy::print_stdout)] // helpers are no #[test]
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cloakroom_sqlite::{SqliteStore, Stats, Synchronous};
use cloakroom_store::{Loaded, Store, StoreErrorKind, Timestamp};
use common::{
    TABLE, connection, key, kind, load, numbered, path, record, record_of, sized, store, subject,
};

/// Counts the frames of a log that end a transaction, as SQLite's file format has it.
fn commits_in_log(database: &Path) -> usize {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    let log = fs::read(name).unwrap();
    let page = u32::from_be_bytes(log[8..12].try_into().unwrap());
    let salt = &log[16..24];
    log[32..]
        .chunks(24 + usize::try_from(page).unwrap())
        .take_while(|frame| frame.len() > 24 && &frame[8..16] == salt)
        .filter(|frame| frame[4..8] != [0; 4])
        .count()
}

fn since(now: Stats, before: Stats) -> [u64; 3] {
    [
        now.statements - before.statements,
        now.changes - before.changes,
        now.commits - before.commits,
    ]
}

#[tokio::test]
async fn each_call_is_one_statement() {
    let (_dir, store) = store();
    let mut before = store.stats();
    let mut cost = |store: &SqliteStore| {
        let now = store.stats();
        since(now, std::mem::replace(&mut before, now))
    };
    let expected = Loaded::new(record(1));
    store.create(&key(1), &record(1)).await.unwrap();
    assert_eq!(cost(&store), [1, 1, 1]);
    store.create(&key(1), &record(1)).await.unwrap_err();
    assert_eq!(cost(&store), [1, 1, 1]);
    load(&store, &key(1)).await.unwrap().unwrap();
    assert_eq!(cost(&store), [1, 0, 0]);
    assert!(store.touch(&key(1), &record(1), &expected).await.unwrap());
    assert_eq!(cost(&store), [1, 1, 1]);
    store.replace(&key(1), &record(2), &expected).await.unwrap();
    assert_eq!(cost(&store), [1, 1, 1]);
    store
        .replace(&key(1), &record(3), &expected)
        .await
        .unwrap_err();
    assert_eq!(cost(&store), [1, 1, 1]);
    store
        .by_subject("cart", &subject("ann"), None, 9)
        .await
        .unwrap();
    assert_eq!(cost(&store), [1, 0, 0]);
    store.scan(None, 9).await.unwrap();
    assert_eq!(cost(&store), [1, 0, 0]);
    store.delete(&key(1)).await.unwrap();
    assert_eq!(cost(&store), [1, 1, 1]);
    store.sweep(Timestamp::from_millis(9), 9).await.unwrap();
    assert_eq!(cost(&store), [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_the_same_time_share_commits() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(path(&dir)).unwrap();
    for number in 0..256 {
        store.create(&numbered(number), &record(1)).await.unwrap();
    }
    connection(&dir)
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    let before = store.stats();
    let replaces = (0..256).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let expected = Loaded::new(record(1));
            store
                .replace(&numbered(number), &sized(2, 100), &expected)
                .await
                .unwrap();
        })
    });
    for replace in replaces.collect::<Vec<_>>() {
        replace.await.unwrap();
    }
    let [statements, changes, commits] = since(store.stats(), before);
    let in_log = commits_in_log(store.path());
    println!("256 replaces at the same time: {commits} commits, {in_log} in the log");
    assert_eq!(changes, 256);
    assert_eq!(u64::try_from(in_log).unwrap(), commits);
    assert!(commits <= 64, "{commits}");
    assert!(statements <= changes + 2 * commits, "{statements}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_call_has_its_own_outcome() {
    let (dir, store) = store();
    for number in 0..100 {
        store
            .create(&numbered(number), &record_of(1, "ann"))
            .await
            .unwrap();
    }
    // What comes while another holds the lock goes out together.
    let other = connection(&dir);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let calls = (0..200).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let expected = Loaded::new(record(if number % 3 == 0 { 7 } else { 1 }));
            let result = store
                .replace(&numbered(number), &record(2), &expected)
                .await;
            (number, kind(result))
        })
    });
    let calls: Vec<_> = calls.collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    other.execute_batch("COMMIT").unwrap();
    for call in calls {
        let (number, kind) = call.await.unwrap();
        let is_there = number < 100 && number % 3 != 0;
        assert_eq!(
            kind,
            (!is_there).then_some(StoreErrorKind::Conflict),
            "{number}"
        );
        if number < 100 {
            let version = load(&store, &numbered(number))
                .await
                .unwrap()
                .unwrap()
                .record
                .version;
            assert_eq!(version.to_bits(), if is_there { 2 } else { 1 });
        }
    }
    assert!(store.stats().largest_commit >= 100, "{:?}", store.stats());
}

#[tokio::test] // one thread, so that the calls come in their order
async fn a_change_that_undoes_its_transaction_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::builder(path(&dir))
        .synchronous(Synchronous::Off)
        .max_file_size(400 * 1024)
        .open()
        .unwrap();
    let other = connection(&dir);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // The writer waits with this one, so that the others go out together.
    let first = tokio::spawn({
        let store = store.clone();
        async move { store.create(&key(1), &record(1)).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    // Among small ones, one that has no room.
    let calls = (0..20).map(|number| {
        let store = store.clone();
        let size = if number == 10 { 1 << 20 } else { 100 };
        tokio::spawn(async move { store.create(&numbered(number), &sized(1, size)).await })
    });
    let calls: Vec<_> = calls.collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    other.execute_batch("COMMIT").unwrap();
    for (number, call) in calls.into_iter().enumerate() {
        let kind = kind(call.await.unwrap());
        assert_eq!(
            kind,
            (number == 10).then_some(StoreErrorKind::Unavailable),
            "{number}"
        );
    }
    first.await.unwrap().unwrap();
    // Those before it were undone with it, and carried out again one by one.
    assert!(store.stats().commits >= 5, "{:?}", store.stats());
    assert_eq!(store.scan(None, 99).await.unwrap().sessions.len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_write_all_the_time_both_get_their_turn() {
    let dir = tempfile::tempdir().unwrap();
    let stores = [(); 2].map(|()| SqliteStore::open(path(&dir)).unwrap());
    let writers = (0..64).map(|writer| {
        let store = stores[writer % 2].clone();
        let first = u32::try_from(writer * 100).unwrap();
        tokio::spawn(async move {
            for number in first..first + 100 {
                store
                    .create(&numbered(number), &sized(1, 1_000))
                    .await
                    .unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(stores.map(|store| store.stats().changes), [3_200; 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_sweep_lets_others_in_between() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::builder(path(&dir))
        .synchronous(Synchronous::Off)
        .open()
        .unwrap();
    let creates = (0..5_000).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { store.create(&numbered(number), &record(1)).await.unwrap() })
    });
    for create in creates.collect::<Vec<_>>() {
        create.await.unwrap();
    }
    let before = store.stats();
    assert_eq!(store.sweep(Timestamp::MAX, 4_900).await.unwrap(), 4_900);
    assert!(store.stats().changes - before.changes >= 24);
    assert_eq!(store.sweep(Timestamp::MAX, 4_900).await.unwrap(), 100);
}

/// Writes records of 100 kB over one another, no two alike: SQLite writes only the pages that differ.
async fn write_100_kb(store: &SqliteStore, versions: std::ops::Range<u64>) {
    for version in versions {
        let mut next = sized(version + 1, 0);
        next.data = vec![version.to_le_bytes()[0]; 100_000].into();
        let expected = Loaded::new(sized(version, 0));
        store.replace(&key(1), &next, &expected).await.unwrap();
    }
}

/// How long the log may be, in bytes.
const LOG: u64 = 34 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_does_not_grow_for_ever() {
    let (dir, store) = store();
    store.create(&key(1), &sized(1, 100_000)).await.unwrap();
    let log = dir.path().join("sessions.db-wal");
    let is_done = Arc::new(AtomicBool::new(false));
    let reads = tokio::spawn({
        let (store, is_done) = (store.clone(), Arc::clone(&is_done));
        async move {
            while !is_done.load(Ordering::Relaxed) {
                load(&store, &key(1)).await.unwrap();
                store.scan(None, 9).await.unwrap();
            }
        }
    });
    write_100_kb(&store, 1..2_000).await;
    is_done.store(true, Ordering::Relaxed);
    reads.await.unwrap();
    let size = fs::metadata(log).unwrap().len();
    println!("after 200 MB of writes the log has {size} bytes");
    assert!(size <= LOG, "{size}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_cut_down_when_a_long_reader_is_done() {
    let (dir, store) = store();
    store.create(&key(1), &sized(1, 100_000)).await.unwrap();
    let other = connection(&dir);
    let count = format!("SELECT count(*) FROM {TABLE}");
    other.execute_batch("BEGIN").unwrap();
    let count: i64 = other.query_row(&count, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
    write_100_kb(&store, 1..1_000).await;
    let size = || {
        let log = dir.path().join("sessions.db-wal");
        fs::metadata(log).unwrap().len()
    };
    assert!(size() > 2 * LOG, "{}", size());
    other.execute_batch("COMMIT").unwrap();
    write_100_kb(&store, 1_000..1_050).await;
    assert!(size() <= LOG, "{}", size());
}
