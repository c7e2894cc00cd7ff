//! Several processes on one database. The children are this test program itself, run again with
//! the name of one test and a file in the environment.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cloakroom_sqlite::SqliteStore;
use cloakroom_store::{Loaded, Record, Store, StoreErrorKind, Version};
use common::{connection, key, load, numbered, path, record, record_of, subject};
use tempfile::TempDir;
use tokio::sync::{Mutex, Semaphore};

const FILE: &str = "CLOAKROOM_TEST_FILE";
const NUMBER: &str = "CLOAKROOM_TEST_NUMBER";
const PER_PROCESS: u32 = 1_000;

fn child(test: &str, file: &Path, number: u32) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([test, "--exact", "--ignored", "--nocapture"])
        .env(FILE, file)
        .env(NUMBER, number.to_string())
        .stdout(Stdio::piped());
    command
}

/// The store that the parent means, and the child's number; `None` in a run that nobody's parent
/// started.
fn parents_store() -> Option<(SqliteStore, u32)> {
    let file = env::var(FILE).ok()?;
    let number = env::var(NUMBER).ok()?.parse().ok()?;
    Some((SqliteStore::open(file).unwrap(), number))
}

fn count(record: &Record) -> u64 {
    let (count, _) = record.data.split_first_chunk().unwrap();
    u64::from_le_bytes(*count)
}

/// A record that counts, with a version that nobody else makes and some weight to be torn.
fn counting(count: u64, author: u32, weight: usize) -> Record {
    let mut data = count.to_le_bytes().to_vec();
    data.resize(8 + weight, 0x5a);
    let mut record = record(1);
    record.version = Version::from_bits((u64::from(author) << 56) | count);
    record.data = Bytes::from(data);
    record
}

fn integrity(dir: &TempDir) -> String {
    let check = "PRAGMA integrity_check";
    connection(dir)
        .query_row(check, [], |row| row.get(0))
        .unwrap()
}

async fn increment(store: &SqliteStore, author: u32) {
    loop {
        let loaded = load(store, &key(1)).await.unwrap().unwrap();
        let next = counting(count(&loaded.record) + 1, author, 0);
        match store.replace(&key(1), &next, &loaded).await {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Conflict),
        }
    }
}

/// Increments of one key, by turns as the engine has them, and creates of other keys beside them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a child of two_processes_lose_nothing"]
async fn child_increments_and_creates() {
    let Some((store, number)) = parents_store() else {
        return;
    };
    let turns = Arc::new(Mutex::new(()));
    let at_once = Arc::new(Semaphore::new(64));
    let tasks = (0..PER_PROCESS).map(|task| {
        let (store, turns, at_once) = (store.clone(), Arc::clone(&turns), Arc::clone(&at_once));
        tokio::spawn(async move {
            {
                let _turn = turns.lock().await;
                increment(&store, number).await;
            }
            let _place = at_once.acquire().await.unwrap();
            let own = numbered(number * PER_PROCESS + task);
            store.create(&own, &record_of(1, "ann")).await.unwrap();
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    println!("{:?}", store.stats());
}

#[tokio::test]
async fn two_processes_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(path(&dir)).unwrap();
    store.create(&key(1), &counting(0, 9, 0)).await.unwrap();
    let begin = Instant::now();
    let children = [0, 1].map(|number| {
        let mut command = child("child_increments_and_creates", &path(&dir), number);
        command.spawn().unwrap()
    });
    for child in children {
        let output = child.wait_with_output().unwrap();
        println!("{}", String::from_utf8_lossy(&output.stdout));
        assert!(output.status.success());
    }
    println!(
        "2 processes x {PER_PROCESS} increments and creates: {:.2?}",
        begin.elapsed()
    );
    let loaded = load(&store, &key(1)).await.unwrap().unwrap();
    assert_eq!(count(&loaded.record), 2 * u64::from(PER_PROCESS));
    for number in 0..2 * PER_PROCESS {
        assert!(
            load(&store, &numbered(number)).await.unwrap().is_some(),
            "{number}"
        );
    }
    assert_eq!(integrity(&dir), "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a child of what_was_acknowledged_survives_a_kill"]
async fn child_writes_until_killed() {
    let Some((store, number)) = parents_store() else {
        return;
    };
    // Neighbours, so that commits hold several changes.
    for neighbour in 0..8 {
        let store = store.clone();
        tokio::spawn(async move {
            let key = numbered(neighbour);
            loop {
                store.delete(&key).await.unwrap();
                store.create(&key, &record_of(1, "ann")).await.unwrap();
            }
        });
    }
    loop {
        let loaded = load(&store, &key(1)).await.unwrap().unwrap();
        let next = counting(count(&loaded.record) + 1, number, 20_000);
        store.replace(&key(1), &next, &loaded).await.unwrap();
        println!("acknowledged {}", count(&next));
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    // Held open in every other round: who opens a database that nobody else has open recovers it.
    let held = SqliteStore::open(path(&dir)).unwrap();
    held.create(&key(1), &counting(0, 99, 0)).await.unwrap();
    let mut held = Some(held);
    let mut before = 0;
    for round in 0..12 {
        let mut child = child("child_writes_until_killed", &path(&dir), round)
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let reader = thread::spawn(move || {
            let numbers = output.lines().map_while(Result::ok).filter_map(|line| {
                let (_, number) = line.split_once("acknowledged ")?;
                number.parse::<u64>().ok()
            });
            numbers.last()
        });
        thread::sleep(Duration::from_millis(60 + u64::from(round) * 13));
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged = reader.join().unwrap().unwrap_or(before);

        let store = match &held {
            Some(held) => held.clone(),
            None => SqliteStore::open(path(&dir)).unwrap(),
        };
        let began = Instant::now();
        let loaded = load(&store, &key(1)).await.unwrap().unwrap();
        let kept = count(&loaded.record);
        assert!(
            kept >= acknowledged,
            "round {round}: {kept} of {acknowledged}"
        );
        assert!(
            kept <= acknowledged + 1,
            "round {round}: {kept} of {acknowledged}"
        );
        let next = counting(kept, 99 + round, 0);
        store.replace(&key(1), &next, &loaded).await.unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "{:?}",
            began.elapsed()
        );
        assert_eq!(integrity(&dir), "ok", "round {round}");
        let listed = store
            .by_subject("cart", &subject("ann"), None, 99)
            .await
            .unwrap();
        for summary in &listed.sessions {
            assert!(load(&store, &summary.key).await.unwrap().is_some());
        }
        before = kept;
        drop(store);
        held = match held {
            Some(_) => None,
            None => Some(SqliteStore::open(path(&dir)).unwrap()),
        };
    }
    assert!(before > 0);
}

#[tokio::test]
#[ignore = "a child of an_error_of_the_disk_is_unavailable_until_it_is_over"]
async fn child_writes_to_a_disk_that_fails() {
    let Some((store, _)) = parents_store() else {
        return;
    };
    let mut version = 1;
    while let Ok(()) = write(&store, &mut version).await {}
    let error = write(&store, &mut version).await.unwrap_err();
    assert_eq!(error, StoreErrorKind::Unavailable);
    // What is there can still be read.
    assert!(load(&store, &key(1)).await.unwrap().is_some());
    println!("failed");
    let began = Instant::now();
    while write(&store, &mut version).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("works again");
}

/// Writes a record of 20 kB over the last one, whichever that is.
async fn write(store: &SqliteStore, version: &mut u64) -> Result<(), StoreErrorKind> {
    let kind = |error: cloakroom_store::StoreError| error.kind();
    *version += 1;
    let mut next = common::sized(*version, 20_000);
    next.version = Version::from_bits(*version);
    match load(store, &key(1)).await.map_err(kind)? {
        None => store.create(&key(1), &next).await.map_err(kind)?,
        Some(loaded) => {
            let expected = Loaded::new(loaded.record);
            store
                .replace(&key(1), &next, &expected)
                .await
                .map_err(kind)?
        }
    };
    Ok(())
}

/// The system refuses to let files of the child grow, and allows it again later.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_error_of_the_disk_is_unavailable_until_it_is_over() {
    let dir = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(path(&dir)).unwrap());
    let program = env::current_exe().unwrap();
    let mut child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -S -f 400; exec \"$0\" \"$@\""])
        .arg(program)
        .args([
            "child_writes_to_a_disk_that_fails",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(FILE, path(&dir))
        .env(NUMBER, "0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    assert!(lines.any(|line| line.contains("failed")));
    let id = child.id().to_string();
    let limit = Command::new("prlimit")
        .args(["--fsize=unlimited:", "--pid", &id])
        .status();
    assert!(limit.unwrap().success(), "prlimit of util-linux is missing");
    assert!(lines.any(|line| line.contains("works again")));
    lines.for_each(drop);
    assert!(child.wait().unwrap().success());
    assert_eq!(integrity(&dir), "ok");
}

/// A user who may read the database, but not write to it.
#[cfg(unix)]
#[tokio::test]
#[ignore = "a child of a_read_only_database_is_unavailable_until_it_can_be_written"]
async fn child_meets_a_read_only_database() {
    use std::{fs, os::unix::fs::PermissionsExt};
    let Some((store, _)) = parents_store() else {
        return;
    };
    let file = store.path().to_owned();
    let allow = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    store.create(&key(1), &record(1)).await.unwrap();
    let copy = file.with_extension("copy");
    let other = rusqlite::Connection::open(&file).unwrap();
    other
        .execute_batch(&format!("VACUUM INTO '{}'", copy.display()))
        .unwrap();
    other
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    drop(other);
    // The copy takes its place, and may only be read.
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o400)).unwrap();
    fs::rename(&copy, &file).unwrap();
    for _ in 0..2 {
        let kind = common::kind(store.delete(&key(1)).await);
        assert_eq!(kind, Some(StoreErrorKind::Unavailable));
        assert!(load(&store, &key(1)).await.unwrap().is_some());
    }
    let refused = SqliteStore::open(&file).unwrap_err();
    println!("{refused}");
    assert!(refused.to_string().contains("may not write"), "{refused}");
    allow(0o600);
    assert!(store.delete(&key(1)).await.unwrap());
    println!("works again");
}

#[cfg(unix)]
#[test]
fn a_read_only_database_is_unavailable_until_it_can_be_written() {
    use std::os::unix::{fs::MetadataExt, fs::chown, process::CommandExt};
    const NOBODY: u32 = 65_534;
    let dir = tempfile::tempdir().unwrap();
    let mut child = child("child_meets_a_read_only_database", &path(&dir), 0);
    // Root may write to any file, so root has somebody else try.
    if dir.path().metadata().unwrap().uid() == 0 {
        chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        child.uid(NOBODY).gid(NOBODY).current_dir(dir.path());
    }
    match child.output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.contains("works again"), "{said}");
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            println!("skipped: nobody but root may run this program");
        }
        Err(error) => panic!("{error}"),
    }
}
