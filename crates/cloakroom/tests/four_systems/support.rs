//! A shop, and a browser that visits it.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header, request},
    routing::get,
};
use cloakroom::{
    Namespace, NamespaceName, Scheme, Session, SessionHandle, SessionLayer, SessionManager,
    SessionRejection,
};
use http_body_util::BodyExt;
use tower::ServiceExt;

pub(crate) type Answer = Result<String, SessionRejection>;

pub(crate) struct Cart;

impl NamespaceName for Cart {
    const NAME: &'static str = "cart";
}

pub(crate) fn count(session: &SessionHandle) -> Answer {
    let count = session.update("count", |count: &mut u32| {
        *count += 1;
        *count
    })?;
    Ok(count.to_string())
}

pub(crate) async fn add(cart: Session<Cart>) -> Answer {
    count(&cart)
}

pub(crate) async fn read(cart: Session<Cart>) -> Answer {
    Ok(cart.get_or_default::<u32>("count")?.to_string())
}

pub(crate) fn shop(namespace: Namespace) -> Browser {
    Browser::new(manager([namespace]))
}

pub(crate) fn manager(namespaces: impl IntoIterator<Item = Namespace>) -> SessionManager {
    namespaces
        .into_iter()
        .fold(SessionManager::builder(), |builder, n| builder.namespace(n))
        .build()
        .unwrap()
}

/// A response, its body read.
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default()
    }
}

/// A browser of one tab, and the application that it talks to.
pub(crate) struct Browser {
    app: Router,
    pub(crate) cookies: Vec<(String, String)>,
    pub(crate) set_cookies: Vec<String>,
}

impl Browser {
    pub(crate) fn new(sessions: SessionManager) -> Self {
        let routes = Router::new()
            .route("/add", get(add))
            .route("/read", get(read))
            .route("/plain", get(|| async { "plain" }));
        Self::with(routes, sessions)
    }

    pub(crate) fn with(routes: Router, sessions: SessionManager) -> Self {
        Self::to(routes.layer(SessionLayer::new(sessions)))
    }

    pub(crate) fn to(app: Router) -> Self {
        Self {
            app,
            cookies: Vec::new(),
            set_cookies: Vec::new(),
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> String {
        self.send(Request::get(path), "").await.body
    }

    /// Sends a form.
    pub(crate) async fn post(&mut self, path: &str, form: &str) -> Got {
        let kind = "application/x-www-form-urlencoded";
        let request = Request::post(path).header(header::CONTENT_TYPE, kind);
        self.send(request, form).await
    }

    pub(crate) async fn send(&mut self, request: request::Builder, body: &str) -> Got {
        let pairs = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let request = request
            .header(header::COOKIE, pairs.collect::<Vec<_>>().join("; "))
            .extension(Scheme::Https)
            .body(Body::from(body.to_owned()))
            .unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        self.take_cookies(response.headers());
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Got {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
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
