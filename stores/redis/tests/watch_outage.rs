//! How feeds end.
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

use cloakroom_redis::RedisFeed;
use cloakroom_store::{Change, Feed, Store, StoreErrorKind, Watch};
use cloakroom_testkit::servers::{Link, Server};
use common::{
    a_key, a_record, connect_as_usual,
    feeds::{all, change, end, writes_are_told},
    raw, tell, until,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_ends_ends_the_feed() {
    let Some(mut server) = Server::redis().await else {
        return;
    };
    let store = connect_as_usual(&server.url(), "killed").await;
    let feed = store.watch().await.unwrap();
    server.kill();
    let (error, took) = end(feed).await;
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(took < Duration::from_millis(200), "{took:?}");
    assert!(store.watch().await.is_err());
    server.restart().await;
    let mut feed = store.watch().await.unwrap();
    until("writes work", async || {
        store.create(&a_key(), &a_record(None)).await.is_ok()
    })
    .await;
    assert!(matches!(change(&mut feed).await.0, Change::Key(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_frozen_server_ends_the_feed_in_time() {
    let Some(mut server) = Server::redis().await else {
        return;
    };
    let store = connect_as_usual(&server.url(), "frozen").await;
    let feed = store.watch().await.unwrap();
    server.freeze();
    let (error, took) = end(feed).await;
    println!("frozen: an error after {took:?}");
    assert_eq!(error.kind(), StoreErrorKind::TimedOut);
    assert!(took < RedisFeed::SILENCE, "{took:?}");
    let began = Instant::now();
    assert!(store.watch().await.is_err());
    assert!(
        began.elapsed() < RedisFeed::SILENCE,
        "{:?}",
        began.elapsed()
    );
    server.thaw();
    assert!(store.watch().await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_broken_network_ends_the_feed_in_time() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let store = connect_as_usual(&server.url_at(link.address()), "cut").await;
    let feed = store.watch().await.unwrap();
    link.cut().await;
    let (error, took) = end(feed).await;
    println!("cut: an error after {took:?}");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(took < Duration::from_millis(200), "{took:?}");

    let feed = store.watch().await.unwrap();
    link.black_hole();
    let (_, took) = end(feed).await;
    println!("black hole: an error after {took:?}");
    assert!(took < RedisFeed::SILENCE, "{took:?}");
    link.restore().await.unwrap();

    // Far away, but there.
    let mut feed = store.watch().await.unwrap();
    link.slow(Duration::from_millis(100));
    let writer = connect_as_usual(&server.url(), "cut").await;
    for _ in 0..5 {
        writes_are_told(&writer, &mut feed, 1).await;
        assert_eq!(all(&mut feed).await, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_becomes_a_replica_ends_the_feed() {
    let (Some(server), Some(primary)) = (Server::redis().await, Server::redis().await) else {
        return;
    };
    let store = connect_as_usual(&server.url(), "replica").await;
    let feed = store.watch().await.unwrap();
    let port = primary.address().port();
    let mut beside = raw(&server.url()).await;
    tell(&mut beside, &format!("REPLICAOF 127.0.0.1 {port}")).await;
    let (error, took) = end(feed).await;
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(took < RedisFeed::SILENCE, "{took:?}");
    assert!(store.watch().await.unwrap_err().can_retry());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_runtime_that_ends_ends_the_feed() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let url = server.url();
    let other = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let store = connect_as_usual(&url, "runtime").await;
            store.watch().await.unwrap()
        })
    });
    let feed = other.join().unwrap();
    let (error, took) = end(feed).await;
    assert_eq!(error.kind(), StoreErrorKind::Other);
    assert!(took < Duration::from_millis(200), "{took:?}");
}
