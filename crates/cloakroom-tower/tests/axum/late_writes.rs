use axum::{
    Router,
    body::{Body, Bytes},
    response::Response,
    routing::get,
};
use cloakroom_core::{SessionError, SessionHandle};
use cloakroom_memory::MemoryStore;
use cloakroom_tower::{Session, SessionLayer, SessionRejection};
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use crate::app::{Browser, Cart, manager};

/// A body whose chunks come from a task that goes on with the session.
fn stream<F, T>(session: SessionHandle, write: F) -> Response
where
    F: FnOnce(SessionHandle, mpsc::Sender<String>) -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(write(session, sender));
    Response::new(Body::new(Chunks(receiver)))
}

struct Chunks(mpsc::Receiver<String>);

impl axum::body::HttpBody for Chunks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        let chunk = self.0.poll_recv(context);
        chunk.map(|chunk| chunk.map(|text| Ok(http_body::Frame::data(text.into()))))
    }
}

async fn begin(cart: Session<Cart>) -> Result<(), SessionRejection> {
    cart.insert("count", 1)?;
    Ok(())
}

async fn count(cart: Session<Cart>) -> Result<String, SessionRejection> {
    Ok(cart.get_or_default::<u32>("count")?.to_string())
}

fn browser(route: axum::routing::MethodRouter) -> Browser {
    let app = Router::new()
        .route("/begin", get(begin))
        .route("/count", get(count))
        .route("/stream", route)
        .layer(SessionLayer::new(manager(MemoryStore::new())));
    Browser::new(app)
}

#[tokio::test]
async fn a_stream_saves_after_the_head() {
    async fn handler(cart: Session<Cart>) -> Response {
        stream(cart.into_handle(), |cart, sender| async move {
            cart.update("count", |count: &mut u32| *count += 1).unwrap();
            cart.save().await.unwrap();
            sender.send("saved".to_owned()).await.unwrap();
        })
    }
    let mut browser = browser(get(handler));
    browser.get("/begin").await;
    let body = browser.response("/stream").await.into_body();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "saved");
    assert_eq!(browser.get("/count").await.text, "2");
}

#[tokio::test]
async fn what_needs_a_cookie_is_head_sent_in_a_stream() {
    async fn handler(cart: Session<Cart>) -> Response {
        stream(cart.into_handle(), |cart, sender| async move {
            // One thread: this task runs when the test waits for the body, after the head.
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
    let mut browser = browser(get(handler));
    let body = browser.response("/stream").await.into_body();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "checked");
    assert_eq!(browser.get("/count").await.text, "0");
}

#[tokio::test]
async fn an_early_save_puts_the_cookie_into_the_head() {
    async fn handler(cart: Session<Cart>) -> Result<axum::http::StatusCode, SessionRejection> {
        cart.insert("count", 5)?;
        cart.save().await?;
        Ok(axum::http::StatusCode::BAD_GATEWAY)
    }
    let mut browser = browser(get(handler));
    browser.get("/stream").await;
    assert_eq!(browser.get("/count").await.text, "5");
}
