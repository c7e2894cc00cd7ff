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

use cloakroom_testkit::{Contended, child, child_task};
use common::{connect, fresh, url};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_lose_nothing() {
    let Some(url) = url() else { return };
    let prefix = fresh("two");
    let (one, other) = (connect(&url, &prefix).await, connect(&url, &prefix).await);
    let record = Contended::create(&one).await;
    tokio::join!(
        record.update(&one, "a", 10, 50),
        record.update(&other, "b", 10, 50),
    );
    record.assert_holds(&one, 1_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_lose_nothing() {
    let Some(url) = url() else { return };
    let prefix = fresh("processes");
    let store = connect(&url, &prefix).await;
    let record = Contended::create(&store).await;
    let start = |name| {
        let task = format!("{url} {prefix} {record} {name}");
        child("a_process_of_its_own", &task)
            .unwrap()
            .spawn()
            .unwrap()
    };
    for mut child in ["a", "b"].map(start) {
        let ended = tokio::task::spawn_blocking(move || child.wait());
        assert!(ended.await.unwrap().unwrap().success());
    }
    record.assert_holds(&store, 1_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a child of two_processes_lose_nothing"]
async fn a_process_of_its_own() {
    let Some(task) = child_task() else { return };
    let words: Vec<&str> = task.split(' ').collect();
    let store = connect(words[0], words[1]).await;
    let record: Contended = words[2].parse().unwrap();
    record.update(&store, words[3], 5, 100).await;
}
