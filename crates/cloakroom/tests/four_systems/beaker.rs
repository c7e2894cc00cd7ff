//! A dictionary that is loaded late and saved in several ways, in one of many back ends.

use std::fs;

use axum::{Router, http::Request, routing::get};
use cloakroom::{
    Cookie, KeyRing, Limits, MemoryStore, Namespace, SaveMode, SecretKey, Session, SessionManager,
    SessionRejection, Settings, SettingsFormat, Transport, minutes, store::Subject,
};
use cloakroom_testkit::{SpyStore, TestBrowser, TestClock};

use crate::support::{Answer, Browser, Cart, manager, shop};

#[tokio::test]
async fn beaker_dictionary_like_lazy_and_saved_when_changed() {
    let store = SpyStore::new(MemoryStore::new());
    let mut browser = shop(Namespace::new("cart", store.clone()));
    browser.get("/read").await;
    assert!(store.take().is_empty(), "who only looks leaves no record");
    browser.get("/add").await;
    store.take();
    browser.get("/plain").await;
    assert!(store.take().is_empty());
    browser.get("/read").await;
    assert_eq!(store.take().len(), 1, "a read loads and writes nothing");
    browser.get("/add").await;
    assert_eq!(store.take().len(), 2, "a change loads and replaces");
}

#[tokio::test]
async fn beaker_timeout() {
    let clock = TestClock::default();
    let namespace = Namespace::new("cart", MemoryStore::new()).limits(Limits::idle(minutes(30)));
    let builder = SessionManager::builder().clock(clock.clone());
    let mut browser = Browser::new(builder.namespace(namespace).build().unwrap());
    browser.get("/add").await;
    clock.advance(minutes(29));
    assert_eq!(browser.get("/read").await, "1");
    clock.advance(minutes(31));
    assert_eq!(browser.get("/read").await, "0");
}

#[tokio::test]
async fn beaker_and_tipfy_a_session_in_its_cookie_encrypted_or_signed() {
    let keys = KeyRing::new(SecretKey::generate().unwrap());
    let in_cookie = || Namespace::in_cookie("cart", &keys);
    for namespace in [in_cookie(), in_cookie().signed()] {
        let mut browser = shop(namespace);
        browser.get("/add").await;
        assert_eq!(browser.get("/add").await, "2");
        for (_, value) in &mut browser.cookies {
            value.replace_range(20..21, if &value[20..21] == "A" { "B" } else { "A" });
        }
        assert_eq!(browser.get("/read").await, "0", "a forged cookie is none");
    }
}

#[tokio::test]
async fn beaker_explicit_save() {
    async fn save(cart: Session<Cart>) -> Result<(), SessionRejection> {
        cart.insert("count", 7)?;
        Ok(cart.save().await?)
    }
    let namespace = Namespace::new("cart", MemoryStore::new()).save_mode(SaveMode::Explicit);
    let routes = Router::new()
        .route("/add", get(crate::support::add))
        .route("/save", get(save))
        .route("/read", get(crate::support::read));
    let mut browser = Browser::with(routes, manager([namespace]));
    for (path, count) in [("/add", "0"), ("/save", "7"), ("/add", "7")] {
        browser.get(path).await;
        assert_eq!(browser.get("/read").await, count, "{path}");
    }
}

#[tokio::test]
async fn beaker_auto_saves_whenever_it_is_used() {
    let store = MemoryStore::new();
    let mut browser = shop(Namespace::new("cart", store.clone()).save_mode(SaveMode::Always));
    browser.get("/plain").await;
    assert_eq!(store.stats().sessions, 0);
    browser.get("/read").await;
    assert_eq!(store.stats().sessions, 1);
}

#[tokio::test]
async fn beaker_revert() {
    async fn think_again(cart: Session<Cart>) -> Answer {
        cart.insert("count", 9)?;
        cart.revert();
        crate::support::read(cart).await
    }
    let routes = Router::new()
        .route("/add", get(crate::support::add))
        .route("/revert", get(think_again))
        .route("/read", get(crate::support::read));
    let namespace = Namespace::new("cart", MemoryStore::new());
    let mut browser = Browser::with(routes, manager([namespace]));
    browser.get("/add").await;
    assert_eq!(browser.get("/revert").await, "1");
    assert_eq!(browser.get("/read").await, "1");
}

#[tokio::test]
async fn beaker_get_by_id() {
    let sessions = manager([Namespace::new("account", MemoryStore::new())]);
    let mut browser = TestBrowser::new(&sessions);
    let login = browser.visit("account", async |account| account.login("ada"));
    login.await.unwrap();
    let id = browser.session("account").await.unwrap().id().unwrap();
    let (ada, bob) = (Subject::new("ada").unwrap(), Subject::new("bob").unwrap());
    let subjects = sessions.subjects("account").unwrap();
    let page = subjects.sessions_of(&ada, None, 10).await.unwrap();
    assert_eq!(page.sessions.iter().map(|s| s.id).collect::<Vec<_>>(), [id]);
    // An id is no secret, so whose it is is asked for too.
    assert!(!subjects.end(&bob, id).await.unwrap());
    assert!(subjects.end(&ada, id).await.unwrap());
    assert!(browser.session("account").await.unwrap().is_new());
}

#[tokio::test]
async fn beaker_the_domain_and_the_path_depend_on_the_request() {
    let of_shops = Cookie::named("shops").domain("shops.example");
    let of_forum = Cookie::named("forum").path("/forum");
    let namespace = Namespace::new("cart", MemoryStore::new()).transports([
        Transport::cookie(of_shops).begins_if(|r| r.header_is("host", "a.shops.example")),
        Transport::cookie(of_forum).begins_if(|r| r.path().starts_with("/forum/")),
        Transport::cookie(Cookie::default()),
    ]);
    let routes = Router::new()
        .route("/add", get(crate::support::add))
        .route("/forum/add", get(crate::support::add));
    let sessions = manager([namespace]);
    for (host, path, name, attributes) in [
        (
            "a.shops.example",
            "/add",
            "__Secure-shops",
            "Domain=shops.example; Path=/;",
        ),
        (
            "other.example",
            "/forum/add",
            "__Secure-forum",
            "; Path=/forum;",
        ),
        ("other.example", "/add", "__Host-cart", "; Path=/;"),
    ] {
        let mut browser = Browser::with(routes.clone(), sessions.clone());
        for hits in ["1", "2"] {
            let request = Request::get(path).header("host", host);
            assert_eq!(browser.send(request, "").await.body, hits);
            if hits == "1" {
                let [set_cookie] = &*browser.set_cookies else {
                    unreachable!("one cookie is set")
                };
                assert!(set_cookie.starts_with(name), "{set_cookie}");
                assert!(set_cookie.contains(attributes), "{set_cookie}");
            }
        }
    }
}

#[tokio::test]
async fn beaker_back_ends_by_type() {
    let folder = tempfile::tempdir().unwrap();
    for store in [
        "type = \"memory\"",
        "type = \"file\"\nurl = \"file:sessions\"",
    ] {
        let text = format!("[stores.main]\n{store}\n[namespaces.cart]\nstore = \"main\"\n");
        let settings = Settings::new().text(SettingsFormat::Toml, text);
        let sessions = settings.folder(folder.path()).build().await.unwrap();
        let mut browser = Browser::new(sessions.into_manager());
        browser.get("/add").await;
        assert_eq!(browser.get("/add").await, "2", "{store}");
    }
}

#[tokio::test]
async fn beaker_settings_from_an_ini_file_by_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("production.ini");
    let ini = "[app:main]\nuse = egg:shop\nbeaker.session.type = memory\n\
        beaker.session.key = shop\nbeaker.session.timeout = 1800\nbeaker.session.auto = true\n\
        beaker.session.namespace = cart\n";
    fs::write(&path, ini).unwrap();
    let settings = Settings::new().beaker(&path, "app:main");
    let sessions = settings.build().await.unwrap().into_manager();
    let cart = sessions.namespaces().next().unwrap();
    assert_eq!(cart.limits().idle_limit(), Some(minutes(30)));
    assert_eq!(cart.cookie_name(), Some("__Host-shop"));
    let mut browser = Browser::new(sessions);
    browser.get("/add").await;
    assert_eq!(browser.get("/add").await, "2");

    fs::write(&path, ini.replace("timeout", "timeuot")).unwrap();
    let error = Settings::new().beaker(&path, "app:main").check();
    let error = error.unwrap_err().to_string();
    assert!(error.contains("did you mean"), "{error}");
}
