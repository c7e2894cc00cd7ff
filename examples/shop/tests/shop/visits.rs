//! A visitor in the shop.

use std::os::unix::fs::MetadataExt;

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{browser::Browser, process::Shop};

#[tokio::test]
async fn the_cart_shows_what_was_added() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let mut browser = Browser::default();
    for item in ["coat", "coat", "something-else"] {
        let reply = browser
            .post(shop.plain(), &format!("/cart/add/{item}"))
            .await;
        assert_eq!(reply.location(), "/cart");
    }
    // The cart is the same over https.
    let page = browser.get(shop.secure(), "/cart").await.body;
    for text in ["Woollen coat", "× 2", "€378.00", "something-else"] {
        assert!(page.contains(text), "{text}: {page}");
    }

    browser.post(shop.plain(), "/cart/remove/coat").await;
    let page = browser.get(shop.plain(), "/cart").await.body;
    assert!(!page.contains("Woollen coat"), "{page}");
    assert_eq!(browser.items(&shop).await.len(), 1);
}

#[tokio::test]
async fn what_is_no_item_is_not_found() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let mut browser = Browser::default();
    let long = "x".repeat(65);
    for item in ["%3Cscript%3E", "a%20b", "%C3%A9", "..%2Fetc", &long] {
        let reply = browser
            .post(shop.plain(), &format!("/cart/add/{item}"))
            .await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{item}");
        assert!(reply.set_cookies().is_empty());
    }
}

#[tokio::test]
async fn the_language_stays_over_http_https_and_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let mut shop = Shop::start(data.path());
    let mut browser = Browser::default();
    assert!(
        browser
            .get(shop.plain(), "/")
            .await
            .body
            .contains("Add to cart")
    );

    assert_eq!(
        browser.post(shop.plain(), "/language/de").await.location(),
        "/"
    );
    let unknown = browser.post(shop.plain(), "/language/fr").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.set_cookies().is_empty());

    assert!(shop.terminate());
    let key = std::fs::metadata(data.path().join("prefs.key")).unwrap();
    assert_eq!(key.mode() & 0o777, 0o600);
    let shop = Shop::start(data.path());
    for door in [shop.plain(), shop.secure()] {
        let page = browser.get(door, "/").await.body;
        assert!(
            page.contains("In den Warenkorb") && page.contains("189,00 €"),
            "{page}"
        );
    }

    // The cookie is signed.
    let forged = browser.cookies["prefs"].replacen('A', "B", 1);
    browser.cookies.insert("prefs".to_owned(), forged);
    assert!(
        browser
            .get(shop.plain(), "/")
            .await
            .body
            .contains("Add to cart")
    );
}

#[tokio::test]
async fn the_state_shows_one_session_or_all() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let mut browser = Browser::default();
    let nothing = browser.get(shop.plain(), "/state/nothing").await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND);

    let new = browser.state(shop.plain(), "cart").await;
    assert_eq!((&new["id"], &new["is_new"]), (&Value::Null, &json!(true)));
    assert_eq!(
        (&new["subject"], &new["values"]),
        (&Value::Null, &json!({}))
    );

    browser.post(shop.plain(), "/cart/add/cap").await;
    let cart = browser.state(shop.plain(), "cart").await;
    assert_eq!(cart["is_new"], false);
    assert_eq!(cart["id"].as_str().unwrap().len(), 32);
    assert_eq!(cart["values"], json!({ "items": { "cap": 1 } }));
    let millis = |name: &str| cart[name].as_u64().unwrap();
    assert_eq!(millis("expires") - millis("created"), 30 * 86_400_000);
    assert!(millis("last_seen") >= millis("created"));

    let all = browser.get(shop.plain(), "/state").await.json();
    assert_eq!(all["account"], json!({ "closed": true }));
    assert_eq!(all["cart"], cart);
    assert_eq!(all["prefs"]["is_new"], true);
}

#[tokio::test]
async fn the_browser_says_the_language_until_the_visitor_does() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let mut browser = Browser {
        languages: "de-AT, en;q=0.5",
        ..Browser::default()
    };
    let page = browser.get(shop.plain(), "/").await;
    assert!(page.body.contains("In den Warenkorb"), "{}", page.body);
    let vary: Vec<_> = page.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["Accept-Language", "Cookie"]);
    assert!(page.set_cookies().is_empty());

    browser.post(shop.plain(), "/language/en").await;
    let page = browser.get(shop.plain(), "/").await.body;
    assert!(page.contains("Add to cart"), "{page}");
}

#[tokio::test]
async fn a_message_is_shown_once() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let mut browser = Browser::default();
    browser.login(&shop, "demo").await;
    let page = browser.get(shop.secure(), "/account").await.body;
    assert!(page.contains("You are logged in."), "{page}");
    let page = browser.get(shop.secure(), "/account").await.body;
    assert!(!page.contains("You are logged in."), "{page}");
}
