//! The shop as it is delivered: the program itself, real sockets, files in a folder of the test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers are no #[test]"
)]

/// The program that is tested.
const PROGRAM: &str = env!("CARGO_BIN_EXE_shop");

mod browser;
mod carts;
mod devices;
mod headers;
mod login;
mod process;
mod stores;
mod visits;
