//! Requests through the engine that race on a table. `CLOAKROOM_RACES=long` plays more of them.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::env;

use cloakroom_mysql::MysqlStore;
use cloakroom_store::{
    Cursor, Freshness, Key, Loaded, Page, Record, Store, StoreError, Subject, Tag, Timestamp,
};
use cloakroom_testkit::Races;
use common::{store, url};
use tokio::runtime::Runtime;

/// The races stop the time of their runtime, so the store lives on another one. While it answers,
/// a blocking task keeps the stopped time from moving.
#[derive(Debug)]
struct Elsewhere {
    store: MysqlStore,
    runtime: Option<Runtime>,
}

impl Elsewhere {
    fn open(url: &str, table: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let (url, table) = (url.to_owned(), table.to_owned());
        let opened = runtime.spawn(async move { store(&url, &table).await });
        let (sender, receiver) = std::sync::mpsc::channel();
        runtime.spawn(async move { sender.send(opened.await.unwrap()) });
        Self {
            store: receiver.recv().unwrap(),
            runtime: Some(runtime),
        }
    }

    async fn run<T, F>(
        &self,
        call: impl FnOnce(MysqlStore) -> F + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let store = self.store.clone();
        let runtime = self.runtime.as_ref().unwrap().handle().clone();
        let call = move || runtime.block_on(call(store));
        tokio::task::spawn_blocking(call).await.unwrap()
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // A runtime may not be dropped where it could block.
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Store for Elsewhere {
    fn answers_from_copies(&self) -> bool {
        self.store.answers_from_copies()
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Result<Option<Loaded>, StoreError> {
        let key = *key;
        self.run(move |store| async move { store.load(&key, freshness).await })
            .await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        let (key, record) = (*key, record.clone());
        self.run(move |store| async move { store.create(&key, &record).await })
            .await
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        let (key, record, expected) = (*key, record.clone(), expected.clone());
        self.run(move |store| async move { store.replace(&key, &record, &expected).await })
            .await
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let (key, record, expected) = (*key, record.clone(), expected.clone());
        self.run(move |store| async move { store.touch(&key, &record, &expected).await })
            .await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let key = *key;
        self.run(move |store| async move { store.delete(&key).await })
            .await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.run(move |store| async move { store.sweep(now, limit).await })
            .await
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let (namespace, subject) = (namespace.to_owned(), subject.clone());
        let after = after.cloned();
        self.run(move |store| async move {
            store
                .by_subject(&namespace, &subject, after.as_ref(), limit)
                .await
        })
        .await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let after = after.cloned();
        self.run(move |store| async move { store.scan(after.as_ref(), limit).await })
            .await
    }
}

fn is_long() -> bool {
    env::var("CLOAKROOM_RACES").is_ok_and(|length| length == "long")
}

#[test]
fn random_races() {
    let Some(url) = url() else { return };
    let races = Races::new(move || {
        let url = url.clone();
        async move {
            let open = move || Elsewhere::open(&url, "races_random");
            tokio::task::spawn_blocking(open).await.unwrap()
        }
    });
    let report = races
        .interleavings(if is_long() { 5_000 } else { 100 })
        .run()
        .unwrap();
    println!("{report}");
    report.assert_kept();
}

#[test]
fn a_hundred_increments_make_a_hundred() {
    let Some(url) = url() else { return };
    let races = Races::new(move || {
        let url = url.clone();
        async move { store(&url, "races_storm").await }
    });
    let report = races.storm(100).unwrap();
    println!("{report}");
    report.assert_kept();
}
