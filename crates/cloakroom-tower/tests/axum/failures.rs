use std::time::Duration;

use axum::{
    Router,
    http::{HeaderMap, StatusCode, header},
    routing::get,
};
use cloakroom_core::{FailurePolicy, Namespace, SessionManager, store::Operation};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::{Fault, FaultyStore};
use cloakroom_tower::{Session, SessionLayer, SessionRejection};
use tokio::time::Instant;

use crate::app::{Account, Browser, Cart, manager};

type Answer = Result<String, SessionRejection>;

async fn add(cart: Session<Cart>) -> Answer {
    cart.update("count", |count: &mut u32| *count += 1)?;
    Ok("added".to_owned())
}

async fn count(cart: Session<Cart>) -> Answer {
    Ok(cart.get_or_default::<u32>("count")?.to_string())
}

fn app(sessions: SessionManager) -> Browser {
    let app = Router::new()
        .route("/add", get(add))
        .route("/count", get(count))
        .route("/plain", get(|| async { "plain" }))
        .layer(SessionLayer::new(sessions));
    Browser::new(app)
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_or_hangs_is_a_503_within_the_deadline() {
    for fault in [Fault::BeforeEffect, Fault::Timeout, Fault::Hang] {
        let store = FaultyStore::new(MemoryStore::new());
        let faults = store.faults();
        let mut browser = app(SessionManager::builder()
            .namespace(Namespace::new("cart", store))
            .build()
            .unwrap());
        browser.get("/add").await;
        faults.always(fault);
        for path in ["/count", "/add"] {
            let began = Instant::now();
            let answer = browser.get(path).await;
            assert_eq!(
                answer.status,
                StatusCode::SERVICE_UNAVAILABLE,
                "{fault:?} {path}"
            );
            assert!(
                !answer.text.is_empty() && !answer.text.contains("store"),
                "{}",
                answer.text
            );
            assert!(
                began.elapsed() <= Duration::from_secs(1),
                "{:?}",
                began.elapsed()
            );
            assert_eq!(answer.all(header::CACHE_CONTROL), ["no-store"]);
        }
        assert_eq!(browser.get("/plain").await.text, "plain");
        faults.clear();
        assert_eq!(browser.get("/count").await.text, "1");
    }
}

#[tokio::test]
async fn a_commit_that_fails_replaces_the_response_or_keeps_it_by_policy() {
    for (policy, status) in [
        (FailurePolicy::Respond503, StatusCode::SERVICE_UNAVAILABLE),
        (FailurePolicy::KeepResponse, StatusCode::OK),
    ] {
        let store = FaultyStore::new(MemoryStore::new());
        let faults = store.faults();
        let mut browser = app(SessionManager::builder()
            .namespace(Namespace::new("cart", store).on_store_failure(policy))
            .build()
            .unwrap());
        browser.get("/add").await;
        faults.always_on(Operation::Replace, Fault::BeforeEffect);
        assert_eq!(browser.get("/add").await.status, status);
        faults.clear();
        assert_eq!(browser.get("/count").await.text, "1");
    }
}

#[tokio::test]
async fn the_503_carries_the_cookies_that_were_committed_and_those_of_others() {
    async fn both(
        cart: Session<Cart>,
        account: Session<Account>,
    ) -> Result<(HeaderMap, &'static str), SessionRejection> {
        cart.insert("x", 1)?;
        account.insert("x", 1)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::SET_COOKIE, "theirs=1; Path=/".parse().unwrap());
        headers.insert(header::ETAG, "\"1\"".parse().unwrap());
        Ok((headers, "done"))
    }
    let broken = FaultyStore::new(MemoryStore::new());
    broken.faults().always(Fault::BeforeEffect);
    let sessions = SessionManager::builder()
        .namespace(Namespace::new("cart", MemoryStore::new()))
        .namespace(Namespace::new("account", broken))
        .build()
        .unwrap();
    let app = Router::new()
        .route("/", get(both))
        .layer(SessionLayer::new(sessions));
    let answer = Browser::new(app).get("/").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let cookies = answer.all(header::SET_COOKIE);
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    assert!(cookies.contains(&"theirs=1; Path=/"));
    assert!(
        cookies
            .iter()
            .any(|cookie| cookie.starts_with("__Host-cart="))
    );
    assert!(answer.all(header::ETAG).is_empty());
}

#[tokio::test]
async fn a_5xx_response_does_not_save() {
    async fn fail(cart: Session<Cart>) -> Result<StatusCode, SessionRejection> {
        cart.insert("count", 9)?;
        Ok(StatusCode::INTERNAL_SERVER_ERROR)
    }
    let app = Router::new()
        .route("/fail", get(fail))
        .route("/count", get(count))
        .layer(SessionLayer::new(manager(MemoryStore::new())));
    let mut browser = Browser::new(app);
    let answer = browser.get("/fail").await;
    assert!(answer.all(header::SET_COOKIE).is_empty());
    assert_eq!(browser.get("/count").await.text, "0");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_disconnects_does_not_stop_a_commit_halfway() {
    let store = FaultyStore::new(MemoryStore::new());
    let faults = store.faults();
    let sessions = SessionManager::builder()
        .namespace(Namespace::new("cart", store))
        .build()
        .unwrap();
    let router = Router::new()
        .route("/add", get(add))
        .route("/count", get(count))
        .layer(SessionLayer::new(sessions));
    let router = crate::around(router);
    let mut browser = Browser::new(router.clone());
    browser.get("/add").await;
    faults.always_on(Operation::Replace, Fault::Delay(Duration::from_millis(100)));
    let request = browser.request("/add");
    let service = tower::ServiceExt::oneshot(router, request);
    let gone = tokio::time::timeout(Duration::from_millis(50), service).await;
    assert!(gone.is_err());
    tokio::time::sleep(Duration::from_millis(100)).await;
    faults.clear();
    assert_eq!(browser.get("/count").await.text, "2");
}
