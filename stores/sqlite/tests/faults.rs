//! Full disks, locks of others, tables, files and rows that are not what they were, and what comes
//! after.
#![allow(clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::{
    fs::{self, File, OpenOptions},
    io::{Seek, Write},
    time::{Duration, Instant},
};

use cloakroom_sqlite::{SqliteStore, Synchronous};
use cloakroom_store::{Cursor, Key, Loaded, Page, Store, StoreError, StoreErrorKind, Timestamp};
use common::{
    TABLE, connection, key, kind, load, numbered, path, record, record_of, sized, store, subject,
};
use tempfile::TempDir;
use tokio::time::sleep;

const UNAVAILABLE: Option<StoreErrorKind> = Some(StoreErrorKind::Unavailable);
const CORRUPT: Option<StoreErrorKind> = Some(StoreErrorKind::Corrupt);

/// Moves the log to the database file.
fn checkpoint(dir: &TempDir) {
    let truncate = "PRAGMA wal_checkpoint(TRUNCATE)";
    let busy: i64 = connection(dir)
        .query_row(truncate, [], |row| row.get(0))
        .unwrap();
    assert_eq!(busy, 0);
}

/// Waits until loads are answered as they should be; they look at the file ten times a second.
async fn loads_become(store: &SqliteStore, expected: Option<StoreErrorKind>) {
    let began = Instant::now();
    while kind(load(store, &key(1)).await) != expected {
        assert!(began.elapsed() < Duration::from_secs(5));
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_full_disk_is_unavailable_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let builder = SqliteStore::builder(path(&dir)).synchronous(Synchronous::Off);
    let store = builder.max_file_size(1 << 20).open().unwrap();
    let mut count = 0;
    let error = loop {
        match store.create(&numbered(count), &sized(1, 10_000)).await {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
        assert!(count < 200);
    };
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(
        common::chain(&error).contains("full"),
        "{}",
        common::chain(&error)
    );
    assert!(count > 50);
    // What is there can be read and ended, and that makes room.
    assert!(load(&store, &numbered(0)).await.unwrap().is_some());
    assert!(store.delete(&numbered(0)).await.unwrap());
    let expected = Loaded::new(record(1));
    store
        .replace(&numbered(1), &sized(2, 10_000), &expected)
        .await
        .unwrap();
    assert_eq!(store.sweep(Timestamp::MAX, 5).await.unwrap(), 5);
    store
        .create(&numbered(count), &sized(1, 10_000))
        .await
        .unwrap();
    checkpoint(&dir);
    assert!(fs::metadata(path(&dir)).unwrap().len() <= 1 << 20);
}

#[tokio::test]
async fn the_lock_of_another_is_a_timeout_within_the_deadline() {
    let (dir, store) = store();
    store.create(&key(1), &record(1)).await.unwrap();
    let other = connection(&dir);
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    for _ in 0..2 {
        let began = Instant::now();
        assert_eq!(
            kind(store.delete(&key(1)).await),
            Some(StoreErrorKind::TimedOut)
        );
        assert!(
            began.elapsed() < Duration::from_millis(750),
            "{:?}",
            began.elapsed()
        );
        assert!(
            began.elapsed() > Duration::from_millis(300),
            "{:?}",
            began.elapsed()
        );
    }
    // Readers wait for nobody.
    let began = Instant::now();
    assert!(load(&store, &key(1)).await.unwrap().is_some());
    assert_eq!(store.scan(None, 9).await.unwrap().sessions.len(), 1);
    assert!(began.elapsed() < Duration::from_millis(300));
    // Who comes while the first waits does not wait longer for that.
    let early = async { store.delete(&key(2)).await };
    let late = async {
        sleep(Duration::from_millis(300)).await;
        let began = Instant::now();
        (kind(store.delete(&key(3)).await), began.elapsed())
    };
    let (early, (late, waited)) = tokio::join!(early, late);
    assert_eq!([kind(early), late], [Some(StoreErrorKind::TimedOut); 2]);
    assert!(waited < Duration::from_millis(750), "{waited:?}");
    other.execute_batch("COMMIT").unwrap();
    assert!(store.delete(&key(1)).await.unwrap());
}

#[tokio::test]
async fn a_missing_table_is_unavailable_until_it_is_there() {
    let (dir, store) = store();
    store.create(&key(1), &record_of(1, "ann")).await.unwrap();
    connection(&dir)
        .execute_batch(&format!("DROP TABLE {TABLE}; DROP TABLE {TABLE}_schema;"))
        .unwrap();
    let expected = Loaded::new(record(1));
    assert_eq!(kind(load(&store, &key(1)).await), UNAVAILABLE);
    assert_eq!(kind(store.create(&key(1), &record(1)).await), UNAVAILABLE);
    assert_eq!(
        kind(store.replace(&key(1), &record(2), &expected).await),
        UNAVAILABLE
    );
    assert_eq!(
        kind(store.touch(&key(1), &record(2), &expected).await),
        UNAVAILABLE
    );
    assert_eq!(kind(store.delete(&key(1)).await), UNAVAILABLE);
    assert_eq!(kind(store.sweep(Timestamp::MAX, 9).await), UNAVAILABLE);
    assert_eq!(kind(store.scan(None, 9).await), UNAVAILABLE);
    let listed = store.by_subject("cart", &subject("ann"), None, 9).await;
    assert_eq!(kind(listed), UNAVAILABLE);
    let script = SqliteStore::migrations(TABLE).unwrap();
    connection(&dir).execute_batch(&script).unwrap();
    assert_eq!(load(&store, &key(1)).await.unwrap(), None);
    store.create(&key(1), &record(1)).await.unwrap();
    assert!(load(&store, &key(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_column_of_another_name_is_unavailable_until_it_is_back() {
    let (dir, store) = store();
    store.create(&key(1), &record(1)).await.unwrap();
    let rename = |from, to| {
        let rename = format!("ALTER TABLE {TABLE} RENAME COLUMN {from} TO {to}");
        connection(&dir).execute_batch(&rename).unwrap();
    };
    rename("data", "contents");
    assert_eq!(kind(load(&store, &key(1)).await), UNAVAILABLE);
    assert_eq!(kind(store.create(&key(2), &record(1)).await), UNAVAILABLE);
    rename("contents", "data");
    assert!(load(&store, &key(1)).await.unwrap().is_some());
    store.create(&key(2), &record(1)).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_deleted_database_is_unavailable_until_there_is_one() {
    let (dir, store) = store();
    store.create(&key(1), &record(1)).await.unwrap();
    for name in ["sessions.db", "sessions.db-wal", "sessions.db-shm"] {
        fs::remove_file(dir.path().join(name)).unwrap();
    }
    assert_eq!(kind(store.create(&key(2), &record(1)).await), UNAVAILABLE);
    loads_become(&store, UNAVAILABLE).await;
    assert_eq!(kind(store.scan(None, 9).await), UNAVAILABLE);
    // It makes none by itself: that would end all sessions without a word.
    assert!(!path(&dir).exists());
    let other = SqliteStore::open(path(&dir)).unwrap();
    other.create(&key(3), &record(1)).await.unwrap();
    loads_become(&store, None).await;
    assert_eq!(load(&store, &key(1)).await.unwrap(), None);
    assert!(load(&store, &key(3)).await.unwrap().is_some());
    store.create(&key(2), &record(1)).await.unwrap();
    assert!(load(&other, &key(2)).await.unwrap().is_some());
}

#[cfg(unix)]
#[tokio::test]
async fn a_restored_backup_takes_effect_at_once() {
    let (dir, store) = store();
    store.create(&key(1), &record(1)).await.unwrap();
    let backup = dir.path().join("backup");
    let save = format!("VACUUM INTO '{}'", backup.display());
    connection(&dir).execute_batch(&save).unwrap();
    assert!(store.delete(&key(1)).await.unwrap());
    store.create(&key(2), &record(1)).await.unwrap();
    checkpoint(&dir);
    fs::rename(&backup, path(&dir)).unwrap();
    let expected = Loaded::new(record(1));
    store.replace(&key(1), &record(2), &expected).await.unwrap();
    let began = Instant::now();
    while load(&store, &key(2)).await.unwrap().is_some() {
        assert!(began.elapsed() < Duration::from_secs(5));
        sleep(Duration::from_millis(5)).await;
    }
    let loaded = load(&store, &key(1)).await.unwrap().unwrap();
    assert_eq!(loaded.record, record(2));
    let mode: String = connection(&dir)
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
    let sound: String = connection(&dir)
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
}

/// What becomes of the store when its file is not what it was, and when it is again.
async fn damaged(damage: impl Fn(&mut File)) {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        SqliteStore::builder(path(&dir))
            .synchronous(Synchronous::Off)
            .open()
    };
    let store = open().unwrap();
    for number in 0..500 {
        store
            .create(&numbered(number), &sized(1, 1_000))
            .await
            .unwrap();
    }
    drop(store);
    checkpoint(&dir);
    let whole = fs::read(path(&dir)).unwrap();
    // Nothing of the file is in the cache of a connection that is new.
    let store = open().unwrap();
    let mut file = OpenOptions::new().write(true).open(path(&dir)).unwrap();
    damage(&mut file);
    let mut failures = 0;
    for number in 0..500 {
        for kind in [
            kind(load(&store, &numbered(number)).await),
            kind(
                store
                    .create(&numbered(number + 1_000), &sized(1, 1_000))
                    .await,
            ),
            kind(
                store
                    .replace(&numbered(number), &record(2), &Loaded::new(record(1)))
                    .await,
            ),
        ] {
            match kind {
                None | Some(StoreErrorKind::Conflict | StoreErrorKind::AlreadyExists) => {}
                kind => {
                    assert_eq!(kind, UNAVAILABLE);
                    failures += 1;
                }
            }
        }
    }
    assert!(failures > 0);
    // The file as it was, without what was written since.
    let log = OpenOptions::new()
        .write(true)
        .open(dir.path().join("sessions.db-wal"));
    if let Ok(log) = log {
        log.set_len(0).unwrap();
    }
    file.rewind().unwrap();
    file.write_all(&whole).unwrap();
    file.set_len(u64::try_from(whole.len()).unwrap()).unwrap();
    drop((file, store));
    let store = open().unwrap();
    for number in 0..500 {
        assert!(load(&store, &numbered(number)).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_file_that_was_cut_is_unavailable() {
    damaged(|file| file.set_len(40_000).unwrap()).await;
}

#[tokio::test]
async fn a_damaged_file_is_unavailable() {
    damaged(|file| {
        file.seek(std::io::SeekFrom::Start(4_096)).unwrap();
        let rest = usize::try_from(file.metadata().unwrap().len()).unwrap() - 4_096;
        file.write_all(&vec![0xa5; rest]).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_that_became_something_else_is_unavailable_until_it_is_back() {
    let (dir, store) = store();
    store.create(&key(1), &record(1)).await.unwrap();
    drop(store);
    checkpoint(&dir);
    let whole = fs::read(path(&dir)).unwrap();
    let store = SqliteStore::open(path(&dir)).unwrap();
    let other = dir.path().join("other");
    fs::write(&other, vec![b'?'; whole.len()]).unwrap();
    fs::rename(&other, path(&dir)).unwrap();
    assert_eq!(kind(store.delete(&key(1)).await), UNAVAILABLE);
    loads_become(&store, UNAVAILABLE).await;
    fs::write(&other, &whole).unwrap();
    fs::rename(&other, path(&dir)).unwrap();
    loads_become(&store, None).await;
    assert!(store.delete(&key(1)).await.unwrap());
}

/// A store on a table that takes any value in any column.
fn lax_store() -> (TempDir, SqliteStore, rusqlite::Connection) {
    let dir = tempfile::tempdir().unwrap();
    let other = connection(&dir);
    let script = SqliteStore::migrations(TABLE).unwrap();
    let lax = script.replace("STRICT", "").replace("NOT NULL,", ",");
    let lax = lax
        .replace("CHECK (length(id) = 16)", "")
        .replace("INTEGER", "");
    other
        .execute_batch(&lax.replace("(version  PRIMARY", "(version INTEGER PRIMARY"))
        .unwrap();
    let store = SqliteStore::open(path(&dir)).unwrap();
    (dir, store, other)
}

#[tokio::test]
async fn a_row_that_is_no_record_is_corrupt() {
    let (_dir, store, other) = lax_store();
    for set in [
        "data = NULL",
        "data = 'text'",
        "data = 7",
        "version = 'x'",
        "version = NULL",
        "version = 1.5",
        "created = x'00'",
        "last_seen = '2026-01-01'",
        "expires = NULL",
        "expires = 1e300",
        "subject = ''",
        "subject = x'616e6e'",
        "subject = CAST(x'ff' AS TEXT)",
        "subject = printf('%300s', 'x')",
        "data = zeroblob(1048577)",
        "data = zeroblob(90000000)",
    ] {
        store.create(&key(1), &record_of(1, "ann")).await.unwrap();
        store.create(&key(2), &record_of(1, "ann")).await.unwrap();
        let update = format!("UPDATE {TABLE} SET {set} WHERE id = ?1");
        assert_eq!(other.execute(&update, [[1_u8; 16].as_slice()]).unwrap(), 1);
        assert_eq!(kind(load(&store, &key(1)).await), CORRUPT, "{set}");
        // It keeps nobody from the others, and can be deleted.
        let listed = store.scan(None, 9).await.unwrap().sessions;
        assert!(listed.iter().any(|summary| summary.key == key(2)), "{set}");
        assert_eq!(
            kind(store.create(&key(1), &record(2)).await),
            Some(StoreErrorKind::AlreadyExists)
        );
        assert!(store.delete(&key(1)).await.unwrap(), "{set}");
        assert!(store.delete(&key(2)).await.unwrap());
    }
}

#[tokio::test]
async fn listings_pass_over_rows_with_no_key() {
    let (_dir, store, other) = lax_store();
    for byte in 0..9 {
        store
            .create(&key(byte), &record_of(1, "ann"))
            .await
            .unwrap();
    }
    for (namespace, id) in [
        ("cart", vec![4; 3]),
        ("No Name", vec![4; 16]),
        ("cart", vec![5; 17]),
    ] {
        let insert = format!(
            "INSERT INTO {TABLE} \
             (namespace, id, version, created, last_seen, expires, subject, data) VALUES (?1, ?2, 1, 1, 1, 1, 'ann', x'')"
        );
        other.execute(&insert, (namespace, id)).unwrap();
    }
    for limit in [2, 3, 100] {
        let (mut seen, mut after) = (0, None);
        loop {
            let page = store.scan(after.as_ref(), limit).await.unwrap();
            seen += page.sessions.len();
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, 9, "{limit}");
    }
    let page = store
        .by_subject("cart", &subject("ann"), None, 99)
        .await
        .unwrap();
    assert_eq!(page.sessions.len(), 9);
    assert_eq!(store.sweep(Timestamp::MAX, 99).await.unwrap(), 12);
}

#[tokio::test]
async fn listings_go_on_past_rows_that_are_no_records() {
    let (_dir, store, other) = lax_store();
    for set in [
        "created = 'x'",
        "subject = x'00'",
        "subject = printf('%2000000s', 'x')",
        "namespace = 'No Name'",
    ] {
        for byte in 0..9 {
            let record = record_of(1, "ann");
            store.create(&key(byte), &record).await.unwrap();
        }
        let update = format!("UPDATE {TABLE} SET {set} WHERE id BETWEEN ?1 AND ?2");
        let ids = [2_u8, 6].map(|byte| vec![byte; 16]);
        assert_eq!(other.execute(&update, ids).unwrap(), 5);
        // The five follow each other, so that there are pages with nothing else.
        for limit in [1, 2, 4, 100] {
            let scanned = all_pages(async |after| store.scan(after, limit).await).await;
            let left = [0, 1, 7, 8].map(key);
            assert_eq!(scanned, left, "{set} by {limit}");
            let of_ann = async |after: Option<&Cursor>| {
                let ann = subject("ann");
                store.by_subject("cart", &ann, after, limit).await
            };
            assert_eq!(all_pages(of_ann).await, left, "{set} by {limit}");
        }
        assert_eq!(
            other.execute(&format!("DELETE FROM {TABLE}"), []).unwrap(),
            9
        );
    }
}

async fn all_pages(page: impl AsyncFn(Option<&Cursor>) -> Result<Page, StoreError>) -> Vec<Key> {
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = page(after.as_ref()).await.unwrap();
        keys.extend(page.sessions.iter().map(|summary| summary.key));
        after = page.next;
        if after.is_none() {
            return keys;
        }
    }
}

#[tokio::test]
async fn the_table_refuses_what_is_no_record() {
    let (dir, store) = store();
    store.create(&key(1), &record(1)).await.unwrap();
    let other = connection(&dir);
    for set in [
        "id = x'00'",
        "data = NULL",
        "data = 'text'",
        "expires = 'soon'",
        "created = NULL",
    ] {
        assert!(
            other
                .execute(&format!("UPDATE {TABLE} SET {set}"), [])
                .is_err(),
            "{set}"
        );
    }
}

#[tokio::test]
async fn too_much_data_is_too_large() {
    let dir = tempfile::tempdir().unwrap();
    let open = |limit| {
        SqliteStore::builder(path(&dir))
            .max_data_size(limit)
            .open()
            .unwrap()
    };
    let store = open(10);
    let too_large = Some(StoreErrorKind::TooLarge);
    assert_eq!(kind(store.create(&key(1), &sized(1, 11)).await), too_large);
    store.create(&key(1), &sized(1, 10)).await.unwrap();
    let expected = Loaded::new(record(1));
    let large = sized(2, 50_000);
    assert_eq!(
        kind(store.replace(&key(1), &large, &expected).await),
        too_large
    );
    open(50_000)
        .replace(&key(1), &large, &expected)
        .await
        .unwrap();
    assert_eq!(kind(load(&store, &key(1)).await), CORRUPT);
    assert!(store.delete(&key(1)).await.unwrap());
}
