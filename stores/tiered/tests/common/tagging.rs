use cloakroom_memory::MemoryStore;
use cloakroom_store::{
    Freshness, Key, Loaded, Operation, Record, Store, StoreError, StoreErrorKind, Tag, Timestamp,
};

/// A store that replaces only what is expected with its own tag.
#[derive(Debug)]
pub(crate) struct TaggingStore(MemoryStore);

impl TaggingStore {
    pub(crate) fn new() -> Self {
        Self(MemoryStore::new())
    }

    pub(crate) fn tag_of(record: &Record) -> Tag {
        Tag::new(record.version.to_bits() + 1_000)
    }
}

impl Store for TaggingStore {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Result<Option<Loaded>, StoreError> {
        let loaded = self.0.load(key, freshness).await?;
        Ok(loaded.map(|loaded| {
            let tag = Self::tag_of(&loaded.record);
            Loaded::with_tag(loaded.record, tag)
        }))
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        self.0.create(key, record).await?;
        Ok(Self::tag_of(record))
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        if expected.tag != Self::tag_of(&expected.record) {
            let kind = StoreErrorKind::Conflict;
            return Err(StoreError::new(kind, Operation::Replace));
        }
        self.0.replace(key, record, expected).await?;
        Ok(Self::tag_of(record))
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        self.0.touch(key, record, expected).await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        self.0.delete(key).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.0.sweep(now, limit).await
    }
}
