//! Several stores, and several processes, that write to one session.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers are no #[test]"
)]

mod common;

use std::{
    collections::BTreeSet,
    env,
    process::{Command, Stdio},
};

use cloakroom_memcached::MemcachedStore;
use cloakroom_store::{Key, SessionId, Store, StoreErrorKind};
use common::{a_key, a_record, after, fresh, load, namespace, patient, url};

/// A counter, and keys that somebody has added.
fn read(data: &[u8]) -> (usize, BTreeSet<String>) {
    let text = std::str::from_utf8(data).unwrap();
    let mut words = text.split_ascii_whitespace().map(str::to_owned);
    (words.next().unwrap().parse().unwrap(), words.collect())
}

/// Increments the counter and adds a key, until nobody comes in between.
async fn update(store: &MemcachedStore, key: &Key, own: String) {
    loop {
        let loaded = load(store, key).await.unwrap();
        let (count, mut keys) = read(&loaded.record.data);
        keys.insert(own.clone());
        let mut next = after(&loaded);
        let keys: Vec<String> = keys.into_iter().collect();
        next.data = format!("{} {}", count + 1, keys.join(" ")).into();
        match store.replace(key, &next, &loaded).await {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Conflict),
        }
    }
}

async fn update_many(url: &str, prefix: &str, key: Key, name: &str, tasks: usize, each: usize) {
    let store = patient(url, prefix).await;
    let tasks = (0..tasks).map(|task| {
        let (store, name) = (store.clone(), name.to_owned());
        tokio::spawn(async move {
            for number in 0..each {
                update(&store, &key, format!("{name}-{task}-{number}")).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

async fn begin(url: &str, prefix: &str) -> (MemcachedStore, Key) {
    let store = patient(url, prefix).await;
    let key = a_key();
    let mut record = a_record();
    record.data = "0".into();
    store.create(&key, &record).await.unwrap();
    (store, key)
}

/// One key has counted them all, and each has brought another.
async fn holds(store: &MemcachedStore, key: &Key, updates: usize) {
    let (count, keys) = read(&load(store, key).await.unwrap().record.data);
    assert_eq!((count, keys.len()), (updates, updates));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_lose_nothing() {
    let Some(url) = url() else { return };
    let prefix = fresh("two");
    let (store, key) = begin(&url, &prefix).await;
    tokio::join!(
        update_many(&url, &prefix, key, "a", 10, 50),
        update_many(&url, &prefix, key, "b", 10, 50),
    );
    holds(&store, &key, 1_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_lose_nothing() {
    let Some(url) = url() else { return };
    let prefix = fresh("processes");
    let (store, key) = begin(&url, &prefix).await;
    let children = ["a", "b"].map(|name| {
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "a_process_of_its_own", "--nocapture"])
            .env(
                "CLOAKROOM_CHILD",
                format!("{url} {prefix} {} {name}", key.id),
            )
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    });
    for mut child in children {
        let ended = tokio::task::spawn_blocking(move || child.wait());
        assert!(ended.await.unwrap().unwrap().success());
    }
    holds(&store, &key, 1_000).await;
}

/// Does something only where another test has started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_of_its_own() {
    let Ok(task) = env::var("CLOAKROOM_CHILD") else {
        return;
    };
    let words: Vec<&str> = task.split(' ').collect();
    let key = Key::new(namespace(), SessionId::parse(words[2]).unwrap());
    update_many(words[0], words[1], key, words[3], 5, 100).await;
}
