//! Walking over all sessions.
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

use std::collections::BTreeSet;

use cloakroom_store::{Cursor, Key, Store};
use cloakroom_testkit::servers::Server;
use common::{a_key, a_record, cluster_url, connect, fresh, raw};
use redis::pipe;

/// All sessions, each once; between two pages something happens.
async fn walk(store: &impl Store, limit: usize, mut between: impl AsyncFnMut()) -> BTreeSet<Key> {
    let (mut keys, mut after): (BTreeSet<Key>, Option<Cursor>) = (BTreeSet::new(), None);
    loop {
        let page = store.scan(after.as_ref(), limit).await.unwrap();
        assert!(page.sessions.len() <= limit);
        for session in page.sessions {
            assert!(keys.insert(session.key), "{} came twice", session.key);
        }
        after = page.next;
        if after.is_none() {
            return keys;
        }
        between().await;
    }
}

async fn fill(store: &impl Store, count: usize) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    for _ in 0..count {
        let key = a_key();
        store.create(&key, &a_record(None)).await.unwrap();
        keys.insert(key);
    }
    keys
}

#[tokio::test]
async fn sessions_are_found_among_many_other_keys() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let store = connect(&server.url(), "walk").await;
    let others = connect(&server.url(), "walk:s").await;
    let mut beside = raw(&server.url()).await;
    let mut foreign = pipe();
    for number in 0..30_000 {
        foreign.set(format!("walk:s:other:{number}"), "x").ignore();
    }
    foreign.exec_async(&mut beside).await.unwrap();
    let keys = fill(&store, 300).await;
    let of_others = fill(&others, 100).await;
    for limit in [1, 10, 299, 300, 5_000] {
        assert_eq!(walk(&store, limit, async || ()).await, keys);
    }
    assert_eq!(walk(&others, 7, async || ()).await, of_others);
}

#[tokio::test]
async fn a_table_may_grow_between_two_pages() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let store = connect(&server.url(), "grow").await;
    let beside = raw(&server.url()).await;
    for limit in [3, 40, 200] {
        let keys = fill(&store, 400).await;
        let mut number = 0;
        let grow = async || {
            // Up to twelve times as many keys.
            let mut more = pipe();
            for _ in 0..if number < 4_800 { 160 } else { 0 } {
                number += 1;
                more.set(format!("other:{number}"), "x").ignore();
            }
            if !more.is_empty() {
                more.exec_async(&mut beside.clone()).await.unwrap();
            }
        };
        assert_eq!(walk(&store, limit, grow).await, keys, "{limit}");
        redis::cmd("FLUSHDB")
            .exec_async(&mut beside.clone())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_listing_does_not_go_on_after_a_restart() {
    let Some(mut server) = Server::redis_with_log().await else {
        return;
    };
    let store = connect(&server.url(), "restart").await;
    fill(&store, 20).await;
    let page = store.scan(None, 5).await.unwrap();
    server.restart().await;
    common::until("the store is back", async || {
        store.scan(None, 5).await.is_ok()
    })
    .await;
    let error = store.scan(page.next.as_ref(), 5).await.unwrap_err();
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains("begin again"), "{why}");
}

#[tokio::test]
async fn all_nodes_of_a_cluster_are_walked() {
    let Some(url) = cluster_url() else { return };
    let store = connect(&url, &fresh("walk")).await;
    let keys = fill(&store, 500).await;
    for limit in [7, 100, 1_000] {
        assert_eq!(walk(&store, limit, async || ()).await, keys, "{limit}");
    }
    for key in keys {
        assert!(store.delete(&key).await.unwrap());
    }
}
