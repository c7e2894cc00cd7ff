//! The contract between [cloakroom] and the stores that keep its sessions.
//!
//! A store keeps one [`Record`] per [`Key`] and changes it only by compare-and-swap. What the
//! record means is the engine's business: to a store its data is opaque, and a store never
//! judges whether a session may still be used (except in [`Store::sweep`] and [`Store::touch`]).
//!
//! Depend on this crate to write a store, and run the cases of `cloakroom-testkit` against it.
//! To use sessions in an application, depend on `cloakroom`.
//!
//! # A store
//!
//! ```
//! use std::{collections::BTreeMap, sync::Mutex};
//! use cloakroom_store::{
//!     EXPIRY_MARGIN, Freshness, Key, Loaded, Operation, Record, Store, StoreError,
//!     StoreErrorKind, Tag, Timestamp,
//! };
//!
//! #[derive(Debug, Default)]
//! struct MapStore(Mutex<BTreeMap<Key, Record>>);
//!
//! impl MapStore {
//!     fn map(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Record>> {
//!         self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
//!     }
//! }
//!
//! impl Store for MapStore {
//!     fn answers_from_copies(&self) -> bool {
//!         false
//!     }
//!
//!     async fn load(&self, key: &Key, _: Freshness) -> Result<Option<Loaded>, StoreError> {
//!         Ok(self.map().get(key).cloned().map(Loaded::new))
//!     }
//!
//!     async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
//!         let mut map = self.map();
//!         if map.contains_key(key) {
//!             return Err(StoreError::new(StoreErrorKind::AlreadyExists, Operation::Create));
//!         }
//!         map.insert(*key, record.clone());
//!         Ok(Tag::NONE)
//!     }
//!
//!     async fn replace(
//!         &self,
//!         key: &Key,
//!         record: &Record,
//!         expected: &Loaded,
//!     ) -> Result<Tag, StoreError> {
//!         match self.map().get_mut(key) {
//!             Some(kept) if kept.version == expected.record.version => *kept = record.clone(),
//!             _ => return Err(StoreError::new(StoreErrorKind::Conflict, Operation::Replace)),
//!         }
//!         Ok(Tag::NONE)
//!     }
//!
//!     async fn touch(
//!         &self,
//!         key: &Key,
//!         record: &Record,
//!         expected: &Loaded,
//!     ) -> Result<bool, StoreError> {
//!         match self.map().get_mut(key) {
//!             Some(kept)
//!                 if kept.version == expected.record.version
//!                     && kept.expires.saturating_add(EXPIRY_MARGIN) >= record.last_seen =>
//!             {
//!                 kept.last_seen = kept.last_seen.max(record.last_seen);
//!                 kept.expires = kept.expires.max(record.expires);
//!                 Ok(true)
//!             }
//!             _ => Ok(false),
//!         }
//!     }
//!
//!     async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
//!         Ok(self.map().remove(key).is_some())
//!     }
//!
//!     async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
//!         let mut map = self.map();
//!         let expired: Vec<Key> = map
//!             .iter()
//!             .filter(|(_, record)| record.expires < now)
//!             .map(|(key, _)| *key)
//!             .take(limit)
//!             .collect();
//!         for key in &expired {
//!             map.remove(key);
//!         }
//!         Ok(expired.len())
//!     }
//! }
//! ```
//!
//! # A store that speaks to a server
//!
//! [`Breaker`] is for authors of such stores: it refuses calls at once while the server does not
//! answer, so that requests are answered, and lets them through as soon as it does.
//!
//! [`Watch`] is for stores that can tell what others change in them, so that a cache in front of
//! them is coherent.
//!
//! [cloakroom]: https://docs.rs/cloakroom

mod any;
mod breaker;
mod error;
mod format;
mod key;
mod record;
mod store;
mod subject;
mod time;
mod watch;

pub use any::{AnyStore, StoreFuture};
pub use breaker::{Breaker, Probe};
pub use error::{Operation, StoreError, StoreErrorKind};
pub use format::{FORMAT_VERSION, FormatError, HEAD_LENGTH};
pub use key::{InvalidNamespace, Key, NamespaceId, SessionId};
pub use record::{Loaded, Record, Tag, Version};
pub use store::{Cursor, Freshness, Page, Store, Summary};
pub use subject::{InvalidSubject, Subject};
pub use time::{EXPIRY_MARGIN, Timestamp};
pub use watch::{Change, Feed, Watch};
