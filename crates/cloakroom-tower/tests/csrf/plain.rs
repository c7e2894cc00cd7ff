//! Around services that are no axum handlers.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::body::Bytes;
use cloakroom_core::{CsrfRefusal, OriginRules};
use cloakroom_tower::{CsrfLayer, CsrfTokenLayer, RequestSessions, RequestView, SessionLayer};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::browser::manager;

type Reply = Result<Response<Full<Bytes>>, Infallible>;

#[tokio::test]
async fn the_plain_layer_takes_requests_of_any_body() {
    let handler = service_fn(
        async |_: Request<u8>| -> Result<Response<&str>, Infallible> { Ok(Response::new("done")) },
    );
    let app = CsrfLayer::new().layer(handler);
    for (site, expected) in [("cross-site", 403), ("same-origin", 200)] {
        let request = Request::post("/")
            .header("sec-fetch-site", site)
            .body(7)
            .unwrap();
        assert_eq!(
            app.clone().oneshot(request).await.unwrap().status(),
            expected
        );
    }
}

/// A token on GET, and the body on anything else.
async fn handler(request: Request<Full<Bytes>>) -> Reply {
    if request.method() == http::Method::GET {
        let sessions = request.extensions().get::<RequestSessions>().unwrap();
        let account = sessions
            .judge("account", &RequestView::from(&request))
            .unwrap();
        let account = account.unwrap().open().await.unwrap();
        let token = account.csrf().token().unwrap();
        return Ok(Response::new(Full::from(token)));
    }
    Ok(Response::new(Full::new(
        request.into_body().collect().await?.to_bytes(),
    )))
}

#[tokio::test]
async fn the_layer_for_tokens_takes_bodies_of_bytes() {
    let (manager, _, _) = manager();
    let layer = CsrfTokenLayer::from(OriginRules::new().require_token("account"));
    let app = SessionLayer::new(manager).layer(layer.layer(service_fn(handler)));
    let request = Request::get("/").body(Full::default()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let cookie = response.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .to_owned();
    let token = response.into_body().collect().await.unwrap().to_bytes();
    let token = String::from_utf8(token.to_vec()).unwrap();
    for (form, expected) in [
        (format!("a=1&csrf_token={token}"), 200),
        ("a=1".to_owned(), 403),
    ] {
        let request = Request::post("/")
            .header("cookie", cookie.split(';').next().unwrap())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(form.clone()))
            .unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), expected);
        if expected == 200 {
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, form);
        } else {
            let refusal = response.extensions().get::<CsrfRefusal>();
            assert_eq!(refusal, Some(&CsrfRefusal::NoToken));
        }
    }
}

/// Counts how often it was asked whether it is ready, and fails when it is called without that.
#[derive(Default)]
struct Counting {
    is_ready: bool,
    called: Arc<AtomicUsize>,
}

impl Clone for Counting {
    fn clone(&self) -> Self {
        let called = Arc::clone(&self.called);
        let is_ready = false;
        Self { is_ready, called }
    }
}

impl Service<Request<Full<Bytes>>> for Counting {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Reply>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        assert!(self.is_ready, "it is called without having been ready");
        self.called.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(Response::new(Full::default())))
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    let (manager, _, _) = manager();
    let sessions = RequestSessions::begin(&manager);
    let head = Request::get("/").body(()).unwrap();
    let account = sessions
        .judge("account", &RequestView::from(&head))
        .unwrap();
    let account = account.unwrap().open().await.unwrap();
    let token = account.csrf().token().unwrap();
    let counting = Counting::default();
    let mut app =
        CsrfTokenLayer::from(OriginRules::new().require_token("account")).layer(counting.clone());
    for (token, expected) in [(&*token, 1), (&*token, 2), ("x", 2)] {
        let request = Request::post("/")
            .header("x-csrf-token", token)
            .extension(sessions.clone())
            .body(Full::default())
            .unwrap();
        app.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(counting.called.load(Ordering::SeqCst), expected);
    }
}
