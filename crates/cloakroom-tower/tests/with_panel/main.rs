//! The suites `axum`, `csrf` and `transports` with the debug toolbar around each application, for
//! somebody who may see it: nothing that they assert changes.
#![cfg(all(feature = "axum", feature = "panel"))]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

#[path = "../axum/app.rs"]
mod app;
#[path = "../csrf/browser.rs"]
mod browser;
#[path = "../transports/client.rs"]
mod client;
#[path = "../axum/extractors.rs"]
mod extractors;
#[path = "../axum/failures.rs"]
mod failures;
#[path = "../csrf/forms.rs"]
mod forms;
#[path = "../axum/late_writes.rs"]
mod late_writes;
#[path = "../csrf/login.rs"]
mod login;
#[path = "../axum/logs.rs"]
mod logs;
#[path = "../transports/mobile.rs"]
mod mobile;
#[path = "../axum/nesting.rs"]
mod nesting;
#[path = "../csrf/origins.rs"]
mod origins;
#[path = "../axum/panics.rs"]
mod panics;
#[path = "../transports/pesto.rs"]
mod pesto;
#[path = "../csrf/plain.rs"]
mod plain;
#[path = "../csrf/refusals.rs"]
mod refusals;
#[path = "../axum/scheme.rs"]
mod scheme;
#[path = "../../../cloakroom-core/tests/engine/csrf_table.rs"]
mod table;
#[path = "../csrf/tokens.rs"]
mod tokens;
#[path = "../transports/nesting.rs"]
mod transports_nesting;
#[path = "../csrf/upgrades.rs"]
mod upgrades;
#[path = "../axum/websocket.rs"]
mod websocket;

fn around(app: axum::Router) -> axum::Router {
    let panel = cloakroom_panel::Panel::builder().allow_if(|_, _| true);
    let panel = panel.allow_host("shop.example").build().unwrap();
    app.layer(cloakroom_tower::PanelLayer::new(panel))
}
