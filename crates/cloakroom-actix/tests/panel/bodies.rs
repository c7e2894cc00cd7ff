//! Which responses get the button, and that all others pass byte for byte.

use std::{convert::Infallible, io::Read};

use actix_web::{
    HttpResponse,
    body::{BodySize, MessageBody, SizedStream},
    http::header,
    middleware::Compress,
    web::{self, Bytes, Redirect, ServiceConfig},
};
use futures_util::stream;

use crate::shop::{Answer, Application, PAGE, from, page, panel, request};

fn html(body: impl MessageBody + 'static) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    let response = response.content_type("text/html; charset=utf-8");
    response.body(body)
}

fn with(name: &'static str, value: &'static str) -> HttpResponse {
    let mut response = html(PAGE);
    let headers = response.headers_mut();
    headers.insert(name.parse().unwrap(), value.parse().unwrap());
    response
}

fn large() -> String {
    format!("{}{PAGE}", " ".repeat(3 << 20))
}

fn chunks() -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    stream::iter([PAGE, PAGE].map(|page| Ok(Bytes::from_static(page.as_bytes()))))
}

fn pages(config: &mut ServiceConfig) {
    let length = u64::try_from(2 * PAGE.len()).unwrap();
    config
        .route("/page", web::get().to(page))
        .route("/page", web::head().to(page))
        .route(
            "/bytes",
            web::get().to(async || html(PAGE.as_bytes().to_vec())),
        )
        .route("/etag", web::get().to(async || with("etag", "\"v1\"")))
        .route("/fragment", web::get().to(async || html("<li>one</li>")))
        .route("/text", web::get().to(async || PAGE))
        .route("/empty", web::get().to(async || html("")))
        .route(
            "/gzip",
            web::get().to(async || with("content-encoding", "gzip")),
        )
        .route(
            "/stream",
            web::get().to(async || {
                let mut response = HttpResponse::Ok();
                response
                    .content_type("text/html; charset=utf-8")
                    .streaming(chunks())
            }),
        )
        .route(
            "/sized",
            web::get().to(move || async move { html(SizedStream::new(length, chunks())) }),
        )
        .route("/large", web::get().to(async || html(large())))
        .route(
            "/redirect",
            web::get().to(async || Redirect::to("/page").see_other()),
        )
        .service(
            web::scope("/packed")
                .route("/page", web::get().to(page))
                .wrap(Compress::default()),
        );
}

async fn app() -> Application {
    Application::new(panel(), pages).await
}

#[actix_web::test]
async fn a_page_gets_the_button_and_its_length_stays_right() {
    let app = app().await;
    for path in ["/page", "/bytes", "/etag"] {
        let reply = app.reply(request("GET", path)).await.unwrap();
        let size = reply.response().body().size();
        let answer = app.get(path).await;
        let begins = "<!doctype html><html><body><h1>Shop</h1>";
        assert!(answer.text.starts_with(begins), "{}", answer.text);
        assert!(answer.text.ends_with("</body></html>"), "{}", answer.text);
        assert!(answer.text.contains("/_cloakroom/requests/"));
        assert!(matches!(size, BodySize::Sized(size) if size > PAGE.len().try_into().unwrap()));
        assert_eq!(
            answer.header("content-length"),
            answer.text.len().to_string()
        );
    }
    assert_eq!(app.get("/etag").await.header("etag"), "W/\"v1\"");
}

#[actix_web::test]
async fn everything_else_passes_untouched() {
    let app = app().await;
    let page_twice = PAGE.repeat(2);
    for (path, expected) in [
        ("/fragment", "<li>one</li>"),
        ("/text", PAGE),
        ("/empty", ""),
        ("/gzip", PAGE),
        ("/stream", &page_twice),
        ("/sized", &page_twice),
        ("/large", &large()),
        ("/redirect", ""),
    ] {
        let answer = app.get(path).await;
        assert!(answer.text == expected, "{path}");
    }
    let sized = app.reply(request("GET", "/sized")).await.unwrap();
    let length = u64::try_from(page_twice.len()).unwrap();
    assert_eq!(sized.response().body().size(), BodySize::Sized(length));
    let head = app.reply(request("HEAD", "/page")).await.unwrap();
    let length = u64::try_from(PAGE.len()).unwrap();
    assert_eq!(head.response().body().size(), BodySize::Sized(length));
}

#[actix_web::test]
async fn only_those_who_may_see_the_panel_get_the_button() {
    let app = app().await;
    let elsewhere = from(Some([192, 168, 1, 17]), "GET", "/page");
    let proxied = request("GET", "/page").insert_header(("x-forwarded-for", "127.0.0.1"));
    for request in [elsewhere, from(None, "GET", "/page"), proxied] {
        assert_eq!(app.send(request).await.text, PAGE);
    }
}

fn unpacked(answer: &Answer) -> String {
    assert_eq!(answer.header("content-encoding"), "gzip");
    let mut text = String::new();
    let mut reader = flate2::read::GzDecoder::new(&*answer.body);
    reader.read_to_string(&mut text).unwrap();
    text
}

#[actix_web::test]
async fn a_page_that_was_compressed_inside_passes_and_one_that_is_compressed_outside_has_the_button()
 {
    let accepts = |path| request("GET", path).insert_header((header::ACCEPT_ENCODING, "gzip"));
    let inside = app().await.send(accepts("/packed/page")).await;
    assert_eq!(unpacked(&inside), PAGE);
    let plain = app().await.get("/packed/page").await;
    assert!(
        plain.text.contains("/_cloakroom/requests/"),
        "{}",
        plain.text
    );
    // The outermost panel is off, the next is within the compression.
    let outside = Application::new(None, |config| {
        let around = cloakroom_actix::PanelMiddleware::new(panel());
        let scope = web::scope("").configure(pages).wrap(around);
        config.service(scope.wrap(Compress::default()));
    })
    .await;
    let outside = outside.send(accepts("/page")).await;
    let page = unpacked(&outside);
    assert!(page.contains("/_cloakroom/requests/"), "{page}");
}
