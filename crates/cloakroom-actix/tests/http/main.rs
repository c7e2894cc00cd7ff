//! The middleware and the extractors in applications of actix-web, in process and over sockets.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod borrows;
mod browser;
mod csrf;
mod errors;
mod extractors;
mod failures;
mod late_writes;
mod logs;
mod nesting;
mod optional;
mod panics;
mod scheme;
mod server;
mod transports;
mod websocket;
mod workers;
