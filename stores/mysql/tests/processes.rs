//! Several processes on one table. The children are this test program itself, run again with the
//! name of one test, and the way of their connections in the environment.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)] // helpers are no #[test]

mod common;

use std::{
    env,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use cloakroom_store::Store;
use common::{Way, count, create, increment, key, load, numbered, record, url};
use tokio::task::JoinSet;

const TABLE: &str = "processes_two";
const WAY: &str = "CLOAKROOM_TEST_WAY";
const FIRST: &str = "CLOAKROOM_TEST_FIRST";
const EACH: u64 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a child of what_two_processes_write_is_all_kept"]
async fn child_writes() {
    let (Some(url), Ok(way), Ok(first)) = (url(), env::var(WAY), env::var(FIRST)) else {
        return;
    };
    let first: u64 = first.parse().unwrap();
    let way = Way::named(&way);
    let builder = way.builder(&url).table(&way.table(TABLE));
    let store = builder
        .timeout(Duration::from_secs(5))
        .connect()
        .await
        .unwrap();
    let mut calls = JoinSet::new();
    for task in 0..10 {
        let store = store.clone();
        calls.spawn(async move {
            for step in 0..EACH / 10 {
                increment(&store, &key(1)).await;
                let own = numbered(first + task * EACH / 10 + step);
                let loaded = create(&store, &own, &record("a")).await;
                store.replace(&own, &record("b"), &loaded).await.unwrap();
            }
        });
    }
    calls.join_all().await;
}

#[tokio::test]
async fn what_two_processes_write_is_all_kept() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        two_processes_write(&url, *way).await;
    }
}

async fn two_processes_write(url: &str, way: Way) {
    let store = way.store(url, TABLE).await;
    create(&store, &key(1), &record("0")).await;
    let begin = Instant::now();
    let children = [0, EACH].map(|first| {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["child_writes", "--exact", "--ignored", "--nocapture"]);
        command
            .env(WAY, way.to_string())
            .env(FIRST, first.to_string());
        command.stdout(Stdio::null()).spawn().unwrap()
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    println!(
        "{way}: 2 processes x {EACH} increments, creates and replaces: {:.2?}",
        begin.elapsed()
    );
    let loaded = load(&store, &key(1)).await.unwrap().unwrap();
    assert_eq!(count(&loaded.record), 2 * EACH);
    for number in 0..2 * EACH {
        let loaded = load(&store, &numbered(number)).await.unwrap().unwrap();
        assert_eq!(loaded.record.data, "b");
    }
}
