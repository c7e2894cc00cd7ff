//! Permissions, links in the place of folders, and a folder that vanishes or changes hands.
#![allow(clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::{
    error::Error,
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::Path,
};

use cloakroom_file::{FileStore, Fsync};
use cloakroom_store::{Loaded, Store, StoreErrorKind, Timestamp};
use common::{file, key, kind, load, names, record, record_of, store, subject};

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

fn walk(dir: &Path, visit: &mut dyn FnMut(&Path)) {
    visit(dir);
    for name in names(dir) {
        let path = dir.join(name);
        match path.is_dir() {
            true => walk(&path, visit),
            false => visit(&path),
        }
    }
}

#[tokio::test]
async fn folders_are_0700_and_files_0600_whatever_the_umask() {
    rustix::process::umask(rustix::fs::Mode::empty());
    let (_dir, store) = store();
    store.create(&key(1), &record_of(1, "ann")).await.unwrap();
    let expected = Loaded::new(record(1));
    store
        .replace(&key(1), &record_of(2, "bob"), &expected)
        .await
        .unwrap();
    let mut seen = 0;
    walk(store.dir(), &mut |path| {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(path), expected, "{}", path.display());
        seen += 1;
    });
    assert_eq!(seen, 4 + 2 + 3 + 2);
}

#[tokio::test]
async fn every_fsync_mode_stores_the_same() {
    for fsync in [Fsync::Never, Fsync::File, Fsync::FileAndFolder] {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::builder(dir.path().join("a/b"))
            .fsync(fsync)
            .open()
            .unwrap();
        store.create(&key(1), &record_of(1, "ann")).await.unwrap();
        let loaded = load(&store, &key(1)).await.unwrap().unwrap();
        assert_eq!(loaded.record, record_of(1, "ann"));
        store.replace(&key(1), &record(2), &loaded).await.unwrap();
        let page = store
            .by_subject("cart", &subject("ann"), None, 9)
            .await
            .unwrap();
        assert!(page.sessions.is_empty());
        assert!(store.delete(&key(1)).await.unwrap());
        assert!(!store.delete(&key(1)).await.unwrap());
        assert_eq!(names(&common::leaf(&store, &key(1))), [".lock"]);
    }
}

#[tokio::test]
async fn links_in_the_place_of_folders_are_not_followed() {
    let (dir, store) = store();
    let aside = dir.path().join("aside");
    let leaf = common::leaf(&store, &key(0x12));
    let namespace = store.dir().join("cart");
    for place in [
        &leaf,
        leaf.parent().unwrap(),
        &namespace,
        &namespace.join(".subjects"),
    ] {
        store
            .create(&key(0x12), &record_of(1, "ann"))
            .await
            .unwrap();
        let _ = fs::remove_dir_all(&aside);
        fs::rename(place, &aside).unwrap();
        symlink(&aside, place).unwrap();
        let mut before = Vec::new();
        walk(&aside, &mut |path| {
            before.push((path.to_owned(), fs::read(path).ok()))
        });

        let other = Some(StoreErrorKind::Other);
        let mut new = record_of(2, "ann");
        new.subject = Some(subject("eve"));
        let expected = Loaded::new(record(1));
        assert_eq!(
            kind(store.replace(&key(0x12), &new, &expected).await),
            other
        );
        assert_eq!(
            kind(store.by_subject("cart", &subject("ann"), None, 9).await),
            other
        );
        if !place.ends_with(".subjects") {
            assert_eq!(kind(load(&store, &key(0x12)).await), other);
            assert_eq!(kind(store.create(&key(0x12), &new).await), other);
            assert_eq!(kind(store.touch(&key(0x12), &new, &expected).await), other);
            assert_eq!(kind(store.delete(&key(0x12)).await), other);
            assert_eq!(kind(store.sweep(Timestamp::MAX, 9).await), other);
            assert_eq!(kind(store.scan(None, 9).await), other);
        }
        let mut after = Vec::new();
        walk(&aside, &mut |path| {
            after.push((path.to_owned(), fs::read(path).ok()))
        });
        assert_eq!(before, after);
        fs::remove_file(place).unwrap();
        let _ = fs::remove_dir_all(&namespace);
    }
}

#[tokio::test]
async fn a_link_in_the_place_of_the_lock_is_not_followed() {
    let (dir, store) = store();
    store.create(&key(1), &record(1)).await.unwrap();
    let lock = common::leaf(&store, &key(1)).join(".lock");
    fs::remove_file(&lock).unwrap();
    symlink(dir.path().join("made"), &lock).unwrap();
    assert!(store.delete(&key(1)).await.is_err());
    assert!(!dir.path().join("made").exists());
    assert!(load(&store, &key(1)).await.unwrap().is_some());
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for mode in [0o770, 0o702, 0o1777] {
        fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
        let error = FileStore::open(dir.path()).unwrap_err();
        assert!(error.to_string().contains("chmod go-w"), "{error}");
        assert_eq!(error.path(), dir.path().canonicalize().unwrap());
    }
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    assert!(FileStore::open(dir.path()).is_ok());
}

#[test]
fn a_folder_of_another_user_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    // Only root can give a folder away.
    if chown(dir.path(), Some(12_345), None).is_ok() {
        let error = FileStore::open(dir.path()).unwrap_err();
        assert!(
            error.to_string().contains("belongs to user 12345"),
            "{error}"
        );
    }
}

#[test]
fn what_is_no_folder_is_refused_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    let error = FileStore::open(&path).unwrap_err();
    assert!(error.to_string().contains("can't be opened"), "{error}");
    assert!(error.source().is_some());
}

#[tokio::test]
async fn a_vanished_folder_is_unavailable_and_its_return_is_noticed() {
    let (dir, store) = store();
    store.create(&key(1), &record(1)).await.unwrap();
    let aside = dir.path().join("aside");
    fs::rename(store.dir(), &aside).unwrap();
    let unavailable = Some(StoreErrorKind::Unavailable);
    assert_eq!(kind(load(&store, &key(1)).await), unavailable);
    assert_eq!(kind(store.create(&key(2), &record(1)).await), unavailable);
    assert_eq!(kind(store.delete(&key(1)).await), unavailable);
    assert_eq!(kind(store.sweep(Timestamp::MAX, 9).await), unavailable);
    assert!(!store.dir().exists());
    fs::rename(&aside, store.dir()).unwrap();
    assert!(load(&store, &key(1)).await.unwrap().is_some());

    fs::set_permissions(store.dir(), Permissions::from_mode(0o777)).unwrap();
    assert_eq!(
        kind(load(&store, &key(1)).await),
        Some(StoreErrorKind::Other)
    );
}

#[tokio::test]
async fn removing_all_files_by_hand_ends_all_sessions() {
    let (_dir, store) = store();
    store.create(&key(1), &record_of(1, "ann")).await.unwrap();
    fs::remove_dir_all(store.dir().join("cart")).unwrap();
    assert_eq!(load(&store, &key(1)).await.unwrap(), None);
    assert!(!store.delete(&key(1)).await.unwrap());
    store.create(&key(1), &record(2)).await.unwrap();
    assert!(file(&store, &key(1)).exists());
}
