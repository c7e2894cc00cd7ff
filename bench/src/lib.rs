//! What a session costs: the same requests through a bare axum router and through several session
//! layers, in process and without sockets.
//!
//! `cargo run --release --manifest-path bench/Cargo.toml` prints the tables. [`Workload`] says what a
//! request does, [`Variant`] which layer serves it, [`Client`] sends it.

pub mod report;
mod variant;

pub use cloakroom_load::{Client, Workload};
use cloakroom_load::{session, untouched};
pub use variant::{Variant, ours};
