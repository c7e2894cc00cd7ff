//! What the tests share: a browser of one tab.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, Response, StatusCode, header},
};
use cloakroom_core::{Namespace, NamespaceName, SessionManager, store::Store};
use cloakroom_tower::Scheme;
use http_body_util::BodyExt;
use tower::ServiceExt;

pub(crate) struct Cart;

impl NamespaceName for Cart {
    const NAME: &'static str = "cart";
}

pub(crate) struct Account;

impl NamespaceName for Account {
    const NAME: &'static str = "account";
}

/// `cart` always open, `account` on https alone.
pub(crate) fn manager(store: impl Store + Clone) -> SessionManager {
    SessionManager::builder()
        .namespace(Namespace::new("cart", store.clone()))
        .namespace(Namespace::new("account", store).only_if(|request| request.is_https()))
        .build()
        .unwrap()
}

pub(crate) struct Browser {
    app: Router,
    cookies: Vec<(String, String)>,
    scheme: Scheme,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Browser {
    pub(crate) fn new(app: Router) -> Self {
        Self {
            app: crate::around(app),
            cookies: Vec::new(),
            scheme: Scheme::Https,
        }
    }

    pub(crate) fn over(self, scheme: Scheme) -> Self {
        Self { scheme, ..self }
    }

    pub(crate) fn request(&self, path: &str) -> Request<Body> {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        let mut request = Request::get(path).extension(self.scheme);
        if !pairs.is_empty() {
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        request.body(Body::empty()).unwrap()
    }

    pub(crate) async fn response(&mut self, path: &str) -> Response<Body> {
        let request = self.request(path);
        let response = self.app.clone().oneshot(request).await.unwrap();
        self.take_cookies(response.headers());
        response
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let response = self.response(path).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
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
    pub(crate) fn all(&self, name: header::HeaderName) -> Vec<&str> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap()).collect()
    }
}
