//! What a panel keeps of requests, through its public API: the wishes behind the toolbar panel of
//! pyramid_session_multi (cases M60 to M71) with its defects mended, and the bounds on memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers are no #[test]"
)]

mod application;
mod bounds;
mod masks;
mod original;
mod steps;
