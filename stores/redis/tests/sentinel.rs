//! A primary that sentinels watch.
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

use std::time::{Duration, Instant};

use cloakroom_redis::RedisStore;
use cloakroom_store::{Change, Feed, Freshness, Store, Watch};
use common::{
    a_key, a_record, after, connect_as_usual, load,
    node::{Node, free_port},
    until,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_fail_over_is_followed() {
    let Some(mut primary) = Node::start("repl-diskless-sync-delay 0\n").await else {
        return;
    };
    let replica = format!("replicaof 127.0.0.1 {}\n", primary.port);
    let Some(replica) = Node::start(&replica).await else {
        return;
    };
    let settings = format!(
        "sentinel monitor sessions 127.0.0.1 {} 1\n\
         sentinel down-after-milliseconds sessions 500\n\
         sentinel failover-timeout sessions 2000\n",
        primary.port
    );
    let sentinel = Node::spawn(free_port(), &settings).unwrap();
    until("the sentinel knows the replica", async || {
        let client = redis::Client::open(sentinel.url()).unwrap();
        let Ok(mut asked) = client.get_multiplexed_async_connection().await else {
            return false;
        };
        let mut replicas = redis::cmd("SENTINEL");
        replicas.arg("REPLICAS").arg("sessions");
        let known: Vec<redis::Value> = replicas.query_async(&mut asked).await.unwrap_or_default();
        known.len() == 1
    })
    .await;

    // One sentinel that is not there keeps nobody waiting.
    let url = format!(
        "redis-sentinel://127.0.0.1:{},127.0.0.1:1?master=sessions",
        sentinel.port
    );
    let store = connect_as_usual(&url, "sentinel").await;
    let key = a_key();
    store.create(&key, &a_record(Some("ann"))).await.unwrap();
    until("the replica has it", async || {
        let there = replica.tell(&format!("EXISTS sentinel:s:{key}")).await;
        there == redis::Value::Int(1)
    })
    .await;
    let mut feed = store.watch().await.unwrap();
    let killed = Instant::now();
    primary.kill();
    while feed.next().await.is_ok() {}
    assert!(killed.elapsed() < Duration::from_secs(1));
    let mut slowest = Duration::ZERO;
    let back = loop {
        let began = Instant::now();
        let loaded = store.load(&key, Freshness::Latest).await;
        slowest = slowest.max(began.elapsed());
        if loaded.is_ok() {
            break killed.elapsed();
        }
        assert!(
            killed.elapsed() < Duration::from_secs(30),
            "it does not come back"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    println!("back after {back:?}, slowest {slowest:?}");
    assert!(slowest < Duration::from_millis(600), "{slowest:?}");
    let loaded = load(&store, &key).await.unwrap();
    let mut feed = store.watch().await.unwrap();
    store.replace(&key, &after(&loaded), &loaded).await.unwrap();
    while feed.next().await.unwrap() != Change::Key(key) {}
    assert_eq!(common::sessions(&store, "ann", 10).await, [key]);

    let unknown = format!("redis-sentinel://127.0.0.1:{}?master=other", sentinel.port);
    assert!(RedisStore::connect(&unknown).await.is_err());
}
