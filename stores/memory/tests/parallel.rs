//! Threads that do everything at the same time.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
};

use cloakroom_memory::MemoryStore;
use cloakroom_store::{
    Freshness, Key, NamespaceId, Record, SessionId, Store, Subject, Timestamp, Version,
};
use cloakroom_testkit::SplitMix64;

/// Runs a call of the memory store, which is done in a poll or two.
fn run<T>(call: impl Future<Output = T>) -> T {
    let mut call = std::pin::pin!(call);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(answer) = call.as_mut().poll(&mut context) {
            return answer;
        }
    }
}

fn random_record(random: &mut SplitMix64, subjects: &[Subject]) -> Record {
    let last_seen = Timestamp::from_millis(500_000 + random.below(1_000));
    let expires = Timestamp::from_millis(400_000 + random.below(200_000));
    let version = Version::from_bits(random.next_u64());
    let length = random.below(2_000).try_into().unwrap();
    let mut record = Record::new(version, Timestamp::EPOCH, expires, random.bytes(length));
    record.last_seen = last_seen;
    record.subject = pick(random, subjects);
    record
}

fn pick(random: &mut SplitMix64, subjects: &[Subject]) -> Option<Subject> {
    let index: usize = random.below(6).try_into().unwrap();
    subjects.get(index).cloned()
}

fn act(store: &MemoryStore, random: &mut SplitMix64, subjects: &[Subject]) {
    let namespace = NamespaceId::new("cart").unwrap();
    let mut id = [0; 16];
    // Few ids, so that threads meet, spread by the generator over all shards.
    let spread = SplitMix64::new(random.below(3_000)).bytes(16);
    id.copy_from_slice(&spread);
    let key = Key::new(namespace, SessionId::from_bytes(id));
    let record = random_record(random, subjects);
    let loaded = run(store.load(&key, Freshness::Any)).unwrap();
    match (random.below(20), loaded) {
        (0, _) => drop(run(store.delete(&key)).unwrap()),
        (1, _) => drop(run(store.sweep(Timestamp::from_millis(420_000), 10)).unwrap()),
        (2, _) => drop(run(store.by_subject("cart", &subjects[0], None, 5)).unwrap()),
        (3, _) => drop(run(store.scan(None, 5)).unwrap()),
        (4..8, Some(loaded)) => drop(run(store.touch(&key, &record, &loaded)).unwrap()),
        (_, Some(loaded)) => drop(run(store.replace(&key, &record, &loaded))),
        (_, None) => drop(run(store.create(&key, &record))),
    }
}

fn hammer(store: &MemoryStore, max_sessions: usize, max_bytes: usize) {
    let subjects = ["ann", "bob", "eve"].map(|text| Subject::new(text).unwrap());
    thread::scope(|scope| {
        for seed in 0..4 {
            let subjects = &subjects;
            scope.spawn(move || {
                let mut random = SplitMix64::new(seed);
                for step in 0..20_000 {
                    act(store, &mut random, subjects);
                    if step % 100 == 0 {
                        let stats = store.stats();
                        assert!(stats.sessions <= max_sessions, "{stats:?}");
                        assert!(stats.bytes <= max_bytes, "{stats:?}");
                    }
                }
            });
        }
    });

    let stats = store.stats();
    let all = run(store.scan(None, usize::MAX)).unwrap();
    assert_eq!((all.sessions.len(), all.next), (stats.sessions, None));
    for subject in &subjects {
        let page = run(store.by_subject("cart", subject, None, usize::MAX)).unwrap();
        let of_subject = all
            .sessions
            .iter()
            .filter(|s| s.subject.as_ref() == Some(subject));
        assert_eq!(page.sessions.len(), of_subject.count());
    }
    run(store.sweep(Timestamp::MAX, usize::MAX)).unwrap();
    assert_eq!((store.stats().sessions, store.stats().bytes), (0, 0));
}

#[test]
fn many_shards_keep_bounds_index_and_figures() {
    let reported = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&reported);
    let store = MemoryStore::builder()
        .on_evict(move |_| _ = count.fetch_add(1, Ordering::Relaxed))
        .build();
    hammer(&store, 1_000_000, 512 * 1024 * 1024);
    assert_eq!(reported.load(Ordering::Relaxed), 0);
}

#[test]
fn tight_bounds_hold_and_all_evictions_are_reported() {
    for (max_sessions, max_bytes) in [(300, usize::MAX), (usize::MAX, 400_000)] {
        let reported = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&reported);
        let store = MemoryStore::builder()
            .max_sessions(max_sessions)
            .max_bytes(max_bytes)
            .on_evict(move |_| _ = count.fetch_add(1, Ordering::Relaxed))
            .build();
        hammer(&store, max_sessions, max_bytes);
        let stats = store.stats();
        let evicted = stats.evicted_expired + stats.evicted_anonymous + stats.evicted_logged_in;
        assert!(evicted > 0);
        assert_eq!(reported.load(Ordering::Relaxed), evicted);
    }
}
