//! The layers and the extractor against CSRF, in a real axum router and around plain services.
#![cfg(feature = "axum")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod breach;
mod browser;
mod forms;
mod login;
mod origins;
mod plain;
mod refusals;
#[path = "../../../cloakroom-core/tests/engine/csrf_table.rs"]
mod table;
mod tokens;
mod upgrades;

/// What is around each application: nothing here, and the debug toolbar in the suite `with_panel`.
fn around(app: axum::Router) -> axum::Router {
    app
}
