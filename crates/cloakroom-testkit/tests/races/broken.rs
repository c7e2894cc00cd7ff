//! Stores that break the contract, and the races that notice.

use cloakroom_memory::MemoryStore;
use cloakroom_store::{
    Freshness, Key, Loaded, Record, Store, StoreError, StoreErrorKind, Tag, Timestamp,
};
use cloakroom_testkit::{Promise, Races};

/// A store with a defect, on top of one without.
macro_rules! broken_store {
    ($(#[$about:meta])* $name:ident { $($method:item)* }) => {
        $(#[$about])*
        #[derive(Debug)]
        pub(crate) struct $name(MemoryStore);

        impl $name {
            pub(crate) fn new() -> Self {
                Self(MemoryStore::new())
            }
        }

        impl Store for $name {
            fn answers_from_copies(&self) -> bool {
                self.0.answers_from_copies()
            }

            async fn load(
                &self,
                key: &Key,
                freshness: Freshness,
            ) -> Result<Option<Loaded>, StoreError> {
                self.0.load(key, freshness).await
            }

            async fn touch(
                &self,
                key: &Key,
                record: &Record,
                expected: &Loaded,
            ) -> Result<bool, StoreError> {
                self.0.touch(key, record, expected).await
            }

            async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
                self.0.sweep(now, limit).await
            }

            $($method)*
        }
    };
}

broken_store! {
    /// Replaces whatever is there.
    ReplaceIgnoresVersions {
        async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
            self.0.create(key, record).await
        }

        async fn replace(&self, key: &Key, record: &Record, _: &Loaded) -> Result<Tag, StoreError> {
            match self.0.load(key, Freshness::Latest).await? {
                Some(there) => self.0.replace(key, record, &there).await,
                None => Err(StoreError::new(
                    StoreErrorKind::Conflict,
                    cloakroom_store::Operation::Replace,
                )),
            }
        }

        async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
            self.0.delete(key).await
        }
    }
}

broken_store! {
    /// Brings back what was deleted.
    ReplaceCreates {
        async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
            self.0.create(key, record).await
        }

        async fn replace(
            &self,
            key: &Key,
            record: &Record,
            expected: &Loaded,
        ) -> Result<Tag, StoreError> {
            match self.0.load(key, Freshness::Latest).await? {
                Some(_) => self.0.replace(key, record, expected).await,
                None => self.0.create(key, record).await,
            }
        }

        async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
            self.0.delete(key).await
        }
    }
}

broken_store! {
    /// Says that it has deleted, and has not.
    DeleteKeeps {
        async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
            self.0.create(key, record).await
        }

        async fn replace(
            &self,
            key: &Key,
            record: &Record,
            expected: &Loaded,
        ) -> Result<Tag, StoreError> {
            self.0.replace(key, record, expected).await
        }

        async fn delete(&self, _: &Key) -> Result<bool, StoreError> {
            Ok(true)
        }
    }
}

broken_store! {
    /// Says that it has created, and has not.
    CreateForgets {
        async fn create(&self, _: &Key, _: &Record) -> Result<Tag, StoreError> {
            Ok(Tag::NONE)
        }

        async fn replace(
            &self,
            key: &Key,
            record: &Record,
            expected: &Loaded,
        ) -> Result<Tag, StoreError> {
            self.0.replace(key, record, expected).await
        }

        async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
            self.0.delete(key).await
        }
    }
}

fn promises_broken<S: Store>(races: Races<S>) -> Vec<Promise> {
    let report = races.seed(1).interleavings(300).run().unwrap();
    assert!(report.broken_cases > 0, "{report}");
    report.broken.iter().map(|broken| broken.promise).collect()
}

#[test]
fn a_replace_that_ignores_versions_is_noticed() {
    let broken = promises_broken(Races::new(|| async { ReplaceIgnoresVersions::new() }));
    assert!(broken.contains(&Promise::SerialOrder), "{broken:?}");
}

#[test]
fn a_replace_that_creates_is_noticed() {
    let broken = promises_broken(Races::new(|| async { ReplaceCreates::new() }));
    assert!(broken.contains(&Promise::EndedStaysEnded), "{broken:?}");
}

#[test]
fn a_delete_that_keeps_is_noticed() {
    let broken = promises_broken(Races::new(|| async { DeleteKeeps::new() }));
    assert!(broken.contains(&Promise::EndedStaysEnded), "{broken:?}");
}

#[test]
fn a_create_that_forgets_is_noticed() {
    let broken = promises_broken(Races::new(|| async { CreateForgets::new() }));
    assert!(broken.contains(&Promise::NobodyIsLockedOut), "{broken:?}");
}

#[test]
fn triples_notice_a_replace_that_ignores_versions() {
    let races = Races::new(|| async { ReplaceIgnoresVersions::new() }).schedules(2);
    assert!(races.triples().unwrap().broken_cases > 0);
}
