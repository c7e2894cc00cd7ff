use std::panic::AssertUnwindSafe;

use axum::{Router, routing::get};
use cloakroom_memory::MemoryStore;
use cloakroom_tower::{Session, SessionLayer, SessionRejection};
use tower::ServiceExt;

use crate::app::{Browser, Cart, manager};

async fn begin(cart: Session<Cart>) -> Result<(), SessionRejection> {
    cart.insert("count", 1)?;
    Ok(())
}

async fn count(cart: Session<Cart>) -> Result<String, SessionRejection> {
    Ok(cart.get_or_default::<u32>("count")?.to_string())
}

async fn change_and_panic(cart: Session<Cart>) {
    cart.insert("count", 9).unwrap();
    unreachable!("on purpose");
}

async fn end_and_panic(cart: Session<Cart>) {
    cart.end().unwrap();
    unreachable!("on purpose");
}

fn app() -> Router {
    let app = Router::new()
        .route("/begin", get(begin))
        .route("/count", get(count))
        .route("/change", get(change_and_panic))
        .route("/end", get(end_and_panic))
        .layer(SessionLayer::new(manager(MemoryStore::new())));
    crate::around(app)
}

async fn panics(app: &Router, browser: &Browser, path: &str) {
    let call = app.clone().oneshot(browser.request(path));
    let task = tokio::spawn(AssertUnwindSafe(async move { call.await.map(drop) }).0);
    assert!(task.await.unwrap_err().is_panic());
}

#[tokio::test]
async fn a_panic_saves_nothing_and_goes_on() {
    let app = app();
    let mut browser = Browser::new(app.clone());
    browser.get("/begin").await;
    panics(&app, &browser, "/change").await;
    assert_eq!(browser.get("/count").await.text, "1");
}

#[tokio::test]
async fn end_is_carried_out_although_the_handler_panics() {
    let app = app();
    let mut browser = Browser::new(app.clone());
    browser.get("/begin").await;
    panics(&app, &browser, "/end").await;
    assert_eq!(browser.get("/count").await.text, "0");
}
