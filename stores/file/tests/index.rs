//! The index by subject, scanning, and their cursors.
#![allow(clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::{collections::BTreeSet, fs, path::PathBuf};

use bytes::Bytes;
use cloakroom_file::FileStore;
use cloakroom_store::{Cursor, Key, Loaded, Page, Store, StoreError, StoreErrorKind};
use common::{file, key, key_of, kind, names, record, record_of, store, subject};

async fn ann(store: &FileStore, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
    store
        .by_subject("cart", &subject("ann"), after, limit)
        .await
}

fn hints(store: &FileStore, hash_starts_with: &str) -> PathBuf {
    let short = hash_starts_with.get(..2).unwrap();
    let folder = store.dir().join("cart/.subjects").join(short);
    let names = names(&folder);
    folder.join(
        names
            .iter()
            .find(|n| n.starts_with(hash_starts_with))
            .unwrap(),
    )
}

/// The beginning of the SHA-256 of `ann`.
const ANN: &str = "4991";

#[tokio::test]
async fn pages_by_subject_are_complete_and_sorted() {
    let (_dir, store) = store();
    for byte in 0..20 {
        let who = if byte % 2 == 0 { "ann" } else { "bob" };
        store.create(&key(byte), &record_of(1, who)).await.unwrap();
    }
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = ann(&store, after.as_ref(), 3).await.unwrap();
        assert!(page.sessions.len() <= 3);
        found.extend(page.sessions.iter().map(|session| session.key));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, (0..20).step_by(2).map(key).collect::<Vec<_>>());
    let elsewhere = store.by_subject("admin", &subject("ann"), None, 9).await;
    assert_eq!(elsewhere.unwrap(), Page::default());
    let nowhere = store.by_subject("../cart", &subject("ann"), None, 9).await;
    assert_eq!(nowhere.unwrap(), Page::default());
}

#[tokio::test]
async fn wrong_hints_are_pruned_and_empty_folders_go() {
    let (_dir, store) = store();
    for byte in [1, 2, 3] {
        store
            .create(&key(byte), &record_of(1, "ann"))
            .await
            .unwrap();
    }
    let folder = hints(&store, ANN);
    assert_eq!(names(&folder).len(), 3);
    // As a process leaves them that is killed between the two steps of a change.
    fs::remove_file(file(&store, &key(1))).unwrap();
    fs::write(folder.join(key(4).id.to_string()), "").unwrap();
    fs::write(folder.join("stray"), "").unwrap();
    assert_eq!(ann(&store, None, 9).await.unwrap().sessions.len(), 2);
    assert_eq!(names(&folder).len(), 3);
    fs::remove_file(folder.join("stray")).unwrap();

    let expected = Loaded::new(record(1));
    store
        .replace(&key(2), &record_of(2, "bob"), &expected)
        .await
        .unwrap();
    store.delete(&key(3)).await.unwrap();
    assert!(ann(&store, None, 9).await.unwrap().sessions.is_empty());
    assert!(!folder.exists());
    let bob = store.by_subject("cart", &subject("bob"), None, 9).await;
    assert_eq!(bob.unwrap().sessions.len(), 1);
}

#[tokio::test]
async fn logins_and_logouts_of_one_subject_do_not_lose_a_hint() {
    let (_dir, store) = store();
    let mut tasks = Vec::new();
    // The folder of the subject is emptied and filled again all the time.
    for byte in 0..16 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..50 {
                store
                    .create(&key(byte), &record_of(1, "ann"))
                    .await
                    .unwrap();
                let page = ann(&store, None, 99).await.unwrap();
                assert!(page.sessions.iter().any(|session| session.key == key(byte)));
                assert!(store.delete(&key(byte)).await.unwrap());
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert!(ann(&store, None, 9).await.unwrap().sessions.is_empty());
}

#[tokio::test]
async fn scan_pages_through_all_namespaces_in_order() {
    let (_dir, store) = store();
    let mut keys = BTreeSet::new();
    for byte in 0..40_u8 {
        // Several in one leaf folder, and two namespaces.
        let mut id = [byte; 16];
        id[0] = byte / 4;
        let mut key = key_of(id);
        if byte % 3 == 0 {
            key.namespace = cloakroom_store::NamespaceId::new("admin").unwrap();
        }
        store.create(&key, &record(1)).await.unwrap();
        keys.insert(key);
    }
    for limit in [0, 1, 3, 7, 40, 41, usize::MAX] {
        let mut found: Vec<Key> = Vec::new();
        let mut after = None;
        loop {
            let page = store.scan(after.as_ref(), limit).await.unwrap();
            assert!(page.sessions.len() <= limit.max(1));
            found.extend(page.sessions.iter().map(|session| session.key));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert!(found.iter().eq(keys.iter()), "limit {limit}");
    }
}

#[tokio::test]
async fn cursors_are_checked() {
    let (_dir, store) = store();
    store.create(&key(1), &record_of(1, "ann")).await.unwrap();
    let long = [b'a'; 100];
    let hostile: [&[u8]; 6] = [
        b"",
        b"x",
        &[0; 16],
        b"0123456789abcdef../..",
        &long,
        &[0xff; 20],
    ];
    for bytes in hostile {
        let cursor = Cursor::new(Bytes::copy_from_slice(bytes));
        let other = Some(StoreErrorKind::Other);
        assert_eq!(kind(store.scan(Some(&cursor), 9).await), other);
        assert_eq!(kind(ann(&store, Some(&cursor), 9).await), other);
    }
    let foreign = Cursor::new(Bytes::from_static(b"0123456789abcdefgone"));
    assert!(
        store
            .scan(Some(&foreign), 9)
            .await
            .unwrap()
            .sessions
            .is_empty()
    );
}
