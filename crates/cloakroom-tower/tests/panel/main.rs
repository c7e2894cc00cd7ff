//! The debug toolbar around a real axum router.
#![cfg(all(feature = "axum", feature = "panel"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers are no #[test]"
)]

mod bodies;
mod ends;
mod safety;
mod same;
mod shop;
