//! A fast store in front of another, for [cloakroom]'s sessions: any store in front of any other,
//! as a rule the memory of the process in front of a database.
//!
//! Reads are answered by the front where it can, writes go to the back and then into the front.
//! The back alone is the truth: it decides what a write does and holds every listing, and what is
//! in the front may be lost at any time.
//!
//! ```
//! use std::time::Duration;
//! use cloakroom_memory::MemoryStore;
//! use cloakroom_tiered::TieredStore;
//!
//! # let database = MemoryStore::new();
//! let front = MemoryStore::builder().max_sessions(100_000).build();
//! let store = TieredStore::builder(front, database)
//!     .max_age(Duration::from_secs(2))
//!     .build();
//! assert!(store.trusts_front());
//! ```
//!
//! # How old an answer may be
//! What this process changes it sees at once. What **another process** changes or ends is served
//! here for no longer than
//!
//! - the **maximum age** of a copy, without more: one second, or what
//!   [`TieredStoreBuilder::max_age`] says. It counts from the moment at which the back was asked,
//!   by the monotonic clock of this process.
//! - what the back takes **to tell a change**, with [`TieredStoreBuilder::watch`], for backs that
//!   implement [`Watch`], as `cloakroom-redis` and `cloakroom-postgres` do: milliseconds. If the link is down, nothing is served from the front. If
//!   it is down without a sign of it, copies are served for [`Feed::SILENCE`] of that back. The
//!   maximum age is the last resort then: 60 seconds.
//!
//! Time during which the whole machine is suspended does not count.
//!
//! An old copy can't do harm beyond that: every change is a compare-and-swap on the back, so a
//! request that has read one loses no update and brings nothing back that was ended. And it never
//! turns anybody away: before cloakroom refuses a token it asks the back, so a login or a first
//! visit in one process is known to the next request in any other.
//!
//! # What it costs
//! | | calls of the back |
//! |---|---|
//! | a read that hits | 0 |
//! | a read that misses, of several at the same time for one session together | 1 |
//! | a token that is refused | 1, or 2 when there was no copy, as for an unknown token |
//! | create, replace, touch, delete, listings | as without a front |
//!
//! A hit costs the front's own load, a look at the clock and some ten nanoseconds. A copy takes 33
//! bytes more than the record, and the marks of changes a mebibyte for each `TieredStore`.
//! After a write, the next read hits; with `watch` it misses if the back tells a process of its own
//! changes, as most do.
//!
//! # When something fails
//! - **The front**: loads go to the back and writes are done; [`Stats::front_errors`] counts it. A
//!   call of the front may take 50 ms ([`TieredStoreBuilder::front_timeout`]). After three failures
//!   in a row the front is not called any more until it answers again, which is looked after in
//!   the background. Whatever it kept meanwhile is void if it was changed.
//! - **The back**: it is an outage for everything but hits.
//! - **The link that tells changes**: every load goes to the back, one call each, until there is
//!   another link. Copies from before are void.
//! - **A request is dropped**, or a write ends in an unknown way: the copy is void.
//!
//! # What it can't do
//! - Be a **shared** front. Copies are of use to the one `TieredStore` that has made them; those of
//!   another, or of an earlier run, are overwritten as if they were not there. A front that others
//!   write to does no harm, and no good.
//! - Know what is **not there**: an unknown id is looked for in the back each time.
//! - Go beyond what the back promises: it is as durable as the back.
//! - Work without [tokio], which it needs for deadlines of a front that does not answer at once and
//!   for listening.
//!
//! # How a copy is kept
//! The front is any [`Store`], so a copy is a record: the back's, with a head before the data. The
//! head says when the back was asked, the back's own tag, which a replace has to give back, and a
//! stamp, the mark of the key's group and the era. The copy lives and dies with the front's record,
//! so there is no second table to bound and to keep in step.
//!
//! The stamp is what makes copies void. A change, of this process or told by the back, raises the
//! mark of its key's group, of which there are 131,072; a lost link begins another era. A load notes
//! both before it asks the back, and what it makes is good only while they are the same, so an
//! answer that a change overtakes on its way is never served from the front. None of that waits for
//! the front. The price: a change makes void the copies of its whole group, one copy more for each
//! 131,072 that there are.
//!
//! The back is always asked with [`Freshness::Latest`]: a copy of a replica's copy would be older
//! than it seems.
//!
//! [cloakroom]: https://docs.rs/cloakroom
//! [tokio]: https://docs.rs/tokio
//! [`Feed::SILENCE`]: cloakroom_store::Feed::SILENCE
//! [`Freshness::Latest`]: cloakroom_store::Freshness::Latest
//! [`Store`]: cloakroom_store::Store
//! [`Watch`]: cloakroom_store::Watch

mod builder;
mod flight;
mod front;
mod head;
mod inner;
mod marks;
mod stats;
mod store;
mod trust;
mod watcher;

pub use builder::TieredStoreBuilder;
pub use stats::Stats;
pub use store::TieredStore;
