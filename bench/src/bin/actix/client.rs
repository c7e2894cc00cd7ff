//! Sends requests to an application, as one browser would.

use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{COOKIE, HeaderValue, SET_COOKIE};
use actix_web::test::{TestRequest, init_service};
use actix_web::web::ServiceConfig;
use actix_web::{App, Error};
use cloakroom_bench::Workload;
use cloakroom_load::session::{FIRST, characters};
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;

use crate::variant::Variant;

type Answer = Pin<Box<dyn Future<Output = Result<ServiceResponse<BoxBody>, Error>>>>;

/// An application of any kind: one box for each request, for all alike.
pub(crate) struct Application(Rc<dyn Fn(TestRequest) -> Answer>);

impl Application {
    pub(crate) async fn new(configure: impl FnOnce(&mut ServiceConfig)) -> Self {
        let app = init_service(App::new().configure(configure)).await;
        Self(Rc::new(move |request| {
            let answer = app.call(request.to_request());
            Box::pin(async move { answer.await.map(ServiceResponse::map_into_boxed_body) })
        }))
    }
}

pub(crate) struct Client {
    variant: Variant,
    app: Application,
    workload: Workload,
    cookie: Option<HeaderValue>,
    sent: u64,
}

impl Client {
    /// Sets up the session that `workload` needs and sees to it that the application does what it should.
    ///
    /// # Panics
    ///
    /// If a response is wrong: who does nothing must not win.
    pub(crate) async fn new(variant: Variant, workload: Workload) -> Self {
        let mut client = Self {
            variant,
            app: variant.application().await,
            workload,
            cookie: None,
            sent: 0,
        };
        if variant.keeps_sessions() {
            client.probe(workload.is_large()).await;
        }
        client.cookie = None;
        if workload.has_cookie() {
            client.open(workload.is_large()).await;
        }
        client
    }

    /// Sends the workload's request `count` times, one after the other.
    pub(crate) async fn send(&mut self, count: u64) {
        let (method, path) = self.workload.method_and_path();
        for _ in 0..count {
            let response = self.request(method.as_str(), path).await;
            assert_eq!(
                response.status(),
                StatusCode::OK,
                "{} {path}",
                self.variant.name()
            );
            black_box(collect(response).await);
        }
        self.sent += count;
    }

    /// Sees to it that nothing was lost: the counter has counted every request.
    pub(crate) async fn check(&mut self) {
        if self.workload.counts() && self.variant.keeps_sessions() {
            let counted = FIRST + self.sent;
            self.expect("GET", "/read", &counted.to_string()).await;
            let size = characters(self.workload.is_large());
            self.expect("GET", "/size", &size.to_string()).await;
        }
    }

    /// A session counts, its other values are there, and who has no cookie sees none of it.
    async fn probe(&mut self, large: bool) {
        self.expect("GET", "/read", "0").await;
        self.open(large).await;
        self.expect("GET", "/read", "1").await;
        for expected in ["2", "3"] {
            self.expect("POST", "/change", expected).await;
        }
        self.expect("GET", "/read", "3").await;
        self.expect("GET", "/size", &characters(large).to_string())
            .await;
        self.expect("GET", "/untouched", "ok").await;
        self.cookie = None;
        self.expect("GET", "/read", "0").await;
    }

    async fn open(&mut self, large: bool) {
        self.cookie = None;
        let path = if large { "/fill-large" } else { "/fill" };
        let response = self.request("POST", path).await;
        assert_eq!(response.status(), StatusCode::OK, "{}", self.variant.name());
        // An application without sessions gets a cookie of the same size all the same.
        let foreign = HeaderValue::from_static(FOREIGN_COOKIE);
        let cookie = new_cookie(&response);
        assert_eq!(cookie.is_some(), self.variant.keeps_sessions());
        self.cookie = Some(cookie.unwrap_or(foreign));
    }

    async fn expect(&mut self, method: &str, path: &str, expected: &str) {
        let response = self.request(method, path).await;
        let status = response.status();
        let body = collect(response).await;
        let name = self.variant.name();
        assert_eq!(
            (status, &*body),
            (StatusCode::OK, expected.as_bytes()),
            "{name} {path}"
        );
    }

    async fn request(&mut self, method: &str, path: &str) -> ServiceResponse {
        let mut request = TestRequest::with_uri(path);
        if method == "POST" {
            request = request.method(actix_web::http::Method::POST);
        }
        if let Some(cookie) = &self.cookie {
            request = request.insert_header((COOKIE, cookie.clone()));
        }
        let response = (self.app.0)(request).await.expect("a response");
        // Where the session is in its cookie, it changes with the session.
        if self.variant.is_in_cookie()
            && self.cookie.is_some()
            && let Some(cookie) = new_cookie(&response)
        {
            self.cookie = Some(cookie);
        }
        response
    }
}

const FOREIGN_COOKIE: &str =
    "session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn new_cookie(response: &ServiceResponse) -> Option<HeaderValue> {
    let value = response.headers().get(SET_COOKIE)?;
    let end = value.as_bytes().iter().position(|&byte| byte == b';');
    let pair = &value.as_bytes()[..end.unwrap_or(value.len())];
    Some(HeaderValue::from_bytes(pair).expect("a cookie is a header value"))
}

async fn collect(response: ServiceResponse) -> actix_web::web::Bytes {
    to_bytes(response.into_body())
        .await
        .expect("a body in memory")
}
