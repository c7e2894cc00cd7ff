//! Races of requests through the engine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers are no #[test]"
)]

mod common;

use std::{future::Future, sync::LazyLock, time::Duration};

use cloakroom_core::Clock;
use cloakroom_memcached::MemcachedStore;
use cloakroom_store::{
    Freshness, Key, Loaded, Operation, Record, Store, StoreError, Tag, Timestamp,
};
use cloakroom_testkit::{RaceReport, Races, TestClock};
use common::{connect, fresh, now, url};
use tokio::runtime::{Builder, Runtime};

/// A store whose calls run on a runtime of their own, where time passes: in races it stands still,
/// and a deadline there would be over before a server can answer. Besides, the races' clock is far
/// behind, and a server would find everything expired; records get the server's time.
#[derive(Debug, Clone)]
struct Elsewhere {
    store: MemcachedStore,
    ahead: Duration,
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.unwrap()
});

impl Elsewhere {
    fn there(&self, record: &Record) -> Record {
        self.move_times(record, |time| time.saturating_add(self.ahead))
    }

    fn back(&self, mut loaded: Loaded) -> Loaded {
        loaded.record = self.move_times(&loaded.record, |time| time.saturating_sub(self.ahead));
        loaded
    }

    fn expected(&self, loaded: &Loaded) -> Loaded {
        Loaded::with_tag(self.there(&loaded.record), loaded.tag)
    }

    fn move_times(&self, record: &Record, to: impl Fn(Timestamp) -> Timestamp) -> Record {
        let mut moved = record.clone();
        moved.created = to(record.created);
        moved.last_seen = to(record.last_seen);
        moved.expires = to(record.expires);
        moved
    }
}

impl Elsewhere {
    async fn new(url: String, prefix: String) -> Self {
        let connecting = move || RUNTIME.block_on(connect(&url, &prefix));
        Self {
            store: tokio::task::spawn_blocking(connecting).await.unwrap(),
            ahead: now().saturating_since(TestClock::default().now()),
        }
    }

    /// Time does not move on while somebody blocks.
    async fn call<T: Send + 'static, F>(
        &self,
        operation: Operation,
        call: impl FnOnce(MemcachedStore) -> F + Send + 'static,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let store = self.store.clone();
        let called = tokio::task::spawn_blocking(move || RUNTIME.block_on(call(store)));
        let lost = |_| StoreError::new(cloakroom_store::StoreErrorKind::Other, operation);
        called.await.map_err(lost)?
    }
}

impl Store for Elsewhere {
    fn answers_from_copies(&self) -> bool {
        self.store.answers_from_copies()
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Result<Option<Loaded>, StoreError> {
        let key = *key;
        let load = move |store: MemcachedStore| async move { store.load(&key, freshness).await };
        let loaded = self.call(Operation::Load, load).await?;
        Ok(loaded.map(|loaded| self.back(loaded)))
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        let (key, record) = (*key, self.there(record));
        let create = move |store: MemcachedStore| async move { store.create(&key, &record).await };
        self.call(Operation::Create, create).await
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        let (key, record) = (*key, self.there(record));
        let expected = self.expected(expected);
        let replace = move |store: MemcachedStore| async move {
            store.replace(&key, &record, &expected).await
        };
        self.call(Operation::Replace, replace).await
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let (key, record) = (*key, self.there(record));
        let expected = self.expected(expected);
        let touch =
            move |store: MemcachedStore| async move { store.touch(&key, &record, &expected).await };
        self.call(Operation::Touch, touch).await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let key = *key;
        let delete = move |store: MemcachedStore| async move { store.delete(&key).await };
        self.call(Operation::Delete, delete).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let sweep = move |store: MemcachedStore| async move { store.sweep(now, limit).await };
        self.call(Operation::Sweep, sweep).await
    }
}

fn races(url: String) -> Races<Elsewhere> {
    Races::new(move || Elsewhere::new(url.clone(), fresh("races")))
}

#[track_caller]
fn judge(report: &RaceReport) {
    println!("{report}");
    report.assert_kept();
}

#[test]
fn random_races_keep_the_promises() {
    if let Some(url) = url() {
        judge(&races(url).interleavings(150).workers(2).run().unwrap());
    }
}

#[test]
fn two_hundred_increments_make_two_hundred() {
    let Some(url) = url() else { return };
    let prefix = fresh("storm");
    let races = Races::new(move || {
        let (url, prefix) = (url.clone(), prefix.clone());
        async move { connect(&url, &prefix).await }
    });
    judge(&races.storm(200).unwrap());
}
