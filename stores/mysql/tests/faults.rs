//! A server that is stopped, frozen, cut off or restarted, and connections that are killed.
#![cfg(unix)]
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::time::{Duration, Instant};

use cloakroom_mysql::MysqlStore;
use cloakroom_store::{Store, StoreError, StoreErrorKind, Timestamp};
use cloakroom_testkit::servers::{Link, broken_link, outage};
use common::{
    client, create, key, kind, load, numbered, own_server, record, recovers, run, told, url,
};
use mysql_async::prelude::Queryable;
use tokio::{task::JoinSet, time::sleep};

fn is_down(error: &StoreError) -> bool {
    [StoreErrorKind::Unavailable, StoreErrorKind::TimedOut].contains(&error.kind())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_survive_a_frozen_and_a_killed_server() {
    let Some(mut server) = own_server().await else {
        return;
    };
    let store = MysqlStore::connect(&server.url()).await.unwrap();
    println!("{}", outage(&mut server, store).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_survive_a_broken_link() {
    let Some(server) = own_server().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let url = server.url_at(link.address());
    let store = MysqlStore::connect(&url).await.unwrap();
    println!("{}", broken_link(&link, store).await);
}

/// Nobody has called while the server was away: at most one write meets a connection that has ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_restart() {
    let Some(mut server) = own_server().await else {
        return;
    };
    let store = MysqlStore::connect(&server.url()).await.unwrap();
    let loaded = create(&store, &key(1), &record("a")).await;
    let two = key(1);
    // Several connections are idle.
    let loads = || load(&store, &two);
    let _ = tokio::join!(loads(), loads(), loads(), loads());
    server.restart().await;
    let first = store.replace(&key(1), &record("b"), &loaded).await;
    assert!(first.as_ref().err().is_none_or(is_down));
    for number in 0..8 {
        create(&store, &numbered(number), &record("c")).await;
    }
    server.restart().await;
    // A load is sent again.
    assert!(load(&store, &key(1)).await.unwrap().is_some());
    create(&store, &numbered(8), &record("c")).await;
}

/// A write under way when its connection ends is of unknown outcome, and never sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_under_way_is_not_sent_again() {
    let Some(server) = own_server().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let url = server.url_at(link.address());
    let store = MysqlStore::connect(&url).await.unwrap();
    let loaded = create(&store, &key(1), &record("a")).await;
    link.black_hole();
    let cut = async {
        sleep(Duration::from_millis(50)).await;
        link.cut().await;
        link.restore().await.unwrap();
    };
    let (mine, next) = (key(1), record("b"));
    let (result, ()) = tokio::join!(store.replace(&mine, &next, &loaded), cut);
    let error = result.unwrap_err();
    assert_eq!(
        error.kind(),
        StoreErrorKind::Unavailable,
        "{}",
        told(&error)
    );
    assert!(error.is_outcome_unknown());
    recovers(&store).await;
    // The link had not passed it on, and nobody has sent it since.
    assert_eq!(load(&store, &mine).await.unwrap().unwrap(), loaded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_connections() {
    let Some(server) = own_server().await else {
        return;
    };
    let store = MysqlStore::connect(&server.url()).await.unwrap();
    create(&store, &key(1), &record("0")).await;
    let mut admin = client(&server.url()).await;
    let mut calls = JoinSet::new();
    for number in 0..16 {
        let store = store.clone();
        calls.spawn(async move {
            let (mut done, mut unknown) = (0, 0);
            for step in 0..40 {
                match store
                    .create(&numbered(1_000 * number + step), &record("a"))
                    .await
                {
                    Ok(_) => done += 1,
                    Err(error) if is_down(&error) => {
                        unknown += 1;
                        sleep(Duration::from_millis(20)).await;
                    }
                    Err(error) => panic!("{}", told(&error)),
                }
            }
            (done, unknown)
        });
    }
    for _ in 0..10 {
        sleep(Duration::from_millis(10)).await;
        let all = "SELECT ID FROM information_schema.PROCESSLIST \
                   WHERE USER = 'cloakroom' AND ID <> CONNECTION_ID()";
        let ids: Vec<u64> = admin.query(all).await.unwrap();
        for id in ids {
            // It may have ended by itself.
            let _ = admin.query_drop(format!("KILL {id}")).await;
        }
    }
    let (mut done, mut unknown) = (0, 0);
    for (own_done, own_unknown) in calls.join_all().await {
        done += own_done;
        unknown += own_unknown;
    }
    println!("10 times all connections killed: {done} done, {unknown} refused or unknown");
    recovers(&store).await;
    let stored: Option<u64> = admin
        .query_first("SELECT COUNT(*) - 1 FROM cloakroom_sessions")
        .await
        .unwrap();
    let stored = stored.unwrap();
    assert!((done..=done + unknown).contains(&stored), "{stored}");
}

/// Connections that nobody uses are looked after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_that_are_killed_are_found_before_they_are_needed() {
    let Some(server) = own_server().await else {
        return;
    };
    let store = MysqlStore::connect(&server.url()).await.unwrap();
    let loaded = create(&store, &key(1), &record("a")).await;
    let mut admin = client(&server.url()).await;
    run(&mut admin, &["KILL USER cloakroom"]).await;
    sleep(Duration::from_secs(21)).await;
    store.replace(&key(1), &record("b"), &loaded).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn impatient_callers_cost_no_connections() {
    let Some(server) = own_server().await else {
        return;
    };
    let store = MysqlStore::connect(&server.url()).await.unwrap();
    create(&store, &key(1), &record("a")).await;
    let mut admin = client(&server.url()).await;
    let connected = "SHOW GLOBAL STATUS LIKE 'Connections'";
    let before: (String, u64) = admin.query_first(connected).await.unwrap().unwrap();
    for round in 0..200 {
        let (key, patience) = (key(1), Duration::from_micros(10 * round));
        drop(tokio::time::timeout(patience, load(&store, &key)).await);
        load(&store, &key).await.unwrap().unwrap();
    }
    let after: (String, u64) = admin.query_first(connected).await.unwrap().unwrap();
    assert!(after.1 - before.1 <= 4, "{}", after.1 - before.1);
}

#[tokio::test]
async fn a_store_opened_lazily_waits_for_its_server() {
    let Some(mut server) = own_server().await else {
        return;
    };
    drop(MysqlStore::connect(&server.url()).await.unwrap());
    server.stop();
    let begin = Instant::now();
    let refused = MysqlStore::connect(&server.url()).await.unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("can't be reached"), "{said}");
    assert!(begin.elapsed() < Duration::from_secs(2));
    let store = MysqlStore::builder(&server.url()).connect_lazily().unwrap();
    let down = load(&store, &key(1)).await;
    assert_eq!(kind(down), Some(StoreErrorKind::Unavailable));
    server.restart().await;
    create(&store, &key(1), &record("a")).await;
    assert!(load(&store, &key(1)).await.unwrap().is_some());
    assert_eq!(store.sweep(Timestamp::EPOCH, 1).await.unwrap(), 0);
}

#[test]
fn the_runtime_of_a_store_may_end_before_it() {
    let Some(url) = url() else { return };
    let first = tokio::runtime::Runtime::new().unwrap();
    let store = first.block_on(async {
        let store = common::store(&url, "faults_runtime").await;
        create(&store, &key(1), &record("a")).await;
        store
    });
    drop(first);
    let second = tokio::runtime::Runtime::new().unwrap();
    second.block_on(async {
        let loaded = load(&store, &key(1)).await.unwrap().unwrap();
        store.replace(&key(1), &record("b"), &loaded).await.unwrap();
        store.sweep(Timestamp::EPOCH, 10).await.unwrap();
    });
}
