use std::time::Duration;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
    web::{self, ServiceConfig},
};
use cloakroom_actix::{Session, SessionMiddleware, SessionRejection};
use cloakroom_core::{FailurePolicy, Namespace, SessionManager, store::Operation};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::{Fault, FaultyStore};
use tokio::time::Instant;

use crate::{
    browser::{Account, Browser, Cart},
    server::Server,
};

type Answer = Result<String, SessionRejection>;

async fn add(cart: Session<Cart>) -> Answer {
    cart.update("count", |count: &mut u32| *count += 1)?;
    Ok("added".to_owned())
}

async fn count(cart: Session<Cart>) -> Answer {
    Ok(cart.get_or_default::<u32>("count")?.to_string())
}

async fn fail(cart: Session<Cart>) -> Result<HttpResponse, SessionRejection> {
    cart.insert("count", 9)?;
    Ok(HttpResponse::InternalServerError().finish())
}

async fn both(
    cart: Session<Cart>,
    account: Session<Account>,
) -> Result<HttpResponse, SessionRejection> {
    cart.insert("x", 1)?;
    account.insert("x", 1)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::SET_COOKIE, "theirs=1; Path=/"))
        .insert_header((header::ETAG, "\"1\""))
        .body("done"))
}

fn routes(sessions: SessionManager) -> impl Fn(&mut ServiceConfig) + Clone {
    move |config| {
        config.service(
            web::scope("")
                .route("/add", web::get().to(add))
                .route("/count", web::get().to(count))
                .route("/fail", web::get().to(fail))
                .route("/both", web::get().to(both))
                .route("/plain", web::get().to(async || "plain"))
                .wrap(SessionMiddleware::new(sessions.clone())),
        );
    }
}

async fn browser(cart: Namespace) -> Browser {
    let sessions = SessionManager::builder().namespace(cart).build().unwrap();
    Browser::new(routes(sessions)).await
}

#[actix_web::test]
async fn a_store_that_fails_or_hangs_is_a_503_within_the_deadline() {
    tokio::time::pause();
    for fault in [Fault::BeforeEffect, Fault::Timeout, Fault::Hang] {
        let store = FaultyStore::new(MemoryStore::new());
        let faults = store.faults();
        let mut browser = browser(Namespace::new("cart", store)).await;
        browser.get("/add").await;
        faults.always(fault);
        for path in ["/count", "/add"] {
            let began = Instant::now();
            let answer = browser.get(path).await;
            let took = began.elapsed();
            assert_eq!(answer.status, 503, "{fault:?} {path}");
            let text = &answer.text;
            assert!(!text.is_empty() && !text.contains("store"), "{text}");
            assert!(took <= Duration::from_secs(1), "{took:?}");
            assert_eq!(answer.all(header::CACHE_CONTROL), ["no-store"]);
        }
        assert_eq!(browser.get("/plain").await.text, "plain");
        faults.clear();
        assert_eq!(browser.get("/count").await.text, "1");
    }
}

#[actix_web::test]
async fn a_commit_that_fails_replaces_the_response_or_keeps_it_by_policy() {
    for (policy, status) in [
        (FailurePolicy::Respond503, StatusCode::SERVICE_UNAVAILABLE),
        (FailurePolicy::KeepResponse, StatusCode::OK),
    ] {
        let store = FaultyStore::new(MemoryStore::new());
        let faults = store.faults();
        let mut browser = browser(Namespace::new("cart", store).on_store_failure(policy)).await;
        browser.get("/add").await;
        faults.always_on(Operation::Replace, Fault::BeforeEffect);
        assert_eq!(browser.get("/add").await.status, status);
        faults.clear();
        assert_eq!(browser.get("/count").await.text, "1");
    }
}

#[actix_web::test]
async fn the_503_carries_the_cookies_that_were_committed_and_those_of_others() {
    let broken = FaultyStore::new(MemoryStore::new());
    broken.faults().always(Fault::BeforeEffect);
    let sessions = SessionManager::builder()
        .namespace(Namespace::new("cart", MemoryStore::new()))
        .namespace(Namespace::new("account", broken))
        .build()
        .unwrap();
    let answer = Browser::new(routes(sessions)).await.get("/both").await;
    assert_eq!(answer.status, 503);
    let cookies = answer.all(header::SET_COOKIE);
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    assert!(cookies.contains(&"theirs=1; Path=/"));
    let ours = |cookie: &&str| cookie.starts_with("__Host-cart=");
    assert!(cookies.iter().any(ours));
    assert!(answer.all(header::ETAG).is_empty());
}

#[actix_web::test]
async fn a_5xx_response_does_not_save() {
    let mut browser = browser(Namespace::new("cart", MemoryStore::new())).await;
    let answer = browser.get("/fail").await;
    assert_eq!(answer.status, 500);
    assert!(answer.all(header::SET_COOKIE).is_empty());
    assert_eq!(browser.get("/count").await.text, "0");
}

#[actix_web::test]
async fn a_client_that_disconnects_does_not_stop_a_commit_halfway() {
    tokio::time::pause();
    let store = FaultyStore::new(MemoryStore::new());
    let faults = store.faults();
    let mut browser = browser(Namespace::new("cart", store)).await;
    browser.get("/add").await;
    faults.always_on(Operation::Replace, Fault::Delay(Duration::from_millis(100)));
    let request = browser.request("GET", "/add");
    let gone = tokio::time::timeout(Duration::from_millis(50), browser.reply(request)).await;
    assert!(gone.is_err());
    tokio::time::sleep(Duration::from_millis(100)).await;
    faults.clear();
    assert_eq!(browser.get("/count").await.text, "2");
}

/// The same with a server, whatever it makes of a connection that is closed.
#[actix_web::test]
async fn nor_does_one_that_closes_its_connection() {
    let store = FaultyStore::new(MemoryStore::new());
    let faults = store.faults();
    let cart = Namespace::new("cart", store).insecure_http();
    let sessions = SessionManager::builder().namespace(cart).build().unwrap();
    let server = Server::of(routes(sessions));
    let first = server.get("/add").await;
    let cookie = [("Cookie", first.cookie())];
    faults.always_on(Operation::Replace, Fault::Delay(Duration::from_millis(200)));
    let socket = server.begin("GET", "/add", &cookie, "").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(socket);
    tokio::time::sleep(Duration::from_millis(300)).await;
    faults.clear();
    let count = server.send("GET", "/count", &cookie, "").await;
    assert_eq!(count.text, "2");
}
