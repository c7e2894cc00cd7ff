//! Sends requests to a variant's router, as one browser would.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderValue, Method, Request, StatusCode};
use axum::response::Response;
use axum::routing::RouterIntoService;
use http_body_util::BodyExt;
use std::hint::black_box;
use tower_service::Service;

use crate::session::{FIRST, characters};
use crate::{Variant, Workload};

/// A router, and the cookie of one session in it.
#[derive(Clone, Debug)]
pub struct Client {
    service: RouterIntoService<Body>,
    variant: Variant,
    workload: Workload,
    cookie: Option<HeaderValue>,
    sent: u64,
}

impl Client {
    /// Sets up the session that `workload` needs and sees to it that the variant does what it should.
    ///
    /// # Panics
    ///
    /// If a response is wrong: a variant that does nothing must not win.
    pub async fn new(variant: Variant, workload: Workload, router: Router) -> Self {
        let mut client = Self {
            service: router.into_service(),
            variant,
            workload,
            cookie: None,
            sent: 0,
        };
        if variant.keeps_sessions() {
            client.probe().await;
        }
        client.cookie = None;
        if workload.has_cookie() {
            client.cookie = Some(client.open(workload.is_large()).await);
        }
        client
    }

    /// Sends the workload's request `count` times, one after the other.
    pub async fn send(&mut self, count: u64) {
        let (method, path) = self.workload.method_and_path();
        for _ in 0..count {
            let response = self.request(method.clone(), path).await;
            let (parts, body) = response.into_parts();
            assert_eq!(parts.status, StatusCode::OK, "{path}");
            black_box((parts, collect(body).await));
        }
        self.sent += count;
    }

    /// Sees to it that nothing was lost: the responses are right and the counter has counted every request.
    ///
    /// # Panics
    ///
    /// If they are not.
    pub async fn check(&mut self) {
        let (method, path) = self.workload.method_and_path();
        let (status, _) = self.answer(method, path).await;
        assert_eq!(status, StatusCode::OK, "{self:?}");
        if self.workload.counts() && self.variant.keeps_sessions() {
            self.sent += 1;
            let counted = FIRST + self.sent;
            self.expect("/read", &counted.to_string()).await;
            let size = characters(self.workload.is_large());
            self.expect("/size", &size.to_string()).await;
        }
    }

    /// One session of each size: its counter counts, its other values are there, and who has no cookie
    /// sees none of it.
    async fn probe(&mut self) {
        for large in [false, true] {
            self.cookie = None;
            self.expect("/read", "0").await;
            self.cookie = Some(self.open(large).await);
            self.expect("/read", "1").await;
            for expected in ["2", "3"] {
                let (status, body) = self.answer(Method::POST, "/change").await;
                assert_eq!(
                    (status, body.as_str()),
                    (StatusCode::OK, expected),
                    "{self:?}"
                );
            }
            self.expect("/read", "3").await;
            self.expect("/size", &characters(large).to_string()).await;
            self.expect("/untouched", "ok").await;
        }
        self.cookie = Some(self.open_with("/create").await);
        self.expect("/read", "1").await;
    }

    async fn expect(&mut self, path: &str, expected: &str) {
        let (status, body) = self.answer(Method::GET, path).await;
        assert_eq!(
            (status, body.as_str()),
            (StatusCode::OK, expected),
            "{path} {self:?}"
        );
    }

    async fn open(&mut self, large: bool) -> HeaderValue {
        self.open_with(if large { "/fill-large" } else { "/fill" })
            .await
    }

    /// Creates a session and returns the `Cookie` header that a browser sends for it.
    async fn open_with(&mut self, path: &str) -> HeaderValue {
        self.cookie = None;
        let response = self.request(Method::POST, path).await;
        assert_eq!(response.status(), StatusCode::OK, "{self:?}");
        let pairs: Vec<&str> = response
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .map(|value| value.to_str().expect("a cookie is text"))
            .filter_map(|cookie| cookie.split(';').next())
            .collect();
        assert_eq!(pairs.is_empty(), !self.variant.keeps_sessions(), "{self:?}");
        if pairs.is_empty() {
            // A variant without sessions gets a cookie of the same size all the same.
            return HeaderValue::from_static(FOREIGN_COOKIE);
        }
        HeaderValue::from_str(&pairs.join("; ")).expect("a cookie is a header value")
    }

    async fn answer(&mut self, method: Method, path: &str) -> (StatusCode, String) {
        let response = self.request(method, path).await;
        let (parts, body) = response.into_parts();
        let body = collect(body).await;
        (parts.status, String::from_utf8_lossy(&body).into_owned())
    }

    async fn request(&mut self, method: Method, path: &str) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie.clone());
        }
        let request = request.body(Body::empty()).expect("the parts are valid");
        match self.service.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

const FOREIGN_COOKIE: &str =
    "session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

async fn collect(body: Body) -> Bytes {
    match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => panic!("a body in memory broke off: {error}"),
    }
}
