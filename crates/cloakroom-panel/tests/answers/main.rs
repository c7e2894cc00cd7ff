//! What the panel answers below its path, asked as an integration asks it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers are no #[test]"
)]

mod feed;
mod pages;
mod peek;
mod visitor;
