//! The requests of the benches, and what is measured of them.
//!
//! [`Workload`] says what a request does, [`Client`] sends it as one browser would, [`Crew`] has many
//! workers at the same time.

mod client;
mod crew;
pub mod session;
mod workload;

pub use client::Client;
pub use crew::{Crew, Kept, Round, Work};
pub use workload::Workload;

/// The handler of `GET /untouched`, the same for all, so that it can't differ.
pub async fn untouched() -> &'static str {
    "ok"
}
