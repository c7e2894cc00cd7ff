//! actix-session with its default settings: a browser session whose state lives for a day.

use actix_session::storage::SessionStore;
use actix_session::{Session, SessionMiddleware};
use actix_web::cookie::Key;
use actix_web::web::{self, ServiceConfig};
use cloakroom_load::session::{COUNTER, FIRST, LARGE, LARGE_VALUE, SMALL};
use cloakroom_load::untouched;

pub(super) fn routes(store: impl SessionStore + 'static) -> impl FnOnce(&mut ServiceConfig) {
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
                .wrap(SessionMiddleware::new(store, Key::generate())),
        );
    }
}

async fn read(session: Session) -> String {
    count(&session).to_string()
}

async fn change(session: Session) -> String {
    let next = count(&session) + 1;
    session.insert(COUNTER, next).expect("serialized");
    next.to_string()
}

async fn create(session: Session) -> &'static str {
    session.insert(COUNTER, FIRST).expect("serialized");
    "ok"
}

async fn fill_small(session: Session) -> &'static str {
    fill(&session);
    "ok"
}

async fn fill_large(session: Session) -> &'static str {
    fill(&session);
    for key in LARGE {
        session.insert(key, LARGE_VALUE).expect("serialized");
    }
    "ok"
}

async fn size(session: Session) -> String {
    let mut size = 0;
    for key in SMALL.map(|(key, _)| key).into_iter().chain(LARGE) {
        let value: Option<String> = session.get(key).expect("of that type");
        size += value.map_or(0, |value| value.len());
    }
    size.to_string()
}

fn count(session: &Session) -> u64 {
    session.get(COUNTER).expect("a number").unwrap_or(0)
}

fn fill(session: &Session) {
    for (key, value) in SMALL {
        session.insert(key, value).expect("serialized");
    }
    session.insert(COUNTER, FIRST).expect("serialized");
}
