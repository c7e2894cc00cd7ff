//! Races of requests through the engine, with a front between.
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "helpers are no tests"
)]

mod common;

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cloakroom_memory::MemoryStore;
use cloakroom_store::{
    Cursor, Freshness, Key, Loaded, Page, Record, Store, StoreError, Subject, Tag, Timestamp,
};
use cloakroom_testkit::{RaceReport, Races};
use cloakroom_tiered::TieredStore;
use common::ToldStore;

/// Several processes, of which each call is made by the next.
#[derive(Debug)]
struct Processes<S> {
    stores: Vec<S>,
    next: Arc<AtomicUsize>,
}

impl<S> Processes<S> {
    fn new(count: usize, make: impl Fn() -> S) -> Self {
        Self {
            stores: (0..count).map(|_| make()).collect(),
            next: Arc::default(),
        }
    }

    fn any(&self) -> &S {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        &self.stores[next % self.stores.len()]
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for Processes<S> {
    fn answers_from_copies(&self) -> bool {
        self.any().answers_from_copies()
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Result<Option<Loaded>, StoreError> {
        self.any().load(key, freshness).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        self.any().create(key, record).await
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        self.any().replace(key, record, expected).await
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        self.any().touch(key, record, expected).await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        self.any().delete(key).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.any().sweep(now, limit).await
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let store = self.any();
        store.by_subject(namespace, subject, after, limit).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.any().scan(after, limit).await
    }

    fn into_any(self) -> cloakroom_store::AnyStore {
        cloakroom_store::AnyStore::new(self)
    }
}

#[track_caller]
fn judge(report: &RaceReport) {
    println!("{report}");
    report.assert_kept();
}

fn alone() -> TieredStore<MemoryStore, MemoryStore> {
    let tiered = TieredStore::builder(MemoryStore::new(), MemoryStore::new());
    tiered.max_age(Duration::from_secs(3_600)).build()
}

#[test]
fn one_process_keeps_the_promises() {
    let races = Races::new(|| ready(alone()));
    judge(&races.interleavings(400).workers(2).run().unwrap());
}

#[test]
fn triples_of_one_process_keep_the_promises() {
    let races = Races::new(|| ready(alone()));
    judge(&races.schedules(1).workers(2).triples().unwrap());
}

/// Fronts that are told before the writer is answered show what there is.
#[test]
fn processes_that_listen_keep_the_promises() {
    let races = Races::new(|| {
        let back = ToldStore::new(MemoryStore::new());
        ready(Processes::new(3, || {
            let tiered = TieredStore::builder(MemoryStore::new(), back.clone());
            tiered.watch().build()
        }))
    });
    judge(&races.interleavings(400).workers(2).run().unwrap());
}
