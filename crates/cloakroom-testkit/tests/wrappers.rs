//! The spying and the faulty store.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

use std::{future::Future, time::Duration};

use cloakroom_memory::MemoryStore;
use cloakroom_store::{
    Freshness, Key, Loaded, NamespaceId, Operation, Record, SessionId, Store, StoreErrorKind,
    Subject, Timestamp, Version,
};
use cloakroom_testkit::{CallOutcome, Conformance, Fault, FaultyStore, SpyStore};
use tokio::time::timeout;

fn key(id: u8) -> Key {
    let namespace = NamespaceId::new("test").unwrap();
    Key::new(namespace, SessionId::from_bytes([id; 16]))
}

fn record(version: u64) -> Record {
    let time = Timestamp::from_millis(1_000);
    Record::new(Version::from_bits(version), time, time, "data".into())
}

async fn hangs(call: impl Future) -> bool {
    timeout(Duration::from_secs(3_600), call).await.is_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_faults_the_wrappers_keep_the_contract() {
    Conformance::new(|| async { SpyStore::new(FaultyStore::new(MemoryStore::new())) })
        .run()
        .await;
}

#[tokio::test]
async fn a_spy_remembers_every_method_in_order() {
    let spy = SpyStore::new(MemoryStore::new());
    let (store, key, first) = (spy.clone(), key(1), record(1));
    let ann = Subject::new("ann").unwrap();
    let loaded = Loaded::new(first.clone());
    store.load(&key, Freshness::Any).await.unwrap();
    store.create(&key, &first).await.unwrap();
    store.create(&key, &first).await.unwrap_err();
    store.load(&key, Freshness::Any).await.unwrap();
    store.touch(&key, &first, &loaded).await.unwrap();
    store.replace(&key, &record(2), &loaded).await.unwrap();
    store.touch(&key, &first, &loaded).await.unwrap();
    store.by_subject("test", &ann, None, 1).await.unwrap();
    store.scan(None, 1).await.unwrap();
    store.delete(&key).await.unwrap();
    store.sweep(Timestamp::MAX, 1).await.unwrap();

    let taken = CallOutcome::Failed(StoreErrorKind::AlreadyExists);
    let calls = spy.calls();
    let seen: Vec<_> = calls
        .iter()
        .map(|call| (call.operation, call.outcome))
        .collect();
    assert_eq!(
        seen,
        [
            (Operation::Load, CallOutcome::Nothing),
            (Operation::Create, CallOutcome::Done),
            (Operation::Create, taken),
            (Operation::Load, CallOutcome::Done),
            (Operation::Touch, CallOutcome::Done),
            (Operation::Replace, CallOutcome::Done),
            (Operation::Touch, CallOutcome::Nothing),
            (Operation::BySubject, CallOutcome::Nothing),
            (Operation::Scan, CallOutcome::Done),
            (Operation::Delete, CallOutcome::Done),
            (Operation::Sweep, CallOutcome::Nothing),
        ]
    );
    assert_eq!(calls[0].key, Some(key));
    assert_eq!(calls[8].key, None);
    assert_eq!(spy.count(Operation::Create), 2);
    assert_eq!(spy.take(), calls);
    assert_eq!(spy.count(Operation::Create), 0);
}

#[tokio::test(start_paused = true)]
async fn a_spy_shows_what_never_ended() {
    let faulty = FaultyStore::new(MemoryStore::new());
    faulty.faults().fail_next(Operation::Load, Fault::Hang);
    let spy = SpyStore::new(faulty);
    assert!(hangs(spy.load(&key(1), Freshness::Any)).await);
    assert_eq!(spy.calls()[0].outcome, CallOutcome::Unfinished);

    // What ends after it was taken out changes no later call.
    spy.inner()
        .faults()
        .fail_next(Operation::Delete, Fault::Delay(Duration::from_secs(1)));
    let slow = tokio::spawn({
        let spy = spy.clone();
        async move { spy.delete(&key(1)).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(spy.take().len(), 2);
    spy.load(&key(2), Freshness::Any).await.unwrap();
    slow.await.unwrap().unwrap();
    assert_eq!(spy.operations(), [Operation::Load]);
    assert_eq!(spy.calls()[0].outcome, CallOutcome::Nothing);
}

#[tokio::test(start_paused = true)]
async fn each_fault_has_its_effect_and_its_answer() {
    use StoreErrorKind::{TimedOut, Unavailable};
    let cases = [
        (Fault::BeforeEffect, Some(Unavailable), false),
        (Fault::AfterEffect, Some(Unavailable), true),
        (Fault::Timeout, Some(TimedOut), false),
        (Fault::TimeoutAfterEffect, Some(TimedOut), true),
        (Fault::Hang, None, false),
        (Fault::HangAfterEffect, None, true),
    ];
    for (id, (fault, answer, has_effect)) in (1..).zip(cases) {
        let store = FaultyStore::new(MemoryStore::new());
        let faults = store.faults();
        faults.fail_next(Operation::Create, fault);
        let (key, record) = (key(id), record(1));
        let call = timeout(Duration::from_secs(3_600), store.create(&key, &record));
        let answered = call.await.ok().map(|result| result.unwrap_err().kind());
        assert_eq!(answered, answer, "{fault:?}");
        let loaded = store.load(&key, Freshness::Any).await.unwrap();
        assert_eq!(loaded.is_some(), has_effect, "{fault:?}");
        assert_eq!((faults.injected(), faults.remaining()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_delayed_call_answers_later() {
    let store = FaultyStore::new(MemoryStore::new());
    store.faults().always(Fault::Delay(Duration::from_secs(5)));
    let start = tokio::time::Instant::now();
    store.create(&key(1), &record(1)).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn faults_are_scripted_in_order_and_cleared() {
    let store = FaultyStore::new(MemoryStore::new());
    let faults = store.faults();
    let load = async || {
        let result = store.load(&key(1), Freshness::Any).await;
        result.err().map(|error| error.kind())
    };
    faults.always_on(Operation::Load, Fault::Timeout);
    faults.fail_next(Operation::Load, Fault::BeforeEffect);
    faults.spare_next(Operation::Load);
    assert!(store.delete(&key(1)).await.is_ok());
    assert_eq!(load().await, Some(StoreErrorKind::Unavailable));
    assert_eq!(load().await, None);
    assert_eq!(load().await, Some(StoreErrorKind::TimedOut));
    faults.always(Fault::BeforeEffect);
    assert_eq!(load().await, Some(StoreErrorKind::TimedOut));
    assert!(store.delete(&key(1)).await.is_err());
    faults.clear();
    assert_eq!(load().await, None);
    assert!(store.delete(&key(1)).await.is_ok());
}

#[tokio::test]
async fn random_faults_follow_the_seed() {
    let run = async |seed| {
        let store = FaultyStore::with_seed(MemoryStore::new(), seed);
        store
            .faults()
            .sometimes(30, &[Fault::BeforeEffect, Fault::Timeout]);
        let mut kinds = Vec::new();
        for _ in 0..200 {
            let result = store.load(&key(1), Freshness::Any).await;
            kinds.push(result.err().map(|error| error.kind()));
        }
        kinds
    };
    let kinds = run(1).await;
    assert_eq!(kinds, run(1).await);
    assert_ne!(kinds, run(2).await);
    let failed = kinds.iter().flatten().count();
    assert!((30..90).contains(&failed), "{failed}");
    assert!(kinds.contains(&Some(StoreErrorKind::TimedOut)));
}
