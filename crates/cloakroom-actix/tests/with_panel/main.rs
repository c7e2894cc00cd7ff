//! The suite `http` with the debug toolbar around each application, for somebody who may see it:
//! nothing that it asserts changes.
#![cfg(feature = "panel")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

#[path = "../http/borrows.rs"]
mod borrows;
#[path = "../http/browser.rs"]
mod browser;
#[path = "../http/csrf/mod.rs"]
mod csrf;
#[path = "../http/errors.rs"]
mod errors;
#[path = "../http/extractors.rs"]
mod extractors;
#[path = "../http/failures.rs"]
mod failures;
#[path = "../http/late_writes.rs"]
mod late_writes;
#[path = "../http/logs.rs"]
mod logs;
#[path = "../http/nesting.rs"]
mod nesting;
#[path = "../http/optional.rs"]
mod optional;
#[path = "../http/panics.rs"]
mod panics;
#[path = "../http/scheme.rs"]
mod scheme;
#[path = "../http/server.rs"]
mod server;
#[path = "../http/transports/mod.rs"]
mod transports;
#[path = "../http/websocket.rs"]
mod websocket;
#[path = "../http/workers.rs"]
mod workers;

/// Stands around each application.
fn around() -> cloakroom_actix::PanelMiddleware {
    let panel = cloakroom_panel::Panel::builder().allow_if(|_, _| true);
    let panel = panel.allow_host("shop.example").build().unwrap();
    cloakroom_actix::PanelMiddleware::new(panel)
}
