//! Several processes on one folder. The children are this test program itself, run again with
//! the name of one test and a folder in the environment.
#![allow(clippy::unwrap_used)] // helpers are no #[test]

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
use cloakroom_file::{FileStore, Fsync};
use cloakroom_store::{Loaded, Record, Store, StoreErrorKind, Timestamp, Version};
use cloakroom_testkit::child_task;
use common::{key, load, names, record, record_of, subject};
use tokio::sync::Mutex;

const TAKE_TURNS: &str = "CLOAKROOM_TEST_TAKE_TURNS";
const INCREMENTS: u64 = 200;

fn child(test: &str, folder: &Path, fsync: &str) -> Command {
    let task = format!("{fsync} {}", folder.display());
    let mut command = cloakroom_testkit::child(test, &task).unwrap();
    command.stdout(Stdio::piped());
    command
}

/// The store that the parent means; `None` in a run that nobody's parent started.
fn parents_store() -> Option<FileStore> {
    let task = child_task()?;
    let (fsync, folder) = task.split_once(' ').unwrap();
    let fsync = match fsync {
        "never" => Fsync::Never,
        "file" => Fsync::File,
        _ => Fsync::FileAndFolder,
    };
    let builder = FileStore::builder(folder);
    Some(builder.fsync(fsync).open().unwrap())
}

fn count(record: &Record) -> u64 {
    let (count, _) = record.data.split_first_chunk().unwrap();
    u64::from_le_bytes(*count)
}

/// A record that counts, with a version that nobody else draws and some weight to be torn.
fn counting(count: u64, weight: usize) -> Record {
    let mut version = [0; 8];
    getrandom::fill(&mut version).unwrap();
    let mut data = count.to_le_bytes().to_vec();
    data.resize(8 + weight, 0x5a);
    let mut record = record(1);
    record.version = Version::from_bits(u64::from_le_bytes(version));
    record.data = Bytes::from(data);
    record
}

async fn increment(store: &FileStore) {
    loop {
        let loaded = load(store, &key(1)).await.unwrap().unwrap();
        let next = counting(count(&loaded.record) + 1, 0);
        match store.replace(&key(1), &next, &loaded).await {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Conflict),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a child of increments_of_two_processes_are_all_kept"]
async fn child_increments() {
    let Some(store) = parents_store() else { return };
    let turns = env::var(TAKE_TURNS)
        .is_ok()
        .then(|| Arc::new(Mutex::new(())));
    let tasks = (0..INCREMENTS).map(|_| {
        let (store, turns) = (store.clone(), turns.clone());
        tokio::spawn(async move {
            let _turn = match &turns {
                Some(turns) => Some(turns.lock().await),
                None => None,
            };
            increment(&store).await;
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn increments_of_two_processes_are_all_kept() {
    // All at once is the worst case; the engine has the writers of a session take turns.
    for (order, fsync) in [
        ("all at once", "never"),
        ("all at once", "file"),
        ("by turns", "never"),
        ("by turns", "file"),
        ("by turns", "folder"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::open(dir.path()).unwrap();
        store.create(&key(1), &counting(0, 0)).await.unwrap();
        let begin = Instant::now();
        let children = [(); 2].map(|()| {
            let mut command = child("child_increments", dir.path(), fsync);
            if order == "by turns" {
                command.env(TAKE_TURNS, "");
            }
            command.spawn().unwrap()
        });
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let elapsed = begin.elapsed();
        println!("2 processes x {INCREMENTS} increments, {order}, fsync {fsync}: {elapsed:.2?}");
        let loaded = load(&store, &key(1)).await.unwrap().unwrap();
        assert_eq!(count(&loaded.record), 2 * INCREMENTS);
        assert_eq!(names(&common::leaf(&store, &key(1))).len(), 2);
    }
}

#[tokio::test]
#[ignore = "a child of what_was_acknowledged_survives_a_kill"]
async fn child_writes_until_killed() {
    let Some(store) = parents_store() else { return };
    loop {
        let loaded = load(&store, &key(1)).await.unwrap().unwrap();
        let next = counting(count(&loaded.record) + 1, 1 << 16);
        store.replace(&key(1), &next, &loaded).await.unwrap();
        println!("acknowledged {}", count(&next));
        // The same for creating, for the index, and for deleting.
        store.delete(&key(2)).await.unwrap();
        store.create(&key(2), &record_of(1, "ann")).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let first = FileStore::open(dir.path()).unwrap();
    first.create(&key(1), &counting(0, 0)).await.unwrap();
    let mut random = [0; 20];
    getrandom::fill(&mut random).unwrap();
    for (round, random) in random.into_iter().enumerate() {
        let fsync = ["never", "file", "folder"][round % 3];
        let mut child = child("child_writes_until_killed", dir.path(), fsync)
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
        thread::sleep(Duration::from_millis(40) + Duration::from_micros(400) * u32::from(random));
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged = reader.join().unwrap().unwrap_or(0);

        let store = FileStore::open(dir.path()).unwrap();
        let loaded = load(&store, &key(1)).await.unwrap().unwrap();
        let kept = count(&loaded.record);
        assert!(
            kept >= acknowledged,
            "round {round}: {kept} of {acknowledged}"
        );
        assert!(
            kept <= acknowledged + 1 || acknowledged == 0,
            "round {round}"
        );
        let other = load(&store, &key(2)).await.unwrap();
        let page = store
            .by_subject("cart", &subject("ann"), None, 9)
            .await
            .unwrap();
        assert_eq!(page.sessions.len(), usize::from(other.is_some()));

        let begin = Instant::now();
        let expected = Loaded::new(loaded.record);
        let next = counting(kept, 0);
        store.replace(&key(1), &next, &expected).await.unwrap();
        assert!(begin.elapsed() < Duration::from_secs(3), "the lock is free");
        store.sweep(Timestamp::EPOCH, 1).await.unwrap();
        assert_eq!(names(&common::leaf(&store, &key(1))).len(), 2);
    }
}
