//! A front that fails, or hangs, is no outage.

mod common;

use std::time::Duration;

use cloakroom_memory::MemoryStore;
use cloakroom_store::{Freshness, Operation, Store, Timestamp};
use cloakroom_testkit::{Fault, Faults, FaultyStore, SpyStore};
use cloakroom_tiered::TieredStore;
use common::{key, latest, record, replace, version};
use tokio::time::{Instant, sleep};

type Front = SpyStore<FaultyStore<MemoryStore>>;

fn tiered() -> (TieredStore<Front, MemoryStore>, Front, Faults) {
    let faulty = FaultyStore::new(MemoryStore::new());
    let faults = faulty.faults();
    let front = SpyStore::new(faulty);
    let tiered = TieredStore::builder(front.clone(), MemoryStore::new());
    let store = tiered.max_age(Duration::from_secs(3_600)).build();
    (store, front, faults)
}

const LIMIT: Duration = Duration::from_millis(50);

#[tokio::test(start_paused = true)]
async fn every_call_works_without_a_front() {
    for fault in [
        Fault::BeforeEffect,
        Fault::AfterEffect,
        Fault::Timeout,
        Fault::Hang,
    ] {
        let (store, _, faults) = tiered();
        faults.always(fault);
        let began = Instant::now();
        for number in 0..20 {
            store.create(&key(number), &record(1)).await.unwrap();
            assert_eq!(version(&store, &key(number)).await, 1);
            replace(&store, &key(number), 2).await;
            assert_eq!(version(&store, &key(number)).await, 2);
            assert!(store.delete(&key(number)).await.unwrap());
            assert_eq!(version(&store, &key(number)).await, 0);
        }
        assert_eq!(store.stats().hits, 0);
        // Three calls find out that it does not work.
        assert_eq!(store.stats().front_errors, 3);
        assert!(began.elapsed() <= LIMIT * 4, "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_front_that_works_again_is_used_again() {
    let (store, front, faults) = tiered();
    faults.always(Fault::Hang);
    for number in 0..10 {
        store.create(&key(number), &record(1)).await.unwrap();
        version(&store, &key(number)).await;
    }
    let calls = front.calls().len();
    version(&store, &key(1)).await;
    assert_eq!(front.calls().len(), calls); // it is left alone
    faults.clear();
    sleep(Duration::from_secs(1)).await;
    for _ in 0..2 {
        assert_eq!(version(&store, &key(1)).await, 1);
    }
    assert_eq!(store.stats().hits, 1);
}

/// What it kept meanwhile is void as far as it has changed.
#[tokio::test(start_paused = true)]
async fn a_front_that_works_again_serves_nothing_old() {
    for is_delete in [false, true] {
        let (store, front, faults) = tiered();
        store.create(&key(1), &record(1)).await.unwrap();
        faults.always(Fault::BeforeEffect);
        match is_delete {
            false => replace(&store, &key(1), 2).await,
            true => assert!(store.delete(&key(1)).await.unwrap()),
        }
        for _ in 0..3 {
            latest(&store, &key(2)).await;
            version(&store, &key(2)).await;
        }
        faults.clear();
        let kept = front.load(&key(1), Freshness::Any).await.unwrap();
        assert!(kept.is_some());
        sleep(Duration::from_secs(1)).await;
        assert_eq!(
            version(&store, &key(1)).await,
            if is_delete { 0 } else { 2 }
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_front_is_given_its_time_and_no_more() {
    let (store, _, faults) = tiered();
    store.create(&key(1), &record(1)).await.unwrap();
    faults.fail_next(Operation::Load, Fault::Delay(LIMIT / 2));
    assert_eq!(version(&store, &key(1)).await, 1);
    assert_eq!(store.stats().hits, 1);
    let began = Instant::now();
    faults.fail_next(Operation::Load, Fault::Delay(LIMIT * 10));
    assert_eq!(version(&store, &key(1)).await, 1);
    assert!(began.elapsed() <= LIMIT + Duration::from_millis(1));
    assert_eq!((store.stats().misses, store.stats().front_errors), (1, 1));
}

/// One that has been used before, by this process or by another.
#[tokio::test]
async fn what_others_have_put_in_the_front_is_not_served() {
    let front = MemoryStore::new();
    front.create(&key(1), &record(1)).await.unwrap();
    let back = MemoryStore::new();
    let first = TieredStore::new(front.clone(), back.clone());
    assert_eq!(version(&first, &key(1)).await, 0);
    first.create(&key(2), &record(2)).await.unwrap();
    back.delete(&key(2)).await.unwrap();
    assert_eq!(version(&first, &key(2)).await, 2);
    let second = TieredStore::new(front, back.clone());
    assert_eq!(version(&second, &key(2)).await, 0);
    // It makes room for what is there.
    back.create(&key(1), &record(3)).await.unwrap();
    for _ in 0..2 {
        assert_eq!(version(&second, &key(1)).await, 3);
    }
    assert_eq!(second.stats().hits, 1);
}

#[tokio::test]
async fn a_front_without_room_is_a_front_that_keeps_little() {
    let front = MemoryStore::builder()
        .max_sessions(2)
        .max_bytes(1_500)
        .build();
    let store = TieredStore::new(front, MemoryStore::new());
    for number in 0..10 {
        store.create(&key(number), &record(1)).await.unwrap();
    }
    let mut large = record(1);
    large.data = vec![0; 10_000].into();
    store.create(&key(10), &large).await.unwrap();
    for number in 0..10 {
        assert_eq!(version(&store, &key(number)).await, 1);
    }
    let loaded = store.load(&key(10), Freshness::Any).await;
    assert_eq!(loaded.unwrap().unwrap().record, large);
    assert!(store.front().stats().sessions <= 2);
}

/// The front fails just when a copy is to be renewed.
#[tokio::test(start_paused = true)]
async fn an_old_copy_that_can_not_be_renewed_is_void() {
    for operation in [Operation::Create, Operation::Replace] {
        let (store, _, faults) = tiered();
        store.create(&key(1), &record(1)).await.unwrap();
        replace(store.back(), &key(1), 2).await;
        faults.fail_next(operation, Fault::BeforeEffect);
        assert_eq!(latest(&store, &key(1)).await, 2);
        assert_eq!(version(&store, &key(1)).await, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_copy_that_can_not_be_removed_is_void() {
    let (store, front, faults) = tiered();
    store.create(&key(1), &record(1)).await.unwrap();
    store.back().delete(&key(1)).await.unwrap();
    faults.fail_next(Operation::Delete, Fault::BeforeEffect);
    assert_eq!(latest(&store, &key(1)).await, 0);
    assert_eq!(version(&store, &key(1)).await, 0);
    assert_eq!(front.count(Operation::Delete), 2);
}

/// Sweeps have no key to ask for, so the next load has one.
#[tokio::test(start_paused = true)]
async fn a_front_that_fails_at_sweeps_alone_is_used_again() {
    let (store, _, faults) = tiered();
    faults.always_on(Operation::Sweep, Fault::BeforeEffect);
    for _ in 0..5 {
        store.sweep(Timestamp::EPOCH, 10).await.unwrap();
    }
    assert_eq!(store.stats().front_errors, 3);
    store.create(&key(1), &record(1)).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    for _ in 0..2 {
        assert_eq!(version(&store, &key(1)).await, 1);
    }
    assert_eq!(store.stats().hits, 1);
}
