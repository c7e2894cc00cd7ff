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

broken_store! {
    /// Says that it has replaced, and has not: what a request has claimed is there for the next one.
    ReplaceForgets {
        async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
            self.0.create(key, record).await
        }

        async fn replace(&self, _: &Key, _: &Record, _: &Loaded) -> Result<Tag, StoreError> {
            Ok(Tag::NONE)
        }

        async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
            self.0.delete(key).await
        }
    }
}

broken_store! {
    /// Replaces, and says that somebody else has: what a request has claimed is gone.
    ReplaceDeniesItself {
        async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
            self.0.create(key, record).await
        }

        async fn replace(
            &self,
            key: &Key,
            record: &Record,
            expected: &Loaded,
        ) -> Result<Tag, StoreError> {
            self.0.replace(key, record, expected).await?;
            Err(StoreError::new(
                StoreErrorKind::Conflict,
                cloakroom_store::Operation::Replace,
            ))
        }

        async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
            self.0.delete(key).await
        }
    }
}

broken_store! {
    /// Changes the seed of CSRF tokens, which stands at the 30th byte of the data.
    ReplaceChangesTheSeed {
        async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
            self.0.create(key, record).await
        }

        async fn replace(
            &self,
            key: &Key,
            record: &Record,
            expected: &Loaded,
        ) -> Result<Tag, StoreError> {
            let (mut data, mut record) = (record.data.to_vec(), record.clone());
            *data.get_mut(30).unwrap() ^= 1;
            record.data = data.into();
            self.0.replace(key, &record, expected).await
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
    let races = Races::new(|| async { ReplaceIgnoresVersions::new() }).schedules(1);
    assert!(races.triples().unwrap().broken_cases > 0);
}

/// What breaks where three requests claim the same, and nothing else happens.
fn broken_by_three<S: Store>(races: &Races<S>, operation: char) -> Vec<Promise> {
    let case = format!("{operation}{operation}{operation}-000-0:");
    let report = races.replay(&case).unwrap();
    report.broken.iter().map(|broken| broken.promise).collect()
}

const FLASHES: char = 'a';
const TAKE_ONCE: char = 'b';

#[test]
fn a_claim_that_is_not_committed_is_noticed() {
    let races = Races::new(|| async { ReplaceForgets::new() });
    for claim in [FLASHES, TAKE_ONCE] {
        assert_eq!(broken_by_three(&races, claim), [Promise::TakenOnce]);
    }
}

#[test]
fn two_claims_of_the_same_are_noticed() {
    let races = Races::new(|| async { ReplaceIgnoresVersions::new() });
    for claim in [FLASHES, TAKE_ONCE] {
        assert_eq!(broken_by_three(&races, claim), [Promise::TakenOnce]);
    }
}

#[test]
fn a_claim_that_gives_nothing_to_anybody_is_noticed() {
    let races = Races::new(|| async { ReplaceDeniesItself::new() });
    for claim in [FLASHES, TAKE_ONCE] {
        let broken = broken_by_three(&races, claim);
        assert_eq!(broken, [Promise::LostOnlyWithAResponse]);
    }
}

#[test]
fn a_csrf_token_that_its_own_session_does_not_know_is_noticed() {
    let broken = promises_broken(Races::new(|| async { ReplaceChangesTheSeed::new() }));
    let expected = Promise::CsrfTokenOfItsSession;
    assert!(broken.contains(&expected), "{broken:?}");
}

#[test]
fn what_nobody_breaks_is_not_noticed() {
    let races = Races::new(|| async { MemoryStore::new() });
    for claim in [FLASHES, TAKE_ONCE] {
        assert_eq!(broken_by_three(&races, claim), []);
    }
}
