//! Which calls reach the back.

mod common;

use std::time::Duration;

use cloakroom_memory::MemoryStore;
use cloakroom_store::{
    EXPIRY_MARGIN, Freshness, Loaded, Operation, Store, StoreErrorKind, Subject, Timestamp,
};
use cloakroom_testkit::{Fault, FaultyStore, SpyStore};
use cloakroom_tiered::TieredStore;
use common::{HeldStore, Stage, TaggingStore, key, latest, record, replace, settle, version};

type Tiered<B> = TieredStore<MemoryStore, SpyStore<B>>;

fn tiered<B: Store>(back: B) -> (Tiered<B>, SpyStore<B>) {
    let back = SpyStore::new(back);
    let tiered = TieredStore::builder(MemoryStore::new(), back.clone());
    let tiered = tiered.max_age(Duration::from_secs(60)).build();
    (tiered, back)
}

#[tokio::test]
async fn a_miss_costs_one_call_and_a_hit_none() {
    let (store, back) = tiered(MemoryStore::new());
    back.inner().create(&key(1), &record(1)).await.unwrap();
    for _ in 0..5 {
        assert_eq!(version(&store, &key(1)).await, 1);
    }
    assert_eq!(back.operations(), [Operation::Load]);
    assert_eq!((store.stats().misses, store.stats().hits), (1, 4));
}

#[tokio::test]
async fn what_was_written_here_is_a_hit() {
    let (store, back) = tiered(MemoryStore::new());
    store.create(&key(1), &record(1)).await.unwrap();
    assert_eq!(version(&store, &key(1)).await, 1);
    let loaded = store.load(&key(1), Freshness::Any).await.unwrap().unwrap();
    store.replace(&key(1), &record(2), &loaded).await.unwrap();
    assert_eq!(version(&store, &key(1)).await, 2);
    assert_eq!(back.operations(), [Operation::Create, Operation::Replace]);
}

#[tokio::test]
async fn a_touch_moves_the_times_of_the_copy() {
    let (store, back) = tiered(MemoryStore::new());
    store.create(&key(1), &record(1)).await.unwrap();
    let loaded = store.load(&key(1), Freshness::Any).await.unwrap().unwrap();
    let mut touched = record(1);
    touched.last_seen = touched.last_seen.saturating_add(EXPIRY_MARGIN);
    touched.expires = touched.expires.saturating_add(EXPIRY_MARGIN);
    touched.data = "not looked at".into();
    assert!(store.touch(&key(1), &touched, &loaded).await.unwrap());
    touched.data = record(1).data;
    let loaded = store.load(&key(1), Freshness::Any).await.unwrap().unwrap();
    assert_eq!(loaded.record, touched);
    assert_eq!(back.operations(), [Operation::Create, Operation::Touch]);
}

#[tokio::test]
async fn latest_always_asks_the_back_and_renews_the_copy() {
    let (store, back) = tiered(MemoryStore::new());
    store.create(&key(1), &record(1)).await.unwrap();
    replace(back.inner(), &key(1), 2).await;
    assert_eq!(version(&store, &key(1)).await, 1); // a copy
    assert_eq!(latest(&store, &key(1)).await, 2);
    assert_eq!(version(&store, &key(1)).await, 2);
    assert_eq!(back.operations(), [Operation::Create, Operation::Load]);
}

#[tokio::test]
async fn latest_that_finds_nothing_removes_the_copy() {
    let (store, back) = tiered(MemoryStore::new());
    store.create(&key(1), &record(1)).await.unwrap();
    back.inner().delete(&key(1)).await.unwrap();
    assert_eq!(latest(&store, &key(1)).await, 0);
    assert_eq!(version(&store, &key(1)).await, 0);
}

#[tokio::test]
async fn a_delete_deletes_both() {
    let (store, back) = tiered(MemoryStore::new());
    store.create(&key(1), &record(1)).await.unwrap();
    assert!(store.delete(&key(1)).await.unwrap());
    assert_eq!(store.front().stats().sessions, 0);
    assert_eq!(version(&store, &key(1)).await, 0);
    let calls = [Operation::Create, Operation::Delete, Operation::Load];
    assert_eq!(back.operations(), calls);
}

#[tokio::test]
async fn a_sweep_sweeps_both_and_counts_the_back() {
    let (store, back) = tiered(MemoryStore::new());
    store.create(&key(1), &record(1)).await.unwrap();
    back.inner().create(&key(2), &record(1)).await.unwrap();
    assert_eq!(store.sweep(Timestamp::MAX, 10).await.unwrap(), 2);
    assert_eq!(store.front().stats().sessions, 0);
    assert_eq!(back.operations(), [Operation::Create, Operation::Sweep]);
}

#[tokio::test]
async fn listings_come_from_the_back() {
    let (store, back) = tiered(MemoryStore::new());
    let mut owned = record(1);
    owned.subject = Some(Subject::new("ann").unwrap());
    back.inner().create(&key(1), &owned).await.unwrap();
    let subject = owned.subject.unwrap();
    let page = store.by_subject("cart", &subject, None, 10).await.unwrap();
    assert_eq!(page.sessions.len(), 1);
    assert_eq!(store.scan(None, 10).await.unwrap().sessions.len(), 1);
    assert_eq!(back.operations(), [Operation::BySubject, Operation::Scan]);
}

#[tokio::test]
async fn what_is_not_there_is_asked_for_again() {
    let (store, back) = tiered(MemoryStore::new());
    assert_eq!(version(&store, &key(1)).await, 0);
    back.inner().create(&key(1), &record(1)).await.unwrap();
    assert_eq!(version(&store, &key(1)).await, 1);
    assert_eq!(back.count(Operation::Load), 2);
}

#[tokio::test(start_paused = true)]
async fn misses_at_the_same_time_make_one_call() {
    let held = HeldStore::new();
    let (store, back) = tiered(held.clone());
    held.inner().create(&key(1), &record(1)).await.unwrap();
    held.hold(Operation::Load, Stage::BeforeEffect);
    let loads: Vec<_> = (0..50)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { version(&store, &key(1)).await })
        })
        .collect();
    settle().await;
    held.release();
    for load in loads {
        assert_eq!(load.await.unwrap(), 1);
    }
    assert_eq!(back.operations(), [Operation::Load]);
    assert_eq!((store.stats().misses, store.stats().joined), (1, 49));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_takes_over_from_one_that_has_gone() {
    let held = HeldStore::new();
    let (store, back) = tiered(held.clone());
    held.inner().create(&key(1), &record(1)).await.unwrap();
    held.hold(Operation::Load, Stage::BeforeReply);
    let mut loads: Vec<_> = (0..5)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { version(&store, &key(1)).await })
        })
        .collect();
    settle().await;
    for leader in loads.drain(..2) {
        leader.abort();
        settle().await;
    }
    held.release();
    for load in loads {
        assert_eq!(load.await.unwrap(), 1);
    }
    assert_eq!(back.count(Operation::Load), 3);
    // Nothing is left of the flight.
    assert_eq!(version(&store, &key(1)).await, 1);
    assert_eq!(back.count(Operation::Load), 3);
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_are_told_that_it_failed() {
    let held = HeldStore::new();
    let faulty = FaultyStore::new(held.clone());
    let faults = faulty.faults();
    let (store, back) = tiered(faulty);
    faults.fail_next(Operation::Load, Fault::TimeoutAfterEffect);
    held.hold(Operation::Load, Stage::BeforeReply);
    let loads: Vec<_> = (0..3)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.load(&key(1), Freshness::Any).await })
        })
        .collect();
    settle().await;
    held.release();
    for load in loads {
        let error = load.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::TimedOut);
        assert_eq!(error.operation(), Operation::Load);
        assert!(error.can_retry());
    }
    assert_eq!(back.count(Operation::Load), 1);
}

#[tokio::test(start_paused = true)]
async fn latest_joins_nobody() {
    let held = HeldStore::new();
    let (store, back) = tiered(held.clone());
    held.inner().create(&key(1), &record(1)).await.unwrap();
    held.hold(Operation::Load, Stage::BeforeReply);
    let any = tokio::spawn({
        let store = store.clone();
        async move { version(&store, &key(1)).await }
    });
    settle().await;
    replace(held.inner(), &key(1), 2).await; // by another process
    let latest = tokio::spawn({
        let store = store.clone();
        async move { latest(&store, &key(1)).await }
    });
    settle().await;
    held.release();
    assert_eq!(any.await.unwrap(), 1);
    assert_eq!(latest.await.unwrap(), 2);
    assert_eq!(back.count(Operation::Load), 2);
}

#[tokio::test]
async fn the_tag_of_the_back_comes_back_to_it() {
    let back = TaggingStore::new();
    let store = TieredStore::new(MemoryStore::new(), back);
    store.create(&key(1), &record(1)).await.unwrap();
    for next in 2..5 {
        let loaded = store.load(&key(1), Freshness::Any).await.unwrap().unwrap();
        store
            .replace(&key(1), &record(next), &loaded)
            .await
            .unwrap();
    }
    assert_eq!(store.stats().hits, 3);
    let loaded = store.load(&key(1), Freshness::Any).await.unwrap().unwrap();
    assert_eq!(
        loaded,
        Loaded::with_tag(record(4), TaggingStore::tag_of(&record(4)))
    );
}
