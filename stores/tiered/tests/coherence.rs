//! What one process sees of another's changes, and when.

mod common;

use std::{future::poll_fn, task::Poll, time::Duration};

use cloakroom_memory::MemoryStore;
use cloakroom_store::{Change, Freshness, Operation, Store};
use cloakroom_testkit::{Fault, FaultyStore, SpyStore};
use cloakroom_tiered::TieredStore;
use common::{HeldStore, SILENCE, Stage, ToldStore, key, record, replace, settle, version};
use tokio::time::{Instant, advance, sleep};

type Aged<B> = TieredStore<MemoryStore, B>;
type Listening<B> = TieredStore<MemoryStore, ToldStore<B>>;

fn aged<B: Store>(back: B, max_age: Duration) -> Aged<B> {
    let tiered = TieredStore::builder(MemoryStore::new(), back);
    tiered.max_age(max_age).build()
}

async fn listening<B: Store>(back: &ToldStore<B>) -> Listening<B> {
    let tiered = TieredStore::builder(MemoryStore::new(), back.clone());
    let store = tiered.watch().build();
    assert!(!store.trusts_front());
    settle().await;
    assert!(store.trusts_front());
    store
}

const MILLISECOND: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn a_change_elsewhere_is_seen_when_the_copy_is_too_old() {
    let back = MemoryStore::new();
    let max_age = Duration::from_secs(3);
    let (here, there) = (aged(back.clone(), max_age), aged(back, max_age));
    there.create(&key(1), &record(1)).await.unwrap();
    assert_eq!(version(&here, &key(1)).await, 1);
    replace(&there, &key(1), 2).await;
    advance(max_age - MILLISECOND).await;
    assert_eq!(version(&here, &key(1)).await, 1);
    advance(MILLISECOND).await;
    assert_eq!(version(&here, &key(1)).await, 2);
    there.delete(&key(1)).await.unwrap();
    advance(max_age).await;
    assert_eq!(version(&here, &key(1)).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_second_is_the_default() {
    let back = MemoryStore::new();
    back.create(&key(1), &record(1)).await.unwrap();
    let here = TieredStore::new(MemoryStore::new(), back.clone());
    assert_eq!(version(&here, &key(1)).await, 1);
    replace(&back, &key(1), 2).await;
    advance(Duration::from_secs(1)).await;
    assert_eq!(version(&here, &key(1)).await, 2);
}

#[tokio::test(start_paused = true)]
async fn age_counts_from_when_the_back_was_asked() {
    let held = HeldStore::new();
    let store = aged(held.clone(), Duration::from_secs(3));
    held.inner().create(&key(1), &record(1)).await.unwrap();
    held.hold(Operation::Load, Stage::BeforeReply);
    let load = tokio::spawn({
        let store = store.clone();
        async move { version(&store, &key(1)).await }
    });
    settle().await;
    replace(held.inner(), &key(1), 2).await;
    advance(Duration::from_secs(3)).await;
    // The copy that is about to be made is too old already, and so is the flight to join it.
    let late = tokio::spawn({
        let store = store.clone();
        async move { version(&store, &key(1)).await }
    });
    settle().await;
    held.release();
    assert_eq!(load.await.unwrap(), 1);
    assert_eq!(late.await.unwrap(), 2);
    assert_eq!(version(&store, &key(1)).await, 2);
}

/// What is touched is what the back holds, not what is in the front.
#[tokio::test(start_paused = true)]
async fn a_touch_makes_no_old_copy_young() {
    let back = MemoryStore::new();
    let here = aged(back.clone(), Duration::from_secs(3));
    here.create(&key(1), &record(1)).await.unwrap();
    replace(&back, &key(1), 2).await;
    advance(Duration::from_secs(2)).await;
    let loaded = back.load(&key(1), Freshness::Latest).await.unwrap();
    let touched = here.touch(&key(1), &record(2), &loaded.unwrap()).await;
    assert!(touched.unwrap());
    advance(Duration::from_secs(1)).await;
    assert_eq!(version(&here, &key(1)).await, 2);
}

#[tokio::test(start_paused = true)]
async fn zero_serves_nothing_from_the_front() {
    let back = SpyStore::new(MemoryStore::new());
    let store = aged(back.clone(), Duration::ZERO);
    store.create(&key(1), &record(1)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(version(&store, &key(1)).await, 1);
    }
    assert_eq!(back.count(Operation::Load), 3);
}

#[tokio::test(start_paused = true)]
async fn a_change_elsewhere_is_seen_as_soon_as_it_is_told() {
    let back = ToldStore::new(MemoryStore::new());
    let (here, there) = (listening(&back).await, listening(&back).await);
    there.create(&key(1), &record(1)).await.unwrap();
    settle().await;
    for next in 2..10 {
        assert_eq!(version(&here, &key(1)).await, next - 1);
        assert_eq!(version(&here, &key(1)).await, next - 1);
        replace(&there, &key(1), next).await;
        settle().await;
    }
    assert_eq!(version(&here, &key(1)).await, 9);
    there.delete(&key(1)).await.unwrap();
    settle().await;
    assert_eq!(version(&here, &key(1)).await, 0);
    assert_eq!(here.stats().hits, 8);
    assert_eq!(here.stats().invalidations, 10);
    assert_eq!(here.front().stats().sessions, 0);
}

#[tokio::test(start_paused = true)]
async fn all_means_all() {
    let back = ToldStore::new(MemoryStore::new());
    let here = listening(&back).await;
    for number in 1..4 {
        here.create(&key(number), &record(1)).await.unwrap();
        settle().await; // its own change is told
        assert_eq!(version(&here, &key(number)).await, 1);
        replace(back.untold(), &key(number), 2).await;
        assert_eq!(version(&here, &key(number)).await, 1);
    }
    back.tell(Change::All);
    settle().await;
    for number in 1..4 {
        assert_eq!(version(&here, &key(number)).await, 2);
    }
    assert!(here.trusts_front());
}

/// The answer of a load is on its way when the change is told.
#[tokio::test(start_paused = true)]
async fn an_answer_that_a_change_overtakes_is_not_kept() {
    let held = HeldStore::new();
    let back = ToldStore::new(held.clone());
    let (here, there) = (listening(&back).await, listening(&back).await);
    held.inner().create(&key(1), &record(1)).await.unwrap();
    for freshness in [Freshness::Any, Freshness::Latest] {
        held.hold(Operation::Load, Stage::BeforeReply);
        let load = tokio::spawn({
            let here = here.clone();
            async move { here.load(&key(1), freshness).await.unwrap().unwrap() }
        });
        settle().await;
        let old = held.inner().load(&key(1), Freshness::Latest).await;
        let old = old.unwrap().unwrap();
        let next = old.record.version.to_bits() + 1;
        there.replace(&key(1), &record(next), &old).await.unwrap();
        settle().await;
        // Whoever comes now does not wait for the old answer either.
        let late = tokio::spawn({
            let here = here.clone();
            async move { version(&here, &key(1)).await }
        });
        settle().await;
        held.release();
        assert_eq!(load.await.unwrap(), old);
        assert_eq!(late.await.unwrap(), next);
        assert_eq!(version(&here, &key(1)).await, next);
    }
}

/// As above, with the process' own write.
#[tokio::test(start_paused = true)]
async fn an_answer_that_an_own_write_overtakes_is_not_kept() {
    for is_delete in [false, true] {
        let held = HeldStore::new();
        let store = aged(held.clone(), Duration::from_secs(60));
        store.create(&key(1), &record(1)).await.unwrap();
        let loaded = store.load(&key(1), Freshness::Any).await.unwrap().unwrap();
        held.hold(Operation::Load, Stage::BeforeReply);
        let load = tokio::spawn({
            let store = store.clone();
            async move { store.load(&key(1), Freshness::Latest).await.unwrap() }
        });
        settle().await;
        match is_delete {
            false => drop(store.replace(&key(1), &record(2), &loaded).await.unwrap()),
            true => drop(store.delete(&key(1)).await.unwrap()),
        }
        held.release();
        assert_eq!(load.await.unwrap(), Some(loaded));
        assert_eq!(
            version(&store, &key(1)).await,
            if is_delete { 0 } else { 2 }
        );
    }
}

/// A load begins while a write is under way and has the old answer before the write has happened.
#[tokio::test(start_paused = true)]
async fn a_write_under_way_makes_void_what_is_loaded_meanwhile() {
    let held = HeldStore::new();
    let store = aged(held.clone(), Duration::from_secs(60));
    for operation in [Operation::Replace, Operation::Delete] {
        store.create(&key(1), &record(1)).await.unwrap();
        let loaded = store.load(&key(1), Freshness::Any).await.unwrap().unwrap();
        held.hold(operation, Stage::BeforeEffect);
        let write = tokio::spawn({
            let store = store.clone();
            async move {
                match operation {
                    Operation::Replace => {
                        store.replace(&key(1), &record(2), &loaded).await.unwrap();
                    }
                    _ => assert!(store.delete(&key(1)).await.unwrap()),
                }
            }
        });
        settle().await;
        assert_eq!(version(&store, &key(1)).await, 1);
        held.release();
        write.await.unwrap();
        let expected = u64::from(operation == Operation::Replace) * 2;
        assert_eq!(version(&store, &key(1)).await, expected);
        store.delete(&key(1)).await.unwrap();
    }
}

/// A load makes a copy between the beginning of a write and its effect, and nobody hears its end.
#[tokio::test(start_paused = true)]
async fn a_write_that_is_dropped_makes_void_what_was_loaded_meanwhile() {
    let held = HeldStore::new();
    let store = aged(held.clone(), Duration::from_secs(60));
    store.create(&key(1), &record(1)).await.unwrap();
    let loaded = store.load(&key(1), Freshness::Any).await.unwrap().unwrap();
    held.hold(Operation::Replace, Stage::BeforeEffect);
    let write = tokio::spawn({
        let store = store.clone();
        async move { store.replace(&key(1), &record(2), &loaded).await }
    });
    settle().await;
    assert_eq!(version(&store, &key(1)).await, 1);
    held.hold(Operation::Replace, Stage::BeforeReply);
    settle().await;
    write.abort();
    settle().await;
    assert_eq!(version(&store, &key(1)).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_dropped_leaves_no_old_copy() {
    for stage in [Stage::BeforeEffect, Stage::BeforeReply] {
        let held = HeldStore::new();
        let store = aged(held.clone(), Duration::from_secs(60));
        store.create(&key(1), &record(1)).await.unwrap();
        for operation in [Operation::Replace, Operation::Touch, Operation::Delete] {
            let loaded = store.load(&key(1), Freshness::Any).await.unwrap();
            let Some(loaded) = loaded else { break };
            let next = record(loaded.record.version.to_bits() + 1);
            held.hold(operation, stage);
            let write = tokio::spawn({
                let store = store.clone();
                async move {
                    match operation {
                        Operation::Replace => drop(store.replace(&key(1), &next, &loaded).await),
                        Operation::Touch => drop(store.touch(&key(1), &next, &loaded).await),
                        _ => drop(store.delete(&key(1)).await),
                    }
                }
            });
            settle().await;
            write.abort();
            settle().await;
            held.release();
            let truth = held.inner().load(&key(1), Freshness::Latest).await.unwrap();
            assert_eq!(store.load(&key(1), Freshness::Any).await.unwrap(), truth);
        }
    }
}

#[tokio::test]
async fn a_write_of_unknown_outcome_leaves_no_copy() {
    let back = FaultyStore::new(MemoryStore::new());
    let faults = back.faults();
    let store = aged(back.clone(), Duration::from_secs(60));
    for fault in [Fault::AfterEffect, Fault::TimeoutAfterEffect] {
        store.create(&key(1), &record(1)).await.unwrap();
        let loaded = store.load(&key(1), Freshness::Any).await.unwrap().unwrap();
        faults.fail_next(Operation::Replace, fault);
        let failed = store.replace(&key(1), &record(2), &loaded).await;
        assert!(failed.is_err());
        assert_eq!(version(&store, &key(1)).await, 2);
        faults.fail_next(Operation::Delete, fault);
        assert!(store.delete(&key(1)).await.is_err());
        assert_eq!(version(&store, &key(1)).await, 0);
        faults.fail_next(Operation::Create, fault);
        assert!(store.create(&key(1), &record(3)).await.is_err());
        assert_eq!(version(&store, &key(1)).await, 3);
        store.delete(&key(1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_conflict_makes_the_copy_void() {
    let back = MemoryStore::new();
    let store = aged(back.clone(), Duration::from_secs(60));
    store.create(&key(1), &record(1)).await.unwrap();
    let loaded = store.load(&key(1), Freshness::Any).await.unwrap().unwrap();
    replace(&back, &key(1), 2).await;
    assert!(store.replace(&key(1), &record(3), &loaded).await.is_err());
    assert_eq!(version(&store, &key(1)).await, 2);

    let loaded = store.load(&key(1), Freshness::Any).await.unwrap().unwrap();
    replace(&back, &key(1), 4).await;
    assert!(!store.touch(&key(1), &record(3), &loaded).await.unwrap());
    assert_eq!(version(&store, &key(1)).await, 4);
}

#[tokio::test(start_paused = true)]
async fn a_lost_feed_bypasses_the_front_until_there_is_another() {
    let back = ToldStore::new(SpyStore::new(MemoryStore::new()));
    let front = SpyStore::new(MemoryStore::new());
    let here = TieredStore::builder(front, back.clone()).watch().build();
    settle().await;
    here.create(&key(1), &record(1)).await.unwrap();
    settle().await;
    assert_eq!(version(&here, &key(1)).await, 1);
    back.cut();
    settle().await;
    assert!(!here.trusts_front());
    replace(back.untold().inner(), &key(1), 2).await;
    let loads = back.untold().count(Operation::Load);
    let asked = here.front().count(Operation::Load);
    for _ in 0..3 {
        assert_eq!(version(&here, &key(1)).await, 2);
    }
    assert_eq!(back.untold().count(Operation::Load), loads + 3);
    assert_eq!(here.stats().bypassed, 3);
    assert_eq!(here.front().count(Operation::Load), asked); // nor is the front asked
    // A copy made by a load that was begun without trust would be one from before.
    replace(back.untold().inner(), &key(1), 3).await;
    back.mend();
    sleep(Duration::from_secs(2)).await;
    assert!(here.trusts_front());
    assert_eq!(version(&here, &key(1)).await, 3);
    let hits = here.stats().hits;
    assert_eq!(version(&here, &key(1)).await, 3);
    assert_eq!(here.stats().hits, hits + 1);
}

/// A load that is under way while the feed is lost and found.
#[tokio::test(start_paused = true)]
async fn an_answer_from_before_the_feed_is_not_kept() {
    let held = HeldStore::new();
    let back = ToldStore::new(held.clone());
    let here = listening(&back).await;
    held.inner().create(&key(1), &record(1)).await.unwrap();
    held.hold(Operation::Load, Stage::BeforeReply);
    let load = tokio::spawn({
        let here = here.clone();
        async move { version(&here, &key(1)).await }
    });
    settle().await;
    back.cut();
    settle().await;
    replace(held.inner(), &key(1), 2).await;
    back.mend();
    sleep(Duration::from_secs(2)).await;
    assert!(here.trusts_front());
    held.release();
    assert_eq!(load.await.unwrap(), 1);
    assert_eq!(version(&here, &key(1)).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_silent_feed_is_a_lost_one() {
    let back = ToldStore::new(MemoryStore::new());
    let here = listening(&back).await;
    here.create(&key(1), &record(1)).await.unwrap();
    settle().await;
    assert_eq!(version(&here, &key(1)).await, 1);
    sleep(SILENCE * 5).await; // heartbeats alone keep it
    assert!(here.trusts_front());
    assert_eq!(back.watchers(), 1);

    assert_eq!(version(&here, &key(1)).await, 1);
    back.freeze();
    let began = Instant::now();
    replace(&back, &key(1), 2).await;
    while version(&here, &key(1)).await == 1 {
        advance(MILLISECOND * 10).await;
    }
    assert!(began.elapsed() <= SILENCE, "{:?}", began.elapsed());
    assert_eq!(version(&here, &key(1)).await, 2);
    back.mend();
    sleep(SILENCE * 2).await;
    assert!(here.trusts_front());
}

/// The task that listens does not come to its turn; the copies grow old all the same.
#[tokio::test(start_paused = true)]
async fn trust_ends_without_anybody_who_ends_it() {
    let back = ToldStore::new(MemoryStore::new());
    let here = listening(&back).await;
    back.untold().create(&key(1), &record(1)).await.unwrap();
    // Nothing from here on waits, so no other task runs.
    assert_eq!(version(&here, &key(1)).await, 1);
    replace(back.untold(), &key(1), 2).await;
    let mut passing = std::pin::pin!(advance(SILENCE));
    let poll = poll_fn(|context| Poll::Ready(passing.as_mut().poll(context)));
    assert!(poll.await.is_pending());
    assert!(!here.trusts_front());
    assert_eq!(version(&here, &key(1)).await, 2);
}

#[tokio::test(start_paused = true)]
async fn copies_grow_old_beside_a_feed_too() {
    let back = ToldStore::new(MemoryStore::new());
    let tiered = TieredStore::builder(MemoryStore::new(), back.clone()).watch();
    let here = tiered.max_age(Duration::from_secs(10)).build();
    settle().await;
    back.untold().create(&key(1), &record(1)).await.unwrap();
    assert_eq!(version(&here, &key(1)).await, 1);
    replace(back.untold(), &key(1), 2).await; // which the back fails to tell
    sleep(Duration::from_secs(9)).await;
    assert_eq!(version(&here, &key(1)).await, 1);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(version(&here, &key(1)).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_dropped_listens_no_more() {
    let back = ToldStore::new(MemoryStore::new());
    let here = listening(&back).await;
    let same = here.clone();
    drop(here);
    sleep(SILENCE * 2).await;
    assert!(same.trusts_front());
    drop(same);
    back.cut();
    back.mend();
    sleep(SILENCE * 2).await;
    assert_eq!(back.watchers(), 1);
}

#[test]
fn it_listens_on_the_runtime_that_there_is() {
    let back = ToldStore::new(MemoryStore::new());
    // There is none yet.
    let here = TieredStore::builder(MemoryStore::new(), back.clone())
        .watch()
        .build();
    for watchers in 1..4 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            assert!(!here.trusts_front());
            assert_eq!(version(&here, &key(1)).await, 0);
            settle().await;
            assert!(here.trusts_front());
        });
        assert_eq!(back.watchers(), watchers);
    }
}
