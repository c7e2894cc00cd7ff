//! Torn, damaged and foreign files, links and other things in the place of a file.

mod common;

use std::{
    fs::{self, File},
    os::unix::fs::{chown, symlink},
    process::Command,
    time::{Duration, SystemTime},
};

use cloakroom_file::FileStore;
use cloakroom_store::{Loaded, Store, StoreErrorKind, Timestamp};
use common::{file, key, kind, leaf, load, names, record, record_of, store};

const CORRUPT: Option<StoreErrorKind> = Some(StoreErrorKind::Corrupt);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn every_truncation_is_corrupt() {
    let (_dir, store) = store();
    store.create(&key(1), &record_of(1, "ann")).await.unwrap();
    let whole = fs::read(file(&store, &key(1))).unwrap();
    for length in 0..whole.len() {
        fs::write(file(&store, &key(1)), &whole[..length]).unwrap();
        assert_eq!(kind(load(&store, &key(1)).await), CORRUPT, "{length}");
    }
}

#[tokio::test]
async fn every_flipped_bit_is_corrupt() {
    let (_dir, store) = store();
    store.create(&key(1), &record_of(1, "ann")).await.unwrap();
    let whole = fs::read(file(&store, &key(1))).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(file(&store, &key(1)), flipped).unwrap();
        assert_eq!(kind(load(&store, &key(1)).await), CORRUPT, "bit {bit}");
    }
}

#[tokio::test]
async fn another_sessions_file_is_never_believed() {
    let (_dir, store) = store();
    store.create(&key(1), &record_of(1, "ann")).await.unwrap();
    store.create(&key(2), &record_of(2, "bob")).await.unwrap();
    fs::copy(file(&store, &key(1)), file(&store, &key(2))).unwrap();
    assert_eq!(kind(load(&store, &key(2)).await), CORRUPT);
    fs::remove_file(file(&store, &key(2))).unwrap();
    fs::hard_link(file(&store, &key(1)), file(&store, &key(2))).unwrap();
    assert_eq!(kind(load(&store, &key(2)).await), CORRUPT);

    let expected = Loaded::new(record(1));
    assert_eq!(
        kind(store.replace(&key(2), &record(3), &expected).await),
        CORRUPT
    );
    assert_eq!(
        kind(store.touch(&key(2), &record(3), &expected).await),
        CORRUPT
    );
    assert!(store.delete(&key(2)).await.unwrap());
    assert!(load(&store, &key(1)).await.unwrap().is_some());
}

/// Puts something that is no record in the place of one; false when it can't.
type Put = fn(&FileStore) -> bool;

fn empty(store: &FileStore) -> bool {
    File::create(file(store, &key(1))).is_ok()
}

fn text(store: &FileStore) -> bool {
    fs::write(file(store, &key(1)), "x".repeat(1_000)).is_ok()
}

fn huge(store: &FileStore) -> bool {
    let file = File::create(file(store, &key(1)));
    file.is_ok_and(|file| file.set_len(1 << 40).is_ok())
}

fn link(store: &FileStore) -> bool {
    symlink(file(store, &key(9)), file(store, &key(1))).is_ok()
}

fn dangling_link(store: &FileStore) -> bool {
    symlink("nowhere", file(store, &key(1))).is_ok()
}

fn pipe(store: &FileStore) -> bool {
    let made = Command::new("mkfifo").arg(file(store, &key(1))).status();
    made.is_ok_and(|status| status.success())
}

/// Only root can give a file away.
fn given_away(store: &FileStore) -> bool {
    let path = file(store, &key(1));
    fs::copy(file(store, &key(9)), &path).is_ok() && chown(path, Some(12_345), None).is_ok()
}

#[tokio::test]
async fn what_is_no_record_is_corrupt_until_it_is_deleted_or_a_day_old() {
    let all: [Put; 7] = [empty, text, huge, link, dangling_link, pipe, given_away];
    for put in all {
        let (_dir, store) = store();
        store.create(&key(9), &record(9)).await.unwrap();
        fs::create_dir_all(leaf(&store, &key(1))).unwrap();
        if !put(&store) {
            continue;
        }
        let expected = Loaded::new(record(9));
        let is_there = || file(&store, &key(1)).symlink_metadata().is_ok();
        assert_eq!(kind(load(&store, &key(1)).await), CORRUPT);
        assert_eq!(
            kind(store.replace(&key(1), &record(2), &expected).await),
            CORRUPT
        );
        assert_eq!(
            kind(store.touch(&key(1), &record(2), &expected).await),
            CORRUPT
        );
        let taken = Some(StoreErrorKind::AlreadyExists);
        assert_eq!(kind(store.create(&key(1), &record(2)).await), taken);

        let metadata = file(&store, &key(1)).symlink_metadata().unwrap();
        let written = metadata.modified().unwrap();
        let written = written.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let written = Timestamp::EPOCH.saturating_add(written);
        // The good record has expired long since and goes at once.
        assert_eq!(
            store
                .sweep(written.saturating_add(DAY / 2), 9)
                .await
                .unwrap(),
            1
        );
        assert!(is_there());
        assert_eq!(
            store
                .sweep(written.saturating_add(DAY * 2), 9)
                .await
                .unwrap(),
            1
        );
        assert!(!is_there());

        store.create(&key(9), &record(9)).await.unwrap();
        assert!(put(&store));
        assert!(store.delete(&key(1)).await.unwrap());
        assert!(!is_there());
        assert_eq!(
            load(&store, &key(9)).await.unwrap().unwrap().record,
            record(9)
        );
        store.create(&key(1), &record(3)).await.unwrap();
    }
}

#[tokio::test]
async fn a_folder_in_the_place_of_a_file_is_corrupt_and_stays() {
    let (_dir, store) = store();
    fs::create_dir_all(file(&store, &key(1)).join("more")).unwrap();
    assert_eq!(kind(load(&store, &key(1)).await), CORRUPT);
    assert_eq!(store.sweep(Timestamp::MAX, 9).await.unwrap(), 0);
    assert!(store.delete(&key(1)).await.is_err());
    assert!(file(&store, &key(1)).join("more").is_dir());
}

#[tokio::test]
async fn corrupt_files_do_not_stop_listings_and_sweeps() {
    let (_dir, store) = store();
    for byte in [1, 2, 3] {
        store
            .create(&key(byte), &record_of(1, "ann"))
            .await
            .unwrap();
    }
    fs::write(file(&store, &key(2)), "torn").unwrap();
    let page = store.scan(None, 9).await.unwrap();
    assert_eq!(page.sessions.len(), 2);
    let page = store
        .by_subject("cart", &common::subject("ann"), None, 9)
        .await;
    assert_eq!(page.unwrap().sessions.len(), 2);
    let now = Timestamp::from_millis(100_001);
    assert_eq!(store.sweep(now, 9).await.unwrap(), 2);
    assert_eq!(names(&leaf(&store, &key(2))).len(), 2);
}

#[tokio::test]
async fn what_is_not_of_the_store_stays() {
    let (_dir, store) = store();
    store.create(&key(1), &record(1)).await.unwrap();
    fs::write(leaf(&store, &key(1)).join("notes.txt"), "mine").unwrap();
    fs::write(store.dir().join("readme"), "mine").unwrap();
    fs::create_dir(store.dir().join("Not-a-namespace")).unwrap();
    assert_eq!(store.scan(None, 9).await.unwrap().sessions.len(), 1);
    let now = Timestamp::from_millis(100_001);
    assert_eq!(store.sweep(now, 9).await.unwrap(), 1);
    assert_eq!(store.sweep(now, 9).await.unwrap(), 0);
    assert_eq!(names(&leaf(&store, &key(1))), [".lock", "notes.txt"]);
    assert!(store.dir().join("readme").exists());
}
