//! Rules that ask for tokens.

use actix_web::{
    http::header,
    web::{self, Bytes, ServiceConfig},
};
use cloakroom_actix::{CsrfMiddleware, Session, SessionMiddleware, SessionRejection};
use cloakroom_core::{CsrfRefusal, CsrfTokenRules, OriginRules, SessionManager};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::SpyStore;

use super::{FORM, Refusals, manager};
use crate::browser::{Account, Answer, Browser, Cart};

type Page = Result<String, SessionRejection>;

async fn page(account: Session<Account>) -> Page {
    Ok(account.csrf().hidden_field()?)
}

async fn page_of_cart(cart: Session<Cart>) -> Page {
    Ok(cart.csrf().hidden_field()?)
}

async fn page_of_action(account: Session<Account>) -> Page {
    Ok(account.csrf().action("close").hidden_field()?)
}

async fn login(account: Session<Account>) -> Page {
    account.login("ann")?;
    Ok("in".to_owned())
}

async fn rotate(account: Session<Account>) -> Page {
    account.rotate()?;
    Ok("rotated".to_owned())
}

/// What the handler has been handed.
async fn echo(body: Bytes) -> Bytes {
    body
}

pub(super) fn routes(
    rules: CsrfTokenRules,
    manager: SessionManager,
) -> impl Fn(&mut ServiceConfig) + Clone {
    move |config| {
        let echo = web::resource("/echo")
            .route(web::post().to(echo))
            .route(web::get().to(echo))
            .route(web::delete().to(echo));
        config.service(
            web::scope("")
                .route("/page", web::get().to(page))
                .route("/cart", web::get().to(page_of_cart))
                .route("/action", web::get().to(page_of_action))
                .route("/login", web::get().to(login))
                .route("/rotate", web::get().to(rotate))
                .route("/hooks/{name}", web::post().to(self::echo))
                .service(echo)
                .wrap(CsrfMiddleware::from(rules.clone()))
                .wrap(SessionMiddleware::new(manager.clone())),
        );
    }
}

pub(super) async fn app(rules: CsrfTokenRules) -> (Browser, SpyStore<MemoryStore>, Refusals) {
    let (manager, store, refusals) = manager();
    (Browser::new(routes(rules, manager)).await, store, refusals)
}

pub(super) fn required() -> CsrfTokenRules {
    OriginRules::new().require_token("account")
}

/// A request that the browser vouches for, with a token in the header.
async fn with_header(browser: &mut Browser, method: &str, token: &str, body: &str) -> Answer {
    let request = browser
        .request(method, "/echo")
        .insert_header(("sec-fetch-site", "same-origin"))
        .insert_header(("x-csrf-token", token));
    browser.send(request.set_payload(body.to_owned())).await
}

#[actix_web::test]
async fn a_form_with_a_token_reaches_the_handler_as_it_was_sent() {
    let (mut browser, store, refusals) = app(required()).await;
    let token = browser.get("/page").await.token().to_owned();
    store.take();
    for form in [
        format!("csrf_token={token}"),
        format!("a=1&b=%20+x&csrf_token={token}&a=2"),
        format!("csrf%5Ftoken={token}&%00=%ff"),
    ] {
        let answer = browser.post_form("/echo", form.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.text), (200, form));
    }
    let calls = store.take().into_iter();
    let calls = calls.map(|call| call.operation.to_string());
    assert_eq!(calls.collect::<Vec<_>>(), ["load", "load", "load"]);
    assert!(refusals.take().is_empty());
}

#[actix_web::test]
async fn a_token_in_the_header_leaves_the_body_alone() {
    let (mut browser, _, _) = app(required()).await;
    let token = browser.get("/page").await.token().to_owned();
    for method in ["POST", "DELETE"] {
        let answer = with_header(&mut browser, method, &token, r#"{"a":1}"#).await;
        assert_eq!((answer.status.as_u16(), &*answer.text), (200, r#"{"a":1}"#));
    }
}

#[actix_web::test]
async fn without_a_good_token_the_handler_is_not_called() {
    use CsrfRefusal as R;
    let (mut browser, _, refusals) = app(required()).await;
    let mut stranger = browser.clone();
    let of_stranger = stranger.get("/page").await.token().to_owned();
    let of_cart = browser.get("/cart").await.token().to_owned();
    let of_action = browser.get("/action").await.token().to_owned();
    let good = browser.get("/page").await.token().to_owned();
    for (form, expected) in [
        (String::new(), R::NoToken),
        ("a=1".to_owned(), R::NoToken),
        ("csrf_token=".to_owned(), R::MalformedToken),
        ("csrf_token=guessed".to_owned(), R::MalformedToken),
        (format!("csrf_token={of_stranger}"), R::WrongToken),
        (format!("csrf_token={of_cart}"), R::WrongToken),
        (format!("csrf_token={of_action}"), R::WrongToken),
        (
            format!("csrf_token={good}&csrf_token={good}"),
            R::SeveralTokens,
        ),
        (format!("csrf_token={good}x"), R::MalformedToken),
    ] {
        let answer = browser.post_form("/echo", form.clone()).await;
        assert_eq!(answer.status, 403, "{form}");
        assert_eq!(answer.refusal, Some(expected), "{form}");
        assert_eq!(refusals.of_account(), [expected], "{form}");
        assert!(!answer.text.contains("oken"), "no details: {}", answer.text);
    }
    let form = format!("csrf_token={good}");
    assert_eq!(browser.post_form("/echo", form).await.status, 200);
}

#[actix_web::test]
async fn the_query_string_is_never_looked_at() {
    let (mut browser, _, _) = app(required()).await;
    let token = browser.get("/page").await.token().to_owned();
    for query in [
        format!("csrf_token={token}"),
        format!("x-csrf-token={token}"),
    ] {
        let answer = browser.post_form(&format!("/echo?{query}"), "a=1").await;
        assert_eq!(answer.refusal, Some(CsrfRefusal::NoToken));
        let request = browser.post(&format!("/echo?{query}"), &[]);
        let answer = browser.send(request).await;
        assert_eq!(answer.refusal, Some(CsrfRefusal::NoToken));
    }
}

#[actix_web::test]
async fn where_the_header_is_it_alone_counts() {
    let (mut browser, _, _) = app(required()).await;
    let token = browser.get("/page").await.token().to_owned();
    for header in ["", "guessed", "\u{e9}"] {
        let headers = [("content-type", FORM), ("x-csrf-token", header)];
        let request = browser.post("/echo", &headers);
        let request = request.set_payload(format!("csrf_token={token}"));
        let answer = browser.send(request).await;
        let expected = Some(CsrfRefusal::MalformedToken);
        assert_eq!(answer.refusal, expected, "{header}");
    }
    let twice = [("x-csrf-token", &*token), ("x-csrf-token", &*token)];
    let answer = browser.send(browser.post("/echo", &twice)).await;
    assert_eq!(answer.refusal, Some(CsrfRefusal::SeveralTokens));
}

#[actix_web::test]
async fn a_header_of_another_name_takes_its_place() {
    let (mut browser, _, _) = app(required().header("X-XSRF-Token").unwrap()).await;
    let token = browser.get("/page").await.token().to_owned();
    let answer = with_header(&mut browser, "POST", &token, "").await;
    assert_eq!(answer.refusal, Some(CsrfRefusal::NoToken));
    let request = browser.post("/echo", &[("x-xsrf-token", &token)]);
    assert_eq!(browser.send(request).await.status, 200);
}

#[actix_web::test]
async fn other_bodies_need_the_header() {
    let (mut browser, _, refusals) = app(required()).await;
    let token = browser.get("/page").await.token().to_owned();
    let multipart = format!(
        "--x\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n{token}\r\n--x--\r\n"
    );
    for (content_type, body) in [
        ("multipart/form-data; boundary=x", multipart),
        ("text/plain", format!("csrf_token={token}")),
        ("application/json", format!(r#"{{"csrf_token":"{token}"}}"#)),
    ] {
        let content_type = (header::CONTENT_TYPE.as_str(), content_type);
        let without = browser.request("POST", "/echo").insert_header(content_type);
        let answer = browser.send(without.set_payload(body.clone())).await;
        assert_eq!(answer.status, 403, "{content_type:?}");
        assert_eq!(refusals.of_account(), [CsrfRefusal::NoToken]);
        let with = browser.request("POST", "/echo").insert_header(content_type);
        let with = with.insert_header(("x-csrf-token", &*token));
        let answer = browser.send(with.set_payload(body.clone())).await;
        let got = (answer.status.as_u16(), answer.text);
        assert_eq!(got, (200, body), "{content_type:?}");
    }
}

#[actix_web::test]
async fn another_origin_is_refused_with_a_good_token_too() {
    let (mut browser, store, refusals) = app(required()).await;
    let token = browser.get("/page").await.token().to_owned();
    store.take();
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let request = browser.post("/echo", &[(name, value), ("x-csrf-token", &token)]);
        assert_eq!(browser.send(request).await.status, 403, "{value}");
    }
    assert_eq!(refusals.take().len(), 4);
    assert!(store.take().is_empty(), "no session is opened for it");
}

#[actix_web::test]
async fn a_trusted_origin_needs_a_token_and_what_is_let_past_does_not() {
    let rules = OriginRules::new().trusted_origin("https://pay.example");
    let rules = rules.unwrap().insecure_bypass("/hooks/{name}").unwrap();
    let (mut browser, _, _) = app(rules.require_token("account")).await;
    let token = browser.get("/page").await.token().to_owned();
    let trusted = ("origin", "https://pay.example");
    let without = browser.post("/echo", &[trusted]);
    assert_eq!(browser.send(without).await.status, 403);
    let with = browser.post("/echo", &[trusted, ("x-csrf-token", &token)]);
    assert_eq!(browser.send(with).await.status, 200);
    for site in ["cross-site", "same-origin", ""] {
        let request = browser.post("/hooks/stripe", &[("sec-fetch-site", site)]);
        let answer = browser.send(request.set_payload("event")).await;
        assert_eq!(answer.text, "event", "{site}");
    }
}

#[actix_web::test]
async fn unless_vouched_asks_only_those_who_say_nothing() {
    let rules = OriginRules::new().trusted_origin("https://pay.example");
    let rules = rules.unwrap().require_token_unless_vouched("account");
    let (mut browser, store, _) = app(rules).await;
    let token = browser.get("/page").await.token().to_owned();
    store.take();
    for (name, value, expected) in [
        ("sec-fetch-site", "same-origin", 200),
        ("sec-fetch-site", "none", 200),
        ("origin", "https://shop.example", 200),
        ("origin", "https://pay.example", 200),
        ("sec-fetch-site", "cross-site", 403),
        ("origin", "null", 403),
    ] {
        let request = browser.post("/echo", &[(name, value)]);
        assert_eq!(browser.send(request).await.status, expected, "{value}");
    }
    assert!(store.take().is_empty(), "no session is opened for it");
    let answer = browser.send(browser.post("/echo", &[])).await;
    assert_eq!(answer.refusal, Some(CsrfRefusal::NoToken));
    let with_token = browser.post("/echo", &[("x-csrf-token", &token)]);
    assert_eq!(browser.send(with_token).await.status, 200);
}

#[actix_web::test]
async fn safe_methods_need_none_and_open_no_session() {
    let (mut browser, store, _) = app(required()).await;
    for (method, expected) in [("GET", 200), ("HEAD", 405), ("OPTIONS", 405)] {
        let request = browser.request(method, "/echo");
        let request = request.insert_header(("sec-fetch-site", "cross-site"));
        assert_eq!(browser.send(request).await.status, expected, "{method}");
    }
    assert!(store.take().is_empty());
}

#[actix_web::test]
async fn a_token_of_one_action_is_good_for_it_alone() {
    let (mut browser, _, _) = app(required().for_action("close")).await;
    let good = browser.get("/action").await.token().to_owned();
    let plain = browser.get("/page").await.token().to_owned();
    for (token, expected) in [(good, 200), (plain, 403)] {
        let answer = with_header(&mut browser, "POST", &token, "").await;
        assert_eq!(answer.status, expected);
    }
}

#[actix_web::test]
async fn a_token_outlives_a_rotation_and_no_login() {
    let (mut browser, _, refusals) = app(required()).await;
    let token = browser.get("/page").await.token().to_owned();
    for (path, expected) in [("/rotate", 200), ("/login", 403)] {
        browser.get(path).await;
        let answer = with_header(&mut browser, "POST", &token, "").await;
        assert_eq!(answer.status, expected);
    }
    assert_eq!(refusals.of_account(), [CsrfRefusal::WrongToken]);
}
