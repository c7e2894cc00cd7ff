use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    response::Response,
    routing::get,
};
use cloakroom_core::{Namespace, SessionHandle, SessionManager};
use cloakroom_memory::MemoryStore;
use cloakroom_tower::{Session, SessionLayer, SessionRejection};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::app::Cart;

async fn chat(
    cart: Session<Cart>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, SessionRejection> {
    cart.insert("before", 1)?;
    let session = cart.into_handle();
    Ok(upgrade.on_upgrade(|socket| talk(socket, session)))
}

async fn talk(mut socket: WebSocket, session: SessionHandle) {
    session
        .update("after", |count: &mut u32| *count += 1)
        .unwrap();
    session.save().await.unwrap();
    let id = session.id().unwrap();
    socket
        .send(Message::Text(id.to_string().into()))
        .await
        .unwrap();
}

async fn read(cart: Session<Cart>) -> Result<String, SessionRejection> {
    let (before, after): (Option<u32>, Option<u32>) = (cart.get("before")?, cart.get("after")?);
    Ok(format!("{before:?} {after:?}"))
}

#[tokio::test]
async fn an_upgrade_commits_before_the_head_and_saves_after_it() {
    let sessions = SessionManager::builder()
        .namespace(Namespace::new("cart", MemoryStore::new()).insecure_http())
        .build()
        .unwrap();
    let app = Router::new()
        .route("/chat", get(chat))
        .route("/read", get(read))
        .layer(SessionLayer::new(sessions));
    let app = crate::around(app);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app.clone();
    tokio::spawn(async move { axum::serve(listener, service).await });

    let request = format!("ws://{address}/chat")
        .into_client_request()
        .unwrap();
    let (mut socket, response) = tokio_tungstenite::connect_async(request).await.unwrap();
    assert_eq!(response.status(), 101);
    let cookie = response.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .to_owned();
    let message = futures_util::StreamExt::next(&mut socket)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(message.into_text().unwrap().len(), 32);

    let pair = cookie.split(';').next().unwrap();
    let request = axum::http::Request::get("/read")
        .header("cookie", pair)
        .body(axum::body::Body::empty())
        .unwrap();
    let response = tower::ServiceExt::oneshot(app, request).await.unwrap();
    let body = http_body_util::BodyExt::collect(response.into_body())
        .await
        .unwrap();
    assert_eq!(body.to_bytes(), "Some(1) Some(1)");
}
