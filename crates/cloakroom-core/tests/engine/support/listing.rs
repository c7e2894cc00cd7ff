use std::time::Duration;

use cloakroom_memory::MemoryStore;
use cloakroom_store::{
    Cursor, Freshness, Key, Loaded, Page, Record, Store, StoreError, Subject, Tag, Timestamp,
};

/// A store whose listing by subject is not what it should be.
#[derive(Debug)]
pub(crate) enum OddStore {
    /// It never comes to an end.
    Endless(MemoryStore),
    /// It shows what there is, whosever it is.
    Everybody(MemoryStore),
}

impl OddStore {
    fn memory(&self) -> &MemoryStore {
        let (Self::Endless(memory) | Self::Everybody(memory)) = self;
        memory
    }
}

impl Store for OddStore {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Result<Option<Loaded>, StoreError> {
        self.memory().load(key, freshness).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        self.memory().create(key, record).await
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        self.memory().replace(key, record, expected).await
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        self.memory().touch(key, record, expected).await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        self.memory().delete(key).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.memory().sweep(now, limit).await
    }

    async fn by_subject(
        &self,
        _: &str,
        _: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        match self {
            Self::Everybody(memory) => memory.scan(after, limit).await,
            Self::Endless(_) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let next = Cursor::new("there is more".into());
                Ok(Page::new(Vec::new(), Some(next)))
            }
        }
    }
}
