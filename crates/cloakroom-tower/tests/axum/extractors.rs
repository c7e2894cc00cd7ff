use axum::{
    Router,
    http::{StatusCode, header},
    routing::get,
};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::SpyStore;
use cloakroom_tower::{Scheme, Session, SessionLayer, SessionRejection, Sessions};

use crate::app::{Account, Browser, Cart, manager};

type Answer = Result<String, SessionRejection>;

fn app(store: SpyStore<MemoryStore>) -> Router {
    async fn add(cart: Session<Cart>) -> Answer {
        let count = cart.update("count", |count: &mut u32| {
            *count += 1;
            *count
        })?;
        Ok(count.to_string())
    }
    async fn count(cart: Session<Cart>) -> Answer {
        Ok(cart.get_or_default::<u32>("count")?.to_string())
    }
    async fn account(account: Option<Session<Account>>) -> &'static str {
        match account {
            Some(_) => "open",
            None => "closed",
        }
    }
    async fn must_have_account(_: Session<Account>) -> &'static str {
        "open"
    }
    async fn all(sessions: Sessions) -> Answer {
        let cart = sessions.open("cart").await?;
        let is_open = sessions.is_open("account")?;
        Ok(format!(
            "{:?} {:?} {} {}",
            sessions.names(),
            sessions.opened(),
            cart.is_some(),
            is_open
        ))
    }
    async fn none(_: Sessions) -> &'static str {
        "nothing"
    }
    async fn unknown(sessions: Sessions) -> Answer {
        sessions.open("crat").await?;
        Ok(String::new())
    }
    async fn same(one: Session<Cart>, sessions: Sessions, two: Session<Cart>) -> Answer {
        one.insert("x", 1)?;
        let three = sessions.open("cart").await?.unwrap();
        Ok(format!(
            "{:?} {:?}",
            two.get::<u8>("x")?,
            three.get::<u8>("x")?
        ))
    }
    Router::new()
        .route("/add", get(add))
        .route("/count", get(count))
        .route("/account", get(account))
        .route("/must", get(must_have_account))
        .route("/all", get(all))
        .route("/none", get(none))
        .route("/plain", get(|| async { "plain" }))
        .route("/unknown", get(unknown))
        .route("/same", get(same))
        .layer(SessionLayer::new(manager(store)))
}

fn browser() -> (Browser, SpyStore<MemoryStore>) {
    let store = SpyStore::new(MemoryStore::new());
    (Browser::new(app(store.clone())), store)
}

#[tokio::test]
async fn a_session_is_kept_between_requests() {
    let (mut browser, _) = browser();
    assert_eq!(browser.get("/add").await.text, "1");
    assert_eq!(browser.get("/add").await.text, "2");
    assert_eq!(browser.get("/count").await.text, "2");
}

#[tokio::test]
async fn a_request_that_asks_for_no_session_costs_nothing() {
    let (mut browser, store) = browser();
    browser.get("/add").await;
    store.take();
    for path in ["/plain", "/none", "/missing"] {
        let answer = browser.get(path).await;
        assert!(answer.all(header::VARY).is_empty(), "{path}");
        assert!(answer.all(header::SET_COOKIE).is_empty(), "{path}");
        assert!(answer.all(header::CACHE_CONTROL).is_empty(), "{path}");
    }
    assert!(store.take().is_empty());
}

#[tokio::test]
async fn opening_varies_and_setting_the_cookie_forbids_storing() {
    let (mut browser, _) = browser();
    let first = browser.get("/add").await;
    assert_eq!(first.all(header::VARY), ["Cookie"]);
    assert_eq!(first.all(header::CACHE_CONTROL), ["no-store"]);
    assert_eq!(first.all(header::SET_COOKIE).len(), 1);
    let second = browser.get("/count").await;
    assert_eq!(second.all(header::VARY), ["Cookie"]);
    assert!(second.all(header::CACHE_CONTROL).is_empty());
    assert!(second.all(header::SET_COOKIE).is_empty());
}

#[tokio::test]
async fn a_closed_namespace_is_none_and_otherwise_403() {
    let (https, _) = browser();
    let mut http = https.over(Scheme::Http);
    assert_eq!(http.get("/account").await.text, "closed");
    let refused = http.get("/must").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(!refused.text.contains("account"), "{}", refused.text);
    let mut https = http.over(Scheme::Https);
    assert_eq!(https.get("/account").await.text, "open");
    assert_eq!(https.get("/must").await.text, "open");
}

#[tokio::test]
async fn sessions_opens_by_name() {
    let (mut browser, _) = browser();
    let answer = browser.get("/all").await;
    assert_eq!(answer.text, r#"["cart", "account"] ["cart"] true true"#);
    let unknown = browser.get("/unknown").await;
    assert_eq!(unknown.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!unknown.text.contains("crat"));
}

#[tokio::test]
async fn all_extractors_of_a_request_give_one_session() {
    let (mut browser, store) = browser();
    assert_eq!(browser.get("/same").await.text, "Some(1) Some(1)");
    browser.get("/count").await;
    let operations: Vec<_> = store
        .calls()
        .iter()
        .map(|call| call.operation.to_string())
        .collect();
    assert_eq!(operations, ["create", "load"]);
}

#[tokio::test]
async fn a_missing_layer_is_an_error_that_names_the_fix() {
    async fn handler(session: Result<Session<Cart>, SessionRejection>) -> String {
        session.unwrap_err().to_string()
    }
    let app = Router::new()
        .route("/", get(handler))
        .route("/500", get(|_: Session<Cart>| async {}));
    let mut browser = Browser::new(app);
    let text = browser.get("/").await.text;
    assert!(text.contains(".layer(SessionLayer::new("), "{text}");
    let answer = browser.get("/500").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.text.is_empty() && !answer.text.contains("layer"));
}

#[test]
fn extractors_and_layer_are_send_sync_and_clone() {
    fn is<T: Send + Sync + Clone + 'static>() {}
    is::<Session<Cart>>();
    is::<Sessions>();
    is::<SessionLayer>();
}
