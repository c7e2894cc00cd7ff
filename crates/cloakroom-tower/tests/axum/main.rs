//! The tower layer and the extractors in a real axum router.
#![cfg(feature = "axum")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod app;
mod extractors;
mod failures;
mod late_writes;
mod logs;
mod nesting;
mod panics;
mod scheme;
mod websocket;

/// What is around each application: nothing here, and the debug toolbar in the suite `with_panel`.
fn around(app: axum::Router) -> axum::Router {
    app
}
