//! What has to leave when there is no room.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

use std::sync::{Arc, Mutex};

use cloakroom_memory::{MemoryStore, Stats};
use cloakroom_store::{
    EXPIRY_MARGIN, Freshness, Key, Loaded, NamespaceId, Record, SessionId, Store, StoreErrorKind,
    Subject, Summary, Timestamp, Version,
};
use cloakroom_testkit::SplitMix64;

const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);
const MIB: usize = 1024 * 1024;

fn key(random: &mut SplitMix64) -> Key {
    let mut id = [0; 16];
    id.copy_from_slice(&random.bytes(16));
    Key::new(NamespaceId::new("cart").unwrap(), SessionId::from_bytes(id))
}

fn record(last_seen: u64, expires: Timestamp, subject: Option<&str>) -> Record {
    let mut record = Record::new(Version::from_bits(last_seen), NOW, expires, "data".into());
    record.last_seen = Timestamp::from_millis(last_seen);
    record.subject = subject.map(|text| Subject::new(text).unwrap());
    record
}

fn living(last_seen: u64) -> Record {
    record(last_seen, Timestamp::MAX, None)
}

fn with_data(length: usize) -> Record {
    let mut record = living(NOW.as_millis());
    record.data = vec![7; length].into();
    record
}

async fn is_there(store: &MemoryStore, key: &Key) -> bool {
    store.load(key, Freshness::Latest).await.unwrap().is_some()
}

#[tokio::test]
async fn the_expired_go_first_then_the_anonymous_then_the_logged_in() {
    let store = MemoryStore::builder().max_sessions(16).build();
    let mut random = SplitMix64::new(1);
    let margin_ago = NOW.saturating_sub(EXPIRY_MARGIN);
    let long_ago = Timestamp::from_millis(margin_ago.as_millis() - 1);
    let mut create = async |record: Record| {
        let key = key(&mut random);
        store.create(&key, &record).await.unwrap();
        key
    };
    let expired = create(record(9_000, long_ago, Some("ann"))).await;
    let mut logged_in = Vec::new();
    for seen in 1..=6 {
        logged_in.push(create(record(seen, Timestamp::MAX, Some("ann"))).await);
    }
    let just_expired = create(record(2_000, margin_ago, None)).await;
    let mut anonymous = Vec::new();
    for seen in 1_001..=1_008 {
        anonymous.push(create(living(seen)).await);
    }
    assert_eq!(store.stats().sessions, 16);

    // The 17th leaves 14: the expired one and the two least recently seen anonymous ones go.
    let newest = create(living(NOW.as_millis())).await;
    assert_eq!(store.stats().sessions, 14);
    assert_eq!(store.stats().evicted_expired, 1);
    assert_eq!(store.stats().evicted_anonymous, 2);
    assert!(!is_there(&store, &expired).await);
    assert!(!is_there(&store, &anonymous[0]).await);
    assert!(!is_there(&store, &anonymous[1]).await);
    for key in logged_in
        .iter()
        .chain(&anonymous[2..])
        .chain([&just_expired, &newest])
    {
        assert!(is_there(&store, key).await);
    }

    // A flood of anonymous visitors leaves the logged-in ones alone.
    for seen in 0..100 {
        create(living(NOW.as_millis() + seen)).await;
    }
    for key in &logged_in {
        assert!(is_there(&store, key).await);
    }
    assert_eq!(store.stats().evicted_logged_in, 0);

    // Of the logged-in ones the least recently seen go first.
    for seen in 10_000..10_013 {
        create(record(seen, Timestamp::MAX, Some("bob"))).await;
    }
    assert!(store.stats().evicted_logged_in > 0);
    assert!(!is_there(&store, &logged_in[0]).await);
    let stats = store.stats();
    assert!(stats.sessions <= 16, "{stats:?}");
    let ann = Subject::new("ann").unwrap();
    let page = store.by_subject("cart", &ann, None, 100).await.unwrap();
    let mut left = 0;
    for key in &logged_in {
        left += usize::from(is_there(&store, key).await);
    }
    assert_eq!(page.sessions.len(), left);
}

#[tokio::test]
async fn what_is_being_written_stays() {
    for max_sessions in [0, 1, 2, 3] {
        let store = MemoryStore::builder().max_sessions(max_sessions).build();
        let mut random = SplitMix64::new(2);
        for _ in 0..10 {
            let key = key(&mut random);
            store.create(&key, &living(1)).await.unwrap();
            assert!(is_there(&store, &key).await);
            assert!(store.stats().sessions <= max_sessions.max(1));
        }
    }
    // A growing record stays too, although it is the least recently seen.
    let store = MemoryStore::builder().max_bytes(10_000).build();
    let mut random = SplitMix64::new(3);
    let growing = key(&mut random);
    store.create(&growing, &living(1)).await.unwrap();
    for seen in 2..20 {
        store
            .create(&key(&mut random), &living(seen))
            .await
            .unwrap();
    }
    let mut large = with_data(9_000);
    large.last_seen = Timestamp::from_millis(1);
    store
        .replace(&growing, &large, &Loaded::new(living(1)))
        .await
        .unwrap();
    assert!(is_there(&store, &growing).await);
    let stats = store.stats();
    assert!(stats.bytes <= 10_000 && stats.sessions <= 3, "{stats:?}");
}

#[tokio::test]
async fn a_record_larger_than_its_shard_is_refused() {
    let store = MemoryStore::builder().max_bytes(5_000).build();
    let mut random = SplitMix64::new(4);
    let (small, large) = (key(&mut random), key(&mut random));
    store.create(&small, &living(1)).await.unwrap();
    let before = store.stats();
    let error = store.create(&large, &with_data(5_000)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    let expected = Loaded::new(living(1));
    let error = store
        .replace(&small, &with_data(5_000), &expected)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    assert_eq!(store.stats(), before);
    assert!(store.create(&large, &with_data(4_000)).await.is_ok());

    // By default a record may take 8 MiB.
    let store = MemoryStore::new();
    assert!(
        store
            .create(&large, &with_data(8 * MIB - 400))
            .await
            .is_ok()
    );
    assert!(store.create(&small, &with_data(8 * MIB)).await.is_err());
}

#[tokio::test]
async fn bounds_hold_with_many_shards_and_are_nearly_used() {
    const SESSIONS: usize = 64 * 1024;
    let store = MemoryStore::builder().max_sessions(SESSIONS).build();
    let mut random = SplitMix64::new(5);
    let mut first_eviction = None;
    for seen in 0..100_000 {
        store
            .create(&key(&mut random), &living(seen))
            .await
            .unwrap();
        let is_checked = seen % 500 == 0;
        if is_checked {
            let stats = store.stats();
            assert!(stats.sessions <= SESSIONS, "{stats:?}");
            if stats.evicted_anonymous > 0 {
                first_eviction.get_or_insert(stats.sessions);
            }
        }
    }
    assert!(
        first_eviction.unwrap() > SESSIONS * 85 / 100,
        "{first_eviction:?}"
    );
    assert!(store.stats().sessions > SESSIONS * 85 / 100);

    let store = MemoryStore::builder().max_bytes(16 * MIB).build();
    for _ in 0..20_000 {
        store
            .create(&key(&mut random), &with_data(1_000))
            .await
            .unwrap();
    }
    let stats = store.stats();
    assert!(
        stats.bytes <= 16 * MIB && stats.bytes > 13 * MIB,
        "{stats:?}"
    );
}

#[tokio::test]
async fn evictions_are_reported_and_the_report_may_use_the_store() {
    let seen: Arc<Mutex<Vec<Summary>>> = Arc::default();
    let slot: Arc<Mutex<Option<MemoryStore>>> = Arc::default();
    let store = MemoryStore::builder()
        .max_sessions(8)
        .on_evict({
            let (seen, slot) = (Arc::clone(&seen), Arc::clone(&slot));
            move |session| {
                let store = slot.lock().unwrap().clone().unwrap();
                assert!(store.stats().sessions <= 8);
                seen.lock().unwrap().push(session.clone());
            }
        })
        .build();
    *slot.lock().unwrap() = Some(store.clone());
    let mut random = SplitMix64::new(6);
    let mut keys = Vec::new();
    for seen in 0..9 {
        keys.push(key(&mut random));
        store
            .create(&keys[seen], &living(seen.try_into().unwrap()))
            .await
            .unwrap();
    }
    let reported: Vec<Key> = seen
        .lock()
        .unwrap()
        .iter()
        .map(|session| session.key)
        .collect();
    assert_eq!(reported, keys[..2]);
    assert_eq!(store.stats().evicted_anonymous, 2);
}

#[tokio::test]
async fn deleting_and_sweeping_is_no_eviction_and_gives_all_back() {
    let store = MemoryStore::new();
    let mut random = SplitMix64::new(7);
    for seen in 0..2_000 {
        let key = key(&mut random);
        let subject = (seen % 3 == 0).then_some("ann");
        store
            .create(&key, &record(seen, NOW, subject))
            .await
            .unwrap();
        if seen % 2 == 0 {
            assert!(store.delete(&key).await.unwrap());
        }
    }
    assert_eq!(store.sweep(Timestamp::MAX, 900).await.unwrap(), 900);
    assert_eq!(store.sweep(Timestamp::MAX, 900).await.unwrap(), 100);
    assert_eq!(store.stats(), Stats::default());
}

#[tokio::test]
async fn debug_shows_neither_data_nor_subjects() {
    let store = MemoryStore::new();
    let mut secret = record(1, NOW, Some("ann-of-green-gables"));
    secret.data = "hunter2".into();
    store
        .create(&key(&mut SplitMix64::new(8)), &secret)
        .await
        .unwrap();
    let shown = format!("{store:?}");
    assert!(shown.contains("sessions: 1"), "{shown}");
    assert!(
        !shown.contains("hunter2") && !shown.contains("gables"),
        "{shown}"
    );
}
