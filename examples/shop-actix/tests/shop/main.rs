//! The shop on actix-web, tested by what tests `examples/shop`, and held against it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers are no #[test]"
)]

/// The program that is tested.
const PROGRAM: &str = env!("CARGO_BIN_EXE_shop-actix");

#[path = "../../../shop/tests/shop/browser.rs"]
mod browser;
#[path = "../../../shop/tests/shop/carts.rs"]
mod carts;
#[path = "../../../shop/tests/shop/devices.rs"]
mod devices;
#[path = "../../../shop/tests/shop/headers.rs"]
mod headers;
#[path = "../../../shop/tests/shop/login.rs"]
mod login;
#[path = "../../../shop/tests/shop/process.rs"]
mod process;
mod same;
#[path = "../../../shop/tests/shop/stores.rs"]
mod stores;
#[path = "../../../shop/tests/shop/visits.rs"]
mod visits;
