//! Callers who go, locks that others hold, sweeps that are cut short, and no runtime.
#![allow(clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::{
    fs::{self, File},
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use cloakroom_file::{FileStore, Fsync};
use cloakroom_store::{Freshness, Loaded, Store, StoreErrorKind, Timestamp};
use common::{file, key, key_of, kind, leaf, load, names, record, store};
use tokio::time::{sleep, timeout};

/// The lock of a leaf folder, taken as another process would.
fn lock(store: &FileStore) -> File {
    let lock = File::open(leaf(store, &key(1)).join(".lock")).unwrap();
    lock.lock().unwrap();
    lock
}

#[tokio::test]
async fn a_call_that_is_dropped_while_it_waits_changes_nothing() {
    let (_dir, store) = store();
    store.create(&key(1), &record(1)).await.unwrap();
    let expected = Loaded::new(record(1));
    let mut neighbour = [1; 16];
    neighbour[15] = 2;
    let neighbour = key_of(neighbour);
    let held = lock(&store);
    let wait = Duration::from_millis(50);
    assert!(timeout(wait, store.delete(&key(1))).await.is_err());
    assert!(
        timeout(wait, store.replace(&key(1), &record(2), &expected))
            .await
            .is_err()
    );
    assert!(
        timeout(wait, store.create(&neighbour, &record(2)))
            .await
            .is_err()
    );
    let mut later = record(1);
    later.expires = Timestamp::MAX;
    assert!(
        timeout(wait, store.touch(&key(1), &later, &expected))
            .await
            .is_err()
    );
    let sweep = store.sweep(Timestamp::from_millis(100_001), 9);
    assert!(timeout(wait, sweep).await.is_err());
    drop(held);
    sleep(wait).await;
    assert_eq!(
        load(&store, &key(1)).await.unwrap().unwrap().record,
        record(1)
    );
    assert_eq!(load(&store, &neighbour).await.unwrap(), None);
    // And the lock is free.
    assert!(store.delete(&key(1)).await.unwrap());
}

#[tokio::test]
async fn readers_wait_for_nobody() {
    let (_dir, store) = store();
    store.create(&key(1), &record(1)).await.unwrap();
    let _held = lock(&store);
    assert!(load(&store, &key(1)).await.unwrap().is_some());
    assert_eq!(store.scan(None, 9).await.unwrap().sessions.len(), 1);
}

#[tokio::test]
async fn a_lock_that_is_never_freed_is_a_timeout_and_others_go_on() {
    let (_dir, store) = store();
    store.create(&key(1), &record(1)).await.unwrap();
    store.create(&key(2), &record(1)).await.unwrap();
    let _held = lock(&store);
    let begin = Instant::now();
    let stuck = tokio::spawn({
        let store = store.clone();
        async move { store.delete(&key(1)).await }
    });
    assert!(store.delete(&key(2)).await.unwrap());
    assert!(begin.elapsed() < Duration::from_secs(1));
    assert_eq!(kind(stuck.await.unwrap()), Some(StoreErrorKind::TimedOut));
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_lock_file_that_is_removed_is_made_again() {
    let (_dir, store) = store();
    store.create(&key(1), &record(1)).await.unwrap();
    let held = lock(&store);
    fs::remove_file(leaf(&store, &key(1)).join(".lock")).unwrap();
    assert!(store.delete(&key(1)).await.unwrap());
    assert!(leaf(&store, &key(1)).join(".lock").exists());
    drop(held);
}

#[test]
fn without_a_runtime_calls_are_errors() {
    let (_dir, store) = store();
    let load =
        pin!(store.load(&key(1), Freshness::Any)).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(result) = load else {
        panic!("it has nothing to wait for");
    };
    assert_eq!(kind(result), Some(StoreErrorKind::Other));
    let record = record(1);
    let create = pin!(store.create(&key(1), &record)).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(create, Poll::Ready(Err(_))));
    assert!(names(store.dir()).is_empty());
}

#[test]
fn works_on_a_bare_runtime() {
    let (_dir, store) = store();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        store.create(&key(1), &record(1)).await.unwrap();
        assert!(load(&store, &key(1)).await.unwrap().is_some());
    });
}

#[tokio::test]
async fn a_touch_moves_times_forward_only() {
    let (_dir, store) = store();
    store.create(&key(1), &record(1)).await.unwrap();
    let expected = Loaded::new(record(1));
    let touched = async |last_seen: u64, expires: u64| {
        let mut touch = record(1);
        touch.last_seen = Timestamp::from_millis(last_seen);
        touch.expires = Timestamp::from_millis(expires);
        store.touch(&key(1), &touch, &expected).await.unwrap()
    };
    assert!(touched(5_000, 200_000).await);
    assert!(touched(4_000, 150_000).await);
    assert!(touched(4_000, 300_000).await);
    let kept = load(&store, &key(1)).await.unwrap().unwrap().record;
    assert_eq!(kept.last_seen.as_millis(), 5_000);
    assert_eq!(kept.expires.as_millis(), 300_000);
    assert_eq!(kept.data, record(1).data);
    assert!(touched(359_999, 400_000).await);
    assert!(!touched(460_001, 900_000).await);
}

#[tokio::test]
async fn too_much_data_is_too_large() {
    let dir = tempfile::tempdir().unwrap();
    let open = |limit| {
        FileStore::builder(dir.path())
            .max_data_size(limit)
            .open()
            .unwrap()
    };
    let store = open(10);
    let mut large = record(1);
    large.data = vec![b'x'; 11].into();
    let too_large = Some(StoreErrorKind::TooLarge);
    assert_eq!(kind(store.create(&key(1), &large).await), too_large);
    large.data = vec![b'x'; 10].into();
    store.create(&key(1), &large).await.unwrap();
    assert!(load(&store, &key(1)).await.unwrap().is_some());
    large.data = vec![b'x'; 500].into();
    let expected = Loaded::new(record(1));
    assert_eq!(
        kind(store.replace(&key(1), &large, &expected).await),
        too_large
    );
    open(500).replace(&key(1), &large, &expected).await.unwrap();
    assert_eq!(
        kind(load(&store, &key(1)).await),
        Some(StoreErrorKind::Corrupt)
    );
}

#[tokio::test]
async fn sweeps_go_on_where_the_last_one_ended() {
    let (_dir, store) = store();
    for byte in 0..10 {
        store.create(&key(byte), &record(1)).await.unwrap();
    }
    let mut fresh = record(1);
    fresh.expires = Timestamp::MAX;
    store.create(&key(200), &fresh).await.unwrap();
    let now = Timestamp::from_millis(100_000);
    assert_eq!(store.sweep(now, 99).await.unwrap(), 0);
    let now = Timestamp::from_millis(100_001);
    assert_eq!(store.sweep(now, 0).await.unwrap(), 0);
    for removed in [4, 4, 2, 0] {
        assert_eq!(store.sweep(now, 4).await.unwrap(), removed);
    }
    assert!(file(&store, &key(200)).exists());
}

#[tokio::test]
async fn what_a_killed_writer_left_is_swept() {
    let (_dir, store) = store();
    store.create(&key(1), &record(1)).await.unwrap();
    let left = format!(".{}.tmp", key(7).id);
    fs::write(leaf(&store, &key(1)).join(left), "half a rec").unwrap();
    assert_eq!(store.sweep(Timestamp::EPOCH, 9).await.unwrap(), 0);
    assert_eq!(
        names(&leaf(&store, &key(1))),
        [".lock".to_owned(), key(1).id.to_string()]
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_swept_does_not_keep_others_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let builder = FileStore::builder(dir.path()).fsync(Fsync::Never);
    let store = builder.open().unwrap();
    for byte in [1, 2, 3] {
        store.create(&key(byte), &record(1)).await.unwrap();
    }
    fs::remove_dir_all(leaf(&store, &key(1))).unwrap();
    fs::write(leaf(&store, &key(1)), "").unwrap();
    let now = Timestamp::from_millis(100_001);
    assert_eq!(store.sweep(now, 9).await.unwrap(), 2);
    assert_eq!(kind(store.sweep(now, 9).await), Some(StoreErrorKind::Other));
}
