//! What a page costs, in headers and files.

use hyper::{
    StatusCode,
    header::{self, HeaderName},
};

use crate::{
    browser::{Browser, send_with},
    process::{Shop, files, sessions},
};

#[tokio::test]
async fn a_page_that_asks_for_no_session_sets_no_header_and_touches_no_file() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let mut browser = Browser::default();
    browser.post(shop.plain(), "/cart/add/coat").await;
    browser.post(shop.plain(), "/language/de").await;
    browser.login(&shop, "demo").await;
    assert_eq!(browser.cookies.len(), 3);

    let before = files(data.path());
    for door in [shop.plain(), shop.secure()] {
        for path in ["/about", "/style.css"] {
            let reply = browser.get(door, path).await;
            assert_eq!(reply.status, StatusCode::OK);
            for name in [header::SET_COOKIE, header::VARY, header::CACHE_CONTROL] {
                assert!(!reply.headers.contains_key(&name), "{path}: {name}");
            }
        }
    }
    assert_eq!(files(data.path()), before);
}

#[tokio::test]
async fn who_only_looks_leaves_nothing() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let mut browser = Browser::default();
    for path in ["/", "/cart", "/login", "/state"] {
        let reply = browser.get(shop.secure(), path).await;
        assert_eq!(reply.status, StatusCode::OK);
        let vary = reply.headers.get_all(header::VARY).iter();
        assert!(vary.into_iter().any(|value| value == "Cookie"), "{path}");
        assert!(reply.set_cookies().is_empty());
    }
    browser.post(shop.plain(), "/cart/remove/coat").await;
    assert_eq!(sessions(data.path()), [""; 0]);
}

#[tokio::test]
async fn each_session_has_a_cookie_of_its_own() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let mut browser = Browser::default();
    for (path, name, days) in [
        ("/cart/add/coat", "cart", 30),
        ("/language/de", "prefs", 365),
    ] {
        let reply = browser.post(shop.plain(), path).await;
        let value = &browser.cookies[name];
        let start = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=");
        let [cookie] = reply.set_cookies()[..] else {
            panic!("{reply:?}");
        };
        let age: u32 = cookie.strip_prefix(&start).unwrap().parse().unwrap();
        // It counts from the moment when the session was begun.
        assert!((days * 86_400 - 5..=days * 86_400).contains(&age), "{age}");
        assert_eq!(reply.headers[header::CACHE_CONTROL], "no-store");
    }
}

#[tokio::test]
async fn no_other_site_makes_a_browser_change_anything() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    for (site, status) in [
        ("cross-site", StatusCode::FORBIDDEN),
        ("same-site", StatusCode::FORBIDDEN),
        ("same-origin", StatusCode::SEE_OTHER),
    ] {
        let from = HeaderName::from_static("sec-fetch-site");
        let headers = [(from, site.to_owned())];
        let form = "username=demo&password=demo";
        let reply = send_with(shop.secure(), "POST", "/login", headers, form);
        assert_eq!(reply.await.unwrap().status, status, "{site}");
    }
}
