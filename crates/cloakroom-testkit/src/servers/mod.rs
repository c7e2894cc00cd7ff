//! Servers that a test freezes, kills and starts again, and what requests see of it.
//!
//! - [`Server`] is a server of the test's own: Redis, PostgreSQL, MariaDB or memcached.
//! - [`Link`] stands between a store and its server, and delays, cuts, refuses or swallows.
//! - [`outage`] freezes and kills the server under a store and asserts what requests see of it,
//!   [`broken_link`] does so with the network between them, [`refusal`] with a server that answers
//!   and does not do what it is asked.
//! - [`on_a_small_disk`] is for a test that fills a disk.
//!
//! For Unix, where there are signals to freeze a process.

mod disk;
mod kind;
mod link;
mod outage;
mod process;
mod report;
mod server;
mod trials;
mod visitor;

pub use disk::on_a_small_disk;
pub use link::Link;
pub use outage::{Refuses, broken_link, outage, refusal};
pub use report::{OutageReport, OutageTrial};
pub use server::Server;
