//! Pylons' recipe for clients without cookies, in which the application finds the session's id:
//! a JSON API for telephones, over a socket.

use std::borrow::Cow;

use axum::{
    Json, Router,
    routing::{get, post},
};
use cloakroom_core::{
    Namespace, NamespaceName, RequestHead, ResponseHead, ResponseHeader, SessionManager,
    TokenTransport, Transport,
};
use cloakroom_memory::MemoryStore;
use cloakroom_tower::{Session, SessionLayer, SessionRejection};

use crate::client::{Answer, Server};

struct Account;

impl NamespaceName for Account {
    const NAME: &'static str = "account";
}

/// `X-Device: model=..; token=..`, answered in `X-Device-Token`; `none` when the token is over.
#[derive(Debug)]
struct Device;

const ANSWER: ResponseHeader = ResponseHeader::Other("x-device-token");

impl TokenTransport for Device {
    fn read(&self, request: &dyn RequestHead, candidate: &mut dyn FnMut(&[u8])) {
        request.header("x-device", &mut |value| {
            for part in value.split(|byte| *byte == b';') {
                if let Some(token) = part.trim_ascii().strip_prefix(b"token=") {
                    candidate(token);
                }
            }
        });
    }

    fn write(&self, token: Option<&str>, response: &mut dyn ResponseHead) {
        let value = token.map_or(Cow::Borrowed("none"), |token| Cow::Owned(token.to_owned()));
        response.replace(ANSWER, value);
    }

    fn varies_on(&self) -> &[&str] {
        &["X-Device"]
    }
}

type Reply<T> = Result<Json<T>, SessionRejection>;

async fn login(account: Session<Account>) -> Reply<bool> {
    account.login("alice")?;
    Ok(Json(true))
}

async fn logout(account: Session<Account>) -> Reply<bool> {
    account.logout()?;
    Ok(Json(true))
}

async fn add(account: Session<Account>) -> Reply<u32> {
    Ok(Json(account.update("steps", |steps: &mut u32| {
        *steps += 1;
        *steps
    })?))
}

async fn me(account: Session<Account>) -> Reply<Option<String>> {
    Ok(Json(
        account.subject().map(|subject| subject.as_str().to_owned()),
    ))
}

async fn server() -> (Server, MemoryStore) {
    let store = MemoryStore::new();
    let account = Namespace::new("account", store.clone()).transports([Transport::custom(Device)]);
    let sessions = SessionManager::builder()
        .namespace(account)
        .build()
        .unwrap();
    let app = Router::new()
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/steps", post(add))
        .route("/me", get(me))
        .layer(SessionLayer::new(sessions));
    (Server::of(app).await, store)
}

/// A telephone: it keeps the token that it is told.
struct Telephone<'a> {
    server: &'a Server,
    token: Option<String>,
}

impl Telephone<'_> {
    async fn call(&mut self, method: &str, target: &str) -> Answer {
        let device = match &self.token {
            Some(token) => format!("model=17; token={token}"),
            None => "model=17".to_owned(),
        };
        let answer = self
            .server
            .send(method, target, &[("X-Device", &device)])
            .await;
        match answer.one("x-device-token") {
            None => {}
            Some("none") => self.token = None,
            Some(token) => self.token = Some(token.to_owned()),
        }
        assert!(answer.all("set-cookie").is_empty());
        answer
    }
}

#[tokio::test]
async fn pylons_a_session_without_cookies_lives_through_login_and_logout() {
    let (server, store) = server().await;
    let token = None;
    let mut telephone = Telephone {
        server: &server,
        token,
    };
    assert_eq!(telephone.call("GET", "/me").await.text, "null");
    assert_eq!(telephone.token, None, "nothing is stored, nothing is told");
    assert_eq!(telephone.call("POST", "/steps").await.text, "1");
    let anonymous = telephone.token.clone().unwrap();
    assert_eq!(telephone.call("POST", "/steps").await.text, "2");
    assert_eq!(telephone.token.as_ref(), Some(&anonymous));
    let answer = telephone.call("POST", "/login").await;
    assert_eq!(answer.all("cache-control"), ["no-store"]);
    assert_eq!(answer.all("vary"), ["X-Device"]);
    let known = telephone.token.clone().unwrap();
    assert_ne!(known, anonymous);
    assert_eq!(telephone.call("GET", "/me").await.text, "\"alice\"");
    assert_eq!(telephone.call("POST", "/steps").await.text, "3");
    // What was good before the login is so no longer.
    let mut thief = Telephone {
        server: &server,
        token: Some(anonymous),
    };
    assert_eq!(thief.call("GET", "/me").await.text, "null");
    telephone.call("POST", "/logout").await;
    assert_eq!(telephone.token, None);
    assert_eq!(store.stats().sessions, 0);
    let mut thief = Telephone {
        server: &server,
        token: Some(known),
    };
    assert_eq!(thief.call("GET", "/me").await.text, "null");
}

#[tokio::test]
async fn pylons_telephones_have_sessions_of_their_own() {
    let (server, store) = server().await;
    let mut telephones = [(); 3].map(|()| Telephone {
        server: &server,
        token: None,
    });
    for round in 1..4 {
        for telephone in &mut telephones {
            let steps = telephone.call("POST", "/steps").await.text;
            assert_eq!(steps, round.to_string());
        }
    }
    assert_eq!(store.stats().sessions, 3);
}

#[tokio::test]
async fn a_token_that_the_client_made_up_is_not_adopted() {
    let (server, _) = server().await;
    let made_up = "A".repeat(64);
    let mut telephone = Telephone {
        server: &server,
        token: Some(made_up.clone()),
    };
    assert_eq!(telephone.call("POST", "/steps").await.text, "1");
    assert_ne!(telephone.token, Some(made_up));
}
