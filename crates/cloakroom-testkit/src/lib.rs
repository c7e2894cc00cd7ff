//! Proves that a store keeps [cloakroom]'s contract, and makes stores fail on purpose.
//!
//! - [`Conformance`] runs every rule of [`Store`](cloakroom_store::Store) against a store, yours
//!   for instance, and says which it keeps, which it breaks and which do not apply.
//! - [`WatchConformance`] does so with the promises of [`Watch`](cloakroom_store::Watch), for a store
//!   that tells what changes in it.
//! - [`Races`] plays requests at the same time, through the engine, on a store, in every order that
//!   a search or a seed comes upon, and holds what they see against a model with browsers in it.
//!   A store that speaks to a server goes there as [`Elsewhere`].
//! - [`Contended`] is a record that several stores, and several processes, update at the same time;
//!   [`child()`] starts those.
//! - [`SpyStore`] remembers the calls that reach a store, to assert which ones a request makes.
//! - [`FaultyStore`] fails before an effect or after it, hangs or delays, by script or at random.
//! - [`service()`] says where a server is that a test needs, or that it is missing.
//! - [`TestClock`] stands still until it is moved, and [`TestRandom`] follows from a seed.
//!
//! All random choices follow from a seed that is in the report or the message of a failure, and
//! can be given to replay it.
//!
//! # Test a store of your own
//! ```
//! # use cloakroom_memory::MemoryStore as MyStore;
//! use cloakroom_testkit::Conformance;
//!
//! // #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
//! async fn keeps_the_contract() {
//!     Conformance::new(|| async { MyStore::new() }).run().await;
//! }
//! # tokio::runtime::Runtime::new().unwrap().block_on(keeps_the_contract());
//! ```
//!
//! # Features
//! - `servers`, on Unix: the module `servers`, with Redis, PostgreSQL, MariaDB and memcached that a
//!   test freezes, kills and starts again, or has refuse, and asserts what requests see of it.
//!
//! [cloakroom]: https://docs.rs/cloakroom

mod browser;
mod child;
mod clock;
mod conformance;
mod contended;
mod faults;
mod heads;
mod races;
mod random;
#[cfg(all(unix, feature = "servers"))]
pub mod servers;
mod service;
mod spy;
mod watch;

pub use browser::TestBrowser;
pub use child::{child, child_task};
pub use clock::{TestClock, TestRandom};
pub use conformance::{BrokenRule, Conformance, Outcome, Report, Skipped};
pub use contended::Contended;
pub use faults::{Fault, Faults, FaultyStore};
pub use races::{BrokenPromise, Elsewhere, Inherent, Promise, RaceReport, Races};
pub use random::SplitMix64;
pub use service::service;
pub use spy::{Call, CallOutcome, SpyStore};
pub use watch::{LinkState, WatchConformance};

// The guide's example keeps the contract, or the tests fail.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/writing-a-store.md")]
struct WritingAStore;
