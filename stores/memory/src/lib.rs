//! Keeps [cloakroom]'s sessions in the memory of one process: the fastest store, for programs
//! that run as one process, for development and for tests.
//!
//! What it is not: the sessions are **lost when the process ends**, so every deploy logs
//! everybody out, and they are **not shared**: two processes behind a load balancer each know
//! only their own. Use a store with a server or a file behind it for that, possibly with this one
//! in front of it as a cache.
//!
//! ```
//! use cloakroom_memory::MemoryStore;
//!
//! let store = MemoryStore::builder()
//!     .max_sessions(100_000)
//!     .max_bytes(128 * 1024 * 1024)
//!     .build();
//! let same = store.clone(); // a handle to the same sessions
//! assert_eq!(same.stats().sessions, 0);
//! ```
//!
//! # Bounds
//! The store never holds more than 1,000,000 sessions or 512 MiB;
//! [`MemoryStore::builder`] sets other bounds. A session counts the bytes of its data, 336 bytes
//! for its record and its place in a hash table, and, if it has a subject, the bytes of the
//! subject and 448 for the index of subjects, which is what they take at most. Data that is a slice of a larger buffer keeps all
//! of that in memory and counts only its own length.
//!
//! The sessions are spread over up to 64 shards by their random ids, and each shard has its share
//! of the bounds. Shards do not fill evenly, so the first eviction comes a few per cent below the
//! bound of the whole. With bounds below 2,048 sessions or 8 MiB there is one shard, and the
//! bounds are exact.
//!
//! # Eviction
//! A session that has no room in its shard makes others leave that shard, until an eighth of the
//! share is free: all that have expired; then those without a subject, least recently seen first;
//! then those with a subject, least recently seen first. What is being written always stays. So a
//! flood of anonymous visitors costs users who are logged in at most an eighth of their sessions.
//! [`MemoryStore::stats`] counts what was evicted, and [`MemoryStoreBuilder::on_evict`] reports
//! each. An evicted session is gone for its visitor as if it had expired.
//!
//! Expired sessions count until they are swept, which cloakroom does regularly.
//!
//! [cloakroom]: https://docs.rs/cloakroom

mod bounds;
mod builder;
mod cursor;
mod hash;
mod shard;
mod stats;
mod store;
mod subjects;

pub use builder::MemoryStoreBuilder;
pub use stats::Stats;
pub use store::MemoryStore;
