//! Back ends, cookies, purging, and addresses with the session in them.

use axum::http::Request;
use cloakroom::{
    Cookie, FileStore, Limits, MemoryStore, Namespace, SessionManager, Sweeper, Transport, hours,
    minutes, store::Store,
};
use cloakroom_testkit::TestClock;

use crate::support::{Browser, shop};

#[tokio::test]
async fn pesto_file_and_memory_back_ends() {
    async fn visit(store: impl Store) {
        let mut browser = shop(Namespace::new("cart", store));
        browser.get("/add").await;
        assert_eq!(browser.get("/add").await, "2");
    }
    let folder = tempfile::tempdir().unwrap();
    visit(FileStore::open(folder.path().join("sessions")).unwrap()).await;
    visit(MemoryStore::new()).await;
}

#[tokio::test]
async fn pesto_cookie_path_and_domain() {
    let cookie = Cookie::named("sid").path("/shop").domain("example.com");
    let mut browser = shop(Namespace::new("cart", MemoryStore::new()).cookie(cookie));
    browser.get("/add").await;
    let [set_cookie] = &*browser.set_cookies else {
        unreachable!("one cookie is set")
    };
    let attributes = "; Domain=example.com; Path=/shop; Secure; HttpOnly; SameSite=Lax";
    assert!(set_cookie.starts_with("__Secure-sid="), "{set_cookie}");
    assert!(set_cookie.ends_with(attributes), "{set_cookie}");
}

#[tokio::test(start_paused = true)]
async fn pesto_purges_every_n_what_is_older_than_m() {
    let (store, clock) = (MemoryStore::new(), TestClock::default());
    let namespace = Namespace::new("cart", store.clone()).limits(Limits::idle(minutes(30)));
    let builder = SessionManager::builder().clock(clock.clone());
    let sessions = builder.namespace(namespace).build().unwrap();
    let sweeper = Sweeper::new(&sessions)
        .every(minutes(1))
        .older_than(hours(1));
    let _sweeping = sweeper.spawn().unwrap();
    Browser::new(sessions).get("/add").await;
    for (passed, left) in [(minutes(85), 1), (minutes(10), 0)] {
        clock.advance(passed);
        tokio::time::sleep(minutes(2)).await;
        assert_eq!(store.stats().sessions, left, "{passed:?}");
    }
}

#[tokio::test]
async fn pesto_a_get_without_a_known_id_is_redirected_to_an_address_with_one() {
    let query = Transport::query("pesto_session");
    let namespace = Namespace::new("cart", MemoryStore::new()).transports([query]);
    let mut browser = shop(namespace);
    for path in ["/add?a=1&b=%20", "/add?a=1&pesto_session=unknown&b=%20"] {
        let got = browser.send(Request::get(path), "").await;
        assert_eq!(got.status, 302, "{path}");
        let known = got.header("location").to_owned();
        assert!(
            known.starts_with("/add?a=1&b=%20&pesto_session="),
            "{known}"
        );
        for hits in ["1", "2"] {
            assert_eq!(browser.get(&known).await, hits);
        }
    }
    assert!(browser.cookies.is_empty());
}
