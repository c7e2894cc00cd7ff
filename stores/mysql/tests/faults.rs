//! A server that is stopped, frozen, cut off or restarted, and connections that are killed.
#![cfg(unix)]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)] // helpers are no #[test]

mod common;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cloakroom_mysql::MysqlStore;
use cloakroom_store::{Key, Loaded, Store, StoreError, StoreErrorKind, Timestamp};
use cloakroom_testkit::servers::{Link, Server, broken_link, outage};
use common::{
    Way, client, create, key, kind, load, numbered, own_server, record, recovers, run, told, url,
};
use mysql_async::{Conn, prelude::Queryable};
use tokio::{task::JoinSet, time::sleep};

fn is_down(error: &StoreError) -> bool {
    [StoreErrorKind::Unavailable, StoreErrorKind::TimedOut].contains(&error.kind())
}

/// A store on a table of each way's own.
async fn connect(url: &str, way: Way) -> MysqlStore {
    println!("{way}");
    let builder = way.builder(url).table(&way.table("sessions"));
    builder.connect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_survive_a_frozen_and_a_killed_server() {
    let Some(mut server) = own_server().await else {
        return;
    };
    for way in Way::ALL {
        let store = connect(&server.url(), *way).await;
        println!("{}", outage(&mut server, store).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_survive_a_broken_link() {
    let Some(server) = own_server().await else {
        return;
    };
    for way in Way::ALL {
        let link = Link::to(server.address()).await.unwrap();
        let store = connect(&server.url_at(link.address()), *way).await;
        println!("{}", broken_link(&link, store).await);
    }
}

/// Nobody has called while the server was away: at most one write meets a connection that has ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_restart() {
    let Some(mut server) = own_server().await else {
        return;
    };
    for way in Way::ALL {
        restart_quietly(&mut server, *way).await;
    }
}

async fn restart_quietly(server: &mut Server, way: Way) {
    let store = connect(&server.url(), way).await;
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
    for way in Way::ALL {
        cut_a_write(&server, *way).await;
    }
}

async fn cut_a_write(server: &Server, way: Way) {
    let link = Link::to(server.address()).await.unwrap();
    let url = server.url_at(link.address());
    let store = connect(&url, way).await;
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

/// What was acknowledged is there, what was refused is not, to the last key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_connections() {
    let Some(server) = own_server().await else {
        return;
    };
    for way in Way::ALL {
        kill_connections(&server, *way).await;
    }
}

async fn kill_connections(server: &Server, way: Way) {
    const ROUNDS: usize = 30;
    // So that something is done in between: a pool's connection takes longer to make.
    let pause = Duration::from_millis(if way == Way::Url { 15 } else { 60 });
    let store = connect(&server.url(), way).await;
    create(&store, &key(1), &record("0")).await;
    let mut admin = client(&server.url()).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let (store, is_over) = (store.clone(), Arc::clone(&is_over));
        tasks.spawn(async move {
            let mut fates = Vec::new();
            for step in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let fate = Fate::of(&store, numbered(16 * step + task)).await;
                if !fate.is_certain() {
                    sleep(Duration::from_millis(20)).await;
                }
                fates.push(fate);
            }
            fates
        });
    }
    let mut killed = 0;
    for how in ["KILL", "KILL QUERY", "KILL SOFT"]
        .iter()
        .cycle()
        .take(ROUNDS)
    {
        sleep(pause).await;
        for id in connections(&mut admin, "").await {
            // It may have ended by itself.
            let kill = admin.query_drop(format!("{how} {id}")).await;
            killed += usize::from(kill.is_ok());
        }
    }
    is_over.store(true, Ordering::Relaxed);
    let fates: Vec<Fate> = tasks.join_all().await.into_iter().flatten().collect();
    recovers(&store).await;
    // A write that was given up may still be under way.
    while !connections(&mut admin, "AND COMMAND <> 'Sleep'")
        .await
        .is_empty()
    {
        sleep(Duration::from_millis(5)).await;
    }

    let rows = format!("SELECT id, version FROM {}", way.table("sessions"));
    let rows: Vec<(Vec<u8>, u64)> = admin.query(rows).await.unwrap();
    let mut rows: HashMap<Vec<u8>, u64> = rows.into_iter().collect();
    assert!(rows.remove(key(1).id.as_bytes().as_slice()).is_some());
    let certain = fates.iter().filter(|fate| fate.is_certain()).count();
    let mut wrong = Vec::new();
    for fate in &fates {
        let found = rows.remove(fate.key.id.as_bytes().as_slice());
        if !fate.may_be.contains(&found) {
            wrong.push(format!("{fate:?}, and there is {found:?}"));
        }
    }
    println!(
        "{killed} killed: {} records, {certain} of them of a certain fate",
        fates.len()
    );
    assert!(wrong.is_empty(), "{}: {wrong:#?}", wrong.len());
    assert!(rows.is_empty(), "nobody has asked for {rows:?}");
    assert!(certain > 16 && certain < fates.len());
}

/// A delete that the server gives up half-way is not taken for one that has found nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_deletes() {
    let Some(server) = own_server().await else {
        return;
    };
    for way in Way::ALL {
        kill_deletes(&server, *way).await;
    }
}

async fn kill_deletes(server: &Server, way: Way) {
    let store = connect(&server.url(), way).await;
    let mut admin = client(&server.url()).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let (store, is_over) = (store.clone(), Arc::clone(&is_over));
        tasks.spawn(async move {
            let (mut deleted, mut wrong) = (0, 0);
            for step in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let own = numbered(8 * step + task);
                if let Err(error) = store.create(&own, &record("a")).await {
                    assert!(is_down(&error), "{}", told(&error));
                    sleep(Duration::from_millis(5)).await;
                    continue;
                }
                match store.delete(&own).await {
                    Ok(true) => deleted += 1,
                    Ok(false) => wrong += 1,
                    Err(error) => assert!(is_down(&error), "{}", told(&error)),
                }
            }
            (deleted, wrong)
        });
    }
    let (begin, mut killed) = (Instant::now(), 0);
    while begin.elapsed() < Duration::from_secs(5) {
        for id in connections(&mut admin, "AND COMMAND = 'Execute'").await {
            let kill = admin.query_drop(format!("KILL QUERY {id}")).await;
            killed += usize::from(kill.is_ok());
        }
        sleep(Duration::from_millis(1)).await;
    }
    is_over.store(true, Ordering::Relaxed);
    let (mut deleted, mut wrong) = (0, 0);
    for (own_deleted, own_wrong) in tasks.join_all().await {
        deleted += own_deleted;
        wrong += own_wrong;
    }
    println!("{killed} statements killed: {deleted} records deleted");
    assert_eq!(wrong, 0, "records said not to have been there");
    assert!(deleted > 0);
}

/// What may be found under a key: a version, or nothing.
#[derive(Debug)]
struct Fate {
    key: Key,
    may_be: Vec<Option<u64>>,
}

impl Fate {
    /// Creates a record, touches and replaces it, and deletes every second one, until a call is of
    /// unknown outcome.
    async fn of(store: &MysqlStore, key: Key) -> Self {
        let mut fate = Self {
            key,
            may_be: vec![None],
        };
        let first = record("a");
        let created = store.create(&key, &first).await.map(|_| true);
        if !fate.note(created, Some(first.version.to_bits())) {
            return fate;
        }
        let (loaded, second) = (Loaded::new(first.clone()), record("b"));
        let touched = store.touch(&key, &first, &loaded).await;
        if !fate.note(touched, Some(first.version.to_bits())) {
            return fate;
        }
        let replaced = store.replace(&key, &second, &loaded).await.map(|_| true);
        if fate.note(replaced, Some(second.version.to_bits()))
            && key.id.as_bytes()[15].is_multiple_of(2)
        {
            fate.note(store.delete(&key).await, None);
        }
        fate
    }

    /// Nobody else writes the key, so every answer but an outage is that it was done.
    fn note(&mut self, result: Result<bool, StoreError>, then: Option<u64>) -> bool {
        match result {
            Ok(was_there) => {
                assert!(was_there, "{self:?}");
                self.may_be = vec![then];
            }
            Err(error) => {
                assert!(is_down(&error), "{self:?}: {}", told(&error));
                self.may_be.push(then);
            }
        }
        self.may_be.len() == 1
    }

    fn is_certain(&self) -> bool {
        self.may_be.len() == 1
    }
}

/// The connections of the store.
async fn connections(admin: &mut Conn, which: &str) -> Vec<u64> {
    let sql = "SELECT ID FROM information_schema.PROCESSLIST \
               WHERE USER = 'cloakroom' AND ID <> CONNECTION_ID()";
    admin.query(format!("{sql} {which}")).await.unwrap()
}

/// Whoever only waits for a turn at a key learns nothing of the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_of_one_key_do_not_hide_that_the_server_is_gone() {
    let Some(server) = own_server().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let store = MysqlStore::connect(&server.url_at(link.address())).await;
    let store = store.unwrap();
    let loaded = create(&store, &key(1), &record("a")).await;
    link.black_hole();
    let write = async || kind(store.replace(&key(1), &record("b"), &loaded).await);
    for _ in 0..4 {
        // One is sent, the other waits for it.
        let (one, other) = tokio::join!(write(), write());
        for failed in [one, other] {
            assert!(failed.is_some_and(|kind| kind != StoreErrorKind::Conflict));
        }
    }
    let begin = Instant::now();
    let refused = load(&store, &key(1)).await;
    assert_eq!(kind(refused), Some(StoreErrorKind::Unavailable));
    let took = begin.elapsed();
    assert!(took < Duration::from_millis(100), "{took:?}");
    link.restore().await.unwrap();
    recovers(&store).await;
}

/// Making a connection takes longer than half a second when the server is far away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_distant_server_is_found_again() {
    let Some(server) = own_server().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let far = Duration::from_millis(80);
    link.slow(far);
    let builder = MysqlStore::builder(&server.url_at(link.address()));
    let builder = builder.timeout(Duration::from_secs(3));
    let store = builder.connect_timeout(Duration::from_secs(5)).connect();
    let store = store.await.unwrap();
    create(&store, &key(1), &record("a")).await;
    link.refuse().await;
    for _ in 0..5 {
        assert!(is_down(&load(&store, &key(1)).await.unwrap_err()));
    }
    link.restore().await.unwrap();
    link.slow(far);
    let begin = Instant::now();
    while let Err(error) = load(&store, &key(1)).await {
        assert!(is_down(&error), "{}", told(&error));
        assert!(begin.elapsed() < Duration::from_secs(10), "it is not found");
        sleep(Duration::from_millis(50)).await;
    }
}

/// The server ends what is idle for a second, but not what the store has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_impatient_server_keeps_idle_connections() {
    let Some(server) = own_server().await else {
        return;
    };
    let mut admin = client(&server.url()).await;
    run(&mut admin, &["SET GLOBAL wait_timeout = 1"]).await;
    let store = MysqlStore::connect(&server.url()).await.unwrap();
    let loaded = create(&store, &key(1), &record("a")).await;
    sleep(Duration::from_millis(2_500)).await;
    store.replace(&key(1), &record("b"), &loaded).await.unwrap();
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

/// All of them, not only the one that has been idle longest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_idle_connection_is_pinged() {
    let Some(server) = own_server().await else {
        return;
    };
    let store = MysqlStore::connect(&server.url()).await.unwrap();
    create(&store, &key(1), &record("a")).await;
    let mut admin = client(&server.url()).await;
    while connections(&mut admin, "").await.len() < 4 {
        let one = key(1);
        let loads = || load(&store, &one);
        let _ = tokio::join!(loads(), loads(), loads(), loads());
    }
    sleep(Duration::from_secs(23)).await;
    // In seconds, since the last command.
    let silent = connections(&mut admin, "AND TIME > 15").await;
    assert!(silent.is_empty(), "{} of 4", silent.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn impatient_callers_cost_no_connections() {
    let Some(server) = own_server().await else {
        return;
    };
    for way in Way::ALL {
        be_impatient(&server, *way).await;
    }
}

async fn be_impatient(server: &Server, way: Way) {
    let store = connect(&server.url(), way).await;
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
    // A pool of the driver's ends with its runtime.
    for way in Way::ALL.iter().filter(|way| way.to_string() != "pool") {
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
        store.sweep(Timestamp::EPOCH, 10).await.unwrap();
    });
}
