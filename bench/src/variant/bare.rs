//! axum without sessions: the answers have the form that the other variants' answers have.

use axum::Router;
use axum::routing::{get, post};
use std::hint::black_box;

use super::untouched;
use crate::session::FIRST;

pub(super) fn router() -> Router {
    Router::new()
        .route("/untouched", get(untouched))
        .route("/read", get(read))
        .route("/change", post(change))
        .route("/create", post(untouched))
        .route("/fill", post(untouched))
        .route("/fill-large", post(untouched))
}

async fn read() -> String {
    black_box(FIRST).to_string()
}

async fn change() -> String {
    (black_box(FIRST) + 1).to_string()
}
