//! Rows that somebody else has locked, and statements that the server rolls back.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::time::{Duration, Instant};

use cloakroom_store::{Loaded, Store, StoreErrorKind, Timestamp};
use common::{
    builder, client, count, create, increment, key, kind, load, numbered, record, run, told, url,
};
use mysql_async::prelude::Queryable;
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
    let mut holder = client(&url).await;
    let locked = numbered(7);
    let lock = "SELECT 1 FROM locks_row WHERE id = ? FOR UPDATE";
    holder.query_drop("BEGIN").await.unwrap();
    let id = locked.id.as_bytes().to_vec();
    let rows: Vec<u64> = holder.exec(lock, (id,)).await.unwrap();
    assert_eq!(rows.len(), 1);

    let begin = Instant::now();
    let mut calls = JoinSet::new();
    // Twenty writes of the locked row: more than there are connections.
    for _ in 0..20 {
        let (store, loaded) = (store.clone(), loaded[7].clone());
        calls.spawn(async move {
            let result = store.replace(&locked, &record("new"), &loaded).await;
            (7, result.map(drop), Instant::now())
        });
    }
    for (number, loaded) in (0..64).zip(loaded.clone()) {
        let store = store.clone();
        calls.spawn(async move {
            let key = numbered(number);
            let result = match number % 2 {
                0 => store.delete(&key).await.map(drop),
                _ => store.replace(&key, &record("new"), &loaded).await.map(drop),
            };
            (number, result, Instant::now())
        });
    }
    let mut slowest = Duration::ZERO;
    for (number, result, end) in calls.join_all().await {
        let took = end - begin;
        if number == 7 {
            assert_eq!(kind(result), Some(StoreErrorKind::TimedOut));
            assert!(took >= Duration::from_millis(900), "{took:?}");
        } else {
            result.unwrap_or_else(|error| panic!("{number}: {}", told(&error)));
            slowest = slowest.max(took);
        }
    }
    println!("a locked row: the slowest of the others took {slowest:?}");
    assert!(slowest < Duration::from_millis(700), "{slowest:?}");
    let read = load(&store, &locked).await.unwrap().unwrap();
    assert_eq!(read, loaded[7], "a load waits for no lock");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_released_in_time_is_waited_for() {
    let Some(url) = url() else { return };
    let store = common::store(&url, "locks_released").await;
    let loaded = create(&store, &key(1), &record("old")).await;
    let mut holder = client(&url).await;
    let lock = "SELECT 1 FROM locks_released FOR UPDATE";
    run(&mut holder, &["BEGIN", lock]).await;
    let (waiting, mine) = (store.clone(), key(1));
    let waiting = tokio::spawn(async move { waiting.replace(&mine, &record("b"), &loaded).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    run(&mut holder, &["ROLLBACK"]).await;
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
    let mut holder = client(&url).await;
    let lock = "SELECT 1 FROM locks_sweep WHERE expires = 1007 FOR UPDATE";
    let committed = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
    run(&mut holder, &[committed, "BEGIN", lock]).await;
    let now = Timestamp::from_millis(1_010);
    assert_eq!(store.sweep(now, 100).await.unwrap(), 9);
    // Its lock is released by a change that lets it live on.
    let change = "UPDATE locks_sweep SET expires = 1010 WHERE expires = 1007";
    run(&mut holder, &[change, "COMMIT"]).await;
    assert_eq!(store.sweep(now, 100).await.unwrap(), 0);
    let now = Timestamp::from_millis(1_011);
    assert_eq!(store.sweep(now, 100).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_that_meets_an_uncommitted_one_waits_alone() {
    let Some(url) = url() else { return };
    let builder = builder(&url, "locks_create").await;
    let store = builder.timeout(Duration::from_secs(1)).connect();
    let store = store.await.unwrap();
    create(&store, &key(1), &record("a")).await;
    let mut holder = client(&url).await;
    let insert = "INSERT INTO locks_create SELECT ?, namespace, version, created, last_seen, \
                  expires, subject, data FROM locks_create";
    let committed = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
    run(&mut holder, &[committed, "BEGIN"]).await;
    let id = numbered(3).id.as_bytes().to_vec();
    holder.exec_drop(insert, (id,)).await.unwrap();
    let mut calls = JoinSet::new();
    for number in 0..20 {
        let store = store.clone();
        calls.spawn(async move { (number, store.create(&numbered(number), &record("a")).await) });
    }
    for (number, result) in calls.join_all().await {
        match number {
            3 => assert_eq!(kind(result), Some(StoreErrorKind::TimedOut)),
            _ => drop(result.unwrap_or_else(|error| panic!("{number}: {}", told(&error)))),
        }
    }
    run(&mut holder, &["COMMIT"]).await;
    let taken = store.create(&numbered(3), &record("b")).await;
    assert_eq!(kind(taken), Some(StoreErrorKind::AlreadyExists));
}

/// The server rolls back every third statement as if it had found a deadlock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlocks_are_retried() {
    let Some(url) = url() else { return };
    let store = common::store(&url, "locks_deadlock").await;
    let mut admin = client(&url).await;
    for event in ["INSERT", "UPDATE", "DELETE"] {
        let trigger = format!(
            "CREATE TRIGGER locks_deadlock_{event} BEFORE {event} ON locks_deadlock FOR EACH ROW \
             IF RAND() < 0.3 THEN SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, \
             MESSAGE_TEXT = 'Deadlock found'; END IF"
        );
        run(&mut admin, &[&trigger]).await;
    }
    create(&store, &key(1), &record("0")).await;
    let mut calls = JoinSet::new();
    for number in 0..8_u64 {
        let store = store.clone();
        calls.spawn(async move {
            for step in 0..10 {
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
    let loaded = load(&store, &key(1)).await.unwrap().unwrap();
    assert_eq!(count(&loaded.record), 80);
    let left = store.scan(None, 1_000).await.unwrap().sessions.len();
    assert_eq!(left, 1 + 8 * 5);
}

/// Writes, sweeps and listings in each other's way, on stores that do not know of each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweeps_and_writes_do_not_harm_each_other() {
    let Some(url) = url() else { return };
    let first = common::store(&url, "locks_mixed").await;
    let second = cloakroom_mysql::MysqlStore::builder(&url).table("locks_mixed");
    let second = second.timeout(Duration::from_secs(5)).connect();
    let second = second.await.unwrap();
    let mut calls = JoinSet::new();
    for task in 0..8_u64 {
        let store = if task % 2 == 0 { &first } else { &second }.clone();
        calls.spawn(async move {
            let mut swept = 0;
            for step in 0..40 {
                let mut old = record("old");
                old.expires = Timestamp::from_millis(1_000 + step);
                create(&store, &numbered(100 * task + step), &old).await;
                let living = numbered(10_000 + 100 * task + step);
                let loaded = create(&store, &living, &record("a")).await;
                assert!(store.touch(&living, &record("a"), &loaded).await.unwrap());
                if step % 4 == 0 {
                    let now = Timestamp::from_millis(10_000);
                    swept += store.sweep(now, 1_000).await.unwrap();
                }
            }
            swept
        });
    }
    let swept: usize = calls.join_all().await.into_iter().sum();
    let now = Timestamp::from_millis(10_000);
    assert_eq!(swept + first.sweep(now, 1_000).await.unwrap(), 320);
    assert_eq!(first.scan(None, 1_000).await.unwrap().sessions.len(), 320);
}
