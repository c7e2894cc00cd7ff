//! The end of a request: deciding what must be written, and writing it.
//!
//! `apply` is the pure half: what changes make of a record. `drive` is the other one: it takes the
//! changes of a session, calls the store, and settles what came of it. A store that answers at
//! once is done within the first poll, without a box; one that does not is waited for in a boxed
//! future that can outlive the request. Sessions that have met a conflict go through `queue`.

mod apply;
mod changes;
mod drive;
mod queue;
mod recover;
mod request;
mod step;

pub(crate) use apply::create;
pub(crate) use changes::{Changes, Claim, Client, Presented, Rotation, Stored};
pub(crate) use drive::save;
pub(crate) use queue::Queues;
pub(crate) use recover::usable;
pub use request::{Commit, Outcome, Verdict};
pub(crate) use step::{Creating, Step};
