//! The layer that asks for tokens.

use std::convert::Infallible;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::DefaultBodyLimit,
    http::header,
    routing::{get, post},
};
use cloakroom_core::{CsrfRefusal, CsrfTokenRules, OriginRules};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::SpyStore;
use cloakroom_tower::{CsrfTokenLayer, Session, SessionLayer, SessionRejection};
use http_body::Frame;

use crate::browser::{Account, Answer, Browser, Cart, FORM, Refusals, manager};

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

async fn login(account: Session<Account>) -> Result<(), SessionRejection> {
    Ok(account.login("ann")?)
}

async fn rotate(account: Session<Account>) -> Result<(), SessionRejection> {
    account.rotate()?;
    Ok(())
}

/// What the handler has been handed.
async fn echo(body: Bytes) -> Bytes {
    body
}

fn app(rules: CsrfTokenRules) -> (Browser, SpyStore<MemoryStore>, Refusals) {
    let (manager, store, refusals) = manager();
    let app = Router::new()
        .route("/page", get(page))
        .route("/cart", get(page_of_cart))
        .route("/action", get(page_of_action))
        .route("/login", get(login))
        .route("/rotate", get(rotate))
        .route("/echo", post(echo).get(echo).delete(echo))
        .route("/hooks/{name}", post(echo))
        .layer(DefaultBodyLimit::disable())
        .layer(CsrfTokenLayer::from(rules))
        .layer(SessionLayer::new(manager));
    (Browser::new(app), store, refusals)
}

fn required() -> CsrfTokenRules {
    OriginRules::new().require_token("account")
}

/// A request that the browser vouches for, with a token in the header.
async fn with_header(browser: &mut Browser, method: &str, token: &str, body: &str) -> Answer {
    let request = browser
        .request(method, "/echo")
        .header("sec-fetch-site", "same-origin")
        .header("x-csrf-token", token);
    browser.send(request, body.to_owned()).await
}

#[tokio::test]
async fn a_form_with_a_token_reaches_the_handler_as_it_was_sent() {
    let (mut browser, store, refusals) = app(required());
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
    let calls = store
        .take()
        .into_iter()
        .map(|call| call.operation.to_string());
    assert_eq!(calls.collect::<Vec<_>>(), ["load", "load", "load"]);
    assert!(refusals.take().is_empty());
}

#[tokio::test]
async fn a_token_in_the_header_leaves_the_body_alone() {
    let (mut browser, _, _) = app(required());
    let token = browser.get("/page").await.token().to_owned();
    for method in ["POST", "DELETE"] {
        let answer = with_header(&mut browser, method, &token, r#"{"a":1}"#).await;
        assert_eq!((answer.status.as_u16(), &*answer.text), (200, r#"{"a":1}"#));
    }
}

#[tokio::test]
async fn without_a_good_token_the_handler_is_not_called() {
    use CsrfRefusal as R;
    let (mut browser, _, refusals) = app(required());
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
    let answer = browser
        .post_form("/echo", format!("csrf_token={good}"))
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn the_query_string_is_never_looked_at() {
    let (mut browser, _, _) = app(required());
    let token = browser.get("/page").await.token().to_owned();
    for query in [
        format!("csrf_token={token}"),
        format!("x-csrf-token={token}"),
    ] {
        let answer = browser.post_form(&format!("/echo?{query}"), "a=1").await;
        assert_eq!(answer.refusal, Some(CsrfRefusal::NoToken));
        let request = browser.request("POST", &format!("/echo?{query}"));
        let answer = browser.send(request, Body::empty()).await;
        assert_eq!(answer.refusal, Some(CsrfRefusal::NoToken));
    }
}

#[tokio::test]
async fn where_the_header_is_it_alone_counts() {
    let (mut browser, _, _) = app(required());
    let token = browser.get("/page").await.token().to_owned();
    for header in ["", "guessed", "\u{e9}"] {
        let request = browser
            .request("POST", "/echo")
            .header(header::CONTENT_TYPE, FORM)
            .header("x-csrf-token", header);
        let answer = browser.send(request, format!("csrf_token={token}")).await;
        assert_eq!(
            answer.refusal,
            Some(CsrfRefusal::MalformedToken),
            "{header}"
        );
    }
    let request = browser
        .request("POST", "/echo")
        .header("x-csrf-token", &token)
        .header("x-csrf-token", &token);
    let answer = browser.send(request, Body::empty()).await;
    assert_eq!(answer.refusal, Some(CsrfRefusal::SeveralTokens));
}

#[tokio::test]
async fn a_header_of_another_name_takes_its_place() {
    let (mut browser, _, _) = app(required().header("X-XSRF-Token").unwrap());
    let token = browser.get("/page").await.token().to_owned();
    let answer = with_header(&mut browser, "POST", &token, "").await;
    assert_eq!(answer.refusal, Some(CsrfRefusal::NoToken));
    let request = browser
        .request("POST", "/echo")
        .header("x-xsrf-token", &token);
    assert_eq!(browser.send(request, Body::empty()).await.status, 200);
}

#[tokio::test]
async fn other_bodies_need_the_header() {
    let (mut browser, _, refusals) = app(required());
    let token = browser.get("/page").await.token().to_owned();
    let multipart = format!(
        "--x\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n{token}\r\n--x--\r\n"
    );
    for (content_type, body) in [
        ("multipart/form-data; boundary=x", multipart),
        ("text/plain", format!("csrf_token={token}")),
        ("application/json", format!(r#"{{"csrf_token":"{token}"}}"#)),
    ] {
        let request = |browser: &Browser| {
            let request = browser.request("POST", "/echo");
            request.header(header::CONTENT_TYPE, content_type)
        };
        let without = request(&browser);
        let answer = browser.send(without, body.clone()).await;
        assert_eq!(answer.status, 403, "{content_type}");
        assert_eq!(refusals.of_account(), [CsrfRefusal::NoToken]);
        let with = request(&browser).header("x-csrf-token", &token);
        let answer = browser.send(with, body.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text),
            (200, body),
            "{content_type}"
        );
    }
}

#[tokio::test]
async fn another_origin_is_refused_with_a_good_token_too() {
    let (mut browser, store, refusals) = app(required());
    let token = browser.get("/page").await.token().to_owned();
    store.take();
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let request = browser
            .request("POST", "/echo")
            .header(name, value)
            .header("x-csrf-token", &token);
        assert_eq!(
            browser.send(request, Body::empty()).await.status,
            403,
            "{value}"
        );
    }
    assert_eq!(refusals.take().len(), 4);
    assert!(store.take().is_empty(), "no session is opened for it");
}

#[tokio::test]
async fn a_trusted_origin_needs_a_token_and_what_is_let_past_does_not() {
    let rules = OriginRules::new()
        .trusted_origin("https://pay.example")
        .unwrap();
    let rules = rules.insecure_bypass("/hooks/{name}").unwrap();
    let (mut browser, _, _) = app(rules.require_token("account"));
    let token = browser.get("/page").await.token().to_owned();
    let from_trusted = |browser: &Browser| {
        let request = browser.request("POST", "/echo");
        request.header("origin", "https://pay.example")
    };
    let without = from_trusted(&browser);
    assert_eq!(browser.send(without, Body::empty()).await.status, 403);
    let with = from_trusted(&browser).header("x-csrf-token", &token);
    assert_eq!(browser.send(with, Body::empty()).await.status, 200);
    for site in ["cross-site", "same-origin", ""] {
        let request = browser
            .request("POST", "/hooks/stripe")
            .header("sec-fetch-site", site);
        assert_eq!(browser.send(request, "event").await.text, "event", "{site}");
    }
}

#[tokio::test]
async fn unless_vouched_asks_only_those_who_say_nothing() {
    let rules = OriginRules::new()
        .trusted_origin("https://pay.example")
        .unwrap();
    let (mut browser, store, _) = app(rules.require_token_unless_vouched("account"));
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
        let request = browser.request("POST", "/echo").header(name, value);
        assert_eq!(
            browser.send(request, Body::empty()).await.status,
            expected,
            "{value}"
        );
    }
    assert!(store.take().is_empty(), "no session is opened for it");
    let silent = browser.request("POST", "/echo");
    let answer = browser.send(silent, Body::empty()).await;
    assert_eq!(answer.refusal, Some(CsrfRefusal::NoToken));
    let with_token = browser
        .request("POST", "/echo")
        .header("x-csrf-token", &token);
    assert_eq!(browser.send(with_token, Body::empty()).await.status, 200);
}

#[tokio::test]
async fn safe_methods_need_none_and_open_no_session() {
    let (mut browser, store, _) = app(required());
    for (method, expected) in [("GET", 200), ("HEAD", 200), ("OPTIONS", 405)] {
        let request = browser
            .request(method, "/echo")
            .header("sec-fetch-site", "cross-site");
        assert_eq!(
            browser.send(request, Body::empty()).await.status,
            expected,
            "{method}"
        );
    }
    assert!(store.take().is_empty());
}

#[tokio::test]
async fn a_token_of_one_action_is_good_for_it_alone() {
    let (mut browser, _, _) = app(required().for_action("close"));
    let good = browser.get("/action").await.token().to_owned();
    let plain = browser.get("/page").await.token().to_owned();
    assert_eq!(
        with_header(&mut browser, "POST", &good, "").await.status,
        200
    );
    assert_eq!(
        with_header(&mut browser, "POST", &plain, "").await.status,
        403
    );
}

#[tokio::test]
async fn a_token_outlives_a_rotation_and_no_login() {
    let (mut browser, _, refusals) = app(required());
    let token = browser.get("/page").await.token().to_owned();
    browser.get("/rotate").await;
    assert_eq!(
        with_header(&mut browser, "POST", &token, "").await.status,
        200
    );
    browser.get("/login").await;
    assert_eq!(
        with_header(&mut browser, "POST", &token, "").await.status,
        403
    );
    assert_eq!(refusals.of_account(), [CsrfRefusal::WrongToken]);
}

#[tokio::test]
async fn a_request_without_a_session_is_refused_without_reading_its_body() {
    let (mut browser, store, _) = app(required());
    let answer = browser.post_form("/echo", Body::new(Endless)).await;
    assert_eq!(answer.refusal, Some(CsrfRefusal::NoSession));
    assert_eq!(answer.status, 403);
    assert!(answer.headers.get(header::SET_COOKIE).is_none());
    assert!(store.take().is_empty());
}

/// A body that never ends and does not say how long it is.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = Bytes::from_static(&[b'a'; 1024]);
        std::task::Poll::Ready(Some(Ok(Frame::data(chunk))))
    }
}

/// A body of two chunks, of which the second is a failure if there is none.
struct Chunks(Vec<Result<Frame<Bytes>, std::io::Error>>);

impl Chunks {
    fn body(chunks: impl IntoIterator<Item = Option<String>>) -> Body {
        let broken = || std::io::Error::other("the client is gone");
        let frame = |text: String| Frame::data(Bytes::from(text));
        let chunks = chunks
            .into_iter()
            .map(|chunk| chunk.map(frame).ok_or_else(broken));
        let mut chunks: Vec<_> = chunks.collect();
        chunks.reverse();
        Body::new(Self(chunks))
    }
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(self.0.pop())
    }
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_413_whether_it_says_so_or_streams() {
    let (mut browser, _, refusals) = app(required().body_limit(1000));
    let token = browser.get("/page").await.token().to_owned();
    let form = |size: usize| {
        let start = format!("csrf_token={token}&a=");
        let rest = "x".repeat(size - start.len());
        start + &rest
    };
    assert_eq!(
        browser.post_form("/echo", form(1000)).await.text,
        form(1000)
    );
    let streamed = Chunks::body([Some(form(999)), Some("x".to_owned())]);
    assert_eq!(browser.post_form("/echo", streamed).await.text, form(1000));
    let streamed = Chunks::body([Some(form(999)), Some("xx".to_owned())]);
    for body in [Body::from(form(1001)), streamed, Body::new(Endless)] {
        let answer = browser.post_form("/echo", body).await;
        assert_eq!(answer.status, 413);
        assert_eq!(refusals.of_account(), [CsrfRefusal::BodyTooLarge]);
    }
    // With the header it is the handler's business.
    let request = browser
        .request("POST", "/echo")
        .header(header::CONTENT_TYPE, FORM)
        .header("x-csrf-token", &token);
    assert_eq!(browser.send(request, form(5000)).await.text, form(5000));
}

#[tokio::test]
async fn the_bound_is_64_kib_unless_it_is_set() {
    let (mut browser, _, _) = app(required());
    let token = browser.get("/page").await.token().to_owned();
    for (size, expected) in [(64 * 1024, 200), (64 * 1024 + 1, 413)] {
        let mut form = format!("csrf_token={token}&a=");
        form += &"x".repeat(size - form.len());
        assert_eq!(browser.post_form("/echo", form).await.status, expected);
    }
}

#[tokio::test]
async fn a_client_that_breaks_off_is_told_so() {
    let (mut browser, _, refusals) = app(required());
    let token = browser.get("/page").await.token().to_owned();
    let body = Chunks::body([Some(format!("csrf_token={token}")), None]);
    assert_eq!(browser.post_form("/echo", body).await.status, 400);
    assert_eq!(refusals.of_account(), [CsrfRefusal::UnreadableBody]);
}
