//! What reaches the server: one statement a call, and one for what waits.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)] // helpers are no #[test]

mod common;

use cloakroom_postgres::PostgresStore;
use cloakroom_store::{Freshness, Loaded, Store, StoreErrorKind, Subject, Timestamp};
use common::{Way, client, create, key, kind, load, numbered, proxy::Proxy, record, url, url_at};
use tokio::task::JoinSet;

/// A store behind a proxy that counts statements.
async fn counted(url: &str, way: Way, name: &str) -> (Proxy, PostgresStore) {
    drop(way.fresh(url, name).await);
    let proxy = Proxy::before(url).await;
    let url = url_at(url, proxy.port());
    let store = way.builder(&url).table(&way.table(name)).connect();
    let store = store.await.unwrap();
    (proxy, store)
}

#[tokio::test]
async fn a_call_is_one_statement() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        let (proxy, store) = counted(&url, *way, "statements_single").await;
        // The connection for sweeps and listings is made now.
        store.scan(None, 1).await.unwrap();
        each_call(&proxy, &store).await;
        // Now that all statements are prepared there is one answer to wait for.
        let before = (proxy.executed(), proxy.waited());
        each_call(&proxy, &store).await;
        let (executed, waited) = (proxy.executed() - before.0, proxy.waited() - before.1);
        assert_eq!((executed, waited), (12, 12), "{way}");
    }
}

async fn each_call(proxy: &Proxy, store: &PostgresStore) {
    let subject = Subject::new("ann").unwrap();
    let mut before = proxy.executed();
    let mut statements = || {
        let now = proxy.executed();
        std::mem::replace(&mut before, now).abs_diff(now)
    };
    let loaded = create(store, &key(1), &record("a")).await;
    assert_eq!(statements(), 1, "create");
    assert!(load(store, &key(1)).await.unwrap().is_some());
    assert!(load(store, &key(2)).await.unwrap().is_none());
    assert_eq!(statements(), 2, "load");
    let taken = store.create(&key(1), &record("b")).await;
    assert_eq!(kind(taken), Some(StoreErrorKind::AlreadyExists));
    assert_eq!(statements(), 1, "create of what is there");
    assert!(store.touch(&key(1), &record("a"), &loaded).await.unwrap());
    assert_eq!(statements(), 1, "touch");
    let next = record("c");
    store.replace(&key(1), &next, &loaded).await.unwrap();
    assert_eq!(statements(), 1, "replace");
    let stale = store.replace(&key(1), &record("d"), &loaded).await;
    assert_eq!(kind(stale), Some(StoreErrorKind::Conflict));
    assert!(!store.touch(&key(1), &record("a"), &loaded).await.unwrap());
    assert_eq!(statements(), 2, "what is refused");
    store.by_subject("cart", &subject, None, 9).await.unwrap();
    assert_eq!(statements(), 1, "by_subject");
    store.sweep(Timestamp::from_millis(5), 100).await.unwrap();
    assert_eq!(statements(), 1, "sweep");
    assert!(store.delete(&key(1)).await.unwrap());
    assert!(!store.delete(&key(1)).await.unwrap());
    assert_eq!(statements(), 2, "delete");
}

#[tokio::test]
async fn the_server_counts_the_same() {
    let Some(url) = url() else { return };
    let client = client(&url).await;
    let extension = "CREATE EXTENSION IF NOT EXISTS pg_stat_statements";
    let view = "SELECT count(*) FROM pg_stat_statements";
    if client.batch_execute(extension).await.is_err() || client.query(view, &[]).await.is_err() {
        println!("skipped: the server does not count statements (pg_stat_statements)");
        return;
    }
    let store = common::store(&url, "statements_server").await;
    let loaded = create(&store, &key(1), &record("a")).await;
    store.replace(&key(1), &record("b"), &loaded).await.unwrap();
    load(&store, &key(1)).await.unwrap();
    store.touch(&key(1), &record("b"), &loaded).await.unwrap();
    store.delete(&key(1)).await.unwrap();
    let sum = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements \
               WHERE query LIKE '%\"statements_server\"%' AND query NOT LIKE '%pg_stat%' \
               AND (query LIKE 'WITH%' OR query LIKE 'SELECT version,%')";
    let calls: i64 = client.query_one(sum, &[]).await.unwrap().get(0);
    let mut before = calls;
    for _ in 0..2 {
        let loaded = create(&store, &key(2), &record("a")).await;
        store.replace(&key(2), &record("b"), &loaded).await.unwrap();
        load(&store, &key(2)).await.unwrap();
        store.touch(&key(2), &record("b"), &loaded).await.unwrap();
        store.delete(&key(2)).await.unwrap();
        let calls: i64 = client.query_one(sum, &[]).await.unwrap().get(0);
        assert_eq!(calls - before, 5);
        before = calls;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_goes_out_together_and_each_call_has_its_own_outcome() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        together(&url, *way).await;
    }
}

async fn together(url: &str, way: Way) {
    let (proxy, store) = counted(url, way, "statements_batched").await;
    let mut loaded = Vec::new();
    for number in 0..64 {
        loaded.push(create(&store, &numbered(number), &record("old")).await);
    }
    // Of each four one is deleted, one has another version, two are as expected.
    for (number, loaded) in (0..64).zip(&loaded) {
        match number % 4 {
            0 => assert!(store.delete(&numbered(number)).await.unwrap()),
            1 => drop(
                store
                    .replace(&numbered(number), &record("other"), loaded)
                    .await
                    .unwrap(),
            ),
            _ => {}
        }
    }
    let before = proxy.executed();
    let mut calls = JoinSet::new();
    for (number, loaded) in (0..64).zip(loaded) {
        let store = store.clone();
        calls.spawn(async move {
            let next = record(&format!("new {number}"));
            (
                number,
                store.replace(&numbered(number), &next, &loaded).await,
            )
        });
    }
    for (number, result) in calls.join_all().await {
        match number % 4 {
            0 | 1 => assert_eq!(kind(result), Some(StoreErrorKind::Conflict), "{number}"),
            _ => drop(result.unwrap()),
        }
    }
    let statements = proxy.executed() - before;
    println!("{way}: 64 replaces at the same time: {statements} statements");
    assert!(statements <= 16, "{statements}");
    for number in 0..64 {
        let loaded = load(&store, &numbered(number)).await.unwrap();
        let data = loaded.map(|loaded| loaded.record.data);
        let expected = match number % 4 {
            0 => None,
            1 => Some("other".to_owned()),
            _ => Some(format!("new {number}")),
        };
        assert_eq!(data, expected.map(bytes::Bytes::from));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kinds_and_keys_may_be_mixed() {
    let Some(url) = url() else { return };
    let (_proxy, store) = counted(&url, Way::Url, "statements_mixed").await;
    for _ in 0..20 {
        let first = create(&store, &key(1), &record("0")).await;
        let mut calls = JoinSet::new();
        for number in 0..40 {
            let (store, first) = (store.clone(), first.clone());
            calls.spawn(async move {
                let own = numbered(number);
                let loaded = create(&store, &own, &record("a")).await;
                assert!(store.touch(&own, &record("a"), &loaded).await.unwrap());
                store.replace(&own, &record("b"), &loaded).await.unwrap();
                // One key in many calls: one of them wins.
                let won = store.replace(&key(1), &record("1"), &first).await.is_ok();
                assert!(store.delete(&own).await.unwrap());
                won
            });
        }
        let won = calls.join_all().await;
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
        assert!(store.delete(&key(1)).await.unwrap());
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_while_it_waits_does_not_happen() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        dropped(&url, *way).await;
    }
}

async fn dropped(url: &str, way: Way) {
    let (proxy, store) = counted(url, way, "statements_dropped").await;
    let loaded: Loaded = create(&store, &key(1), &record("a")).await;
    proxy.freeze();
    let (first, second, next) = (record("b"), record("c"), record("d"));
    let (one, other) = (key(1), key(1));
    // The first is under way, the second waits behind it.
    let mut under_way = Box::pin(store.replace(&one, &first, &loaded));
    let mut waiting = Box::pin(store.replace(&other, &second, &loaded));
    for _ in 0..20 {
        tokio::select! {
            biased;
            _ = &mut under_way => unreachable!(),
            _ = &mut waiting => unreachable!(),
            () = tokio::task::yield_now() => {}
        }
    }
    drop(waiting);
    drop(under_way);
    proxy.thaw();
    let third = key(1);
    let result = store.replace(&third, &next, &loaded).await;
    assert_eq!(kind(result), Some(StoreErrorKind::Conflict));
    let kept = load(&store, &key(1)).await.unwrap().unwrap();
    assert_eq!(kept.record, first);
}

/// Of many requests that change one session at the same time one wins, and the server need not be
/// asked about each of the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_which_one_can_win_are_one_statement() {
    let Some(url) = url() else { return };
    let (proxy, store) = counted(&url, Way::Url, "statements_excluded").await;
    let loaded = create(&store, &key(1), &record("0")).await;
    for round in 0..5 {
        let before = proxy.executed();
        let mut calls = JoinSet::new();
        let expected = store.load(&key(1), Freshness::Latest).await.unwrap();
        let expected = expected.unwrap();
        for number in 0..64 {
            let (store, expected) = (store.clone(), expected.clone());
            let next = record(&format!("{round} {number}"));
            calls.spawn(async move {
                let replaced = store.replace(&key(1), &next, &expected).await;
                (replaced, next)
            });
        }
        let mut winners = Vec::new();
        for (replaced, next) in calls.join_all().await {
            match replaced {
                Ok(_) => winners.push(next),
                Err(error) => assert_eq!(error.kind(), StoreErrorKind::Conflict),
            }
        }
        assert_eq!(winners.len(), 1);
        let kept = load(&store, &key(1)).await.unwrap().unwrap();
        assert_eq!(kept.record, winners[0]);
        let statements = proxy.executed() - before;
        println!("{statements} statements for 2 loads and 64 replaces of one session");
        assert!(statements < 20, "{statements}");
    }
    let mut calls = JoinSet::new();
    for _ in 0..64 {
        let store = store.clone();
        calls.spawn(async move { store.delete(&key(1)).await.unwrap() });
    }
    let deleted = calls.join_all().await;
    assert_eq!(deleted.iter().filter(|deleted| **deleted).count(), 1);
    let refused = store.replace(&key(1), &record("1"), &loaded).await;
    assert_eq!(kind(refused), Some(StoreErrorKind::Conflict));
}

/// A connection of a sqlx pool has one statement at a time.
#[cfg(feature = "sqlx-0_9")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loads_that_wait_go_out_together_and_each_has_its_own_answer() {
    let Some(url) = url() else { return };
    let (proxy, store) = counted(&url, Way::Sqlx, "statements_loads").await;
    for number in (0..64).step_by(2) {
        create(&store, &numbered(number), &record(&number.to_string())).await;
    }
    let before = proxy.executed();
    let mut calls = JoinSet::new();
    for number in 0..128 {
        let store = store.clone();
        // Each twice.
        let number = number / 2;
        calls.spawn(async move { (number, load(&store, &numbered(number)).await.unwrap()) });
    }
    for (number, loaded) in calls.join_all().await {
        let data = loaded.map(|loaded| loaded.record.data);
        let expected = (number % 2 == 0).then(|| number.to_string().into());
        assert_eq!(data, expected, "{number}");
    }
    let statements = proxy.executed() - before;
    println!("128 loads at the same time: {statements} statements");
    assert!(statements <= 32, "{statements}");
}
