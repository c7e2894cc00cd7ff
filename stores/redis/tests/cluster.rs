//! A cluster that fails over and whose slots move.
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
use cloakroom_store::{Freshness, Key, Store, StoreErrorKind};
use common::{
    a_key, a_record, after, connect_as_usual, load,
    node::{Node, run},
    nodes::Nodes,
    until,
};
use redis::Value;

/// One key of each node, and some more.
async fn keys(store: &RedisStore, count: usize) -> Vec<Key> {
    let mut keys = Vec::new();
    for _ in 0..count {
        let key = a_key();
        store.create(&key, &a_record(Some("ann"))).await.unwrap();
        keys.push(key);
    }
    keys
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killing_a_primary_costs_the_fail_over() {
    a_primary_is_lost(Node::kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn freezing_a_primary_costs_the_fail_over() {
    a_primary_is_lost(|node| node.signal("STOP")).await;
}

async fn a_primary_is_lost(lose: impl Fn(&mut Node)) {
    let Some(mut nodes) = Nodes::start(1).await else {
        return;
    };
    let store = connect_as_usual(&nodes.url(), "failover").await;
    let keys = keys(&store, 60).await;
    // What is not on the replicas is lost with its primary.
    for node in &nodes.0 {
        until("the replica has caught up", async || {
            node.has_no_replica_behind().await
        })
        .await;
    }
    let killed = Instant::now();
    lose(nodes.owner("failover", &keys[0]).await);
    let (mut slowest, mut errors) = (Duration::ZERO, 0);
    let back = loop {
        let mut all_good = true;
        for key in &keys {
            let began = Instant::now();
            if store.load(key, Freshness::Latest).await.is_err() {
                (all_good, errors) = (false, errors + 1);
            }
            slowest = slowest.max(began.elapsed());
        }
        if all_good {
            break killed.elapsed();
        }
        assert!(
            killed.elapsed() < Duration::from_secs(20),
            "it does not come back"
        );
    };
    println!("back after {back:?}; {errors} errors, slowest {slowest:?}");
    assert!(slowest < Duration::from_millis(600), "{slowest:?}");
    // The scripts of the new primary are not those of the old one.
    for key in &keys {
        let loaded = load(&store, key).await.unwrap();
        store.replace(key, &after(&loaded), &loaded).await.unwrap();
    }
    let listed = common::sessions(&store, "ann", 50).await;
    assert_eq!(listed.len(), keys.len());
    let mut walked = 0;
    let mut cursor = None;
    loop {
        let page = store.scan(cursor.as_ref(), 1_000).await.unwrap();
        walked += page.sessions.len();
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(walked, keys.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_while_slots_move() {
    let Some(nodes) = Nodes::start(0).await else {
        return;
    };
    let store = connect_as_usual(&nodes.url(), "move").await;
    let keys = keys(&store, 200).await;
    let writers = keys.chunks(50).map(|keys| {
        let (store, keys) = (store.clone(), keys.to_vec());
        tokio::spawn(async move {
            let mut writes = 0;
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(8) {
                for key in &keys {
                    let loaded = load(&store, key).await.expect("it is there");
                    let next = after(&loaded);
                    match store.replace(key, &next, &loaded).await {
                        Ok(_) => writes += 1,
                        Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
                    }
                }
            }
            writes
        })
    });
    let writers: Vec<_> = writers.collect();
    let first = format!("127.0.0.1:{}", nodes.0[0].port);
    let id = |value: Value| -> String { redis::from_redis_value(value).unwrap() };
    let to = id(nodes.0[1].tell("CLUSTER MYID").await);
    let from = id(nodes.0[0].tell("CLUSTER MYID").await);
    let reshard = format!(
        "redis-cli --cluster reshard {first} --cluster-from {from} --cluster-to {to} \
         --cluster-slots 1500 --cluster-yes"
    );
    run(&reshard, nodes.0[0].path()).await;
    let mut writes = 0;
    for writer in writers {
        writes += writer.await.unwrap();
    }
    println!("{writes} writes while slots moved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_command_follows_a_key_that_is_under_way() {
    let Some(mut nodes) = Nodes::start(0).await else {
        return;
    };
    let store = connect_as_usual(&nodes.url(), "ask").await;
    let key = keys(&store, 1).await[0];
    let name = format!("ask:s:{key}");
    let owner = nodes.owner("ask", &key).await;
    let (from, source) = (owner.tell("CLUSTER MYID").await, owner.port);
    let slot = owner.tell(&format!("CLUSTER KEYSLOT {name}")).await;
    let slot: u16 = redis::from_redis_value(slot).unwrap();
    let from: String = redis::from_redis_value(from).unwrap();
    let target = nodes.0.iter().find(|node| node.port != source).unwrap();
    let source = nodes.0.iter().find(|node| node.port == source).unwrap();
    let to: String = redis::from_redis_value(target.tell("CLUSTER MYID").await).unwrap();
    target
        .tell(&format!("CLUSTER SETSLOT {slot} IMPORTING {from}"))
        .await;
    source
        .tell(&format!("CLUSTER SETSLOT {slot} MIGRATING {to}"))
        .await;
    source
        .tell(&format!("MIGRATE 127.0.0.1 {} {name} 0 1000", target.port))
        .await;
    // The slot is still the source's, the record is not.
    for _ in 0..3 {
        let loaded = load(&store, &key).await.unwrap();
        let next = after(&loaded);
        store.replace(&key, &next, &loaded).await.unwrap();
        assert_eq!(load(&store, &key).await.unwrap().record, next);
    }
    for node in &nodes.0 {
        node.tell(&format!("CLUSTER SETSLOT {slot} NODE {to}"))
            .await;
    }
    assert!(load(&store, &key).await.is_some());
    assert!(store.delete(&key).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_that_is_none_is_an_error() {
    let Some(node) = Node::start("").await else {
        return;
    };
    let url = format!("redis-cluster://127.0.0.1:{}", node.port);
    assert!(RedisStore::connect(&url).await.is_err());
    let store = RedisStore::builder(&url).build().unwrap();
    let error = store.load(&a_key(), Freshness::Any).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}
