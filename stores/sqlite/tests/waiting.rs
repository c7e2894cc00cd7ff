//! Callers who go, more callers than there is room for, threads that end, and no runtime.
#![allow(clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use cloakroom_store::{Loaded, Store, StoreErrorKind, Timestamp};
use common::{connection, key, kind, load, numbered, record, sized, store};
use tokio::time::{sleep, timeout};

#[tokio::test]
async fn a_call_that_is_dropped_while_it_waits_changes_nothing() {
    let (dir, store) = store();
    store.create(&key(1), &record(1)).await.unwrap();
    let expected = Loaded::new(record(1));
    let other = connection(&dir);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let wait = Duration::from_millis(20);
    assert!(timeout(wait, store.delete(&key(1))).await.is_err());
    let replace = async { store.replace(&key(1), &record(2), &expected).await };
    assert!(timeout(wait, replace).await.is_err());
    assert!(
        timeout(wait, store.create(&key(2), &record(2)))
            .await
            .is_err()
    );
    assert!(timeout(wait, store.sweep(Timestamp::MAX, 9)).await.is_err());
    other.execute_batch("COMMIT").unwrap();
    sleep(Duration::from_millis(100)).await;
    let found = load(&store, &key(1)).await.unwrap();
    assert_eq!(found.unwrap().record, record(1));
    assert_eq!(load(&store, &key(2)).await.unwrap(), None);
    // And nothing is locked.
    store.create(&key(3), &record(1)).await.unwrap();
}

#[tokio::test]
async fn calls_that_are_dropped_while_their_commit_waits_change_nothing() {
    let (dir, store) = store();
    for byte in 1..=3 {
        store.create(&key(byte), &record(1)).await.unwrap();
    }
    let other = connection(&dir);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let delete = |byte, limit| {
        let store = store.clone();
        async move { timeout(Duration::from_millis(limit), store.delete(&key(byte))).await }
    };
    // The writer waits with the first one until that is too late, and then with the other two.
    let first = tokio::spawn(delete(1, 1_000));
    sleep(Duration::from_millis(300)).await;
    let (second, third) = tokio::join!(delete(2, 200), delete(3, 200));
    assert!(second.is_err() && third.is_err());
    let first = first.await.unwrap().unwrap();
    assert_eq!(kind(first), Some(StoreErrorKind::TimedOut));
    other.execute_batch("COMMIT").unwrap();
    sleep(Duration::from_millis(100)).await;
    for byte in 1..=3 {
        assert!(load(&store, &key(byte)).await.unwrap().is_some(), "{byte}");
    }
}

#[tokio::test]
async fn more_calls_than_there_is_room_for_wait_without_blocking_the_thread() {
    let (dir, store) = store();
    let other = connection(&dir);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let calls = (0..10_000).map(|number| {
        let store = store.clone();
        let size = if number % 1_000 == 0 { 1 << 20 } else { 10 };
        tokio::spawn(async move { kind(store.create(&numbered(number), &sized(1, size)).await) })
    });
    let calls: Vec<_> = calls.collect();
    // The one thread of this runtime goes on all the time.
    let mut longest = Duration::ZERO;
    while !calls.iter().all(tokio::task::JoinHandle::is_finished) {
        let tick = Instant::now();
        sleep(Duration::from_millis(1)).await;
        longest = longest.max(tick.elapsed());
    }
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    for call in calls {
        assert_eq!(call.await.unwrap(), Some(StoreErrorKind::TimedOut));
    }
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(load(&store, &numbered(5)).await.unwrap(), None);
    store.create(&numbered(5), &record(1)).await.unwrap();
}

#[test]
fn it_needs_no_runtime() {
    let (_dir, store) = store();
    block_on(async {
        store.create(&key(1), &record(1)).await.unwrap();
        assert!(load(&store, &key(1)).await.unwrap().is_some());
        assert_eq!(store.scan(None, 9).await.unwrap().sessions.len(), 1);
        assert!(store.delete(&key(1)).await.unwrap());
    });
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park(),
        }
    }
}
