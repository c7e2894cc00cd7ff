//! Both programs, as they are delivered, and a client that keeps cookies as browsers do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers are no #[test]"
)]

mod browser;
mod https;
mod mounted;
mod process;
mod shared;
