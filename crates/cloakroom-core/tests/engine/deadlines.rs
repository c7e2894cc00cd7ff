//! A broken store answers: never a hang, and recovery without a restart.

use std::{sync::Arc, time::Duration};

use cloakroom_core::{FailurePolicy, Namespace, SessionError};
use cloakroom_memory::MemoryStore;
use cloakroom_store::{
    Freshness, Key,
    Operation::{self, Create, Delete, Load, Replace, Touch},
    Store, StoreErrorKind, Version,
};
use cloakroom_testkit::Fault;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{ACCOUNT, Browser, COOKIE, Handler, Request, World};

const SECOND: Duration = Duration::from_secs(1);

/// A timer is exact to the millisecond.
const TICK: Duration = Duration::from_millis(5);

#[tokio::test(start_paused = true)]
async fn opening_answers_within_the_call_deadline() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    world.faults.always(Fault::Hang);
    let began = Instant::now();
    let error = world.begin(&browser).try_open(ACCOUNT).await.unwrap_err();
    assert!(began.elapsed() <= Duration::from_millis(500) + TICK);
    let SessionError::Store(error) = error else {
        panic!("{error:?}")
    };
    assert_eq!(error.kind(), StoreErrorKind::TimedOut);
    world.faults.clear();
    assert!(world.begin(&browser).open(ACCOUNT).await.contains("known"));
}

#[tokio::test(start_paused = true)]
async fn all_candidates_together_are_opened_within_the_open_deadline() {
    let world = World::new();
    world
        .faults
        .always_on(Load, Fault::Delay(Duration::from_millis(400)));
    let tokens: Vec<_> = (0..4).map(|n| format!("{COOKIE}={n:064}")).collect();
    let flight = world.begin_with(Request::cookie(tokens.join("; ")));
    let began = Instant::now();
    flight.try_open(ACCOUNT).await.unwrap_err();
    assert!(began.elapsed() <= SECOND + TICK, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn tasks_that_open_it_at_the_same_time_all_answer_within_the_open_deadline() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    world.faults.always(Fault::Hang);
    let flight = Arc::new(world.begin(&browser));
    let began = Instant::now();
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let flight = Arc::clone(&flight);
            tokio::spawn(async move { flight.try_open(ACCOUNT).await.is_err() })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    assert!(began.elapsed() <= SECOND + TICK, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_waits_for_a_save_answers_within_its_deadline_too() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    world.faults.always(Fault::Hang);
    let saving = tokio::spawn(async move { session.save().await.is_err() });
    tokio::task::yield_now().await;
    let began = Instant::now();
    assert_eq!(flight.finish().await.status, 503);
    assert!(began.elapsed() <= SECOND + TICK, "{:?}", began.elapsed());
    assert!(saving.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn the_deadlines_can_be_set() {
    let world = World::build(|builder, store| {
        builder
            .namespace(Namespace::new(ACCOUNT, store.clone()))
            .open_deadline(Duration::from_millis(30))
            .commit_deadline(Duration::from_millis(60))
            .call_deadline(Duration::from_millis(100))
    });
    let browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    world.faults.always(Fault::Hang);
    let began = Instant::now();
    world.begin(&browser).try_open(ACCOUNT).await.unwrap_err();
    assert!(began.elapsed() <= Duration::from_millis(30) + TICK);
    let began = Instant::now();
    assert_eq!(flight.finish().await.status, 503);
    assert!(began.elapsed() <= Duration::from_millis(60) + TICK);
}

#[tokio::test(start_paused = true)]
async fn a_commit_answers_within_its_deadline_whatever_hangs() {
    let handlers: [(Operation, Handler); 4] = [
        (Replace, |s| s.insert("k", 1)),
        (Replace, |s| s.login("alice")),
        (Delete, |s| s.end()),
        (Create, |s| {
            s.end()?;
            s.insert("k", 1)
        }),
    ];
    for fault in [Fault::Hang, Fault::HangAfterEffect] {
        for (operation, handler) in handlers {
            for everything in [false, true] {
                let world = World::new();
                let browser = Browser::known_to(&world).await;
                let (flight, session) = world.open(&browser).await;
                handler(&session).unwrap();
                world.faults.always_on(operation, fault);
                if everything {
                    world.faults.always(fault);
                }
                let began = Instant::now();
                let answer = timeout(10 * SECOND, flight.finish()).await.unwrap();
                let case = format!("{operation} {fault:?} {everything}");
                assert!(began.elapsed() <= SECOND + TICK, "{case}");
                let found = fault == Fault::HangAfterEffect && !everything;
                assert_eq!(answer.status, if found { 200 } else { 503 }, "{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_touch_that_hangs_delays_a_read_by_one_call_at_most() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    world.clock.advance(cloakroom_core::minutes(5));
    world.faults.always_on(Touch, Fault::Hang);
    let began = Instant::now();
    let response = browser.visit(&world, |_| Ok(())).await;
    assert_eq!(response.status, 200);
    assert!(began.elapsed() <= Duration::from_millis(500) + TICK);
}

#[tokio::test(start_paused = true)]
async fn conflicts_without_end_are_a_503_within_the_deadline() {
    // Between each load and its replace somebody else writes.
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (slow, session) = world.open(&browser).await;
    session.insert("slow", 1).unwrap();
    let late = Fault::Delay(Duration::from_millis(100));
    world.faults.always_on(Replace, late);
    let (store, id) = (world.memory().clone(), browser.id());
    let meddler = tokio::spawn(async move { meddle(&store, &World::key(ACCOUNT, id)).await });
    let began = Instant::now();
    let response = timeout(10 * SECOND, slow.finish()).await.unwrap();
    assert_eq!(response.status, 503);
    assert!(began.elapsed() <= SECOND + TICK, "{:?}", began.elapsed());
    meddler.abort();
}

/// Writes what is there again and again, with another version.
async fn meddle(store: &MemoryStore, key: &Key) {
    for n in 0.. {
        let loaded = store.load(key, Freshness::Latest).await.unwrap().unwrap();
        let mut record = loaded.record.clone();
        record.version = Version::from_bits(n);
        store.replace(key, &record, &loaded).await.unwrap();
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_it_works_again_without_a_restart() {
    let world = World::with(|n| n.on_store_failure(FailurePolicy::Respond503));
    let mut browser = Browser::known_to(&world).await;
    let (racing, session) = world.open(&browser).await;
    for _ in 0..3 {
        let (flight, other) = world.open(&browser).await;
        other.insert("k", 1).unwrap();
        world.faults.always(Fault::Hang);
        assert_eq!(flight.finish().await.status, 503);
        world.faults.clear();
    }
    browser.visit(&world, |s| s.insert("k", 2)).await;
    session.insert("racing", 1).unwrap();
    assert_eq!(racing.finish().await.status, 200);
    assert_eq!(browser.read(&world, "k").await, Some(2));
    assert_eq!(browser.read(&world, "racing").await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn an_outage_while_requests_take_turns_is_over_when_the_store_is_back() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (one, a) = world.open(&browser).await;
    let (other, b) = world.open(&browser).await;
    browser.visit(&world, |s| s.insert("first", 1)).await;
    a.insert("a", 1).unwrap();
    b.insert("b", 1).unwrap();
    world.faults.spare_next(Replace);
    world.faults.spare_next(Replace);
    world.faults.always(Fault::Hang);
    let began = Instant::now();
    let (one, other) = tokio::join!(one.finish(), other.finish());
    assert_eq!((one.status, other.status), (503, 503));
    assert!(began.elapsed() <= SECOND + TICK, "{:?}", began.elapsed());
    world.faults.clear();
    browser.visit(&world, |s| s.insert("k", 2)).await;
    assert_eq!(browser.read(&world, "k").await, Some(2));
}
