//! cloakroom, one day of inactivity.

use actix_web::web::{self, ServiceConfig};
use cloakroom_actix::{NamespaceName, Session, SessionMiddleware, SessionRejection};
use cloakroom_core::store::Store;
use cloakroom_core::{Limits, Namespace, SessionHandle, SessionManager, days};
use cloakroom_load::session::{COUNTER, FIRST, LARGE, LARGE_VALUE, SMALL};
use cloakroom_load::untouched;

struct Account;

impl NamespaceName for Account {
    const NAME: &'static str = "account";
}

type Answer<T> = Result<T, SessionRejection>;

pub(super) fn routes(store: impl Store) -> impl FnOnce(&mut ServiceConfig) {
    let account = Namespace::new(Account::NAME, store).limits(Limits::idle(days(1)));
    let sessions = SessionManager::builder()
        .namespace(account)
        .build()
        .expect("the settings are valid");
    move |config| {
        config.service(
            web::scope("")
                .route("/untouched", web::get().to(untouched))
                .route("/read", web::get().to(read))
                .route("/change", web::post().to(change))
                .route("/create", web::post().to(create))
                .route("/fill", web::post().to(fill_small))
                .route("/fill-large", web::post().to(fill_large))
                .route("/size", web::get().to(size))
                .wrap(SessionMiddleware::new(sessions)),
        );
    }
}

async fn read(session: Session<Account>) -> Answer<String> {
    let count: u64 = session.get_or_default(COUNTER)?;
    Ok(count.to_string())
}

/// `get` and `insert` as the peer does it; `update` would merge as well.
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
