//! `CsrfForm`.

use axum::{
    Router,
    body::Body,
    extract::DefaultBodyLimit,
    http::header,
    response::IntoResponse,
    routing::{get, post},
};
use cloakroom_core::CsrfRefusal;
use cloakroom_tower::{CsrfForm, Session, SessionLayer, SessionRejection};
use serde::Deserialize;

use crate::browser::{Account, Browser, FORM, Refusals, manager};

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

async fn explained(form: Result<CsrfForm<Order, Account>, SessionRejection>) -> impl IntoResponse {
    match form {
        Ok(form) => form.into_inner().item,
        Err(rejection) => rejection.to_string(),
    }
}

fn browser() -> (Browser, Refusals) {
    let (manager, _, refusals) = manager();
    let app = Router::new()
        .route("/page", get(page))
        .route("/order", post(order).put(order).get(order))
        .route("/explained", post(explained))
        .layer(DefaultBodyLimit::max(1000))
        .layer(SessionLayer::new(manager));
    (Browser::new(app), refusals)
}

#[tokio::test]
async fn a_form_with_a_token_becomes_the_type_without_the_token() {
    let (mut browser, _) = browser();
    let token = browser.get("/page").await.token().to_owned();
    let form = format!("item=coat&sizes=38&csrf_token={token}&sizes=39");
    let answer = browser.post_form("/order", form).await;
    assert_eq!(answer.text, "coat [38, 39] None");
    let form = format!("csrf_token={token}&item=a+b%26c&note=");
    let answer = browser.post_form("/order", form).await;
    assert!(answer.text.starts_with("a b&c []"), "{}", answer.text);
}

#[tokio::test]
async fn the_token_may_be_in_the_header() {
    let (mut browser, refusals) = browser();
    let token = browser.get("/page").await.token().to_owned();
    let request = |browser: &Browser, token: &str| {
        let request = browser.request("PUT", "/order");
        request
            .header(header::CONTENT_TYPE, FORM)
            .header("x-csrf-token", token)
    };
    let good = request(&browser, &token);
    assert_eq!(browser.send(good, "item=coat").await.text, "coat [] None");
    let wrong = request(&browser, "guessed");
    let answer = browser
        .send(wrong, format!("item=coat&csrf_token={token}"))
        .await;
    assert_eq!(answer.status, 403, "the header alone counts");
    assert_eq!(refusals.of_account(), [CsrfRefusal::MalformedToken]);
}

#[tokio::test]
async fn without_a_good_token_it_is_403() {
    let (mut browser, refusals) = browser();
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

#[tokio::test]
async fn neither_token_nor_form_come_from_the_query() {
    let (mut browser, _) = browser();
    let token = browser.get("/page").await.token().to_owned();
    let target = format!("/order?item=coat&csrf_token={token}");
    let answer = browser.get(&target).await;
    assert_eq!(answer.refusal, Some(CsrfRefusal::NoToken));
    let answer = browser.post_form(&target, "item=coat").await;
    assert_eq!(answer.refusal, Some(CsrfRefusal::NoToken));
}

#[tokio::test]
async fn other_mistakes_have_answers_of_their_own() {
    let (mut browser, _) = browser();
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
    let request = browser
        .request("POST", "/order")
        .header("x-csrf-token", &token);
    let request = request.header(header::CONTENT_TYPE, "application/json");
    assert_eq!(browser.send(request, "{}").await.status, 415);
    let request = browser.request("POST", "/order");
    assert_eq!(browser.send(request, Body::empty()).await.status, 403);
}

#[tokio::test]
async fn the_handler_may_look_at_the_reason() {
    let (mut browser, _) = browser();
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

#[tokio::test]
async fn without_a_session_layer_it_is_500() {
    let mut browser = Browser::new(Router::new().route("/", post(order)));
    assert_eq!(browser.post_form("/", "item=coat").await.status, 500);
}
