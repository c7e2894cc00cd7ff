//! `Option` and `Result` around an extractor: actix-web makes `None` of every error, and a store that is
//! down must not look like a namespace that is closed.

use actix_web::{
    Either, HttpResponse,
    http::header,
    web::{self, ServiceConfig},
};
use cloakroom_actix::{Session, SessionMiddleware, SessionRejection, Sessions};
use cloakroom_core::{Namespace, SessionManager};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::{Fault, Faults, FaultyStore};

use crate::browser::{Account, Browser, Cart};

type OptionalCart = Option<Session<Cart>>;
type TriedAccount = Result<Session<Account>, SessionRejection>;

async fn optional(cart: OptionalCart) -> String {
    format!("{}", cart.is_some())
}

/// It changes another session although it has not got the one.
async fn changes_another(cart: OptionalCart, sessions: Sessions) -> String {
    let other = sessions.open("other").await.unwrap().unwrap();
    other.insert("touched", true).unwrap();
    format!("{}", cart.is_some())
}

async fn read_other(sessions: Sessions) -> String {
    let other = sessions.open("other").await.unwrap().unwrap();
    format!("{:?}", other.get::<bool>("touched").unwrap())
}

async fn answers_itself(cart: Result<Session<Cart>, SessionRejection>) -> HttpResponse {
    match cart.map_err(SessionRejection::into_error) {
        Ok(_) => HttpResponse::Ok().body("true"),
        Err(error) => HttpResponse::BadGateway().body(error.status().to_string()),
    }
}

async fn forgets_the_error(cart: Result<Session<Cart>, SessionRejection>) -> String {
    format!("{}", cart.is_ok())
}

async fn hands_it_on(
    cart: Result<Session<Cart>, SessionRejection>,
) -> Result<String, SessionRejection> {
    cart?;
    Ok("true".to_owned())
}

/// Only one of the two is answered for.
async fn one_of_two(cart: OptionalCart, account: TriedAccount) -> String {
    let account = account.map_err(SessionRejection::into_error);
    format!("{} {}", cart.is_some(), account.is_ok())
}

async fn one_of_two_in_another_order(account: TriedAccount, cart: OptionalCart) -> String {
    let account = account.map_err(SessionRejection::into_error);
    format!("{} {}", cart.is_some(), account.is_ok())
}

async fn either(either: Either<Session<Cart>, String>) -> String {
    match either {
        Either::Left(_) => "true".to_owned(),
        Either::Right(_) => "false".to_owned(),
    }
}

fn routes(sessions: SessionManager) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config.service(
            web::scope("")
                .route("/optional", web::get().to(optional))
                .route("/changes-another", web::get().to(changes_another))
                .route("/read-other", web::get().to(read_other))
                .route("/answers", web::get().to(answers_itself))
                .route("/forgets", web::get().to(forgets_the_error))
                .route("/hands-on", web::get().to(hands_it_on))
                .route("/one-of-two", web::get().to(one_of_two))
                .route("/two-of-one", web::get().to(one_of_two_in_another_order))
                .route("/either", web::get().to(either))
                .wrap(SessionMiddleware::new(sessions)),
        );
    }
}

/// `cart` and `account` in a store that a test breaks, `other` in a good one.
async fn browser() -> (Browser, Faults) {
    let store = FaultyStore::new(MemoryStore::new());
    let faults = store.faults();
    let sessions = SessionManager::builder()
        .namespace(Namespace::new("cart", store.clone()))
        .namespace(Namespace::new("account", store))
        .namespace(Namespace::new("other", MemoryStore::new()))
        .build()
        .unwrap();
    (Browser::new(routes(sessions)).await, faults)
}

/// A request with tokens that the store has to be asked for.
async fn get(browser: &mut Browser, path: &str) -> crate::browser::Answer {
    let tokens = ["cart", "account"].map(|name| format!("__Host-{name}={}", "A".repeat(64)));
    let cookies = tokens.into_iter().chain(browser.cookie());
    let cookies = cookies.collect::<Vec<_>>().join("; ");
    let request = browser.request("GET", path);
    let request = request.insert_header((header::COOKIE, cookies));
    browser.send(request).await
}

#[actix_web::test]
async fn with_a_store_that_works_all_have_their_session() {
    let (mut browser, _) = browser().await;
    for path in [
        "/optional",
        "/changes-another",
        "/answers",
        "/forgets",
        "/hands-on",
        "/either",
    ] {
        let answer = get(&mut browser, path).await;
        assert_eq!((answer.status.as_u16(), &*answer.text), (200, "true"));
    }
    for path in ["/one-of-two", "/two-of-one"] {
        assert_eq!(get(&mut browser, path).await.text, "true true");
    }
}

#[actix_web::test]
async fn what_nobody_has_answered_for_is_503() {
    let (mut browser, faults) = browser().await;
    faults.always(Fault::BeforeEffect);
    for path in [
        "/optional",
        "/changes-another",
        "/forgets",
        "/hands-on",
        "/one-of-two",
        "/two-of-one",
        "/either",
    ] {
        let answer = get(&mut browser, path).await;
        assert_eq!(answer.status, 503, "{path}: {}", answer.text);
        assert_eq!(answer.all(header::CACHE_CONTROL), ["no-store"], "{path}");
        assert!(answer.text.starts_with("The session is not available."));
        assert!(answer.all(header::SET_COOKIE).is_empty(), "{path}");
    }
    faults.clear();
    assert_eq!(browser.get("/read-other").await.text, "None");
}

#[actix_web::test]
async fn who_takes_the_error_out_answers_for_it() {
    let (mut browser, faults) = browser().await;
    faults.always(Fault::BeforeEffect);
    let answer = get(&mut browser, "/answers").await;
    assert_eq!((answer.status.as_u16(), &*answer.text), (502, "503"));
}
