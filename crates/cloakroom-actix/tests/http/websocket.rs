use actix_web::{
    Error, HttpRequest, HttpResponse,
    web::{self, Payload, ServiceConfig},
};
use cloakroom_actix::{CsrfMiddleware, Session, SessionMiddleware, SessionRejection};
use cloakroom_core::{Namespace, OriginRules, SessionError, SessionHandle, SessionManager};
use cloakroom_memory::MemoryStore;
use futures_util::StreamExt;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::{browser::Cart, server::Server};

async fn chat(
    request: HttpRequest,
    body: Payload,
    cart: Session<Cart>,
) -> Result<HttpResponse, Error> {
    cart.insert("before", 1).map_err(SessionRejection::from)?;
    let (response, socket, _) = actix_ws::handle(&request, body)?;
    actix_web::rt::spawn(talk(socket, cart.into_handle()));
    Ok(response)
}

async fn talk(mut socket: actix_ws::Session, session: SessionHandle) {
    // The head is sent when this runs: the handler and the commit have not waited for anything.
    session
        .update("after", |count: &mut u32| *count += 1)
        .unwrap();
    session.save().await.unwrap();
    let late = session.login("ann");
    assert!(
        matches!(late, Err(SessionError::HeadSent { .. })),
        "{late:?}"
    );
    let id = session.id().unwrap();
    socket.text(id.to_string()).await.unwrap();
}

async fn read(cart: Session<Cart>) -> Result<String, SessionRejection> {
    let (before, after): (Option<u32>, Option<u32>) = (cart.get("before")?, cart.get("after")?);
    Ok(format!("{before:?} {after:?}"))
}

fn routes(sessions: SessionManager) -> impl Fn(&mut ServiceConfig) + Clone {
    move |config| {
        config.service(
            web::scope("")
                .route("/chat", web::get().to(chat))
                .route("/read", web::get().to(read))
                // A handshake is a GET, so it passes.
                .wrap(CsrfMiddleware::from(
                    OriginRules::new().require_token("cart"),
                ))
                .wrap(SessionMiddleware::new(sessions.clone())),
        );
    }
}

#[actix_web::test]
async fn an_upgrade_commits_before_the_head_and_saves_after_it() {
    let cart = Namespace::new("cart", MemoryStore::new()).insecure_http();
    let sessions = SessionManager::builder().namespace(cart).build().unwrap();
    let server = Server::of(routes(sessions));
    let request = format!("ws://{}/chat", server.host).into_client_request();
    let connected = tokio_tungstenite::connect_async(request.unwrap()).await;
    let (mut socket, response) = connected.unwrap();
    assert_eq!(response.status(), 101);
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    let pair = cookie.split(';').next().unwrap().to_owned();
    let message = socket.next().await.unwrap().unwrap();
    assert_eq!(message.into_text().unwrap().len(), 32);
    let read = server.send("GET", "/read", &[("Cookie", &pair)], "").await;
    assert_eq!(read.text, "Some(1) Some(1)");
}
