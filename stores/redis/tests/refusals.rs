//! Servers that refuse, and what should not be under a key.
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

use std::{error::Error, time::Duration};

use cloakroom_redis::RedisStore;
use cloakroom_store::{Freshness, Key, Loaded, Store, StoreError, StoreErrorKind};
use cloakroom_testkit::servers::Server;
use common::{a_key, a_record, after, connect, fresh, load, node::Node, raw, tell};
use redis::AsyncCommands;

/// An error and all that is behind it.
fn all_of(error: &dyn Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(" {error} {error:?}");
        source = error.source();
    }
    text
}

#[tokio::test]
async fn a_wrong_password_is_an_error_that_tells_nothing() {
    let Some(node) = Node::start("requirepass right\n").await else {
        return;
    };
    for login in [":hunter2@", "ann:hunter2@", ""] {
        let url = format!("redis://{login}127.0.0.1:{}", node.port);
        let error = RedisStore::connect(&url).await.unwrap_err();
        assert!(!all_of(&error).contains("hunter2"), "{}", all_of(&error));
        let store = RedisStore::builder(&url).build().unwrap();
        let error = store.load(&a_key(), Freshness::Any).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{login}");
        assert!(!error.can_retry(), "{login}");
        assert!(!all_of(&error).contains("hunter2"), "{}", all_of(&error));
        assert!(!format!("{store:?}").contains("hunter2"));
    }
    let url = format!("redis://:right@127.0.0.1:{}", node.port);
    connect(&url, "password").await;
}

#[tokio::test]
async fn a_user_needs_only_the_commands_that_are_named() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let mut beside = raw(&server.url()).await;
    let commands = "+getrange +set +del +evalsha +eval +setrange +pexpireat +pttl +time \
        +zadd +zrem +zrangebylex +zcard +zrandmember +scan";
    tell(
        &mut beside,
        &format!("ACL SETUSER shop on >pw ~shop:* {commands}"),
    )
    .await;
    let url = format!("redis://shop:pw@{}/0", server.address());
    let store = connect(&url, "shop").await;
    let key = a_key();
    store.create(&key, &a_record(Some("ann"))).await.unwrap();
    let loaded = load(&store, &key).await.unwrap();
    let next = after(&loaded);
    store.replace(&key, &next, &loaded).await.unwrap();
    assert!(
        store
            .touch(&key, &next, &Loaded::new(next.clone()))
            .await
            .unwrap()
    );
    assert_eq!(common::sessions(&store, "ann", 10).await, [key]);
    let page = store.scan(None, 10).await.unwrap();
    assert_eq!(page.sessions.len(), 1);
    assert!(store.delete(&key).await.unwrap());

    // Another's keys.
    let other = connect(&url, "other").await;
    let error = other.load(&key, Freshness::Any).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Other);
    assert!(!error.can_retry());
}

#[tokio::test]
async fn databases_are_apart() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let first = connect(&server.url(), "same").await;
    let third = connect(&format!("{}/3", server.url()), "same").await;
    let key = a_key();
    first.create(&key, &a_record(None)).await.unwrap();
    assert!(load(&third, &key).await.is_none());
    assert!(third.scan(None, 10).await.unwrap().sessions.is_empty());
    let missing = RedisStore::connect(&format!("{}/99", server.url())).await;
    assert!(missing.is_err());
}

#[tokio::test]
async fn a_full_server_still_reads_and_ends_sessions() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let store = connect(&server.url(), "full").await;
    let key = a_key();
    store.create(&key, &a_record(None)).await.unwrap();
    let mut beside = raw(&server.url()).await;
    tell(&mut beside, "CONFIG SET maxmemory-policy noeviction").await;
    tell(&mut beside, "CONFIG SET maxmemory 1").await;
    let loaded = load(&store, &key).await.unwrap();
    let is_full = |error: StoreError| {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(error.can_retry());
    };
    for _ in 0..5 {
        is_full(store.create(&a_key(), &a_record(None)).await.unwrap_err());
        is_full(
            store
                .replace(&key, &after(&loaded), &loaded)
                .await
                .unwrap_err(),
        );
    }
    // It is no outage: the breaker stays closed.
    assert_eq!(load(&store, &key).await, Some(loaded));
    assert!(store.delete(&key).await.unwrap());
    tell(&mut beside, "CONFIG SET maxmemory 0").await;
    store.create(&key, &a_record(None)).await.unwrap();
}

#[tokio::test]
async fn a_full_server_forgets_no_session_of_a_subject() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let store = connect(&server.url(), "full").await;
    let (key, record) = (a_key(), a_record(Some("ann")));
    store.create(&key, &record).await.unwrap();
    let loaded = load(&store, &key).await.unwrap();
    // Its index is told, and can't take it.
    let mut longer = after(&loaded);
    longer.expires = longer.expires.saturating_add(Duration::from_secs(86_400));
    let mut beside = raw(&server.url()).await;
    tell(&mut beside, "CONFIG SET maxmemory-policy noeviction").await;
    tell(&mut beside, "CONFIG SET maxmemory 1").await;
    let error = store.touch(&key, &longer, &loaded).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let error = store.replace(&key, &longer, &loaded).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    // Else nobody who ends all of them ends this one.
    assert_eq!(common::sessions(&store, "ann", 10).await, [key]);
    tell(&mut beside, "CONFIG SET maxmemory 0").await;
    store.replace(&key, &longer, &loaded).await.unwrap();
    assert_eq!(common::sessions(&store, "ann", 10).await, [key]);
    let index = tell(&mut beside, "ZCARD full:u:account:ann").await;
    assert_eq!(index, redis::Value::Int(1));
}

async fn put(key: &Key, prefix: &str, bytes: &[u8], url: &str) {
    let mut beside = raw(url).await;
    let name = format!("{prefix}:s:{key}");
    let _: () = beside.set(name, bytes).await.unwrap();
}

#[tokio::test]
async fn what_is_no_record_is_corrupt_and_can_be_deleted() {
    let Some(url) = common::url() else { return };
    let prefix = fresh("corrupt");
    let builder = RedisStore::builder(&url)
        .prefix(&prefix)
        .max_data_size(1_000);
    let store = builder.connect().await.unwrap();
    let record = a_record(Some("ann"));
    let good = record.encode().unwrap();
    let mut flipped = good.to_vec();
    flipped[4] ^= 1;
    let too_long = vec![1; 100_000];
    for bad in [&b"x"[..], &good[..good.len() - 1], &flipped, &too_long] {
        let key = a_key();
        put(&key, &prefix, bad, &url).await;
        let error = store.load(&key, Freshness::Any).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        let refused = store.create(&key, &record).await.unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::AlreadyExists);
        let expected = Loaded::new(record.clone());
        // No panic of a script either.
        let _ = store.touch(&key, &record, &expected).await.unwrap();
        assert!(store.delete(&key).await.unwrap());
        assert!(load(&store, &key).await.is_none());
    }
    let key = a_key();
    let mut beside = raw(&url).await;
    tell(&mut beside, &format!("RPUSH {prefix}:s:{key} x")).await;
    let error = store.load(&key, Freshness::Any).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let expected = Loaded::new(record.clone());
    for error in [
        store
            .replace(&key, &record, &expected)
            .await
            .map(drop)
            .unwrap_err(),
        store
            .touch(&key, &record, &expected)
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{}", all_of(&error));
    }
    assert!(store.scan(None, 100).await.unwrap().sessions.is_empty());
    assert!(store.delete(&key).await.unwrap());
}

#[tokio::test]
async fn more_data_than_allowed_is_refused_before_it_is_sent() {
    let Some(url) = common::url() else { return };
    let builder = RedisStore::builder(&url)
        .prefix(fresh("large"))
        .max_data_size(100);
    let store = builder.connect().await.unwrap();
    let key = a_key();
    let mut record = a_record(None);
    record.data = vec![0; 100].into();
    store.create(&key, &record).await.unwrap();
    let loaded = load(&store, &key).await.unwrap();
    let mut larger = after(&loaded);
    larger.data = vec![0; 101].into();
    let error = store.replace(&key, &larger, &loaded).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    let error = store.create(&a_key(), &larger).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    assert!(store.delete(&key).await.unwrap());
}

#[tokio::test]
async fn settings_that_can_not_be_are_refused() {
    let zero = std::time::Duration::ZERO;
    let builder = || RedisStore::builder("redis://localhost");
    assert!(builder().prefix("a b").build().is_err());
    assert!(builder().timeout(zero).build().is_err());
    assert!(builder().connect_timeout(zero).build().is_err());
    let tls = RedisStore::builder("rediss://localhost").build();
    if !cfg!(feature = "tls-rustls") {
        assert!(tls.unwrap_err().to_string().contains("tls-rustls"));
    }
}
