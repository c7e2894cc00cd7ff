//! What the server does not keep: what is too large, too old, or too much.
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

use std::time::Duration;

use cloakroom_memcached::MemcachedStore;
use cloakroom_store::{HEAD_LENGTH, Loaded, Store, StoreErrorKind, Timestamp};
use cloakroom_testkit::servers::Server;
use common::{
    Raw, a_key, a_record, a_record_of, after, connect, fresh, load, node::Node, now, url,
};

/// The most that a server with items of so many bytes is ever sent as data.
fn most(item_size: usize, name: &str) -> usize {
    item_size - 128 - name.len() - HEAD_LENGTH
}

#[tokio::test]
async fn what_the_server_would_refuse_is_not_sent() {
    // Not only is a value that is too large refused: what was there is gone then.
    for (options, limit) in [
        ("-I 16k -o slab_chunk_max=8192", 16 << 10),
        ("-I 1536k -m 128", 1536 << 10),
        ("-I 3m -m 128", 3 << 20),
    ] {
        let Some(node) = Node::start(options) else {
            return;
        };
        refuses_before_the_server(&node.url(), limit).await;
    }
}

async fn refuses_before_the_server(url: &str, limit: usize) {
    let store = MemcachedStore::builder(url)
        .prefix("large")
        .max_data_size(1 << 30);
    let store = store.connect().await.unwrap();
    let key = a_key();
    store.create(&key, &a_record()).await.unwrap();
    let loaded = load(&store, &key).await.unwrap();
    let most = most(limit, &format!("large:{key}"));
    let mut raw = Raw::to(url);
    let sent = raw.stats()["cmd_set"];
    for size in [most + 1, most + 2, most + 100, limit, 2 * limit] {
        let next = a_record_of(size);
        let error = store.replace(&key, &next, &loaded).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::TooLarge, "{size}");
        let error = store.create(&key, &next).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::TooLarge, "{size}");
        assert_eq!(load(&store, &key).await.unwrap(), loaded, "{size}");
    }
    assert_eq!(raw.stats()["cmd_set"], sent);
    let mut expected = loaded;
    for size in most - 20..=most {
        let next = a_record_of(size);
        let tag = store.replace(&key, &next, &expected).await.unwrap();
        expected = Loaded::with_tag(next, tag);
    }
    assert_eq!(load(&store, &key).await.unwrap(), expected);
}

#[tokio::test]
async fn the_usual_server_keeps_a_mebibyte_less_what_belongs_to_it() {
    let Some(url) = url() else { return };
    let prefix = fresh("mebibyte");
    let store = connect(&url, &prefix).await;
    let key = a_key();
    let most = most(1 << 20, &format!("{prefix}:{key}"));
    store.create(&key, &a_record_of(most)).await.unwrap();
    let loaded = load(&store, &key).await.unwrap();
    assert_eq!(loaded.record.data.len(), most);
    let error = store
        .replace(&key, &a_record_of(most + 1), &loaded)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains("1048577") && why.contains("1048576"), "{why}");
    store.delete(&key).await.unwrap();
}

#[tokio::test]
async fn a_limit_of_ones_own_is_kept() {
    let Some(url) = url() else { return };
    let prefix = fresh("own");
    let large = connect(&url, &prefix).await;
    let small = MemcachedStore::builder(&url)
        .prefix(&prefix)
        .max_data_size(1000);
    let small = small.connect().await.unwrap();
    let (key, other) = (a_key(), a_key());
    small.create(&key, &a_record_of(1000)).await.unwrap();
    assert!(load(&small, &key).await.is_some());
    let error = small.create(&other, &a_record_of(1001)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    // One that was written before the limit was lowered is not read, and harms nobody.
    large.create(&other, &a_record_of(500_000)).await.unwrap();
    let Some(loaded) = load(&large, &other).await else {
        panic!("it is gone");
    };
    let read = small.load(&other, cloakroom_store::Freshness::Any);
    let (error, beside) = tokio::join!(read, load(&small, &key));
    assert_eq!(error.unwrap_err().kind(), StoreErrorKind::Corrupt);
    assert!(beside.is_some());
    small.replace(&other, &a_record(), &loaded).await.unwrap();
    assert!(load(&small, &other).await.is_some());
    for key in [key, other] {
        assert!(small.delete(&key).await.unwrap());
    }
}

#[tokio::test]
async fn an_evicted_session_is_gone_and_nothing_else_breaks() {
    let Some(node) = Node::start("-m 8") else {
        return;
    };
    let store = connect(&node.url(), "evict").await;
    let (first, record) = (a_key(), a_record());
    store.create(&first, &record).await.unwrap();
    let loaded = load(&store, &first).await.unwrap();
    let mut raw = Raw::to(&node.url());
    // Of the first one's size, since those push each other out. Nobody looks at it meanwhile.
    let more = (0..16).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut last = a_key();
            for _ in 0..5_000 {
                last = a_key();
                store.create(&last, &a_record()).await.unwrap();
            }
            last
        })
    });
    let mut last = first;
    for task in more.collect::<Vec<_>>() {
        last = task.await.unwrap();
    }
    assert!(raw.stats()["evictions"] > 0);
    assert!(load(&store, &last).await.is_some());
    assert_eq!(load(&store, &first).await, None);
    let error = store
        .replace(&first, &after(&loaded), &loaded)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict);
    assert!(!store.touch(&first, &record, &loaded).await.unwrap());
    assert!(!store.delete(&first).await.unwrap());
    assert_eq!(load(&store, &first).await, None);
    store.create(&first, &record).await.unwrap();
    assert_eq!(load(&store, &first).await.unwrap().record, record);
}

#[tokio::test]
async fn a_server_without_room_refuses_and_is_asked_again() {
    let Some(node) = Node::start("-m 2 -M") else {
        return;
    };
    let store = connect(&node.url(), "full").await;
    let (key, record) = (a_key(), a_record());
    store.create(&key, &record).await.unwrap();
    let mut refused = 0;
    for _ in 0..2_000 {
        if let Err(error) = store.create(&a_key(), &a_record_of(20_000)).await {
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
            assert!(format!("{error:?}").contains("out of memory"), "{error:?}");
            refused += 1;
        }
    }
    assert!(refused > 100, "{refused}");
    // It answers, so no breaker opens.
    assert_eq!(load(&store, &key).await.unwrap().record, record);
    let (key, large) = (a_key(), a_record_of(20_000));
    store.create(&key, &record).await.unwrap();
    let loaded = load(&store, &key).await.unwrap();
    let error = store.replace(&key, &large, &loaded).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert_ne!(
        load(&store, &key).await.map(|loaded| loaded.record),
        Some(large)
    );
}

#[tokio::test]
async fn what_is_flushed_is_gone() {
    let Some(server) = Server::memcached().await else {
        return;
    };
    let store = connect(&server.url(), "flush").await;
    let (key, record) = (a_key(), a_record());
    store.create(&key, &record).await.unwrap();
    let loaded = load(&store, &key).await.unwrap();
    assert_eq!(Raw::to(&server.url()).tell("flush_all"), "OK");
    assert_eq!(load(&store, &key).await, None);
    let error = store
        .replace(&key, &after(&loaded), &loaded)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict);
    assert!(!store.touch(&key, &record, &loaded).await.unwrap());
}

/// How long the server will keep it, in seconds; -1 for ever.
fn rest(raw: &mut Raw, name: &str) -> i64 {
    let line = raw.tell(&format!("mg {name} t"));
    let rest = line
        .strip_prefix("HD t")
        .unwrap_or_else(|| panic!("{name}: {line}"));
    rest.parse().unwrap()
}

#[tokio::test]
async fn expiry_is_the_records_and_a_margin() {
    let Some(url) = url() else { return };
    let prefix = fresh("expiry");
    let store = connect(&url, &prefix).await;
    let mut raw = Raw::to(&url);
    for days in [0, 1, 29, 30, 31, 40, 400] {
        let lifetime = Duration::from_secs(days * 86_400);
        let (key, mut record) = (a_key(), a_record());
        let name = format!("{prefix}:{key}");
        record.expires = now().saturating_add(lifetime);
        store.create(&key, &record).await.unwrap();
        let mut kept = |days: u64| {
            let expected = i64::try_from(days * 86_400 + 60).unwrap();
            let rest = rest(&mut raw, &name);
            assert!(
                (expected - 10..=expected + 2).contains(&rest),
                "{days} days: {rest} s"
            );
        };
        kept(days);
        let loaded = load(&store, &key).await.unwrap();
        assert_eq!(loaded.record, record);
        let mut next = after(&loaded);
        next.expires = next.expires.saturating_add(Duration::from_secs(86_400));
        store.replace(&key, &next, &loaded).await.unwrap();
        kept(days + 1);
        let expected = Loaded::new(next.clone());
        // Never back.
        assert!(store.touch(&key, &record, &expected).await.unwrap());
        kept(days + 1);
        next.expires = next.expires.saturating_add(Duration::from_secs(86_400));
        assert!(store.touch(&key, &next, &expected).await.unwrap());
        kept(days + 2);
        assert_eq!(load(&store, &key).await.unwrap().record, next);
        store.delete(&key).await.unwrap();
    }
}

#[tokio::test]
async fn times_that_the_server_can_not_count_are_for_ever_or_long_gone() {
    let Some(url) = url() else { return };
    let prefix = fresh("times");
    let store = connect(&url, &prefix).await;
    let mut raw = Raw::to(&url);
    for millis in [1 << 42, u64::MAX] {
        let (key, mut record) = (a_key(), a_record());
        record.expires = Timestamp::from_millis(millis);
        store.create(&key, &record).await.unwrap();
        assert_eq!(load(&store, &key).await.unwrap().record, record);
        assert_eq!(rest(&mut raw, &format!("{prefix}:{key}")), -1);
        store.delete(&key).await.unwrap();
    }
    let long_ago = now().saturating_sub(Duration::from_secs(62));
    for expires in [Timestamp::EPOCH, Timestamp::from_millis(1 << 31), long_ago] {
        let (key, mut record) = (a_key(), a_record());
        record.expires = expires;
        store.create(&key, &record).await.unwrap();
        assert_eq!(load(&store, &key).await, None, "{expires:?}");
    }
}
