//! What one call costs. `cargo test -p cloakroom-file --release --test speed -- --ignored --nocapture`
#![allow(clippy::print_stdout, clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::time::{Duration, Instant};

use cloakroom_file::{FileStore, Fsync};
use cloakroom_store::{Key, Loaded, Record, Store, Timestamp, Version};
use common::{key_of, load, record};

const SESSIONS: u32 = 2_000;

fn key(number: u32) -> Key {
    let [_, _, c, d] = number.to_be_bytes();
    let mut id = [0; 16];
    id[..2].copy_from_slice(&[d, c]);
    key_of(id)
}

fn kibibyte(version: u64) -> Record {
    let mut record = record(version);
    record.data = vec![b'x'; 1024].into();
    record
}

async fn per_call(name: &str, call: impl AsyncFn(u32)) {
    let begin = Instant::now();
    for number in 0..SESSIONS {
        call(number).await;
    }
    let micros = (begin.elapsed() / SESSIONS).as_nanos() / 100;
    println!("  {name}: {}.{} us", micros / 10, micros % 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn calls_one_after_another() {
    for fsync in [Fsync::Never, Fsync::File, Fsync::FileAndFolder] {
        println!("{SESSIONS} sessions of 1 KiB, {fsync:?}");
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::builder(dir.path()).fsync(fsync).open().unwrap();
        per_call("create", async |number| {
            store.create(&key(number), &kibibyte(1)).await.unwrap();
        })
        .await;
        per_call("load", async |number| {
            load(&store, &key(number)).await.unwrap().unwrap();
        })
        .await;
        let expected = Loaded::new(kibibyte(1));
        per_call("replace", async |number| {
            let next = kibibyte(2);
            store.replace(&key(number), &next, &expected).await.unwrap();
        })
        .await;
        let expected = Loaded::new(Record::new(
            Version::from_bits(2),
            Timestamp::EPOCH,
            Timestamp::EPOCH,
            "".into(),
        ));
        per_call("touch", async |number| {
            let mut touch = kibibyte(2);
            touch.expires = touch.expires.saturating_add(Duration::from_secs(1));
            assert!(store.touch(&key(number), &touch, &expected).await.unwrap());
        })
        .await;
        per_call("delete", async |number| {
            assert!(store.delete(&key(number)).await.unwrap());
        })
        .await;
        let begin = Instant::now();
        store.sweep(Timestamp::MAX, 1_000).await.unwrap();
        println!("  sweep of 256 empty folders: {:.1?}", begin.elapsed());
    }
}
