//! What a real server sends.

use actix_web::{
    middleware::Compress,
    web::{self, ServiceConfig},
};
use cloakroom_actix::PanelMiddleware;
use tokio::io::AsyncReadExt;

use crate::{
    server::Server,
    shop::{page, panel, routes, store},
};

fn pages() -> impl Fn(&mut ServiceConfig) + Clone {
    let (panel, routes) = (panel(), routes(&store()));
    move |config| {
        let scope = web::scope("")
            .route("/page", web::get().to(page))
            .route("/page", web::head().to(page))
            .configure(routes.clone());
        config.service(scope.wrap(PanelMiddleware::new(panel.clone())));
    }
}

#[actix_web::test]
async fn one_length_is_sent_and_it_is_right() {
    let server = Server::of(pages());
    let page = server.get("/page").await;
    assert!(page.text.contains("/_cloakroom/requests/1"), "{page:?}");
    let length = page.text.len().to_string();
    assert_eq!(page.one("content-length"), Some(&*length));
    assert_eq!(page.one("transfer-encoding"), None);
    let head = server.send("HEAD", "/page", &[], "").await;
    assert_eq!((head.status, &*head.text), (200, ""));
    for path in ["/_cloakroom/", "/_cloakroom/panel.css"] {
        let own = server.get(path).await;
        assert_eq!(own.status, 200, "{own:?}");
        assert_eq!(own.one("cache-control"), Some("no-store"));
        let length = own.text.len().to_string();
        assert_eq!(own.one("content-length"), Some(&*length));
    }
}

#[actix_web::test]
async fn what_is_compressed_outside_has_no_length_of_before() {
    let pages = pages();
    let server = Server::of(move |config| {
        let scope = web::scope("").configure(pages.clone());
        config.service(scope.wrap(Compress::default()));
    });
    let accepts = [("Accept-Encoding", "gzip")];
    let mut socket = server.begin("GET", "/page", &accepts, "").await;
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).await.unwrap();
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    let head = head.split("\r\n\r\n").next().unwrap();
    assert!(head.contains("content-encoding: gzip"), "{head}");
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    assert!(!head.contains("content-length"), "{head}");
}

#[actix_web::test]
async fn the_feed_tells_of_requests_as_they_come() {
    let server = Server::of(pages());
    let mut feed = server.begin("GET", "/_cloakroom/feed", &[], "").await;
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains("retry:") {
        let length = feed.read(&mut buffer).await.unwrap();
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("content-type: text/event-stream\r\n"));
    server.get("/items").await;
    while !text.contains("event: ended") {
        let length = feed.read(&mut buffer).await.unwrap();
        assert!(length > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    assert!(text.contains("event: began") && text.contains("/items"));
}
