//! A small application with everything that a session can go through, and a browser of one tab.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Request, Response, StatusCode, header},
    response::Html,
    routing::get,
};
use cloakroom_core::{Namespace, NamespaceName, SaveMode, SessionManager};
use cloakroom_memory::MemoryStore;
use cloakroom_panel::Panel;
use cloakroom_testkit::{SpyStore, TestRandom};
use cloakroom_tower::{PanelLayer, Scheme, Session, SessionLayer, SessionRejection, Sessions};
use http_body_util::BodyExt;
use tower::ServiceExt;

pub(crate) struct Account;

impl NamespaceName for Account {
    const NAME: &'static str = "account";
}

pub(crate) struct Cart;

impl NamespaceName for Cart {
    const NAME: &'static str = "cart";
}

type Answer = Result<String, SessionRejection>;

async fn add(cart: Session<Cart>) -> Answer {
    let count = cart.update("items", |items: &mut u32| {
        *items += 1;
        *items
    })?;
    Ok(count.to_string())
}

async fn items(cart: Session<Cart>) -> Answer {
    Ok(cart.get_or_default::<u32>("items")?.to_string())
}

async fn login(account: Session<Account>) -> Answer {
    account.login("alice")?;
    Ok("hello".to_owned())
}

async fn rotate(account: Session<Account>) -> Answer {
    account.rotate()?;
    Ok("rotated".to_owned())
}

async fn form(account: Session<Account>) -> Result<Html<String>, SessionRejection> {
    let form = account.csrf().open_form("/password")?;
    Ok(Html(format!(
        "<!doctype html><html><body>{form}</form></body></html>"
    )))
}

async fn logout(sessions: Sessions) -> Answer {
    let failures = sessions.end_all().await;
    Ok(failures.len().to_string())
}

async fn fail(cart: Session<Cart>) -> Result<StatusCode, SessionRejection> {
    cart.insert("items", 99)?;
    Ok(StatusCode::INTERNAL_SERVER_ERROR)
}

async fn explicit(sessions: Sessions) -> Answer {
    let prefs = sessions.open("prefs").await?.unwrap();
    prefs.insert("theme", "dark")?;
    Ok(String::new())
}

async fn both(account: Option<Session<Account>>, cart: Session<Cart>) -> Answer {
    cart.insert("seen", true)?;
    Ok(account.is_some().to_string())
}

pub(crate) const PAGE: &str = "<!doctype html><html><body><h1>Shop</h1></body></html>";

/// The same ids and secrets each time.
pub(crate) fn router(store: &SpyStore<MemoryStore>) -> Router {
    let account = Namespace::new("account", store.clone());
    let manager = SessionManager::builder()
        .namespace(account.only_if(|request| request.is_https()))
        .namespace(Namespace::new("cart", store.clone()).persistent(Duration::from_secs(86_400)))
        .namespace(Namespace::new("prefs", store.clone()).save_mode(SaveMode::Explicit))
        .random(TestRandom::new(5))
        .build()
        .unwrap();
    Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/add", get(add))
        .route("/items", get(items))
        .route("/login", get(login))
        .route("/rotate", get(rotate))
        .route("/form", get(form))
        .route("/logout", get(logout))
        .route("/fail", get(fail))
        .route("/explicit", get(explicit))
        .route("/both", get(both))
        .layer(SessionLayer::new(manager))
}

pub(crate) fn panel() -> Panel {
    Panel::builder().build().unwrap()
}

pub(crate) fn with_panel(router: Router, panel: &Panel) -> Router {
    router.layer(PanelLayer::new(panel.clone()))
}

/// A request of this machine's, over https.
pub(crate) fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost:3000")
        .extension(Scheme::Https)
        .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 50_000))))
}

pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answered {
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().unwrap_or_else(|| panic!("no {name}"));
        assert!(values.next().is_none(), "{name} is there twice");
        value.to_str().unwrap()
    }
}

pub(crate) async fn send(app: &Router, request: Request<Body>) -> Answered {
    answered(app.clone().oneshot(request).await.unwrap()).await
}

pub(crate) async fn get_page(app: &Router, path: &str) -> Answered {
    send(app, request("GET", path).body(Body::empty()).unwrap()).await
}

pub(crate) async fn answered(response: Response<Body>) -> Answered {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answered {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8(bytes.to_vec()).unwrap(),
    }
}

/// Keeps cookies from one request to the next.
pub(crate) struct Browser {
    app: Router,
    cookies: Vec<(String, String)>,
}

impl Browser {
    pub(crate) fn new(app: Router) -> Self {
        let cookies = Vec::new();
        Self { app, cookies }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answered {
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        let mut request = request("GET", path);
        if !pairs.is_empty() {
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        let answer = send(&self.app, request.body(Body::empty()).unwrap()).await;
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(other, _)| other != name);
            if !attributes.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }
}
