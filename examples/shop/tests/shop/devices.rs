//! Where a visitor is logged in, and how that is ended from elsewhere.

use hyper::StatusCode;

use crate::{
    browser::{Browser, send},
    process::{Shop, sessions},
};

async fn logged_in(shop: &Shop) -> (Browser, String) {
    let mut browser = Browser::default();
    browser.login(shop, "demo").await;
    let id = id(&mut browser, shop).await;
    (browser, id.unwrap())
}

async fn id(browser: &mut Browser, shop: &Shop) -> Option<String> {
    let state = browser.state(shop.secure(), "account").await;
    state["id"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn the_account_page_shows_each_login_and_which_one_is_here() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let (mut laptop, here) = logged_in(&shop).await;
    let page = laptop.get(shop.secure(), "/account").await.body;
    assert_eq!(page.matches("/account/end/").count(), 1, "{page}");
    assert!(!page.contains("/account/end-others"));

    let (_phone, there) = logged_in(&shop).await;
    let page = laptop.get(shop.secure(), "/account").await.body;
    let logins: Vec<&str> = page.split("<li>").skip(1).collect();
    assert_eq!(logins.len(), 2, "{page}");
    for login in logins {
        let is_here = login.contains(&format!("/account/end/{here}"));
        assert_ne!(is_here, login.contains(&format!("/account/end/{there}")));
        assert_eq!(is_here, login.contains("this browser"), "{login}");
        assert!(login.contains("just now"), "{login}");
    }
    assert!(page.contains("/account/end-others"));
}

#[tokio::test]
async fn a_login_is_ended_from_another_browser() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let (mut laptop, here) = logged_in(&shop).await;
    let (mut phone, there) = logged_in(&shop).await;
    for _ in 0..2 {
        // The second time it is gone already.
        let path = format!("/account/end/{there}");
        assert_eq!(
            laptop.post(shop.secure(), &path).await.location(),
            "/account"
        );
        let left = sessions(data.path());
        assert!(left.contains(&here) && !left.contains(&there), "{left:?}");
    }
    assert_eq!(
        phone.get(shop.secure(), "/account").await.location(),
        "/login"
    );
    assert_eq!(
        laptop.get(shop.secure(), "/account").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn ending_the_own_login_is_a_logout() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let (mut laptop, here) = logged_in(&shop).await;
    let path = format!("/account/end/{here}");
    let reply = laptop.post(shop.secure(), &path).await;
    assert_eq!(reply.location(), "/login");
    assert!(reply.set_cookies()[0].ends_with("Max-Age=0"));
    assert_eq!(sessions(data.path()), [""; 0]);
}

#[tokio::test]
async fn all_other_logins_are_ended_at_once() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let (mut laptop, here) = logged_in(&shop).await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(logged_in(&shop).await.0);
    }
    let reply = laptop.post(shop.secure(), "/account/end-others").await;
    assert_eq!(reply.location(), "/account");
    assert!(reply.set_cookies().is_empty());
    for mut other in others {
        assert_eq!(id(&mut other, &shop).await, None);
    }
    assert_eq!(id(&mut laptop, &shop).await, Some(here));
}

#[tokio::test]
async fn whoever_is_not_logged_in_ends_nothing() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let (_laptop, here) = logged_in(&shop).await;
    let mut stranger = Browser::default();
    for path in [&format!("/account/end/{here}"), "/account/end-others"] {
        let reply = stranger.post(shop.secure(), path).await;
        assert_eq!(reply.location(), "/account");
        let reply = send(shop.plain(), "POST", path, "", "").await.unwrap();
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
    }
    let reply = stranger.post(shop.secure(), "/account/end/..%2F").await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
    assert!(sessions(data.path()).contains(&here));
}
