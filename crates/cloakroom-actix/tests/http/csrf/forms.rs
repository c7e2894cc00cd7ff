//! `CsrfForm`.

use actix_web::{
    http::header,
    web::{self, PayloadConfig},
};
use cloakroom_actix::{CsrfForm, Session, SessionMiddleware, SessionRejection};
use cloakroom_core::{CsrfRefusal, Namespace, SessionManager};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::{Fault, FaultyStore};
use serde::Deserialize;

use super::{FORM, Refusals, manager};
use crate::browser::{Account, Browser};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    item: String,
    #[serde(default)]
    sizes: Vec<u32>,
    note: Option<String>,
}

async fn page(account: Session<Account>) -> Result<String, SessionRejection> {
    Ok(account.csrf().hidden_field()?)
}

async fn order(form: CsrfForm<Order, Account>) -> String {
    format!("{} {:?} {:?}", form.item, form.sizes, form.note)
}

async fn explained(form: Result<CsrfForm<Order, Account>, SessionRejection>) -> String {
    match form {
        Ok(form) => form.into_inner().item,
        Err(rejection) => rejection.to_string(),
    }
}

fn routes(manager: SessionManager) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        let orders = web::resource("/order")
            .route(web::post().to(order))
            .route(web::put().to(order))
            .route(web::get().to(order));
        config.service(
            web::scope("")
                .app_data(PayloadConfig::new(1000))
                .route("/page", web::get().to(page))
                .service(orders)
                .route("/explained", web::post().to(explained))
                .wrap(SessionMiddleware::new(manager)),
        );
    }
}

async fn browser() -> (Browser, Refusals) {
    let (manager, _, refusals) = manager();
    (Browser::new(routes(manager)).await, refusals)
}

#[actix_web::test]
async fn a_form_with_a_token_becomes_the_type_without_the_token() {
    let (mut browser, _) = browser().await;
    let token = browser.get("/page").await.token().to_owned();
    let form = format!("item=coat&sizes=38&csrf_token={token}&sizes=39");
    let answer = browser.post_form("/order", form).await;
    assert_eq!(answer.text, "coat [38, 39] None");
    let form = format!("csrf_token={token}&item=a+b%26c&note=");
    let answer = browser.post_form("/order", form).await;
    assert!(answer.text.starts_with("a b&c []"), "{}", answer.text);
}

#[actix_web::test]
async fn the_token_may_be_in_the_header() {
    let (mut browser, refusals) = browser().await;
    let token = browser.get("/page").await.token().to_owned();
    let put = |browser: &Browser, token: &str, form: String| {
        let request = browser.request("PUT", "/order").set_payload(form);
        let request = request.insert_header((header::CONTENT_TYPE, FORM));
        request.insert_header(("x-csrf-token", token))
    };
    let good = put(&browser, &token, "item=coat".to_owned());
    assert_eq!(browser.send(good).await.text, "coat [] None");
    let form = format!("item=coat&csrf_token={token}");
    let answer = browser.send(put(&browser, "guessed", form)).await;
    assert_eq!(answer.status, 403, "the header alone counts");
    assert_eq!(refusals.of_account(), [CsrfRefusal::MalformedToken]);
}

#[actix_web::test]
async fn without_a_good_token_it_is_403() {
    let (mut browser, refusals) = browser().await;
    let mut stranger = browser.clone();
    let of_stranger = stranger.get("/page").await.token().to_owned();
    let answer = browser
        .post_form("/order", format!("item=a&csrf_token={of_stranger}"))
        .await;
    assert_eq!(answer.refusal, Some(CsrfRefusal::NoSession));
    browser.get("/page").await;
    for (form, expected) in [
        ("item=coat".to_owned(), CsrfRefusal::NoToken),
        (
            format!("item=coat&csrf_token={of_stranger}"),
            CsrfRefusal::WrongToken,
        ),
        (
            format!("csrf_token={of_stranger}&csrf_token=x"),
            CsrfRefusal::SeveralTokens,
        ),
    ] {
        refusals.take();
        let answer = browser.post_form("/order", form).await;
        assert_eq!(answer.status, 403);
        assert_eq!(answer.refusal, Some(expected));
        assert_eq!(refusals.of_account(), [expected]);
        assert!(!answer.text.contains("oken"), "no details: {}", answer.text);
    }
}

#[actix_web::test]
async fn neither_token_nor_form_come_from_the_query() {
    let (mut browser, _) = browser().await;
    let token = browser.get("/page").await.token().to_owned();
    let target = format!("/order?item=coat&csrf_token={token}");
    let answer = browser.get(&target).await;
    assert_eq!(answer.refusal, Some(CsrfRefusal::NoToken));
    let answer = browser.post_form(&target, "item=coat").await;
    assert_eq!(answer.refusal, Some(CsrfRefusal::NoToken));
}

#[actix_web::test]
async fn other_mistakes_have_answers_of_their_own() {
    let (mut browser, _) = browser().await;
    let token = browser.get("/page").await.token().to_owned();
    for (form, expected) in [
        (format!("csrf_token={token}"), 422),
        (format!("csrf_token={token}&item=coat&colour=red"), 422),
        (format!("csrf_token={token}&item=coat&sizes=large"), 422),
        (format!("csrf_token={token}&item={}", "x".repeat(1000)), 413),
    ] {
        let answer = browser.post_form("/order", form.clone()).await;
        assert_eq!(answer.status, expected, "{form}");
        assert!(!answer.text.contains("colour") && !answer.text.contains("item"));
    }
    let headers = [
        ("content-type", "application/json"),
        ("x-csrf-token", &*token),
    ];
    let request = browser.post("/order", &headers).set_payload("{}");
    assert_eq!(browser.send(request).await.status, 415);
    assert_eq!(browser.send(browser.post("/order", &[])).await.status, 403);
}

#[actix_web::test]
async fn the_handler_may_look_at_the_reason() {
    let (mut browser, _) = browser().await;
    let token = browser.get("/page").await.token().to_owned();
    for (form, expected) in [
        (format!("csrf_token={token}&item=coat"), "coat"),
        (format!("csrf_token={token}"), "the fields do not fit"),
        ("csrf_token=x".to_owned(), "malformed"),
    ] {
        let answer = browser.post_form("/explained", form).await;
        assert!(answer.text.contains(expected), "{}", answer.text);
    }
}

#[actix_web::test]
async fn without_a_session_it_is_what_the_session_says() {
    let mut browser = Browser::new(|config| {
        config.route("/", web::post().to(order));
    })
    .await;
    assert_eq!(browser.post_form("/", "item=coat").await.status, 500);
    let store = FaultyStore::new(MemoryStore::new());
    store.faults().always(Fault::BeforeEffect);
    for (account, expected) in [
        (Namespace::new("account", store), 503),
        (
            Namespace::new("account", MemoryStore::new()).only_if(|_| false),
            403,
        ),
    ] {
        let manager = SessionManager::builder().namespace(account).build();
        let mut browser = Browser::new(routes(manager.unwrap())).await;
        let cookie = format!("__Host-account={}", "A".repeat(64));
        let request = browser.post("/order", &[("content-type", FORM), ("x-csrf-token", "x")]);
        let request = request.insert_header((header::COOKIE, cookie));
        let answer = browser.send(request.set_payload("item=coat")).await;
        assert_eq!(answer.status, expected);
        assert_eq!(answer.all(header::CACHE_CONTROL), ["no-store"]);
    }
}
