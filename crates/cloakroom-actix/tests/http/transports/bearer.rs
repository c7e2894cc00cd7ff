//! Tokens in headers, for clients without cookies.

use actix_web::web::{self, Json};
use cloakroom_actix::{Session, SessionMiddleware, SessionRejection};
use cloakroom_core::{Namespace, NamespaceName, SessionManager, Transport, store::Store};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::{Fault, FaultyStore};

use crate::server::{Answer, Server};

struct Account;

impl NamespaceName for Account {
    const NAME: &'static str = "account";
}

struct Api;

impl NamespaceName for Api {
    const NAME: &'static str = "api";
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
    let subject = account.subject();
    Ok(Json(subject.map(|subject| subject.as_str().to_owned())))
}

fn middleware(namespace: Namespace) -> SessionMiddleware {
    SessionMiddleware::new(
        SessionManager::builder()
            .namespace(namespace)
            .build()
            .unwrap(),
    )
}

fn server() -> (Server, MemoryStore) {
    let store = MemoryStore::new();
    let transports = [Transport::bearer()];
    let account = Namespace::new("account", store.clone()).transports(transports);
    let sessions = SessionManager::builder()
        .namespace(account)
        .build()
        .unwrap();
    let server = Server::of(move |config| {
        config.service(
            web::scope("")
                .route("/login", web::post().to(login))
                .route("/logout", web::post().to(logout))
                .route("/steps", web::post().to(add))
                .route("/me", web::get().to(me))
                .wrap(SessionMiddleware::new(sessions.clone())),
        );
    });
    (server, store)
}

/// A telephone: it keeps the token that it is told.
struct Telephone<'a> {
    server: &'a Server,
    token: Option<String>,
}

impl Telephone<'_> {
    async fn call(&mut self, method: &str, target: &str) -> Answer {
        let token = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = token
            .iter()
            .map(|value| ("Authorization", &**value))
            .collect();
        let answer = self.server.send(method, target, &headers, "").await;
        match answer.one("x-session-token") {
            None => {}
            Some("") => self.token = None,
            Some(token) => self.token = Some(token.to_owned()),
        }
        assert!(answer.all("set-cookie").is_empty());
        answer
    }
}

#[actix_web::test]
async fn a_session_without_cookies_lives_through_login_and_logout() {
    let (server, store) = server();
    let telephone = |token| Telephone {
        server: &server,
        token,
    };
    let mut own = telephone(None);
    assert_eq!(own.call("GET", "/me").await.text, "null");
    assert_eq!(own.token, None, "nothing is stored, nothing is told");
    assert_eq!(own.call("POST", "/steps").await.text, "1");
    let anonymous = own.token.clone().unwrap();
    assert_eq!(own.call("POST", "/steps").await.text, "2");
    let answer = own.call("POST", "/login").await;
    assert_eq!(answer.all("cache-control"), ["no-store"]);
    assert_eq!(answer.all("vary"), ["Authorization"]);
    let known = own.token.clone().unwrap();
    assert_ne!(known, anonymous);
    assert_eq!(own.call("GET", "/me").await.text, "\"alice\"");
    assert_eq!(own.call("POST", "/steps").await.text, "3");
    // What was good before the login is so no longer.
    let mut thief = telephone(Some(anonymous));
    assert_eq!(thief.call("GET", "/me").await.text, "null");
    own.call("POST", "/logout").await;
    assert_eq!(own.token, None);
    assert_eq!(store.stats().sessions, 0);
    let mut thief = telephone(Some(known));
    assert_eq!(thief.call("GET", "/me").await.text, "null");
}

#[actix_web::test]
async fn a_token_that_the_client_made_up_is_not_adopted() {
    let (server, _) = server();
    let made_up = "A".repeat(64);
    let mut telephone = Telephone {
        server: &server,
        token: Some(made_up.clone()),
    };
    assert_eq!(telephone.call("POST", "/steps").await.text, "1");
    assert_ne!(telephone.token, Some(made_up));
}

async fn both(account: Session<Account>, api: Session<Api>) -> Reply<bool> {
    account.insert("k", 1)?;
    api.insert("k", 1)?;
    Ok(Json(true))
}

/// An account in a cookie outside, a header session inside.
fn nested(outer_store: impl Store + Clone) -> Server {
    Server::of(move |config| {
        let api = Namespace::new("api", MemoryStore::new());
        let api = api.transports([Transport::header("X-Api")]);
        let account = Namespace::new("account", outer_store.clone()).insecure_http();
        let inner = web::scope("/inner").route("/both", web::get().to(both));
        let inner = inner.wrap(middleware(api));
        config.service(web::scope("").service(inner).wrap(middleware(account)));
    })
}

#[actix_web::test]
async fn each_middleware_answers_by_its_own_transports() {
    let answer = nested(MemoryStore::new()).get("/inner/both").await;
    assert_eq!(answer.text, "true");
    assert_eq!(answer.one("x-api").unwrap().len(), 64);
    assert_eq!(answer.all("set-cookie").len(), 1);
    assert_eq!(answer.all("vary"), ["x-api", "Cookie"]);
    assert_eq!(answer.all("cache-control"), ["no-store"]);
}

#[actix_web::test]
async fn an_error_page_of_the_outer_one_keeps_the_inner_one_s_token() {
    let store = FaultyStore::new(MemoryStore::new());
    store.faults().always(Fault::BeforeEffect);
    let answer = nested(store).get("/inner/both").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.one("x-api").unwrap().len(), 64);
    assert!(answer.all("set-cookie").is_empty());
}
