//! Bodies that stream, and go on with the session.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Bytes, ServiceConfig},
};
use cloakroom_actix::{Session, SessionMiddleware, SessionRejection};
use cloakroom_core::{SessionError, SessionHandle};
use cloakroom_memory::MemoryStore;
use futures_util::stream;
use tokio::sync::mpsc;

use crate::browser::{Answer, Browser, Cart, manager};

/// A body whose chunks come from a task that goes on with the session.
fn streamed<F, T>(session: SessionHandle, write: F) -> HttpResponse
where
    F: FnOnce(SessionHandle, mpsc::Sender<String>) -> T,
    T: Future<Output = ()> + 'static,
{
    let (sender, mut receiver) = mpsc::channel(1);
    actix_web::rt::spawn(write(session, sender));
    let chunks = stream::poll_fn(move |context| {
        let chunk = receiver.poll_recv(context);
        chunk.map(|chunk| chunk.map(|text| Ok::<_, SessionError>(Bytes::from(text))))
    });
    HttpResponse::Ok().streaming(chunks)
}

async fn begin(cart: Session<Cart>) -> Result<&'static str, SessionRejection> {
    cart.insert("count", 1)?;
    Ok("begun")
}

async fn count(cart: Session<Cart>) -> Result<String, SessionRejection> {
    Ok(cart.get_or_default::<u32>("count")?.to_string())
}

async fn saves(cart: Session<Cart>) -> HttpResponse {
    streamed(cart.into_handle(), async |cart, sender| {
        cart.update("count", |count: &mut u32| *count += 1).unwrap();
        cart.save().await.unwrap();
        sender.send("saved".to_owned()).await.unwrap();
    })
}

async fn needs_a_cookie(cart: Session<Cart>) -> HttpResponse {
    streamed(cart.into_handle(), async |cart, sender| {
        // One thread: this runs when the test waits for the body, after the head.
        let first = cart.insert("count", 1);
        assert!(
            matches!(first, Err(SessionError::HeadSent { .. })),
            "{first:?}"
        );
        assert!(matches!(
            cart.login("ann"),
            Err(SessionError::HeadSent { .. })
        ));
        assert!(matches!(cart.rotate(), Err(SessionError::HeadSent { .. })));
        sender.send("checked".to_owned()).await.unwrap();
    })
}

async fn saves_early(cart: Session<Cart>) -> Result<(&'static str, StatusCode), SessionRejection> {
    cart.insert("count", 5)?;
    cart.save().await?;
    Ok(("failed", StatusCode::BAD_GATEWAY))
}

fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope("")
            .route("/begin", web::get().to(begin))
            .route("/count", web::get().to(count))
            .route("/saves", web::get().to(saves))
            .route("/needs-a-cookie", web::get().to(needs_a_cookie))
            .route("/saves-early", web::get().to(saves_early))
            .wrap(SessionMiddleware::new(manager(MemoryStore::new()))),
    );
}

async fn body(browser: &mut Browser, path: &str) -> String {
    let request = browser.request("GET", path);
    let response = browser.reply(request).await.unwrap();
    Answer::of(response.into()).await.text
}

#[actix_web::test]
async fn a_stream_saves_after_the_head() {
    let mut browser = Browser::new(routes).await;
    browser.get("/begin").await;
    assert_eq!(body(&mut browser, "/saves").await, "saved");
    assert_eq!(browser.get("/count").await.text, "2");
}

#[actix_web::test]
async fn what_needs_a_cookie_is_head_sent_in_a_stream() {
    let mut browser = Browser::new(routes).await;
    assert_eq!(body(&mut browser, "/needs-a-cookie").await, "checked");
    assert_eq!(browser.get("/count").await.text, "0");
}

#[actix_web::test]
async fn an_early_save_puts_the_cookie_into_the_head() {
    let mut browser = Browser::new(routes).await;
    assert_eq!(browser.get("/saves-early").await.status, 502);
    assert_eq!(browser.get("/count").await.text, "5");
}
