//! The debug toolbar around applications of actix-web.
#![cfg(feature = "panel")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod bodies;
mod ends;
mod safety;
mod same;
#[path = "../http/server.rs"]
#[allow(dead_code, reason = "the suite `http` uses the rest")]
mod server;
mod shop;
mod wire;

/// Does nothing: each application brings its panel.
fn around() -> cloakroom_actix::PanelMiddleware {
    cloakroom_actix::PanelMiddleware::new(None)
}
