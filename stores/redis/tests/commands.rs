//! What the store sends to the server.
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

use cloakroom_redis::RedisStore;
use cloakroom_store::{Freshness, Key, Loaded, Store, Subject, Timestamp};
use cloakroom_testkit::servers::Server;
use common::{a_key, a_record, after, commands, connect, counts, load, raw, tell};
use redis::aio::MultiplexedConnection;

/// Has the server learn all scripts.
async fn warm_up(store: &RedisStore) {
    let key = a_key();
    let record = a_record(Some("warm"));
    store.create(&key, &record).await.unwrap();
    let loaded = load(store, &key).await.unwrap();
    assert!(store.touch(&key, &record, &loaded).await.unwrap());
    store.replace(&key, &after(&loaded), &loaded).await.unwrap();
    common::sessions(store, "warm", 10).await;
    assert!(store.delete(&key).await.unwrap());
}

async fn set_up() -> Option<(Server, RedisStore, MultiplexedConnection)> {
    let server = Server::redis().await?;
    let store = connect(&server.url(), "commands").await;
    warm_up(&store).await;
    let mut beside = raw(&server.url()).await;
    commands(&mut beside).await;
    Some((server, store, beside))
}

#[tokio::test]
async fn a_call_is_one_command_or_one_script() {
    let Some((_server, store, mut beside)) = set_up().await else {
        return;
    };
    let key = a_key();
    let record = a_record(None);
    let mut sent = async |expected: &str| {
        let found = commands(&mut beside).await;
        assert_eq!(found, counts(expected), "instead of {expected}");
    };
    store.load(&key, Freshness::Latest).await.unwrap();
    sent("getrange=1").await;
    store.create(&key, &record).await.unwrap();
    sent("set=1").await;
    let loaded = load(&store, &key).await.unwrap();
    sent("getrange=1").await;
    let mut next = after(&loaded);
    store.replace(&key, &next, &loaded).await.unwrap();
    sent("evalsha=1 getrange=1 set=1").await;
    assert!(store.replace(&key, &next, &loaded).await.is_err());
    sent("evalsha=1 getrange=1").await;
    let loaded = Loaded::new(next.clone());
    next.last_seen = next.last_seen.saturating_add(Duration::from_secs(9));
    next.expires = next.expires.saturating_add(Duration::from_secs(9));
    assert!(store.touch(&key, &next, &loaded).await.unwrap());
    sent("evalsha=1 getrange=1 setrange=2 pexpireat=1").await;
    assert_eq!(store.sweep(Timestamp::MAX, 100).await.unwrap(), 0);
    sent("").await;
    store.delete(&key).await.unwrap();
    sent("del=1").await;
}

#[tokio::test]
async fn a_subject_that_is_new_is_one_script_more() {
    let Some((_server, store, mut beside)) = set_up().await else {
        return;
    };
    let key = a_key();
    const HINT: &str = "time=1 zrangebylex=1 pttl=1 zadd=1 pexpireat=1 zcard=1";
    let mut sent = async |expected: &str| {
        let found = commands(&mut beside).await;
        assert_eq!(found, counts(expected), "instead of {expected}");
    };
    store.create(&key, &a_record(Some("ann"))).await.unwrap();
    sent(&format!("evalsha=1 {HINT} set=1")).await;
    let loaded = load(&store, &key).await.unwrap();
    sent("getrange=1").await;
    // The same subject, then none, then one again.
    let mut next = after(&loaded);
    store.replace(&key, &next, &loaded).await.unwrap();
    sent("evalsha=1 getrange=1 set=1").await;
    let loaded = Loaded::new(next);
    next = after(&loaded);
    next.subject = None;
    store.replace(&key, &next, &loaded).await.unwrap();
    sent("evalsha=1 getrange=1 set=1").await;
    let loaded = Loaded::new(next);
    next = after(&loaded);
    next.subject = Some(Subject::new("bob").unwrap());
    store.replace(&key, &next, &loaded).await.unwrap();
    sent(&format!("evalsha=2 {HINT} getrange=1 set=1")).await;
    assert_eq!(common::sessions(&store, "bob", 10).await, [key]);
    sent("evalsha=1 time=1 zrangebylex=1 getrange=1").await;
}

#[tokio::test]
async fn a_session_in_use_tells_its_index_once_in_a_lifetime() {
    let Some((_server, store, mut beside)) = set_up().await else {
        return;
    };
    let key = a_key();
    store.create(&key, &a_record(Some("ann"))).await.unwrap();
    commands(&mut beside).await;
    let mut loaded = load(&store, &key).await.unwrap();
    let mut hints = 0;
    // Ten lifetimes of half an hour, by the engine's clock.
    for _ in 0..100 {
        let mut next = loaded.record.clone();
        next.last_seen = next.last_seen.saturating_add(Duration::from_secs(180));
        next.expires = next.expires.saturating_add(Duration::from_secs(180));
        assert!(store.touch(&key, &next, &loaded).await.unwrap());
        loaded = Loaded::new(next);
        hints += commands(&mut beside)
            .await
            .get("zadd")
            .copied()
            .unwrap_or(0);
        let (record, index) = lifetimes(&mut beside, &key).await;
        assert!(
            index > record,
            "the index ends in {index} ms, the record in {record}"
        );
    }
    assert!((5..=10).contains(&hints), "{hints}");
}

/// How long the record of a key and the index of `ann` will be there, in milliseconds.
async fn lifetimes(beside: &mut MultiplexedConnection, key: &Key) -> (i64, i64) {
    let record = tell(beside, &format!("PTTL commands:s:{key}")).await;
    let index = tell(beside, "PTTL commands:u:account:ann").await;
    let number = |value| redis::from_redis_value(value).unwrap();
    (number(record), number(index))
}

/// The server's clock. Redis 6.2 can't tell when a key expires, but how much time is left.
async fn server_millis(beside: &mut MultiplexedConnection) -> u64 {
    let time = tell(beside, "TIME").await;
    let (seconds, micros): (u64, u64) = redis::from_redis_value(time).unwrap();
    seconds * 1000 + micros / 1000
}

#[tokio::test]
async fn expiry_is_the_records_and_a_margin() {
    let Some((_server, store, mut beside)) = set_up().await else {
        return;
    };
    let key = a_key();
    let record = a_record(None);
    store.create(&key, &record).await.unwrap();
    let mut check = async |expires: Timestamp| {
        let before = server_millis(&mut beside).await;
        let left = tell(&mut beside, &format!("PTTL commands:s:{key}")).await;
        let left: u64 = redis::from_redis_value(left).unwrap();
        let until = before + left..=server_millis(&mut beside).await + left + 1;
        let expected = expires.as_millis() + 60_000;
        assert!(until.contains(&expected), "{expected} in {until:?}");
    };
    check(record.expires).await;
    let loaded = load(&store, &key).await.unwrap();
    let mut next = after(&loaded);
    next.expires = next.expires.saturating_sub(Duration::from_secs(60));
    store.replace(&key, &next, &loaded).await.unwrap();
    check(next.expires).await;
    let loaded = Loaded::new(next.clone());
    // Never back, neither in the record nor on the server.
    let earlier = next.expires.saturating_sub(Duration::from_secs(60));
    let later = next.expires.saturating_add(Duration::from_secs(60));
    for (asked, expected) in [(earlier, next.expires), (later, later)] {
        let mut touched = next.clone();
        touched.expires = asked;
        assert!(store.touch(&key, &touched, &loaded).await.unwrap());
        check(expected).await;
        assert_eq!(load(&store, &key).await.unwrap().record.expires, expected);
    }
}

#[tokio::test]
async fn scripts_survive_being_forgotten() {
    let Some((_server, store, mut beside)) = set_up().await else {
        return;
    };
    let key = a_key();
    store.create(&key, &a_record(None)).await.unwrap();
    for round in 0..3 {
        let loaded = load(&store, &key).await.unwrap();
        let mut next = after(&loaded);
        next.subject = Some(Subject::new(&format!("user-{round}")).unwrap());
        tell(&mut beside, "SCRIPT FLUSH").await;
        store.replace(&key, &next, &loaded).await.unwrap();
        tell(&mut beside, "SCRIPT FLUSH").await;
        let loaded = Loaded::new(next.clone());
        assert!(store.touch(&key, &next, &loaded).await.unwrap());
        tell(&mut beside, "SCRIPT FLUSH").await;
        let subject = format!("user-{round}");
        assert_eq!(common::sessions(&store, &subject, 10).await, [key]);
    }
    commands(&mut beside).await;
    tell(&mut beside, "SCRIPT FLUSH").await;
    let loaded = load(&store, &key).await.unwrap();
    commands(&mut beside).await;
    store.replace(&key, &after(&loaded), &loaded).await.unwrap();
    let sent = commands(&mut beside).await;
    assert_eq!(sent, counts("evalsha=1 eval=1 getrange=1 set=1"));
}
