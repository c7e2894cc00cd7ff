//! Two processes with a cache each in front of one PostgreSQL server.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers are no #[test]"
)]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use cloakroom_memory::MemoryStore;
use cloakroom_postgres::PostgresStore;
use cloakroom_store::{
    Freshness, Key, Loaded, NamespaceId, Record, SessionId, Store, Timestamp, Version,
};
use cloakroom_testkit::{servers::Link, service};
use cloakroom_tiered::TieredStore;
use tokio_postgres::{Config, NoTls};

type Tiered = TieredStore<MemoryStore, PostgresStore>;

/// How long what another process has ended is served, at most.
const BOUND: Duration = Duration::from_millis(500);

async fn process(url: &str, table: &str) -> Tiered {
    let patience = Duration::from_secs(5);
    let back = PostgresStore::builder(url).table(table).tell_changes(true);
    let back = back.timeout(patience).connect_timeout(patience);
    let back = back.connect().await.unwrap();
    let store = TieredStore::builder(MemoryStore::new(), back)
        .watch()
        .build();
    trusts(&store).await;
    store
}

/// Waits until the front is trusted; how long it took.
async fn trusts(store: &Tiered) -> Duration {
    let began = Instant::now();
    while !store.trusts_front() {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "it does not listen"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

fn record(version: u64) -> Record {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let now = Timestamp::from_millis(now.as_millis().try_into().unwrap());
    let expires = now.saturating_add(Duration::from_secs(600));
    Record::new(Version::from_bits(version), now, expires, "data".into())
}

fn key(round: u64) -> Key {
    let seed = u64::from(std::process::id());
    let id = [seed.to_le_bytes(), round.to_le_bytes()].concat();
    let id = SessionId::from_bytes(id.try_into().unwrap());
    Key::new(NamespaceId::new("account").unwrap(), id)
}

async fn version(store: &Tiered, key: &Key) -> Option<u64> {
    let loaded = store.load(key, Freshness::Any).await.unwrap();
    loaded.map(|loaded| loaded.record.version.to_bits())
}

/// Loads until a copy answers: the first may be void by the time that the creation is told.
async fn hits(store: &Tiered, key: &Key) {
    let hits = store.stats().hits;
    while store.stats().hits == hits {
        version(store, key).await.unwrap();
    }
}

/// How long another version than this is served, after it was acknowledged.
async fn served_until(store: &Tiered, key: &Key, expected: Option<u64>) -> Duration {
    let acknowledged = Instant::now();
    while version(store, key).await != expected {
        tokio::task::yield_now().await;
    }
    acknowledged.elapsed()
}

async fn address(url: &str) -> SocketAddr {
    let config: Config = url.parse().unwrap();
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let host = config.get_hosts().iter().find_map(|host| match host {
        tokio_postgres::config::Host::Tcp(host) => Some(host.clone()),
        tokio_postgres::config::Host::Unix(_) => None,
    });
    let host = host.unwrap_or_else(|| "127.0.0.1".to_owned());
    let mut found = tokio::net::lookup_host((host, port)).await.unwrap();
    found.next().unwrap()
}

fn url_at(url: &str, address: SocketAddr) -> String {
    let config: Config = url.parse().unwrap();
    let user = config.get_user().unwrap();
    let password = config.get_password().unwrap_or_default();
    let password = std::str::from_utf8(password).unwrap();
    let database = config.get_dbname().unwrap_or(user);
    format!("postgres://{user}:{password}@{address}/{database}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_changed_in_one_process_is_served_by_another_for_500_ms_at_most() {
    let Some(url) = service("CLOAKROOM_TEST_POSTGRES_URL") else {
        return;
    };
    let table = "tiered_changes";
    let (ours, theirs) = (process(&url, table).await, process(&url, table).await);
    let mut worst = Duration::ZERO;
    for round in 0..50 {
        let key = key(round);
        ours.create(&key, &record(1)).await.unwrap();
        hits(&theirs, &key).await;
        let expected = Loaded::new(record(1));
        ours.replace(&key, &record(2), &expected).await.unwrap();
        worst = worst.max(served_until(&theirs, &key, Some(2)).await);
        hits(&theirs, &key).await;
        assert!(ours.delete(&key).await.unwrap());
        worst = worst.max(served_until(&theirs, &key, None).await);
    }
    println!("served for {worst:?} at most, of 100 changes");
    assert!(worst <= BOUND, "{worst:?}");
}

/// Of two processes, one behind a network that breaks, by a cut or without a sign of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_link_is_down_the_front_is_not_trusted() {
    let Some(url) = service("CLOAKROOM_TEST_POSTGRES_URL") else {
        return;
    };
    let table = "tiered_link";
    let link = Link::to(address(&url).await).await.unwrap();
    let (ours, theirs) = (
        process(&url, table).await,
        process(&url_at(&url, link.address()), table).await,
    );
    for (round, is_cut) in [(1, true), (2, false), (3, true), (4, false)] {
        let key = key(round);
        ours.create(&key, &record(1)).await.unwrap();
        hits(&theirs, &key).await;
        if is_cut {
            link.refuse().await;
        } else {
            link.black_hole();
        }
        assert!(ours.delete(&key).await.unwrap());
        let ended = Instant::now();
        // The back can't be asked; what is not an answer is no old answer.
        let mut served = Duration::ZERO;
        while ended.elapsed() < BOUND * 2 {
            let load = theirs.load(&key, Freshness::Any);
            if let Ok(Ok(Some(_))) = tokio::time::timeout(BOUND, load).await {
                served = ended.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        println!("cut {is_cut}: served for {served:?}");
        assert!(served <= BOUND, "{served:?}");
        assert!(!theirs.trusts_front());
        link.restore().await.unwrap();
        println!("trusted again after {:?}", trusts(&theirs).await);
        assert_eq!(version(&theirs, &key).await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_is_killed_listens_again() {
    let Some(url) = service("CLOAKROOM_TEST_POSTGRES_URL") else {
        return;
    };
    let table = "tiered_killed";
    let (ours, theirs) = (process(&url, table).await, process(&url, table).await);
    let (person, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let key = key(1);
    ours.create(&key, &record(1)).await.unwrap();
    hits(&theirs, &key).await;
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                WHERE query LIKE '%pg_trigger%' AND query LIKE '%\"tiered_killed\"%' \
                AND pid <> pg_backend_pid()";
    let killed = person.query_one(kill, &[]).await.unwrap();
    // On a busy machine one may have given up by itself.
    assert_ne!(killed.get::<_, i64>(0), 0);
    assert!(ours.delete(&key).await.unwrap());
    let worst = served_until(&theirs, &key, None).await;
    println!("served for {worst:?}");
    assert!(worst <= BOUND, "{worst:?}");
    trusts(&theirs).await;
    ours.create(&key, &record(3)).await.unwrap();
    hits(&theirs, &key).await;
    assert!(ours.delete(&key).await.unwrap());
    assert!(served_until(&theirs, &key, None).await <= BOUND);
}
