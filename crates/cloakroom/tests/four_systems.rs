//! What the four Python systems offer that cloakroom takes up, a test for each, by the name of the
//! system: pyramid_session_multi, Pesto, Beaker (as used from Pylons) and tipfy.
#![cfg(all(
    feature = "axum",
    feature = "memory",
    feature = "file",
    feature = "client-side"
))]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, header},
    routing::get,
};
use cloakroom::{
    Cookie, FileStore, KeyRing, Limits, MemoryStore, Namespace, NamespaceName, Scheme, SecretKey,
    Session, SessionHandle, SessionLayer, SessionManager, SessionRejection, Sessions, Sweeper,
    days, hours, minutes, store::Store,
};
use cloakroom_testkit::{SpyStore, TestClock};
use http_body_util::BodyExt;
use tower::ServiceExt;

type Answer = Result<String, SessionRejection>;

struct Cart;

impl NamespaceName for Cart {
    const NAME: &'static str = "cart";
}

fn count(session: &SessionHandle) -> Answer {
    let count = session.update("count", |count: &mut u32| {
        *count += 1;
        *count
    })?;
    Ok(count.to_string())
}

async fn add(cart: Session<Cart>) -> Answer {
    count(&cart)
}

async fn read(cart: Session<Cart>) -> Answer {
    Ok(cart.get_or_default::<u32>("count")?.to_string())
}

fn shop(namespace: Namespace) -> Browser {
    Browser::new(manager([namespace]))
}

fn manager(namespaces: impl IntoIterator<Item = Namespace>) -> SessionManager {
    namespaces
        .into_iter()
        .fold(SessionManager::builder(), |builder, n| builder.namespace(n))
        .build()
        .unwrap()
}

/// A browser of one tab, and the application that it talks to.
struct Browser {
    app: Router,
    cookies: Vec<(String, String)>,
    set_cookies: Vec<String>,
}

impl Browser {
    fn new(sessions: SessionManager) -> Self {
        let routes = Router::new()
            .route("/add", get(add))
            .route("/read", get(read))
            .route("/plain", get(|| async { "plain" }));
        Self::to(routes.layer(SessionLayer::new(sessions)))
    }

    fn to(app: Router) -> Self {
        Self {
            app,
            cookies: Vec::new(),
            set_cookies: Vec::new(),
        }
    }

    async fn get(&mut self, path: &str) -> String {
        let pairs = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let request = Request::get(path)
            .header(header::COOKIE, pairs.collect::<Vec<_>>().join("; "))
            .extension(Scheme::Https)
            .body(Body::empty())
            .unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        self.take_cookies(response.headers());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    fn take_cookies(&mut self, headers: &HeaderMap) {
        let texts = headers.get_all(header::SET_COOKIE).iter();
        self.set_cookies = texts
            .map(|text| text.to_str().unwrap().to_owned())
            .collect();
        for text in &self.set_cookies {
            let (name, rest) = text.split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap();
            self.cookies.retain(|(other, _)| other != name);
            if !attributes.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

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
async fn pylons_composite_applications_share_a_session() {
    let store = MemoryStore::new();
    let outer = manager([Namespace::new("cart", store.clone())]);
    let inner = manager([Namespace::new("forum", store)]);
    let shop = Router::new().route("/add", get(add));
    let forum = Router::new()
        .route("/add", get(add))
        .layer(SessionLayer::new(inner));
    let app = Router::new().nest("/shop", shop).nest("/forum", forum);
    let mut browser = Browser::to(app.layer(SessionLayer::new(outer)));
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
async fn tipfy_written_only_when_changed() {
    async fn same(cart: Session<Cart>) -> Result<(), SessionRejection> {
        Ok(cart.insert("x", 1)?)
    }
    let store = SpyStore::new(MemoryStore::new());
    let sessions = manager([Namespace::new("cart", store.clone())]);
    let app = Router::new()
        .route("/", get(same))
        .layer(SessionLayer::new(sessions));
    let mut browser = Browser::to(app);
    browser.get("/").await;
    assert_eq!(browser.set_cookies.len(), 1);
    store.take();
    browser.get("/").await;
    assert_eq!(
        store.take().len(),
        1,
        "setting what is there writes nothing"
    );
    assert!(browser.set_cookies.is_empty());
}
