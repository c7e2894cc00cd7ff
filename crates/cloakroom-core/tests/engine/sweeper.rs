//! The sweeper removes what has expired, and nothing stops it but its handle.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cloakroom_core::{EventKind, Limits, Namespace, SessionManager, Sweeper, hours, minutes};
use cloakroom_memory::MemoryStore;
use cloakroom_store::{
    EXPIRY_MARGIN, Freshness, Key, Loaded, Operation::Sweep, Record, Store, StoreError,
    StoreErrorKind, Tag, Timestamp,
};
use cloakroom_testkit::Fault;
use tokio::time::sleep;

use crate::support::{ACCOUNT, Browser, World};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_sweep_removes_what_has_expired_longer_ago_than_the_margin() {
    let world = World::with(|n| n.limits(Limits::idle(minutes(10))));
    Browser::known_to(&world).await;
    let sweeper = Sweeper::new(&world.manager);
    world.clock.advance(minutes(10) + EXPIRY_MARGIN);
    assert_eq!(sweeper.sweep().await, 0);
    let mut alive = Browser::known_to(&world).await;
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(sweeper.sweep().await, 1);
    assert!(world.events.has(EventKind::Swept(1)));
    assert_eq!(world.records(), 1);
    assert_eq!(alive.read(&world, "known").await, Some(true));
    assert_eq!(sweeper.sweep().await, 0);
}

#[tokio::test]
async fn older_than_is_at_least_the_margin() {
    let world = World::with(|n| n.limits(Limits::idle(minutes(10))));
    Browser::known_to(&world).await;
    let sweeper = Sweeper::new(&world.manager);
    world.clock.advance(minutes(10) + EXPIRY_MARGIN);
    assert_eq!(sweeper.clone().older_than(Duration::ZERO).sweep().await, 0);
    let patient = sweeper.older_than(hours(1));
    world.clock.advance(minutes(59));
    assert_eq!(patient.sweep().await, 0);
    world.clock.advance(SECOND);
    assert_eq!(patient.sweep().await, 1);
}

#[tokio::test]
async fn it_sweeps_in_batches() {
    let world = World::with(|n| n.limits(Limits::idle(minutes(10))));
    for _ in 0..2_500 {
        Browser::known_to(&world).await;
    }
    world.clock.advance(minutes(20));
    assert_eq!(Sweeper::new(&world.manager).sweep().await, 2_500);
    assert_eq!(world.calls(), [Sweep; 3]);
    assert!(world.events.has(EventKind::Swept(2_500)));
}

#[tokio::test]
async fn a_store_that_fails_is_an_event_and_does_not_stop_the_others() {
    let good = MemoryStore::new();
    let world = World::build(|builder, store| {
        let limits = Limits::idle(minutes(10));
        builder
            .namespace(Namespace::new(ACCOUNT, store.clone()).limits(limits))
            .namespace(Namespace::new("cart", good.clone()).limits(limits))
    });
    let flight = world.begin(&Browser::new());
    flight.open("cart").await.insert("k", 1).unwrap();
    flight.finish().await;
    world.clock.advance(minutes(20));
    world.faults.fail_next(Sweep, Fault::BeforeEffect);
    assert_eq!(Sweeper::new(&world.manager).sweep().await, 1);
    let failed = EventKind::StoreFailed(Sweep, StoreErrorKind::Unavailable);
    assert!(world.events.has_of(ACCOUNT, failed));
    assert_eq!(good.stats().sessions, 0);
}

#[tokio::test]
async fn namespaces_that_share_a_store_are_swept_once() {
    let world = World::build(|builder, store| {
        let shared = store.clone().into_any();
        builder
            .namespace(Namespace::new(ACCOUNT, shared.clone()))
            .namespace(Namespace::new("cart", shared))
    });
    Sweeper::new(&world.manager).sweep().await;
    assert_eq!(world.calls(), [Sweep]);
}

#[tokio::test(start_paused = true)]
async fn it_runs_every_interval_give_or_take_a_tenth() {
    let world = World::new();
    let sweeping = Sweeper::new(&world.manager).every(10 * SECOND).spawn();
    sleep(8 * SECOND).await;
    assert_eq!(world.calls(), []);
    sleep(4 * SECOND).await;
    assert_eq!(world.calls(), [Sweep]);
    sleep(100 * SECOND).await;
    let count = world.calls().len();
    assert!((9..=11).contains(&count), "{count}");
    drop(sweeping);
}

#[tokio::test(start_paused = true)]
async fn it_survives_errors_and_a_store_that_hangs() {
    let world = World::new();
    let _sweeping = Sweeper::new(&world.manager).every(10 * SECOND).spawn();
    for fault in [Fault::BeforeEffect, Fault::Timeout, Fault::Hang] {
        world.faults.fail_next(Sweep, fault);
    }
    sleep(200 * SECOND).await;
    assert_eq!(world.faults.remaining(), 0);
    assert!(world.calls().len() > 10);
}

#[tokio::test(start_paused = true)]
async fn it_stops_when_the_handle_is_dropped_or_aborted() {
    for aborts in [false, true] {
        let world = World::new();
        let sweeping = Sweeper::new(&world.manager).every(10 * SECOND).spawn();
        sleep(30 * SECOND).await;
        assert!(!world.calls().is_empty());
        match aborts {
            true => sweeping.as_ref().unwrap().abort(),
            false => drop(sweeping),
        }
        sleep(100 * SECOND).await;
        assert_eq!(world.calls(), []);
    }
}

#[test]
fn outside_a_runtime_there_is_no_sweeper() {
    let world = World::new();
    assert!(Sweeper::new(&world.manager).spawn().is_err());
}

/// A store whose sweep panics the first few times.
#[derive(Debug)]
struct Panicking {
    sweeps: Arc<AtomicUsize>,
}

impl Store for Panicking {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, _: &Key, _: Freshness) -> Result<Option<Loaded>, StoreError> {
        Ok(None)
    }

    async fn create(&self, _: &Key, _: &Record) -> Result<Tag, StoreError> {
        Ok(Tag::NONE)
    }

    async fn replace(&self, _: &Key, _: &Record, _: &Loaded) -> Result<Tag, StoreError> {
        Ok(Tag::NONE)
    }

    async fn touch(&self, _: &Key, _: &Record, _: &Loaded) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn delete(&self, _: &Key) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn sweep(&self, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        let count = self.sweeps.fetch_add(1, Ordering::SeqCst);
        assert!(count > 2, "sweep number {count}");
        Ok(0)
    }
}

#[tokio::test(start_paused = true)]
async fn it_survives_panics() {
    let sweeps = Arc::new(AtomicUsize::new(0));
    let store = Panicking {
        sweeps: Arc::clone(&sweeps),
    };
    let manager = SessionManager::builder()
        .namespace(Namespace::new(ACCOUNT, store))
        .build()
        .unwrap();
    let _sweeping = Sweeper::new(&manager).every(10 * SECOND).spawn();
    sleep(100 * SECOND).await;
    assert!(sweeps.load(Ordering::SeqCst) > 5);
}
