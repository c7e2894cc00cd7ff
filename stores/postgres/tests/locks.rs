//! Rows that somebody else has locked, and statements that the server rolls back.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::time::{Duration, Instant};

use cloakroom_postgres::PostgresStore;
use cloakroom_store::{Loaded, Store, StoreErrorKind, Timestamp};
use common::{
    builder, client, count, create, increment, key, kind, load, numbered, record, told, url, url_at,
};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_row_does_not_hold_up_the_others() {
    let Some(url) = url() else { return };
    let builder = builder(&url, "locks_row").await;
    let store = builder.timeout(Duration::from_secs(1)).connect();
    let store = store.await.unwrap();
    let mut loaded: Vec<Loaded> = Vec::new();
    for number in 0..64 {
        loaded.push(create(&store, &numbered(number), &record("old")).await);
    }
    let holder = client(&url).await;
    let locked = numbered(7);
    let lock = "SELECT 1 FROM locks_row WHERE id = $1 FOR UPDATE";
    holder.batch_execute("BEGIN").await.unwrap();
    let id = &locked.id.as_bytes()[..];
    assert_eq!(holder.query(lock, &[&id]).await.unwrap().len(), 1);

    let begin = Instant::now();
    let mut calls = JoinSet::new();
    for (number, loaded) in (0..64).zip(loaded.clone()) {
        let store = store.clone();
        calls.spawn(async move {
            let result = match number % 2 {
                0 => store.delete(&numbered(number)).await.map(drop),
                _ => store
                    .replace(&numbered(number), &record("new"), &loaded)
                    .await
                    .map(drop),
            };
            (number, result, Instant::now())
        });
    }
    for (number, result, end) in calls.join_all().await {
        let took = end - begin;
        if number == 7 {
            assert_eq!(kind(result), Some(StoreErrorKind::TimedOut));
            assert!(took >= Duration::from_millis(900), "{took:?}");
        } else {
            result.unwrap();
            assert!(took < Duration::from_millis(700), "{number}: {took:?}");
        }
    }
    let read = load(&store, &locked).await.unwrap().unwrap();
    assert_eq!(read, loaded[7], "a load waits for no lock");

    // The same for the other kinds, and a lock that is released in time is waited for.
    let touch = store.touch(&locked, &record("old"), &loaded[7]).await;
    assert_eq!(kind(touch), Some(StoreErrorKind::TimedOut));
    let mine = locked;
    let (waiting, own) = (store.clone(), loaded[7].clone());
    let waiting = tokio::spawn(async move { waiting.replace(&mine, &record("late"), &own).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    holder.batch_execute("ROLLBACK").await.unwrap();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_sweep_passes_by_what_is_locked_and_takes_it_later() {
    let Some(url) = url() else { return };
    let store = common::store(&url, "locks_sweep").await;
    for number in 0..20 {
        let mut record = record("old");
        record.expires = Timestamp::from_millis(1_000 + number);
        create(&store, &numbered(number), &record).await;
    }
    let holder = client(&url).await;
    let lock = "SELECT 1 FROM locks_sweep WHERE expires = 1007 FOR UPDATE";
    holder.batch_execute("BEGIN").await.unwrap();
    holder.batch_execute(lock).await.unwrap();
    let now = Timestamp::from_millis(1_010);
    assert_eq!(store.sweep(now, 100).await.unwrap(), 9);
    // Its lock is released by a change that lets it live on.
    let change = "UPDATE locks_sweep SET expires = 1010 WHERE expires = 1007; COMMIT";
    holder.batch_execute(change).await.unwrap();
    assert_eq!(store.sweep(now, 100).await.unwrap(), 0);
    let now = Timestamp::from_millis(1_011);
    assert_eq!(store.sweep(now, 100).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_that_meets_an_uncommitted_one_holds_up_the_others_for_a_moment() {
    let Some(url) = url() else { return };
    let builder = builder(&url, "locks_create").await;
    let store = builder.timeout(Duration::from_secs(1)).connect();
    let store = store.await.unwrap();
    let template = create(&store, &key(1), &record("a")).await;
    let holder = client(&url).await;
    let id = numbered(3).id;
    let insert = "INSERT INTO locks_create SELECT $1, namespace, version, created, last_seen, \
                  expires, subject, data FROM locks_create";
    holder.batch_execute("BEGIN").await.unwrap();
    holder
        .execute(insert, &[&&id.as_bytes()[..]])
        .await
        .unwrap();
    let mut calls = JoinSet::new();
    for number in 0..20 {
        let (store, record) = (store.clone(), template.record.clone());
        calls.spawn(async move { (number, store.create(&numbered(number), &record).await) });
    }
    for (number, result) in calls.join_all().await {
        match number {
            3 => assert_eq!(kind(result), Some(StoreErrorKind::TimedOut)),
            _ => drop(result.unwrap_or_else(|error| panic!("{number}: {}", told(&error)))),
        }
    }
    holder.batch_execute("COMMIT").await.unwrap();
    let taken = store.create(&numbered(3), &record("b")).await;
    assert_eq!(kind(taken), Some(StoreErrorKind::AlreadyExists));
}

/// Everything works although the server rolls statements back that are in each other's way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serializable_transactions_are_retried() {
    let Some(url) = url() else { return };
    let admin = client(&url).await;
    let sql = "DROP TABLE IF EXISTS locks_serializable, locks_serializable_schema; \
               DROP OWNED BY cloakroom_serializable; DROP ROLE cloakroom_serializable;";
    let _ = admin.batch_execute(sql).await;
    let sql = "CREATE ROLE cloakroom_serializable LOGIN SUPERUSER PASSWORD 'secret'; \
               ALTER ROLE cloakroom_serializable SET default_transaction_isolation = serializable;";
    admin.batch_execute(sql).await.unwrap();
    let config: tokio_postgres::Config = url.parse().unwrap();
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let at = url_at(&url, port);
    let (_, place) = at.split_once('@').unwrap();
    let url = format!("postgres://cloakroom_serializable:secret@{place}");
    let level = client(&url)
        .await
        .query_one("SHOW transaction_isolation", &[])
        .await
        .unwrap();
    assert_eq!(level.get::<_, String>(0), "serializable");

    // Unprepared, a store takes the session as it is.
    for is_prepared in [false, true] {
        let builder = builder(&url, "locks_serializable").await;
        let first = builder.prepared(is_prepared).connect().await.unwrap();
        let builder = PostgresStore::builder(&url).table("locks_serializable");
        let second = builder.prepared(is_prepared).connect().await.unwrap();
        work_on_two(first, second).await;
    }
}

async fn work_on_two(first: PostgresStore, second: PostgresStore) {
    create(&first, &key(1), &record("0")).await;
    let mut calls = JoinSet::new();
    for number in 0..8_u64 {
        let store = if number % 2 == 0 {
            first.clone()
        } else {
            second.clone()
        };
        calls.spawn(async move {
            for step in 0..25 {
                increment(&store, &key(1)).await;
                let own = numbered(100 * number + step);
                let loaded = create(&store, &own, &record("a")).await;
                store.replace(&own, &record("b"), &loaded).await.unwrap();
                if step % 2 == 0 {
                    assert!(store.delete(&own).await.unwrap());
                }
                store.sweep(Timestamp::from_millis(5), 10).await.unwrap();
            }
        });
    }
    calls.join_all().await;
    let loaded = load(&first, &key(1)).await.unwrap().unwrap();
    assert_eq!(count(&loaded.record), 8 * 25);
    assert_eq!(
        first.scan(None, 1_000).await.unwrap().sessions.len(),
        1 + 8 * 12
    );
}
