use std::panic::AssertUnwindSafe;

use actix_web::web;
use cloakroom_actix::{Session, SessionMiddleware, SessionRejection};
use cloakroom_memory::MemoryStore;
use futures_util::FutureExt;

use crate::browser::{Browser, Cart, manager};

async fn begin(cart: Session<Cart>) -> Result<&'static str, SessionRejection> {
    cart.insert("count", 1)?;
    Ok("begun")
}

async fn count(cart: Session<Cart>) -> Result<String, SessionRejection> {
    Ok(cart.get_or_default::<u32>("count")?.to_string())
}

async fn change_and_panic(cart: Session<Cart>) -> &'static str {
    cart.insert("count", 9).unwrap();
    panic!("on purpose");
}

async fn end_and_panic(cart: Session<Cart>) -> &'static str {
    cart.end().unwrap();
    panic!("on purpose");
}

async fn browser() -> Browser {
    let mut browser = Browser::new(|config| {
        config.service(
            web::scope("")
                .route("/begin", web::get().to(begin))
                .route("/count", web::get().to(count))
                .route("/change", web::get().to(change_and_panic))
                .route("/end", web::get().to(end_and_panic))
                .wrap(SessionMiddleware::new(manager(MemoryStore::new()))),
        );
    })
    .await;
    browser.get("/begin").await;
    browser
}

/// The panic is the handler's own.
async fn panics(browser: &mut Browser, path: &str) {
    let request = browser.request("GET", path);
    let caught = AssertUnwindSafe(browser.reply(request))
        .catch_unwind()
        .await;
    let payload = caught.expect_err("a panic");
    assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
}

#[actix_web::test]
async fn a_panic_saves_nothing_and_goes_on() {
    let mut browser = browser().await;
    panics(&mut browser, "/change").await;
    assert_eq!(browser.get("/count").await.text, "1");
}

#[actix_web::test]
async fn end_is_carried_out_although_the_handler_panics() {
    let mut browser = browser().await;
    panics(&mut browser, "/end").await;
    assert_eq!(browser.get("/count").await.text, "0");
}
