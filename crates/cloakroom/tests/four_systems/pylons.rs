//! What Pylons put around Beaker's session: recipes, secure forms, messages.

use axum::{
    Form, Router,
    http::{Request, StatusCode},
    routing::{get, post},
};
use cloakroom::{
    CsrfForm, CsrfLayer, Flash, Level, MemoryStore, Namespace, RequestHead, ResponseHead,
    ResponseHeader, Session, SessionLayer, SessionRejection, TokenTransport, Transport, days,
};
use serde::Deserialize;

use crate::support::{Answer, Browser, Cart, add, manager, shop};

#[tokio::test]
async fn pylons_composite_applications_share_a_session() {
    let store = MemoryStore::new();
    let outer = manager([Namespace::new("cart", store.clone())]);
    let inner = manager([Namespace::new("forum", store)]);
    let shop = Router::new().route("/add", get(add));
    let forum = Router::new()
        .route("/add", get(add))
        .layer(SessionLayer::new(inner));
    let app = Router::new().nest("/shop", shop).nest("/forum", forum);
    let mut browser = Browser::with(app, outer);
    assert_eq!(browser.get("/shop/add").await, "1");
    assert_eq!(browser.get("/forum/add").await, "2");
}

#[tokio::test]
async fn pylons_the_language_is_kept_in_the_session() {
    async fn choose(cart: Session<Cart>) -> Result<(), SessionRejection> {
        Ok(cart.insert("lang", "de")?)
    }
    async fn greet(cart: Session<Cart>) -> Answer {
        let language: Option<String> = cart.get("lang")?;
        Ok(match language.as_deref() {
            Some("de") => "Guten Tag",
            _ => "Good day",
        }
        .to_owned())
    }
    let namespace = Namespace::new("cart", MemoryStore::new()).persistent(days(30));
    let app = Router::new()
        .route("/choose", get(choose))
        .route("/", get(greet))
        .layer(SessionLayer::new(manager([namespace])));
    let mut browser = Browser::to(app);
    assert_eq!(browser.get("/").await, "Good day");
    browser.get("/choose").await;
    assert_eq!(browser.get("/").await, "Guten Tag");
}

#[tokio::test]
async fn pylons_without_cookies_the_application_finds_the_token() {
    #[derive(Debug)]
    struct Device;
    impl TokenTransport for Device {
        fn read(&self, request: &dyn RequestHead, candidate: &mut dyn FnMut(&[u8])) {
            request.header("x-device", candidate);
        }
        fn write(&self, token: Option<&str>, response: &mut dyn ResponseHead) {
            let token = token.unwrap_or_default().to_owned();
            response.replace(ResponseHeader::Other("x-device-token"), token.into());
        }
        fn varies_on(&self) -> &[&str] {
            &["X-Device"]
        }
    }
    let namespace = Namespace::new("cart", MemoryStore::new());
    let mut browser = shop(namespace.transports([Transport::custom(Device)]));
    let first = browser.send(Request::get("/add"), "").await;
    let token = first.header("x-device-token");
    assert_eq!(token.len(), 64);
    let with = |token: &str| Request::get("/add").header("x-device", token);
    assert_eq!(browser.send(with(token), "").await.body, "2");
    // What the client has made up is not adopted.
    assert_eq!(
        browser.send(with("chosen-by-the-client"), "").await.body,
        "1"
    );
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn pylons_secure_forms() {
    #[derive(Deserialize)]
    struct Buy {
        item: String,
    }
    async fn form(cart: Session<Cart>) -> Answer {
        Ok(cart.csrf().open_form("/buy")?)
    }
    async fn buy(form: CsrfForm<Buy, Cart>) -> String {
        form.into_inner().item
    }
    let routes = Router::new()
        .route("/form", get(form))
        .route("/buy", post(buy))
        .layer(CsrfLayer::new());
    let sessions = manager([Namespace::new("cart", MemoryStore::new())]);
    let mut browser = Browser::with(routes, sessions);
    let page = browser.get("/form").await;
    let token = page.split("value=\"").nth(1).unwrap();
    let token = token.split('"').next().unwrap();
    let good = format!("csrf_token={token}&item=coat");
    assert_eq!(browser.post("/buy", &good).await.body, "coat");
    // Pylons took it from the query too.
    let in_query = format!("/buy?csrf_token={token}");
    for (path, form) in [("/buy", "item=coat"), (&*in_query, "item=coat")] {
        let got = browser.post(path, form).await;
        assert_eq!(got.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn pylons_flash_messages_are_shown_once_and_looking_makes_no_session() {
    async fn show(cart: Session<Cart>) -> Answer {
        let messages: Vec<Flash> = cart.flashes().await?;
        let line = |flash: &Flash| format!("{}: {}", flash.level, flash.message);
        Ok(messages.iter().map(line).collect())
    }
    async fn save(
        cart: Session<Cart>,
        Form(name): Form<Vec<(String, String)>>,
    ) -> Result<(), SessionRejection> {
        Ok(cart.flash(Level::Success, format!("{} saved", name.len()))?)
    }
    let store = MemoryStore::new();
    let routes = Router::new().route("/", get(show).post(save));
    let sessions = manager([Namespace::new("cart", store.clone())]);
    let mut browser = Browser::with(routes, sessions);
    assert_eq!(browser.get("/").await, "");
    assert_eq!(store.stats().sessions, 0);
    browser.post("/", "name=ada").await;
    assert_eq!(browser.get("/").await, "success: 1 saved");
    assert_eq!(browser.get("/").await, "");
}
