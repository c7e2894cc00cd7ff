//! The debug toolbar on actix-web as people see it, in a real browser, tested by what tests it on
//! axum: `scripts/browser` brings one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers are no #[test]"
)]

/// The program that is tested.
const PROGRAM: &str = env!("CARGO_BIN_EXE_shop-actix");

mod application;
#[path = "../../../shop/tests/shop/browser.rs"]
#[allow(dead_code, reason = "the shop's own tests use the rest")]
mod browser;
#[path = "../../../shop/tests/toolbar/hostile.rs"]
mod hostile;
#[path = "../../../shop/tests/toolbar/page.rs"]
mod page;
#[path = "../../../shop/tests/toolbar/policies.rs"]
mod policies;
#[path = "../../../shop/tests/shop/process.rs"]
#[allow(dead_code, reason = "the shop's own tests use the rest")]
mod process;
#[path = "../../../shop/tests/toolbar/runs.rs"]
mod runs;
#[path = "../../../shop/tests/toolbar/tour.rs"]
mod tour;
