//! axum_session without a database, its default settings but for one day of life.

use axum::Router;
use axum::routing::{get, post};
use axum_session::{SessionConfig, SessionLayer, SessionNullPool, SessionStore};
use time::Duration;

use super::untouched;
use crate::session::{COUNTER, FIRST, LARGE, LARGE_VALUE, SMALL};

type Session = axum_session::Session<SessionNullPool>;

pub(super) async fn router() -> Router {
    let config = SessionConfig::default()
        .with_lifetime(Duration::days(1))
        .with_memory_lifetime(Duration::days(1));
    let store = SessionStore::<SessionNullPool>::new(None, config)
        .await
        .expect("the settings are valid");
    Router::new()
        .route("/untouched", get(untouched))
        .route("/read", get(read))
        .route("/change", post(change))
        .route("/create", post(create))
        .route("/fill", post(fill_small))
        .route("/fill-large", post(fill_large))
        .route("/size", get(size))
        .layer(SessionLayer::new(store))
}

async fn read(session: Session) -> String {
    count(&session).to_string()
}

async fn change(session: Session) -> String {
    let next = count(&session) + 1;
    session.set(COUNTER, next);
    next.to_string()
}

async fn create(session: Session) -> &'static str {
    session.set(COUNTER, FIRST);
    "ok"
}

async fn fill_small(session: Session) -> &'static str {
    fill(&session);
    "ok"
}

async fn fill_large(session: Session) -> &'static str {
    fill(&session);
    for key in LARGE {
        session.set(key, LARGE_VALUE);
    }
    "ok"
}

async fn size(session: Session) -> String {
    SMALL
        .map(|(key, _)| key)
        .into_iter()
        .chain(LARGE)
        .filter_map(|key| session.get::<String>(key))
        .map(|value| value.len())
        .sum::<usize>()
        .to_string()
}

fn count(session: &Session) -> u64 {
    session.get(COUNTER).unwrap_or(0)
}

fn fill(session: &Session) {
    for (key, value) in SMALL {
        session.set(key, value);
    }
    session.set(COUNTER, FIRST);
}
