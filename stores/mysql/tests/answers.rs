//! Answers that can't be, and answers that do not come.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::time::{Duration, Instant};

use cloakroom_mysql::MysqlStore;
use cloakroom_store::{Store, StoreError, StoreErrorKind, Subject, Timestamp};
use common::{
    Meddler, Trick, builder, create, key, kind, load, numbered, record, record_of, told, url,
};

/// A store on a table of its own, through a meddler.
async fn meddled(url: &str, table: &str) -> (MysqlStore, Meddler) {
    drop(common::store(url, table).await);
    let meddler = Meddler::to(url).await;
    let builder = MysqlStore::builder(meddler.url()).table(table);
    let patience = Duration::from_secs(5);
    let builder = builder.timeout(patience).connect_timeout(patience);
    (builder.connect().await.unwrap(), meddler)
}

fn is_doubted<T>(result: Result<T, StoreError>, what: &str) {
    let error = result
        .err()
        .unwrap_or_else(|| panic!("{what}: taken for a success"));
    assert!(error.is_outcome_unknown(), "{what}: {}", told(&error));
    assert!(
        told(&error).contains("no answer to this statement"),
        "{what}: {}",
        told(&error)
    );
}

/// An OK is no proof: how many rows it speaks of has to be possible.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ok_with_an_impossible_count_is_no_success() {
    let Some(url) = url() else { return };
    let (store, meddler) = meddled(&url, "answers_counts").await;
    for rows in [0, 2, 51] {
        let own = numbered(rows.into());
        meddler.play(Trick::Affected(rows));
        is_doubted(store.create(&own, &record("a")).await, "create");
        assert!(meddler.has_played());
        // The engine looks, as the contract has it.
        assert!(load(&store, &own).await.unwrap().is_some());
    }
    for rows in [2, 51] {
        let own = numbered(100 + u64::from(rows));
        let loaded = create(&store, &own, &record("a")).await;
        meddler.play(Trick::Affected(rows));
        is_doubted(store.touch(&own, &record("a"), &loaded).await, "touch");
        meddler.play(Trick::Affected(rows));
        is_doubted(store.replace(&own, &record("b"), &loaded).await, "replace");
        meddler.play(Trick::Affected(rows));
        is_doubted(store.delete(&own).await, "delete");
        assert!(meddler.has_played());
    }
    // What is possible is believed.
    let loaded = create(&store, &key(9), &record("a")).await;
    assert!(store.touch(&key(9), &loaded.record, &loaded).await.unwrap());
    meddler.play(Trick::Affected(0));
    let replaced = store.replace(&key(9), &record("b"), &loaded).await;
    assert_eq!(kind(replaced), Some(StoreErrorKind::Conflict));
}

/// That there is no such session is said by an answer without rows, not by one that could have none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ok_is_no_answer_to_a_load() {
    let Some(url) = url() else { return };
    let (store, meddler) = meddled(&url, "answers_load").await;
    create(&store, &key(1), &record_of("a", "ann")).await;
    meddler.play(Trick::Nothing);
    is_doubted(load(&store, &key(1)).await, "load");
    assert!(meddler.has_played());
    let ann = Subject::new("ann").unwrap();
    meddler.play(Trick::Nothing);
    let listed = store.by_subject("cart", &ann, None, 9).await;
    is_doubted(listed, "by_subject");
    meddler.play(Trick::Nothing);
    is_doubted(store.scan(None, 9).await, "scan");
    meddler.play(Trick::Nothing);
    is_doubted(store.sweep(Timestamp::EPOCH, 9).await, "sweep");
    assert!(load(&store, &key(1)).await.unwrap().is_some());
    assert_eq!(store.scan(None, 9).await.unwrap().sessions.len(), 1);
}

/// MariaDB says that it has deleted nothing when it has ended a DELETE early. So does a server that is
/// asked to delete something else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_nothing_was_deleted_is_no_proof_that_nothing_was_there() {
    let Some(url) = url() else { return };
    let (store, meddler) = meddled(&url, "answers_delete").await;
    create(&store, &key(1), &record("a")).await;
    meddler.play(Trick::OtherKey);
    assert!(store.delete(&key(1)).await.unwrap(), "it was there");
    assert!(meddler.has_played());
    assert!(load(&store, &key(1)).await.unwrap().is_none());
    assert!(!store.delete(&key(1)).await.unwrap());
}

/// A connection on which something can't be is of no more use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_with_an_impossible_answer_is_not_used_again() {
    let Some(url) = url() else { return };
    let (store, meddler) = meddled(&url, "answers_used").await;
    create(&store, &key(1), &record("a")).await;
    let (before, _) = meddler.connections();
    meddler.play(Trick::Affected(0));
    is_doubted(store.create(&key(2), &record("a")).await, "create");
    create(&store, &key(3), &record("a")).await;
    let (after, closed) = meddler.connections();
    assert_eq!(after, before + 1);
    assert!(closed > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_does_not_count_what_can_not_be() {
    let Some(url) = url() else { return };
    let (store, meddler) = meddled(&url, "answers_sweep").await;
    // One row is deleted by a statement of its own, several together.
    for (first, count, rows) in [(0, 1, 2), (10, 3, 4), (20, 3, 51)] {
        for number in first..first + count {
            let mut old = record("old");
            old.expires = Timestamp::from_millis(1_000);
            create(&store, &numbered(number), &old).await;
        }
        meddler.play(Trick::Affected(rows));
        let swept = store.sweep(Timestamp::from_millis(2_000), 100).await;
        is_doubted(swept, "sweep");
        assert!(meddler.has_played());
        let again = store.sweep(Timestamp::from_millis(2_000), 100).await;
        assert_eq!(again.unwrap(), 0);
    }
}

/// A connection that is given up in the middle of an answer is closed, though the rest never comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_closed_when_half_an_answer_came() {
    let Some(url) = url() else { return };
    drop(common::store(&url, "answers_half").await);
    let meddler = Meddler::to(&url).await;
    let builder = MysqlStore::builder(meddler.url()).table("answers_half");
    let store = builder.timeout(Duration::from_secs(1)).connect().await;
    let store = store.unwrap();
    create(&store, &key(1), &record("a")).await;
    let (_, before) = meddler.connections();
    meddler.play(Trick::KeepRows);
    let half = load(&store, &key(1)).await;
    assert_eq!(kind(half), Some(StoreErrorKind::TimedOut));
    assert!(meddler.has_played());
    let begin = Instant::now();
    while meddler.connections().1 == before {
        assert!(begin.elapsed() < Duration::from_secs(5), "it is still open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(load(&store, &key(1)).await.unwrap().is_some());
}

/// A server that falls silent while a store is opened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opening_a_store_does_not_wait_for_ever() {
    let Some(url) = url() else { return };
    drop(common::store(&url, "answers_silent").await);
    let meddler = Meddler::to(&url).await;
    meddler.play(Trick::Lose("MAX(version)"));
    let begin = Instant::now();
    let opening = MysqlStore::builder(meddler.url()).table("answers_silent");
    let opened = tokio::time::timeout(Duration::from_secs(20), opening.connect());
    let error = opened.await.expect("it waits").unwrap_err();
    assert!(meddler.has_played());
    assert!(error.to_string().contains("can't be reached"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(10));
}

/// A limit of the driver's in the URL is not the server's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_as_large_as_the_server_takes() {
    let Some(url) = url() else { return };
    drop(
        builder(&url, "answers_large")
            .await
            .connect()
            .await
            .unwrap(),
    );
    let url = format!("{url}?max_allowed_packet=2000");
    let builder = MysqlStore::builder(&url).table("answers_large");
    let store = builder.timeout(Duration::from_secs(5)).connect().await;
    let store = store.unwrap();
    create(&store, &key(1), &record(&"x".repeat(100_000))).await;
    let loaded = load(&store, &key(1)).await.unwrap().unwrap();
    assert_eq!(loaded.record.data.len(), 100_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_timeouts_are_long_ones() {
    let Some(url) = url() else { return };
    let builder = builder(&url, "answers_endless").await;
    let builder = builder.timeout(Duration::MAX).slow_timeout(Duration::MAX);
    let store = builder.connect_timeout(Duration::MAX).connect().await;
    let store = store.unwrap();
    let loaded = create(&store, &key(1), &record("a")).await;
    assert!(load(&store, &key(1)).await.unwrap().is_some());
    store.replace(&key(1), &record("b"), &loaded).await.unwrap();
    assert_eq!(store.sweep(Timestamp::EPOCH, 9).await.unwrap(), 0);
}
