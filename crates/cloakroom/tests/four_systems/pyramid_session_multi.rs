//! Several sessions on one request.

use std::net::SocketAddr;

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, header},
    routing::get,
};
use cloakroom::{
    Cookie, MemoryStore, Namespace, Panel, PanelLayer, Session, SessionLayer, SessionManager,
    Sessions,
};
use cloakroom_testkit::SpyStore;
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::support::{Answer, Browser, Cart, add, count, manager};

#[tokio::test]
async fn pyramid_session_multi_several_named_sessions_lazy_and_one_object_per_request() {
    async fn both(sessions: Sessions, cart: Session<Cart>) -> Answer {
        count(&cart)?;
        let same = sessions.open("cart").await?.map(|cart| count(&cart));
        let opened = format!("{:?}", sessions.opened());
        Ok(format!(
            "{} {opened}",
            same.transpose()?.unwrap_or_default()
        ))
    }
    let store = SpyStore::new(MemoryStore::new());
    let names = ["cart", "account", "prefs"];
    let sessions = manager(names.map(|name| Namespace::new(name, store.clone())));
    let app = Router::new()
        .route("/", get(both))
        .layer(SessionLayer::new(sessions));
    let mut browser = Browser::to(app);
    assert_eq!(browser.get("/").await, r#"2 ["cart"]"#);
    assert_eq!(browser.get("/").await, r#"4 ["cart"]"#);
    let calls = store.take();
    let is_cart = |call: &cloakroom_testkit::Call| {
        call.key.is_some_and(|key| key.namespace.as_str() == "cart")
    };
    assert!(calls.iter().all(is_cart), "{calls:?}");
}

#[test]
fn pyramid_session_multi_no_or_repeated_namespaces_and_cookies_are_refused() {
    let store = MemoryStore::new();
    let namespace = |name: &str| Namespace::new(name, store.clone());
    let refused = |namespaces: Vec<Namespace>| {
        let builder = SessionManager::builder();
        let builder = namespaces.into_iter().fold(builder, |b, n| b.namespace(n));
        builder.build().unwrap_err().to_string()
    };
    assert!(refused(vec![]).contains("there is none"));
    assert!(refused(vec![namespace("")]).contains("name"));
    assert!(refused(vec![namespace("a"), namespace("a")]).contains("two of this name"));
    let named = |name| namespace(name).cookie(Cookie::named("sid"));
    assert!(refused(vec![named("a"), named("b")]).contains("__Host-sid"));
}

#[tokio::test]
async fn pyramid_session_multi_a_discriminator_closes_a_namespace() {
    async fn handler(cart: Option<Session<Cart>>) -> &'static str {
        if cart.is_some() { "open" } else { "closed" }
    }
    let only_shop = |name: &str, path: &'static str| {
        Namespace::new(name, MemoryStore::new()).only_if(move |request| request.path() == path)
    };
    let app = Router::new()
        .route("/shop", get(handler))
        .route("/blog", get(handler))
        .layer(SessionLayer::new(manager([only_shop("cart", "/shop")])));
    let mut browser = Browser::to(app);
    assert_eq!(browser.get("/shop").await, "open");
    assert_eq!(browser.get("/blog").await, "closed");
}

#[test]
fn pyramid_session_multi_names_cookies_and_conditions_are_listed_without_loading() {
    let store = SpyStore::new(MemoryStore::new());
    let sessions = manager([
        Namespace::new("cart", store.clone()).insecure_http(),
        Namespace::new("account", store.clone()).only_if(|request| request.is_https()),
    ]);
    let listed: Vec<_> = sessions
        .namespaces()
        .map(|n| (n.name(), n.cookie_name(), n.has_condition()))
        .collect();
    assert_eq!(
        listed,
        [
            ("cart", Some("cart"), false),
            ("account", Some("__Host-account"), true)
        ]
    );
    assert!(store.take().is_empty());
}

#[tokio::test]
async fn pyramid_session_multi_all_are_ended_at_once_and_closed_ones_skipped() {
    async fn end(sessions: Sessions) -> String {
        format!("{:?}", sessions.end_all().await)
    }
    let store = MemoryStore::new();
    let sessions = manager([
        Namespace::new("closed", store.clone()).only_if(|_| false),
        Namespace::new("cart", store.clone()),
    ]);
    let app = Router::new()
        .route("/add", get(add))
        .route("/end", get(end))
        .layer(SessionLayer::new(sessions));
    let mut browser = Browser::to(app);
    browser.get("/add").await;
    assert_eq!(store.stats().sessions, 1);
    assert_eq!(browser.get("/end").await, "[]");
    assert_eq!(store.stats().sessions, 0);
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn pyramid_session_multi_what_is_loaded_is_told_from_what_is_not() {
    async fn handler(sessions: Sessions) -> Answer {
        let before = format!("{:?}", sessions.opened());
        sessions.open("account").await?;
        Ok(format!(
            "{:?} {before} {:?}",
            sessions.names(),
            sessions.opened()
        ))
    }
    let store = MemoryStore::new();
    let names = ["cart", "account"];
    let sessions = manager(names.map(|name| Namespace::new(name, store.clone())));
    let mut browser = Browser::with(Router::new().route("/", get(handler)), sessions);
    let told = browser.get("/").await;
    assert_eq!(told, r#"["cart", "account"] [] ["account"]"#);
}

#[tokio::test]
async fn pyramid_session_multi_a_panel_shows_configuration_and_values_in_and_out() {
    async fn greet(cart: Session<Cart>) -> Answer {
        cart.insert("note", "<script>alert(1)</script>")?;
        count(&cart)
    }
    let store = SpyStore::new(MemoryStore::new());
    let sessions = manager(["cart", "prefs"].map(|name| Namespace::new(name, store.clone())));
    let app = Router::new()
        .route("/greet", get(greet))
        .layer(SessionLayer::new(sessions))
        .layer(PanelLayer::new(Panel::builder().build().unwrap()));
    let mut browser = Browser::to(app.clone());
    browser.get("/greet").await;
    browser.get("/greet").await;
    let calls = store.take();

    let page = async |path: &str| {
        let request = Request::get(path)
            .header(header::HOST, "localhost")
            .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 50_000))))
            .body(Body::empty());
        let response = app.clone().oneshot(request.unwrap()).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    };
    let namespaces = page("/_cloakroom/namespaces").await;
    assert!(namespaces.contains("__Host-cart") && namespaces.contains("__Host-prefs"));
    let request = page("/_cloakroom/requests/2").await;
    assert!(
        request.contains("note") && request.contains("alert(1)"),
        "{request}"
    );
    assert!(!request.contains("<script>alert"), "values stay text");
    // What the application did not ask for, looking at it did not load.
    let of_prefs = |call: &cloakroom_testkit::Call| {
        call.key
            .is_some_and(|key| key.namespace.as_str() == "prefs")
    };
    assert!(!calls.iter().any(of_prefs), "{calls:?}");
    assert!(store.take().is_empty(), "a look costs no store call");
}
