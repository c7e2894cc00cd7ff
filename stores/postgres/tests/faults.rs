//! A server that is stopped, frozen, cut off or restarted. A proxy before the server does it.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)] // helpers are no #[test]

mod common;

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use cloakroom_postgres::PostgresStore;
use cloakroom_store::{Loaded, Store, StoreError, StoreErrorKind, Timestamp};
use common::{
    RECOVERY, Way, client, create, key, kind, load, numbered, proxy::Proxy, record, recovers, told,
    url, url_at,
};
use tokio::{task::JoinSet, time::sleep};

/// The most that a call may take: the store's timeout, and some time to schedule.
const IN_TIME: Duration = Duration::from_millis(490);

/// A store with two connections of each kind.
async fn proxied(url: &str, way: Way, name: &str) -> (Proxy, PostgresStore, Loaded) {
    drop(way.fresh(url, name).await);
    let proxy = Proxy::before(url).await;
    let url = url_at(url, proxy.port());
    let two = NonZeroUsize::MIN.saturating_add(1);
    let builder = way.builder(&url).readers(two).writers(two);
    let store = builder.table(&way.table(name)).connect().await.unwrap();
    let loaded = create(&store, &key(1), &record("a")).await;
    (proxy, store, loaded)
}

fn is_down(error: &StoreError) -> bool {
    [StoreErrorKind::Unavailable, StoreErrorKind::TimedOut].contains(&error.kind())
}

/// Every kind of call, at the same time. Gives the longest that one took.
async fn all_fail(store: &PostgresStore, loaded: &Loaded) -> Duration {
    let mut calls = JoinSet::new();
    for number in 0..8 {
        let (store, loaded) = (store.clone(), loaded.clone());
        calls.spawn(async move {
            let begin = Instant::now();
            let error: StoreError = match number % 4 {
                0 => load(&store, &key(1)).await.unwrap_err(),
                1 => store
                    .replace(&key(1), &record("b"), &loaded)
                    .await
                    .unwrap_err(),
                2 => store
                    .create(&numbered(number), &record("c"))
                    .await
                    .unwrap_err(),
                _ => store.delete(&numbered(number)).await.unwrap_err(),
            };
            assert!(is_down(&error), "{}", told(&error));
            begin.elapsed()
        });
    }
    calls.join_all().await.into_iter().max().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_server() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        stop(&url, *way).await;
    }
}

async fn stop(url: &str, way: Way) {
    let (mut proxy, store, loaded) = proxied(url, way, "faults_stopped").await;
    proxy.stop().await;
    let first = all_fail(&store, &loaded).await;
    let second = all_fail(&store, &loaded).await;
    sleep(Duration::from_millis(700)).await;
    let third = all_fail(&store, &loaded).await;
    proxy.start().await;
    let recovery = recovers(&store).await;
    println!(
        "{way}: stopped: answers in {first:?}, {second:?}, {third:?}; back after {recovery:?}"
    );
    assert!(
        first < IN_TIME && second < Duration::from_millis(20) && third < Duration::from_millis(20)
    );
    assert!(recovery < RECOVERY);
    assert_eq!(load(&store, &key(1)).await.unwrap().unwrap(), loaded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        freeze(&url, *way).await;
    }
}

async fn freeze(url: &str, way: Way) {
    let (proxy, store, loaded) = proxied(url, way, "faults_frozen").await;
    proxy.freeze();
    let first = all_fail(&store, &loaded).await;
    let second = all_fail(&store, &loaded).await;
    sleep(Duration::from_millis(700)).await;
    let third = all_fail(&store, &loaded).await;
    proxy.thaw();
    let recovery = recovers(&store).await;
    println!("{way}: frozen: answers in {first:?}, {second:?}, {third:?}; back after {recovery:?}");
    assert!(
        first < IN_TIME && second < Duration::from_millis(20) && third < Duration::from_millis(20)
    );
    assert!(recovery < RECOVERY);
    // Whether the replace was carried out is unknown, and it was sent at most once.
    assert!(load(&store, &key(1)).await.unwrap().is_some());
}

/// Loads at the same time take a connection each.
async fn both_connections_work(store: &PostgresStore) {
    let (key, begin) = (key(1), Instant::now());
    while begin.elapsed() < Duration::from_secs(20) {
        let (one, two) = tokio::join!(load(store, &key), load(store, &key));
        if one.is_ok() && two.is_ok() {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("they do not work again");
}

/// The connections hang, new ones do not: a firewall has forgotten them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_hang_are_given_up() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        hang(&url, *way).await;
    }
}

async fn hang(url: &str, way: Way) {
    let (proxy, store, _) = proxied(url, way, "faults_hanging").await;
    let before = proxy.connected();
    proxy.freeze();
    let (one, two) = (key(1), key(1));
    let (one, two) = tokio::join!(load(&store, &one), load(&store, &two));
    assert_eq!(kind(one), Some(StoreErrorKind::TimedOut));
    assert_eq!(kind(two), Some(StoreErrorKind::TimedOut));
    proxy.thaw();
    both_connections_work(&store).await;
    assert!(proxy.connected() - before >= 2, "both were made anew");
}

/// The engine's deadline may be shorter than the timeout of the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_lose_patience_have_the_connection_given_up() {
    let Some(url) = url() else { return };
    // With one statement at a time loads share one, which ends with the store's own timeout.
    for way in Way::ALL.iter().filter(|way| way.is_pipelined()) {
        lose_patience(&url, *way).await;
    }
}

async fn lose_patience(url: &str, way: Way) {
    let (proxy, store, _) = proxied(url, way, "faults_impatient").await;
    proxy.freeze();
    let key = key(1);
    let impatient = tokio::time::timeout(Duration::from_millis(250), async {
        tokio::join!(load(&store, &key), load(&store, &key))
    });
    assert!(impatient.await.is_err());
    let before = proxy.connected();
    proxy.thaw();
    both_connections_work(&store).await;
    assert!(proxy.connected() - before >= 2, "both were made anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_impatient_caller_of_a_connection_that_works_changes_nothing() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        be_impatient(&url, *way).await;
    }
}

async fn be_impatient(url: &str, way: Way) {
    let (proxy, store, _) = proxied(url, way, "faults_dropped").await;
    let before = proxy.connected();
    for round in 0..50 {
        let (key, patience) = (key(1), Duration::from_micros(20 * round));
        drop(tokio::time::timeout(patience, load(&store, &key)).await);
        load(&store, &key).await.unwrap().unwrap();
    }
    assert_eq!(proxy.connected(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_is_made_again() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        cut(&url, *way).await;
    }
}

async fn cut(url: &str, way: Way) {
    drop(way.fresh(url, "faults_cut").await);
    let proxy = Proxy::before(url).await;
    let builder = way.builder(&url_at(url, proxy.port()));
    let builder = builder.table(&way.table("faults_cut"));
    let patience = Duration::from_secs(5);
    let builder = builder.timeout(patience).connect_timeout(patience);
    let store = builder.connect().await.unwrap();
    let loaded = create(&store, &key(1), &record("a")).await;
    for _ in 0..5 {
        proxy.cut();
        assert_eq!(load(&store, &key(1)).await.unwrap().unwrap(), loaded);
    }
}

/// A write under way when its connection ends is of unknown outcome, and never sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_under_way_is_not_sent_again() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        cut_a_write(&url, *way).await;
    }
}

async fn cut_a_write(url: &str, way: Way) {
    let (proxy, store, loaded) = proxied(url, way, "faults_unknown").await;
    proxy.freeze();
    let cut = async {
        sleep(Duration::from_millis(50)).await;
        proxy.cut();
        sleep(Duration::from_millis(50)).await;
        proxy.thaw();
    };
    let key = key(1);
    let next = record("b");
    let (result, ()) = tokio::join!(store.replace(&key, &next, &loaded), cut);
    let error = result.unwrap_err();
    assert_eq!(
        error.kind(),
        StoreErrorKind::Unavailable,
        "{}",
        told(&error)
    );
    assert!(error.is_outcome_unknown());
    recovers(&store).await;
    // The proxy had not passed it on, and nobody has sent it since.
    assert_eq!(load(&store, &key).await.unwrap().unwrap(), loaded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_backends() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        terminate(&url, *way).await;
    }
}

async fn terminate(url: &str, way: Way) {
    let store = way.store(url, "faults_terminated").await;
    create(&store, &key(1), &record("0")).await;
    let admin = client(url).await;
    let mut calls = JoinSet::new();
    for number in 0..16 {
        let store = store.clone();
        calls.spawn(async move {
            let (mut done, mut unknown, mut refused) = (0, 0, 0);
            for step in 0..100 {
                let own = numbered(1_000 * number + step);
                match store.create(&own, &record("a")).await {
                    Ok(_) => done += 1,
                    Err(error) if is_down(&error) => {
                        // Only the breaker is sure that nothing was sent.
                        let is_refused = told(&error).contains("refused");
                        if is_refused {
                            refused += 1
                        } else {
                            unknown += 1
                        }
                        sleep(Duration::from_millis(20)).await;
                    }
                    Err(error) => panic!("{}", told(&error)),
                }
            }
            (done, unknown, refused)
        });
    }
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE query LIKE '%faults_terminated%' AND pid <> pg_backend_pid()";
    for _ in 0..10 {
        sleep(Duration::from_millis(10)).await;
        admin.query(kill, &[]).await.unwrap();
    }
    let (mut done, mut unknown) = (0, 0);
    for (own_done, own_unknown, _) in calls.join_all().await {
        done += own_done;
        unknown += own_unknown;
    }
    println!("{way}: 10 times all connections killed: {done} done, {unknown} unknown");
    let mut stored = 0;
    let mut after = None;
    loop {
        let page = store.scan(after.as_ref(), 1_000).await.unwrap();
        stored += page.sessions.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let stored = stored - 1;
    assert!(
        (done..=done + unknown).contains(&stored),
        "{done}, {unknown}, {stored}"
    );
    assert!(recovers(&store).await < RECOVERY);
}

#[tokio::test]
async fn a_store_opened_lazily_waits_for_its_server() {
    let Some(url) = url() else { return };
    drop(common::store(&url, "faults_lazy").await);
    let mut proxy = Proxy::before(&url).await;
    proxy.stop().await;
    let refused = PostgresStore::connect(&url_at(&url, proxy.port()))
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("can't be reached"),
        "{refused}"
    );
    assert!(!told(&refused).contains("secret"));
    let builder = PostgresStore::builder(&url_at(&url, proxy.port())).table("faults_lazy");
    let store = builder.connect_lazily().unwrap();
    let down = load(&store, &key(1)).await;
    assert_eq!(kind(down), Some(StoreErrorKind::Unavailable));
    proxy.start().await;
    create(&store, &key(1), &record("a")).await;
    assert!(load(&store, &key(1)).await.unwrap().is_some());
    assert_eq!(store.sweep(Timestamp::EPOCH, 1).await.unwrap(), 0);
}

#[test]
fn the_runtime_of_a_store_may_end_before_it() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        outlive_a_runtime(&url, *way);
    }
}

fn outlive_a_runtime(url: &str, way: Way) {
    let first = tokio::runtime::Runtime::new().unwrap();
    let store = first.block_on(async {
        let store = way.store(url, "faults_runtime").await;
        create(&store, &key(1), &record("a")).await;
        store
    });
    drop(first);
    let second = tokio::runtime::Runtime::new().unwrap();
    second.block_on(async {
        let loaded = load(&store, &key(1)).await.unwrap().unwrap();
        store.replace(&key(1), &record("b"), &loaded).await.unwrap();
    });
    drop(second);
    let key = key(1);
    let future = store.delete(&key);
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(result) = future.as_mut().poll(&mut context) else {
        panic!("without a runtime a call answers at once");
    };
    assert_eq!(kind(result), Some(StoreErrorKind::Other));
}

/// What a server says of a row may hold what is in the session.
#[tokio::test]
async fn errors_quote_no_session() {
    let Some(url) = url() else { return };
    let store = common::store(&url, "server_quotes").await;
    let person = client(&url).await;
    let strict = "ALTER TABLE server_quotes ADD CHECK (octet_length(data) < 50)";
    person.batch_execute(strict).await.unwrap();
    let secret = "hunter2".repeat(10);
    let error = store.create(&key(1), &record(&secret)).await.unwrap_err();
    let said = format!("{} {error:?}", told(&error));
    assert!(said.contains("check constraint"), "{said}");
    // "hunter2", as the server shows bytes.
    for quoted in ["hunter2", "68756e7465723268"] {
        assert!(!said.contains(quoted), "{said}");
    }
}
