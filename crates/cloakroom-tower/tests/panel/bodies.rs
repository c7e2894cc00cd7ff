//! Which responses get the button, and that all others pass byte for byte.

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Response, header},
    response::IntoResponse,
    routing::get,
};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use tower::ServiceExt;

use crate::shop::{PAGE, answered, get_page, panel, request, send, with_panel};

fn html(body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    let html = header::HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}

fn frames(frames: Vec<Result<Frame<Bytes>, &'static str>>) -> Body {
    let stream = StreamBody::new(futures_util::stream::iter(frames));
    Body::new(UnsyncBoxBody::new(stream))
}

fn app() -> Router {
    let chunk = || Ok(Frame::data(Bytes::from_static(PAGE.as_bytes())));
    let router = Router::new()
        .route("/page", get(async || html(PAGE)))
        .route(
            "/etag",
            get(async || ([("etag", "\"v1\"")], html(PAGE)).into_response()),
        )
        .route("/fragment", get(async || html("<li>one</li>")))
        .route("/text", get(async || PAGE))
        .route("/empty", get(async || html("")))
        .route(
            "/gzip",
            get(async || ([("content-encoding", "gzip")], html(PAGE)).into_response()),
        )
        .route(
            "/stream",
            get(move || async move { html(frames(vec![chunk(), chunk()])) }),
        )
        .route(
            "/large",
            get(async || html(format!("{}{PAGE}", " ".repeat(3 << 20)))),
        )
        .route(
            "/redirect",
            get(async || axum::response::Redirect::to("/page")),
        );
    with_panel(router, &panel())
}

#[tokio::test]
async fn a_page_gets_the_button_and_its_length_stays_right() {
    let app = app();
    for path in ["/page", "/etag"] {
        let answer = get_page(&app, path).await;
        assert!(
            answer
                .text
                .starts_with("<!doctype html><html><body><h1>Shop</h1>")
        );
        assert!(answer.text.ends_with("</body></html>"), "{}", answer.text);
        assert!(answer.text.contains("/_cloakroom/requests/"));
        assert_eq!(
            answer.header("content-length"),
            answer.text.len().to_string()
        );
    }
    assert_eq!(get_page(&app, "/etag").await.header("etag"), "W/\"v1\"");
}

#[tokio::test]
async fn everything_else_passes_untouched() {
    let app = app();
    let page_twice = PAGE.repeat(2);
    let large = format!("{}{PAGE}", " ".repeat(3 << 20));
    for (path, expected) in [
        ("/fragment", "<li>one</li>"),
        ("/text", PAGE),
        ("/empty", ""),
        ("/gzip", PAGE),
        ("/stream", &page_twice),
        ("/large", &large),
        ("/redirect", ""),
    ] {
        let answer = get_page(&app, path).await;
        assert!(answer.text == expected, "{path}");
    }
    let head = request("HEAD", "/page").body(Body::empty()).unwrap();
    let answer = send(&app, head).await;
    assert_eq!(answer.header("content-length"), PAGE.len().to_string());
    assert_eq!(answer.text, "");
}

#[tokio::test]
async fn only_those_who_may_see_the_panel_get_the_button() {
    let app = app();
    let far = std::net::SocketAddr::from(([192, 168, 1, 17], 50_000));
    let mut elsewhere = request("GET", "/page").body(Body::empty()).unwrap();
    elsewhere
        .extensions_mut()
        .insert(axum::extract::ConnectInfo(far));
    assert_eq!(send(&app, elsewhere).await.text, PAGE);
    let proxied = request("GET", "/page").header("x-forwarded-for", "127.0.0.1");
    assert_eq!(
        send(&app, proxied.body(Body::empty()).unwrap()).await.text,
        PAGE
    );
}

/// A body that says how long it is, and fails or has to be waited for.
struct Odd<B>(B);

impl<B: http_body::Body<Data = Bytes> + Unpin> http_body::Body for Odd<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        std::pin::Pin::new(&mut self.0).poll_frame(context)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(u64::try_from(PAGE.len()).unwrap())
    }
}

fn odd(router: Router) -> Router {
    with_panel(router, &panel())
}

#[tokio::test]
async fn a_page_with_trailers_keeps_them() {
    let app = odd(Router::new().route(
        "/",
        get(async || {
            let mut trailers = axum::http::HeaderMap::new();
            trailers.insert("x-sum", header::HeaderValue::from_static("1"));
            let data = Frame::data(Bytes::from_static(PAGE.as_bytes()));
            html(Body::new(Odd(frames(vec![
                Ok(data),
                Ok(Frame::trailers(trailers)),
            ]))))
        }),
    ));
    let request = request("GET", "/").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["x-sum"], "1");
    assert_eq!(collected.to_bytes(), PAGE);
}

#[tokio::test]
async fn a_page_that_has_to_be_waited_for_is_not_waited_for() {
    let app = odd(Router::new().route(
        "/",
        get(async || {
            let (sender, receiver) = tokio::sync::oneshot::channel::<Bytes>();
            tokio::spawn(async move {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                sender.send(Bytes::from_static(PAGE.as_bytes())).unwrap();
            });
            let later = futures_util::stream::once(async move {
                Ok::<_, std::convert::Infallible>(Frame::data(receiver.await.unwrap()))
            });
            html(Body::new(Odd(UnsyncBoxBody::new(StreamBody::new(later)))))
        }),
    ));
    let request = request("GET", "/").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(answered(response).await.text, PAGE);
}

#[tokio::test]
async fn a_page_in_several_parts_keeps_its_length() {
    let app = odd(Router::new().route(
        "/",
        get(async || {
            let (start, end) = PAGE.split_at(9);
            let parts = [start, end].map(|part| Ok(Frame::data(Bytes::from(part))));
            html(Body::new(Odd(frames(parts.into()))))
        }),
    ));
    let answer = get_page(&app, "/").await;
    assert_eq!(answer.text, PAGE);
    assert_eq!(answer.header("content-length"), PAGE.len().to_string());
}
