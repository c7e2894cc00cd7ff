//! Several workers have an application each, and one manager.

use actix_web::web::{self, ServiceConfig};
use cloakroom_actix::{Session, SessionMiddleware, SessionRejection};
use cloakroom_core::{Namespace, SessionManager};
use cloakroom_memory::MemoryStore;
use futures_util::future::join_all;

use crate::{browser::Cart, server::Server};

async fn add(cart: Session<Cart>) -> Result<String, SessionRejection> {
    cart.update("count", |count: &mut u32| *count += 1)?;
    let worker = format!("{:?}", std::thread::current().id());
    Ok(worker)
}

async fn count(cart: Session<Cart>) -> Result<String, SessionRejection> {
    Ok(cart.get_or_default::<u32>("count")?.to_string())
}

fn routes(sessions: SessionManager) -> impl Fn(&mut ServiceConfig) + Clone {
    move |config| {
        config.service(
            web::scope("")
                .route("/add", web::get().to(add))
                .route("/count", web::get().to(count))
                .wrap(SessionMiddleware::new(sessions.clone())),
        );
    }
}

#[actix_web::test]
async fn changes_in_two_workers_are_all_kept() {
    let cart = Namespace::new("cart", MemoryStore::new()).insecure_http();
    let sessions = SessionManager::builder().namespace(cart).build().unwrap();
    let server = Server::with_workers(2, routes(sessions));
    let first = server.get("/add").await;
    let cookie = [("Cookie", first.cookie())];
    let adds = (0..40).map(|_| server.send("GET", "/add", &cookie, ""));
    let mut workers: Vec<_> = join_all(adds).await;
    assert!(workers.iter().all(|answer| answer.status == 200));
    workers.sort_by(|one, other| one.text.cmp(&other.text));
    workers.dedup_by(|one, other| one.text == other.text);
    assert_eq!(workers.len(), 2, "both have worked");
    let count = server.send("GET", "/count", &cookie, "").await;
    assert_eq!(count.text, "41");
}
