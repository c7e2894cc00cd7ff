//! A small application with everything that a session can go through, and a browser of one tab.

use std::{future::Future, net::SocketAddr, pin::Pin, rc::Rc, time::Duration};

use actix_web::{
    App, Error, HttpMessage, HttpResponse,
    body::{BoxBody, to_bytes},
    dev::{Service, ServiceResponse},
    http::{
        StatusCode,
        header::{self, HeaderMap},
    },
    test::{TestRequest, init_service},
    web::{self, Html, ServiceConfig},
};
use cloakroom_actix::{
    PanelMiddleware, Scheme, Session, SessionMiddleware, SessionRejection, Sessions,
};
use cloakroom_core::{Namespace, NamespaceName, SaveMode, SessionManager};
use cloakroom_memory::MemoryStore;
use cloakroom_panel::Panel;
use cloakroom_testkit::{SpyStore, TestRandom};

pub(crate) struct Account;

impl NamespaceName for Account {
    const NAME: &'static str = "account";
}

pub(crate) struct Cart;

impl NamespaceName for Cart {
    const NAME: &'static str = "cart";
}

type Text = Result<String, SessionRejection>;

async fn add(cart: Session<Cart>) -> Text {
    let count = cart.update("items", |items: &mut u32| {
        *items += 1;
        *items
    })?;
    Ok(count.to_string())
}

async fn items(cart: Session<Cart>) -> Text {
    Ok(cart.get_or_default::<u32>("items")?.to_string())
}

async fn login(account: Session<Account>) -> Text {
    account.login("alice")?;
    Ok("hello".to_owned())
}

async fn rotate(account: Session<Account>) -> Text {
    account.rotate()?;
    Ok("rotated".to_owned())
}

async fn form(account: Session<Account>) -> Result<Html, SessionRejection> {
    let form = account.csrf().open_form("/password")?;
    Ok(Html::new(format!(
        "<!doctype html><html><body>{form}</form></body></html>"
    )))
}

async fn logout(sessions: Sessions) -> Text {
    let failures = sessions.end_all().await;
    Ok(failures.len().to_string())
}

async fn fail(cart: Session<Cart>) -> Result<HttpResponse, SessionRejection> {
    cart.insert("items", 99)?;
    Ok(HttpResponse::InternalServerError().finish())
}

async fn explicit(sessions: Sessions) -> Text {
    let prefs = sessions.open("prefs").await?.unwrap();
    prefs.insert("theme", "dark")?;
    Ok(String::new())
}

async fn both(account: Option<Session<Account>>, cart: Session<Cart>) -> Text {
    cart.insert("seen", true)?;
    Ok(account.is_some().to_string())
}

pub(crate) const PAGE: &str = "<!doctype html><html><body><h1>Shop</h1></body></html>";

pub(crate) async fn page() -> Html {
    Html::new(PAGE)
}

/// The same ids and secrets each time.
pub(crate) fn routes(store: &SpyStore<MemoryStore>) -> impl Fn(&mut ServiceConfig) + Clone + use<> {
    let account = Namespace::new("account", store.clone());
    let manager = SessionManager::builder()
        .namespace(account.only_if(|request| request.is_https()))
        .namespace(Namespace::new("cart", store.clone()).persistent(Duration::from_secs(86_400)))
        .namespace(Namespace::new("prefs", store.clone()).save_mode(SaveMode::Explicit))
        .random(TestRandom::new(5))
        .build()
        .unwrap();
    move |config| {
        config.service(
            web::scope("")
                .route("/", web::get().to(page))
                .route("/add", web::get().to(add))
                .route("/items", web::get().to(items))
                .route("/login", web::get().to(login))
                .route("/rotate", web::get().to(rotate))
                .route("/form", web::get().to(form))
                .route("/logout", web::get().to(logout))
                .route("/fail", web::get().to(fail))
                .route("/explicit", web::get().to(explicit))
                .route("/both", web::get().to(both))
                .wrap(SessionMiddleware::new(manager.clone())),
        );
    }
}

pub(crate) fn store() -> SpyStore<MemoryStore> {
    SpyStore::new(MemoryStore::new())
}

pub(crate) fn panel() -> Panel {
    Panel::builder().build().unwrap()
}

pub(crate) const HERE: [u8; 4] = [127, 0, 0, 1];

/// A request of this machine's.
pub(crate) fn request(method: &str, path: &str) -> TestRequest {
    from(Some(HERE), method, path)
}

pub(crate) fn from(peer: Option<[u8; 4]>, method: &str, path: &str) -> TestRequest {
    let request = TestRequest::with_uri(path)
        .method(method.parse().unwrap())
        .insert_header((header::HOST, "localhost:3000"));
    match peer {
        Some(peer) => request.peer_addr(SocketAddr::from((peer, 50_000))),
        None => request,
    }
}

type Reply = Result<ServiceResponse<BoxBody>, Error>;
type Call = dyn Fn(TestRequest) -> Pin<Box<dyn Future<Output = Reply>>>;

#[derive(Clone)]
pub(crate) struct Application(Rc<Call>);

impl Application {
    pub(crate) async fn new(
        panel: impl Into<Option<Panel>>,
        configure: impl FnOnce(&mut ServiceConfig),
    ) -> Self {
        let panel = PanelMiddleware::new(panel);
        let app = init_service(App::new().configure(configure).wrap(panel)).await;
        Self(Rc::new(move |request| {
            let request = request.to_request();
            request.extensions_mut().insert(Scheme::Https);
            let reply = app.call(request);
            Box::pin(async move { reply.await.map(ServiceResponse::map_into_boxed_body) })
        }))
    }

    pub(crate) fn reply(&self, request: TestRequest) -> impl Future<Output = Reply> + use<> {
        (self.0)(request)
    }

    pub(crate) async fn send(&self, request: TestRequest) -> Answer {
        Answer::of(self.reply(request).await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request("GET", path)).await
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) text: String,
}

impl Answer {
    async fn of(response: ServiceResponse<BoxBody>) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body()).await.unwrap().to_vec();
        Self {
            status,
            headers,
            text: String::from_utf8_lossy(&body).into_owned(),
            body,
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name);
        let value = values.next().unwrap_or_else(|| panic!("no {name}"));
        assert!(values.next().is_none(), "{name} is there twice");
        value.to_str().unwrap()
    }
}

/// Keeps cookies from one request to the next.
pub(crate) struct Browser {
    app: Application,
    cookies: Vec<(String, String)>,
}

impl Browser {
    pub(crate) fn new(app: &Application) -> Self {
        let (app, cookies) = (app.clone(), Vec::new());
        Self { app, cookies }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let pair = |(name, value): &(String, String)| format!("{name}={value}");
        let pairs: Vec<_> = self.cookies.iter().map(pair).collect();
        let mut request = request("GET", path);
        if !pairs.is_empty() {
            request = request.insert_header((header::COOKIE, pairs.join("; ")));
        }
        let answer = self.app.send(request).await;
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
