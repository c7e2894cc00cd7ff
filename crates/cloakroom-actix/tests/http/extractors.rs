use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{StatusCode, header},
    web::{self, ServiceConfig},
};
use cloakroom_actix::{Scheme, Session, SessionMiddleware, SessionRejection, Sessions};
use cloakroom_core::store::Operation;
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::SpyStore;

use crate::browser::{Account, Browser, Cart, manager};

type Answer = Result<String, SessionRejection>;

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

async fn by_hand(request: HttpRequest) -> Answer {
    let cart = Session::<Cart>::from_request(&request, &mut Payload::None).await?;
    Ok(cart.get_or_default::<u32>("count")?.to_string())
}

async fn forget(sessions: Sessions) -> String {
    format!("{:?}", sessions.end_all().await)
}

fn routes(store: SpyStore<MemoryStore>) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config.service(
            web::scope("")
                .route("/add", web::get().to(add))
                .route("/count", web::get().to(count))
                .route("/account", web::get().to(account))
                .route("/must", web::get().to(must_have_account))
                .route("/all", web::get().to(all))
                .route("/none", web::get().to(none))
                .route("/plain", web::get().to(async || "plain"))
                .route("/unknown", web::get().to(unknown))
                .route("/same", web::get().to(same))
                .route("/by-hand", web::get().to(by_hand))
                .route("/forget", web::get().to(forget))
                .wrap(SessionMiddleware::new(manager(store))),
        );
    }
}

async fn browser() -> (Browser, SpyStore<MemoryStore>) {
    let store = SpyStore::new(MemoryStore::new());
    (Browser::new(routes(store.clone())).await, store)
}

#[actix_web::test]
async fn a_session_is_kept_between_requests() {
    let (mut browser, _) = browser().await;
    assert_eq!(browser.get("/add").await.text, "1");
    assert_eq!(browser.get("/add").await.text, "2");
    assert_eq!(browser.get("/count").await.text, "2");
    assert_eq!(browser.get("/by-hand").await.text, "2");
}

#[actix_web::test]
async fn a_request_that_asks_for_no_session_costs_nothing() {
    let (mut browser, store) = browser().await;
    browser.get("/add").await;
    store.take();
    for (path, status) in [("/plain", 200), ("/none", 200), ("/missing", 404)] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.all(header::VARY).is_empty(), "{path}");
        assert!(answer.all(header::SET_COOKIE).is_empty(), "{path}");
        assert!(answer.all(header::CACHE_CONTROL).is_empty(), "{path}");
    }
    assert!(store.take().is_empty());
}

#[actix_web::test]
async fn a_request_makes_as_many_store_calls_as_it_needs() {
    use Operation::{Create, Load, Replace};
    let (mut browser, store) = browser().await;
    for (path, expected) in [
        ("/count", vec![]), // no cookie, so nothing to look for
        ("/add", vec![Create]),
        ("/plain", vec![]),
        ("/none", vec![]),
        ("/count", vec![Load]),
        ("/add", vec![Load, Replace]),
        ("/same", vec![Load, Replace]),
        ("/must", vec![]),
    ] {
        store.take();
        browser.get(path).await;
        assert_eq!(store.operations(), expected, "{path}");
    }
}

#[actix_web::test]
async fn opening_varies_and_setting_the_cookie_forbids_storing() {
    let (mut browser, _) = browser().await;
    let first = browser.get("/add").await;
    assert_eq!(first.all(header::VARY), ["Cookie"]);
    assert_eq!(first.all(header::CACHE_CONTROL), ["no-store"]);
    assert_eq!(first.all(header::SET_COOKIE).len(), 1);
    let second = browser.get("/count").await;
    assert_eq!(second.all(header::VARY), ["Cookie"]);
    assert!(second.all(header::CACHE_CONTROL).is_empty());
    assert!(second.all(header::SET_COOKIE).is_empty());
}

#[actix_web::test]
async fn a_closed_namespace_is_none_and_otherwise_403() {
    let (https, _) = browser().await;
    let mut http = https.over(Scheme::Http);
    assert_eq!(http.get("/account").await.text, "closed");
    let refused = http.get("/must").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.all(header::CACHE_CONTROL), ["no-store"]);
    assert!(!refused.text.contains("account"), "{}", refused.text);
    let mut https = http.over(Scheme::Https);
    assert_eq!(https.get("/account").await.text, "open");
    assert_eq!(https.get("/must").await.text, "open");
}

#[actix_web::test]
async fn sessions_opens_by_name() {
    let (mut browser, _) = browser().await;
    let answer = browser.get("/all").await;
    assert_eq!(answer.text, r#"["cart", "account"] ["cart"] true true"#);
    let unknown = browser.get("/unknown").await;
    assert_eq!(unknown.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!unknown.text.contains("crat"));
}

#[actix_web::test]
async fn sessions_ends_all() {
    let (mut browser, store) = browser().await;
    browser.get("/add").await;
    assert_eq!(browser.get("/forget").await.text, "[]");
    assert_eq!(browser.cookie(), None);
    assert_eq!(store.inner().stats().sessions, 0);
}

#[actix_web::test]
async fn all_extractors_of_a_request_give_one_session() {
    let (mut browser, _) = browser().await;
    assert_eq!(browser.get("/same").await.text, "Some(1) Some(1)");
}

#[actix_web::test]
async fn missing_middleware_is_an_error_that_names_the_fix() {
    async fn explained(session: Result<Session<Cart>, SessionRejection>) -> String {
        session.unwrap_err().to_string()
    }
    async fn needs(_: Session<Cart>) -> &'static str {
        "found"
    }
    async fn needs_all(_: Sessions) -> &'static str {
        "found"
    }
    let mut browser = Browser::new(|config| {
        config
            .route("/", web::get().to(explained))
            .route("/one", web::get().to(needs))
            .route("/all", web::get().to(needs_all));
    })
    .await;
    let text = browser.get("/").await.text;
    assert!(text.contains(".wrap(SessionMiddleware::new("), "{text}");
    for path in ["/one", "/all"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!answer.text.is_empty() && !answer.text.contains("iddleware"));
    }
}

#[test]
fn what_a_handler_takes_and_returns_goes_to_other_threads() {
    fn is<T: Send + Sync + 'static>() {}
    is::<Session<Cart>>();
    is::<Sessions>();
    is::<SessionMiddleware>();
    is::<SessionRejection>();
}
