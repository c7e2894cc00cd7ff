//! What a session costs: the same requests through a bare axum router and through several session
//! layers, in process and without sockets.
//!
//! `cargo run --release --manifest-path bench/Cargo.toml` prints the tables. [`Workload`] says what a
//! request does, [`Variant`] which layer serves it, [`Client`] sends it.

mod client;
pub mod report;
mod session;
mod variant;
mod workload;

pub use client::Client;
pub use variant::Variant;
pub use workload::Workload;
