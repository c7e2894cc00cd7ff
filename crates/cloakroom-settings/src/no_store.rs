use cloakroom_core::store::{
    Freshness, Key, Loaded, Operation, Record, Store, StoreError, StoreErrorKind, Tag, Timestamp,
};

/// Stands for stores that are not open yet, while the settings are checked. Nothing calls it.
#[derive(Debug)]
pub(crate) struct NoStore;

fn no<T>(operation: Operation) -> Result<T, StoreError> {
    Err(StoreError::new(StoreErrorKind::Unsupported, operation))
}

impl Store for NoStore {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, _: &Key, _: Freshness) -> Result<Option<Loaded>, StoreError> {
        no(Operation::Load)
    }

    async fn create(&self, _: &Key, _: &Record) -> Result<Tag, StoreError> {
        no(Operation::Create)
    }

    async fn replace(&self, _: &Key, _: &Record, _: &Loaded) -> Result<Tag, StoreError> {
        no(Operation::Replace)
    }

    async fn touch(&self, _: &Key, _: &Record, _: &Loaded) -> Result<bool, StoreError> {
        no(Operation::Touch)
    }

    async fn delete(&self, _: &Key) -> Result<bool, StoreError> {
        no(Operation::Delete)
    }

    async fn sweep(&self, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        no(Operation::Sweep)
    }
}
