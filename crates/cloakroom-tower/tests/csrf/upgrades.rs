//! A WebSocket's handshake is a GET, so that it passes.

use axum::{
    Router,
    extract::ws::{Message, WebSocketUpgrade},
    response::Response,
    routing::get,
};
use cloakroom_core::{Namespace, OriginRules, SessionManager};
use cloakroom_memory::MemoryStore;
use cloakroom_tower::{CsrfLayer, CsrfTokenLayer, SessionLayer};
use futures_util::StreamExt;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

async fn chat(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| {
        socket.send(Message::Text("hello".into())).await.unwrap();
    })
}

#[tokio::test]
async fn an_upgrade_passes_both_layers() {
    let sessions = SessionManager::builder()
        .namespace(Namespace::new("account", MemoryStore::new()).insecure_http())
        .build()
        .unwrap();
    let app = Router::new()
        .route("/chat", get(chat))
        .layer(CsrfLayer::new())
        .layer(CsrfTokenLayer::from(
            OriginRules::new().require_token("account"),
        ))
        .layer(SessionLayer::new(sessions));
    let app = crate::around(app);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut request = format!("ws://{address}/chat")
        .into_client_request()
        .unwrap();
    let site = "same-origin".parse().unwrap();
    request.headers_mut().insert("sec-fetch-site", site);
    let (mut socket, response) = tokio_tungstenite::connect_async(request).await.unwrap();
    assert_eq!(response.status(), 101);
    let message = socket.next().await.unwrap().unwrap();
    assert_eq!(message.into_text().unwrap(), "hello");
}
