//! The debug toolbar as people see it, in a real browser: `scripts/browser` brings one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers are no #[test]"
)]

/// The program that is tested.
const PROGRAM: &str = env!("CARGO_BIN_EXE_shop");

mod application;
#[path = "../shop/browser.rs"]
#[allow(dead_code, reason = "the shop's own tests use the rest")]
mod browser;
mod hostile;
mod page;
mod policies;
#[path = "../shop/process.rs"]
#[allow(dead_code, reason = "the shop's own tests use the rest")]
mod process;
mod runs;
mod tour;
