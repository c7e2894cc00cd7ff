//! Logging in and out.

use hyper::StatusCode;
use tokio::task::JoinSet;

use crate::{
    browser::{Browser, send},
    process::{Shop, sessions},
};

const ACCOUNT: &str = "__Host-account";
const ATTRIBUTES: &str = "; Path=/; Secure; HttpOnly; SameSite=Lax";

#[tokio::test]
async fn the_account_is_open_over_https_alone() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let mut browser = Browser::default();

    let page = browser.get(shop.plain(), "/login").await;
    let link = format!("https://127.0.0.1:{}/login", shop.https.port());
    assert!(page.body.contains(&link), "{}", page.body);
    let closed = serde_json::json!({ "closed": true });
    assert_eq!(browser.state(shop.plain(), "account").await, closed);
    for path in ["/login", "/logout"] {
        let form = "username=demo&password=demo";
        let reply = send(shop.plain(), "POST", path, "", form).await.unwrap();
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
        assert!(reply.set_cookies().is_empty());
    }

    let reply = browser.login(&shop, "demo").await;
    assert_eq!(reply.location(), "/account");
    let value = browser.cookies[ACCOUNT].clone();
    assert_eq!(value.len(), 64);
    let cookie = format!("{ACCOUNT}={value}{ATTRIBUTES}");
    assert_eq!(reply.set_cookies(), [cookie.as_str()]);

    let state = browser.state(shop.secure(), "account").await;
    assert_eq!(state["closed"], false);
    assert_eq!(state["subject"], "demo");
    // Even a browser that sent it over http would find it closed.
    let cookie = format!("{ACCOUNT}={value}");
    let reply = send(shop.plain(), "GET", "/state/account", &cookie, "").await;
    assert_eq!(reply.unwrap().json(), closed);
}

#[tokio::test]
async fn the_account_page_asks_for_a_login() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let mut browser = Browser::default();
    for door in [shop.plain(), shop.secure()] {
        assert_eq!(browser.get(door, "/account").await.location(), "/login");
    }

    let reply = browser.login(&shop, "wrong").await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert!(reply.set_cookies().is_empty());
    assert!(reply.body.contains("name=\"password\""));
    assert_eq!(sessions(data.path()), [""; 0]);

    browser.login(&shop, "demo").await;
    let page = browser.get(shop.secure(), "/account").await;
    assert!(page.body.contains("Dana Demo"), "{}", page.body);
    let again = browser.get(shop.secure(), "/login").await;
    assert_eq!(again.location(), "/account");
}

#[tokio::test]
async fn a_login_voids_the_token_from_before() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let mut browser = Browser::default();
    browser.login(&shop, "demo").await;
    let mut thief = browser.clone();
    let before = thief.state(shop.secure(), "account").await;

    browser.login(&shop, "demo").await;
    let after = browser.state(shop.secure(), "account").await;
    assert_eq!(after["id"], before["id"]);
    assert_ne!(browser.cookies[ACCOUNT], thief.cookies[ACCOUNT]);

    let state = thief.state(shop.secure(), "account").await;
    assert_eq!(state["is_new"], true);
    assert_eq!(state["subject"], serde_json::Value::Null);
    assert_eq!(
        thief.get(shop.secure(), "/account").await.location(),
        "/login"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_wins_over_all_requests_around_it() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let mut browser = Browser::default();
    browser.post(shop.plain(), "/cart/add/coat").await;
    for _ in 0..5 {
        browser.login(&shop, "demo").await;
        let mut thief = browser.clone();
        let id = thief.state(shop.secure(), "account").await["id"].take();
        let id = id.as_str().unwrap().to_owned();
        assert!(sessions(data.path()).contains(&id));

        // None of them may bring the session back, whatever it finds there.
        let cookies = format!("{ACCOUNT}={}", browser.cookies[ACCOUNT]);
        let mut requests = JoinSet::new();
        for n in 0..30 {
            let (cookies, door) = (cookies.clone(), shop.secure());
            requests.spawn(async move {
                let _ = match n % 3 {
                    0 => {
                        send(
                            door,
                            "POST",
                            "/login",
                            &cookies,
                            "username=demo&password=no",
                        )
                        .await
                    }
                    1 => send(door, "GET", "/account", &cookies, "").await,
                    _ => send(door, "GET", "/state", &cookies, "").await,
                };
            });
        }
        let reply = browser.post(shop.secure(), "/logout").await;
        assert_eq!(reply.location(), "/login");
        let removal = format!("{ACCOUNT}={ATTRIBUTES}; Max-Age=0");
        assert_eq!(reply.set_cookies(), [removal.as_str()]);
        requests.join_all().await;

        assert_eq!(thief.state(shop.secure(), "account").await["is_new"], true);
        assert!(!sessions(data.path()).contains(&id));
    }
    // The cart is another session.
    assert_eq!(browser.items(&shop).await["coat"], 1);
    assert_eq!(sessions(data.path()).len(), 1);
}
