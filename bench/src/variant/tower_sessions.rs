//! tower-sessions, one day of inactivity. `bench/peers` compiles this file with an older version.

use axum::Router;
use axum::routing::{get, post};
use time::Duration;
use tower_sessions::session::Error;
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};

use super::untouched;
use crate::session::{COUNTER, FIRST, LARGE, LARGE_VALUE, SMALL};

pub(super) fn router(store: impl SessionStore + Clone) -> Router {
    let layer =
        SessionManagerLayer::new(store).with_expiry(Expiry::OnInactivity(Duration::days(1)));
    Router::new()
        .route("/untouched", get(untouched))
        .route("/read", get(read))
        .route("/change", post(change))
        .route("/create", post(create))
        .route("/fill", post(fill_small))
        .route("/fill-large", post(fill_large))
        .route("/size", get(size))
        .layer(layer)
}

async fn read(session: Session) -> String {
    count(&session).await.to_string()
}

async fn change(session: Session) -> String {
    let next = count(&session).await + 1;
    session.insert(COUNTER, next).await.expect("stored");
    next.to_string()
}

async fn create(session: Session) -> &'static str {
    session.insert(COUNTER, FIRST).await.expect("stored");
    "ok"
}

async fn fill_small(session: Session) -> &'static str {
    fill(&session).await.expect("stored");
    "ok"
}

async fn fill_large(session: Session) -> &'static str {
    fill(&session).await.expect("stored");
    for key in LARGE {
        session.insert(key, LARGE_VALUE).await.expect("stored");
    }
    "ok"
}

async fn size(session: Session) -> String {
    let mut size = 0;
    for key in SMALL.map(|(key, _)| key).into_iter().chain(LARGE) {
        let value: Option<String> = session.get(key).await.expect("loaded");
        size += value.map_or(0, |value| value.len());
    }
    size.to_string()
}

async fn count(session: &Session) -> u64 {
    session.get(COUNTER).await.expect("loaded").unwrap_or(0)
}

async fn fill(session: &Session) -> Result<(), Error> {
    for (key, value) in SMALL {
        session.insert(key, value).await?;
    }
    session.insert(COUNTER, FIRST).await
}
