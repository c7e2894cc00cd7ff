//! Transports besides the cookie, over a socket: what a client sends and gets byte by byte.
#![cfg(feature = "axum")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

mod client;
mod mobile;
mod nesting;
mod pesto;

/// What is around each application: nothing here, and the debug toolbar in the suite `with_panel`.
fn around(app: axum::Router) -> axum::Router {
    app
}
