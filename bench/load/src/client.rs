//! Sends requests to a router, as one browser would.

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
use crate::{Kept, Work, Workload};

/// A router, and the cookie of one session in it.
#[derive(Clone, Debug)]
pub struct Client {
    name: &'static str,
    service: RouterIntoService<Body>,
    keeps_sessions: bool,
    workload: Workload,
    cookie: Option<HeaderValue>,
    sent: u64,
}

impl Client {
    /// Sets up the session that `workload` needs and sees to it that the router does what it should.
    ///
    /// # Panics
    ///
    /// If a response is wrong: who does nothing must not win.
    pub async fn new(
        name: &'static str,
        router: Router,
        keeps_sessions: bool,
        workload: Workload,
    ) -> Self {
        let mut client = Self {
            name,
            service: router.into_service(),
            keeps_sessions,
            workload,
            cookie: None,
            sent: 0,
        };
        if keeps_sessions {
            client.probe().await;
        }
        client.another().await
    }

    /// A client of the same router with a session of its own.
    pub async fn another(&self) -> Self {
        let mut client = self.clone();
        (client.cookie, client.sent) = (None, 0);
        if self.workload.has_cookie() {
            client.cookie = Some(client.open(self.workload.is_large()).await);
        }
        client
    }

    /// So many clients, this one among them, each with a session of its own or all with one.
    pub async fn crew(self, width: usize, is_shared: bool) -> Vec<Self> {
        let mut crew = vec![self];
        for _ in 1..width {
            let next = match is_shared {
                true => crew[0].clone(),
                false => crew[0].another().await,
            };
            crew.push(next);
        }
        crew
    }

    /// Sends the workload's request `count` times, one after the other.
    pub async fn send(&mut self, count: u64) {
        let (method, path) = self.workload.method_and_path();
        for _ in 0..count {
            let response = self.request(method.clone(), path).await;
            let (parts, body) = response.into_parts();
            assert_eq!(parts.status, StatusCode::OK, "{} {path}", self.name);
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
        if self.workload.counts() && self.keeps_sessions {
            self.sent += 1;
            assert_eq!(self.counted().await, self.sent, "{self:?}");
            let size = characters(self.workload.is_large());
            self.expect("/size", &size.to_string()).await;
        }
    }

    /// How many requests this client has sent.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    pub(crate) fn cookie(&self) -> Option<&HeaderValue> {
        self.cookie.as_ref()
    }

    /// How many changes the session's counter has counted.
    pub async fn counted(&mut self) -> u64 {
        let (status, body) = self.answer(Method::GET, "/read").await;
        assert_eq!(status, StatusCode::OK, "{self:?}");
        let counter: u64 = body.parse().expect("a number");
        counter - FIRST
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
            "{} {path} {self:?}",
            self.name
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
        assert_eq!(pairs.is_empty(), !self.keeps_sessions, "{self:?}");
        if pairs.is_empty() {
            // A router without sessions gets a cookie of the same size all the same.
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

impl Work for Client {
    async fn work(&mut self) {
        self.send(1).await;
    }

    async fn kept(crew: &mut [Self]) -> Option<Kept> {
        let counts = crew
            .iter()
            .any(|client| client.keeps_sessions && client.workload.counts());
        match counts {
            true => Some(Kept::of(crew).await),
            false => None,
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
