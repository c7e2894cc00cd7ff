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

/// Stands around each application, and does nothing; the suite `with_panel` has the toolbar there.
fn around() -> actix_web::middleware::DefaultHeaders {
    actix_web::middleware::DefaultHeaders::new()
}
