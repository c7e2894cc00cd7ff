use std::{future::Future, sync::Arc};

use cloakroom_memory::MemoryStore;
use cloakroom_store::{
    Cursor, Freshness, Key, Loaded, Operation, Page, Record, Store, StoreError, Subject, Tag,
    Timestamp,
};
use tokio::sync::watch;

/// Where a call is held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    BeforeEffect,
    BeforeReply,
}

/// A store whose calls can be held up, one kind at a time. Clones are one store.
#[derive(Debug, Clone)]
pub(crate) struct HeldStore {
    store: MemoryStore,
    held: Arc<watch::Sender<Option<(Operation, Stage)>>>,
}

impl HeldStore {
    pub(crate) fn new() -> Self {
        Self {
            store: MemoryStore::new(),
            held: Arc::new(watch::Sender::new(None)),
        }
    }

    /// Holds up these calls from now on, and lets all others go.
    pub(crate) fn hold(&self, operation: Operation, stage: Stage) {
        self.held.send_replace(Some((operation, stage)));
    }

    /// Holds up nothing.
    pub(crate) fn release(&self) {
        self.held.send_replace(None);
    }

    /// The store itself, which holds up nobody.
    pub(crate) fn inner(&self) -> &MemoryStore {
        &self.store
    }

    async fn pass(&self, operation: Operation, stage: Stage) {
        let mut held = self.held.subscribe();
        let is_free = |held: &Option<(Operation, Stage)>| *held != Some((operation, stage));
        drop(held.wait_for(is_free).await);
    }

    async fn call<T>(&self, operation: Operation, effect: impl Future<Output = T>) -> T {
        self.pass(operation, Stage::BeforeEffect).await;
        let answer = effect.await;
        self.pass(operation, Stage::BeforeReply).await;
        answer
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for HeldStore {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Result<Option<Loaded>, StoreError> {
        let load = self.store.load(key, freshness);
        self.call(Operation::Load, load).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        let create = self.store.create(key, record);
        self.call(Operation::Create, create).await
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        let replace = self.store.replace(key, record, expected);
        self.call(Operation::Replace, replace).await
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let touch = self.store.touch(key, record, expected);
        self.call(Operation::Touch, touch).await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        self.call(Operation::Delete, self.store.delete(key)).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let sweep = self.store.sweep(now, limit);
        self.call(Operation::Sweep, sweep).await
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let list = self.store.by_subject(namespace, subject, after, limit);
        self.call(Operation::BySubject, list).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.call(Operation::Scan, self.store.scan(after, limit))
            .await
    }

    fn into_any(self) -> cloakroom_store::AnyStore {
        cloakroom_store::AnyStore::new(self)
    }
}
