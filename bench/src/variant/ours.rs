//! cloakroom, one day of inactivity.

use axum::Router;
use axum::routing::{get, post};
use cloakroom_core::store::Store;
use cloakroom_core::{Limits, Namespace, SessionHandle, SessionManager, days};
use cloakroom_tower::{NamespaceName, Session, SessionLayer, SessionRejection};

use super::untouched;
use crate::session::{COUNTER, FIRST, LARGE, LARGE_VALUE, SMALL};

struct Account;

impl NamespaceName for Account {
    const NAME: &'static str = "account";
}

type Answer<T> = Result<T, SessionRejection>;

/// The routes with sessions in `store`.
pub fn router(store: impl Store) -> Router {
    let account = Namespace::new(Account::NAME, store).limits(Limits::idle(days(1)));
    let sessions = SessionManager::builder()
        .namespace(account)
        .build()
        .expect("the settings are valid");
    Router::new()
        .route("/untouched", get(untouched))
        .route("/read", get(read))
        .route("/change", post(change))
        .route("/create", post(create))
        .route("/fill", post(fill_small))
        .route("/fill-large", post(fill_large))
        .route("/size", get(size))
        .layer(SessionLayer::new(sessions))
}

async fn read(session: Session<Account>) -> Answer<String> {
    let count: u64 = session.get_or_default(COUNTER)?;
    Ok(count.to_string())
}

/// `get` and `insert` as the peers do it; `update` would merge as well.
async fn change(session: Session<Account>) -> Answer<String> {
    let count: u64 = session.get_or_default(COUNTER)?;
    let next = count + 1;
    session.insert(COUNTER, next)?;
    Ok(next.to_string())
}

async fn create(session: Session<Account>) -> Answer<&'static str> {
    session.insert(COUNTER, FIRST)?;
    Ok("ok")
}

async fn fill_small(session: Session<Account>) -> Answer<&'static str> {
    fill(&session)?;
    Ok("ok")
}

async fn fill_large(session: Session<Account>) -> Answer<&'static str> {
    fill(&session)?;
    for key in LARGE {
        session.insert(key, LARGE_VALUE)?;
    }
    Ok("ok")
}

async fn size(session: Session<Account>) -> Answer<String> {
    let mut size = 0;
    for key in SMALL.map(|(key, _)| key).into_iter().chain(LARGE) {
        let value: Option<String> = session.get(key)?;
        size += value.map_or(0, |value| value.len());
    }
    Ok(size.to_string())
}

fn fill(session: &SessionHandle) -> Answer<()> {
    for (key, value) in SMALL {
        session.insert(key, value)?;
    }
    session.insert(COUNTER, FIRST)?;
    Ok(())
}
