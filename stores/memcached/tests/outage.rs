//! A server that is down, and a network that is.
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

use cloakroom_memcached::MemcachedStore;
use cloakroom_store::{Freshness, Loaded, Store, StoreErrorKind};
use cloakroom_testkit::servers::{Link, Server, broken_link, outage};
use common::{
    Raw, a_key, a_record, after, connect_as_usual, load,
    node::{Fake, GREETING},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_survive_an_outage() {
    let Some(mut server) = Server::memcached().await else {
        return;
    };
    let store = connect_as_usual(&server.url(), "outage").await;
    println!("{}", outage(&mut server, store).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_survive_a_broken_network() {
    let Some(server) = Server::memcached().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let store = connect_as_usual(&server.url_at(link.address()), "outage").await;
    println!("{}", broken_link(&link, store).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_program_may_start_while_the_server_is_down() {
    let Some(mut server) = Server::memcached().await else {
        return;
    };
    server.kill();
    let refused = MemcachedStore::connect(&server.url()).await;
    assert!(refused.unwrap_err().to_string().contains("can't be used"));
    let store = MemcachedStore::builder(&server.url()).build().unwrap();
    let (key, record) = (a_key(), a_record());
    for _ in 0..5 {
        let error = store.create(&key, &record).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
    server.restart().await;
    let back = Instant::now();
    while store.create(&key, &record).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = back.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
}

/// Making a connection takes longer than half a second when the server is far away.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_distant_server_is_found_again() {
    let Some(server) = Server::memcached().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let far = Duration::from_millis(300);
    link.slow(far);
    let builder = MemcachedStore::builder(&server.url_at(link.address()));
    let builder = builder.timeout(Duration::from_secs(3));
    let store = builder.connect_timeout(Duration::from_secs(5)).connect();
    let (store, key) = (store.await.unwrap(), a_key());
    store.create(&key, &a_record()).await.unwrap();
    link.refuse().await;
    for _ in 0..5 {
        let error = store.load(&key, Freshness::Latest).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
    link.restore().await.unwrap();
    link.slow(far);
    let back = Instant::now();
    while let Err(error) = store.load(&key, Freshness::Latest).await {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(back.elapsed() < Duration::from_secs(10), "it is not found");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A connection that was begun while the server was away may never be made.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_begun_during_an_outage_is_not_waited_for() {
    let Some(server) = Server::memcached().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let builder = MemcachedStore::builder(&server.url_at(link.address()));
    let patient = builder.connect_timeout(Duration::from_secs(60));
    let (store, key) = (patient.connect().await.unwrap(), a_key());
    link.lose();
    // So long that all connections are begun that are made at once.
    let away = Instant::now();
    while away.elapsed() < Duration::from_secs(3) {
        store.load(&key, Freshness::Latest).await.unwrap_err();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    link.restore().await.unwrap();
    let back = Instant::now();
    while store.load(&key, Freshness::Latest).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = back.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restart_between_two_requests_is_not_noticed() {
    let Some(mut server) = Server::memcached().await else {
        return;
    };
    let store = connect_as_usual(&server.url(), "restart").await;
    for _ in 0..5 {
        let (key, record) = (a_key(), a_record());
        store.create(&key, &record).await.unwrap();
        let loaded = load(&store, &key).await.unwrap();
        server.kill();
        server.restart().await;
        // Its sessions are gone, and that is an answer.
        assert_eq!(load(&store, &key).await, None);
        let error = store
            .replace(&key, &after(&loaded), &loaded)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Conflict);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_that_is_reset_is_replaced() {
    let Some(server) = Server::memcached().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let store = connect_as_usual(&server.url_at(link.address()), "reset").await;
    let (key, record) = (a_key(), a_record());
    store.create(&key, &record).await.unwrap();
    for _ in 0..10 {
        link.cut().await;
        // The first call may find out; the second has a new connection.
        let _ = store.load(&key, Freshness::Latest).await;
        assert!(load(&store, &key).await.is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_timeout_without_end_is_one() {
    let Some(server) = Server::memcached().await else {
        return;
    };
    let endless = MemcachedStore::builder(&server.url())
        .timeout(Duration::MAX)
        .connect_timeout(Duration::MAX);
    let store = endless.connect().await.unwrap();
    let (key, record) = (a_key(), a_record());
    store.create(&key, &record).await.unwrap();
    assert_eq!(load(&store, &key).await.unwrap().record, record);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_connection_serves_all_calls() {
    let Some(server) = Server::memcached().await else {
        return;
    };
    let store = connect_as_usual(&server.url(), "one").await;
    let mut raw = Raw::to(&server.url());
    let before = raw.stats()["total_connections"];
    let calls = (0..500).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let (key, record) = (a_key(), a_record());
            store.create(&key, &record).await.unwrap();
            assert_eq!(load(&store, &key).await.unwrap().record, record);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    assert_eq!(raw.stats()["total_connections"], before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_of_unknown_outcome_is_not_sent_again() {
    // The connection ends when a command has come: nobody knows what became of it.
    let mut fake = Fake::start(GREETING, None).await;
    let store = connect_as_usual(&fake.url, "lost").await;
    let (key, record) = (a_key(), a_record());
    let created = store.create(&key, &record).await.unwrap_err();
    assert_eq!(created.kind(), StoreErrorKind::Unavailable);
    assert!(created.is_outcome_unknown());
    let expected = Loaded::with_tag(record.clone(), cloakroom_store::Tag::new(7));
    let replaced = store
        .replace(&key, &after(&expected), &expected)
        .await
        .unwrap_err();
    assert_eq!(replaced.kind(), StoreErrorKind::Unavailable);
    let mut writes = 0;
    while let Ok(line) = fake.heard.try_recv() {
        writes += usize::from(line.starts_with("ms "));
    }
    assert_eq!(writes, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dropped_calls_leave_the_connection_in_order() {
    let Some(server) = Server::memcached().await else {
        return;
    };
    let store = connect_as_usual(&server.url(), "dropped").await;
    let keys: Vec<_> = (0..50).map(|_| a_key()).collect();
    for (number, key) in keys.iter().enumerate() {
        let mut record = a_record();
        record.data = format!("{number}").into();
        store.create(key, &record).await.unwrap();
    }
    for round in 0..2_000 {
        let (left, read) = (&keys[round % 50], &keys[(round * 7 + 1) % 50]);
        let mut dropped = Box::pin(store.load(left, Freshness::Any));
        // Begun, and with luck sent, when it is dropped.
        let patience = Duration::from_micros(1) * (u32::try_from(round).unwrap() % 100);
        let _ = tokio::time::timeout(patience, &mut dropped).await;
        drop(dropped);
        let found = load(&store, read).await.unwrap();
        assert_eq!(found.record.data, format!("{}", (round * 7 + 1) % 50));
    }
}

#[test]
fn a_store_survives_its_runtime() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    let Some(server) = first.block_on(Server::memcached()) else {
        return;
    };
    let store = first.block_on(connect_as_usual(&server.url(), "runtime"));
    let (key, record) = (a_key(), a_record());
    first.block_on(store.create(&key, &record)).unwrap();
    drop(first);
    let second = runtime();
    assert_eq!(second.block_on(load(&store, &key)).unwrap().record, record);
    // None at all is an error, not a panic, whether the connection is alive or not.
    has_no_runtime(&store);
    drop(second);
    has_no_runtime(&store);
}

fn has_no_runtime(store: &MemcachedStore) {
    let key = a_key();
    let mut call = std::pin::pin!(store.load(&key, Freshness::Any));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(result) = call.as_mut().poll(&mut context) else {
        panic!("it waits for nothing");
    };
    assert_eq!(result.unwrap_err().kind(), StoreErrorKind::Other);
}
