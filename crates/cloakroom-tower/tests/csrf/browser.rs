//! What the tests share: a browser of one tab, and an application with an account.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, Response, StatusCode, header, request::Builder},
};
use cloakroom_core::{
    CsrfRefusal, Event, EventKind, Namespace, NamespaceName, Observer, SessionManager,
};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::SpyStore;
use cloakroom_tower::Scheme;
use http_body_util::BodyExt;
use tower::ServiceExt;

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) struct Account;

impl NamespaceName for Account {
    const NAME: &'static str = "account";
}

pub(crate) struct Cart;

impl NamespaceName for Cart {
    const NAME: &'static str = "cart";
}

/// `account` always open, `admin` closed, and a `cart`; with the store's calls and the refusals.
pub(crate) fn manager() -> (SessionManager, SpyStore<MemoryStore>, Refusals) {
    let store = SpyStore::new(MemoryStore::new());
    let refusals = Refusals::default();
    let manager = SessionManager::builder()
        .namespace(Namespace::new("account", store.clone()))
        .namespace(Namespace::new("admin", store.clone()).only_if(|_| false))
        .namespace(Namespace::new("cart", store.clone()))
        .observer(refusals.clone())
        .build()
        .unwrap();
    (manager, store, refusals)
}

/// The refusals that were events, with their namespaces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusals(Arc<Mutex<Vec<(String, CsrfRefusal)>>>);

impl Refusals {
    pub(crate) fn take(&self) -> Vec<(String, CsrfRefusal)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// Those of the account's session, and no others.
    pub(crate) fn of_account(&self) -> Vec<CsrfRefusal> {
        let refusals = self.take().into_iter();
        let of_account = refusals.map(|(namespace, refusal)| {
            assert_eq!(namespace, "account");
            refusal
        });
        of_account.collect()
    }
}

impl Observer for Refusals {
    fn on_event(&self, event: &Event<'_>) {
        if let EventKind::CsrfRefused(refusal) = event.kind {
            let mut refusals = self.0.lock().unwrap();
            refusals.push((event.namespace.to_owned(), refusal));
        }
    }
}

#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) app: Router,
    cookies: Vec<(String, String)>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) refusal: Option<CsrfRefusal>,
    pub(crate) text: String,
}

impl Browser {
    pub(crate) fn new(app: Router) -> Self {
        let (app, cookies) = (crate::around(app), Vec::new());
        Self { app, cookies }
    }

    /// A request with the cookies that the browser has.
    pub(crate) fn request(&self, method: &str, path: &str) -> Builder {
        let pair = |(name, value): &(String, String)| format!("{name}={value}");
        let pairs: Vec<String> = self.cookies.iter().map(pair).collect();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "shop.example")
            .extension(Scheme::Https);
        match pairs.is_empty() {
            true => request,
            false => request.header(header::COOKIE, pairs.join("; ")),
        }
    }

    pub(crate) async fn send(&mut self, request: Builder, body: impl Into<Body>) -> Answer {
        let request = request.body(body.into()).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        self.take_cookies(response.headers());
        Answer::of(response).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(self.request("GET", path), Body::empty()).await
    }

    /// Posts a form as a page of the application does.
    pub(crate) async fn post_form(&mut self, path: &str, form: impl Into<Body>) -> Answer {
        let request = self
            .request("POST", path)
            .header(header::CONTENT_TYPE, FORM)
            .header(header::ORIGIN, "https://shop.example")
            .header("sec-fetch-site", "same-origin");
        self.send(request, form).await
    }

    fn take_cookies(&mut self, headers: &HeaderMap) {
        for header in headers.get_all(header::SET_COOKIE) {
            let text = header.to_str().unwrap();
            let (pair, attributes) = text.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(other, _)| other != name);
            if !attributes.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

impl Answer {
    pub(crate) async fn of<B: axum::body::HttpBody<Error: std::fmt::Debug>>(
        response: Response<B>,
    ) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Self {
            status: parts.status,
            headers: parts.headers,
            refusal: parts.extensions.get().copied(),
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// The token of the hidden field on a page.
    pub(crate) fn token(&self) -> &str {
        let (_, after) = self
            .text
            .split_once(r#"name="csrf_token" value=""#)
            .unwrap();
        after.split('"').next().unwrap()
    }
}
