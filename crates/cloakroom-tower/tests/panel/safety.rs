//! Who may see the panel, over http.

use std::net::SocketAddr;

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode, header},
};
use cloakroom_memory::MemoryStore;
use cloakroom_panel::{LARGEST_BODY, Panel};
use cloakroom_testkit::SpyStore;
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::shop::{Answered, Browser, get_page, panel, request, router, send, with_panel};

const PAGES: [&str; 6] = [
    "/_cloakroom",
    "/_cloakroom/",
    "/_cloakroom/requests/1",
    "/_cloakroom/namespaces",
    "/_cloakroom/findings",
    "/_cloakroom/panel.js",
];

/// An application in whose cart there is something, and its panel.
async fn filled() -> (Router, Panel, SpyStore<MemoryStore>) {
    let (store, panel) = (SpyStore::new(MemoryStore::new()), panel());
    let app = with_panel(router(&store), &panel);
    Browser::new(app.clone()).get("/add").await;
    store.take();
    (app, panel, store)
}

async fn status(app: &Router, request: axum::http::request::Builder) -> StatusCode {
    send(app, request.body(Body::empty()).unwrap()).await.status
}

fn from(peer: Option<[u8; 4]>, path: &str) -> Request<Body> {
    let mut request = Request::get(path).header(header::HOST, "localhost:3000");
    if let Some(peer) = peer {
        request = request.extension(ConnectInfo(SocketAddr::from((peer, 50_000))));
    }
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn the_panel_is_shown_to_this_machine_alone() {
    let (app, ..) = filled().await;
    for path in PAGES {
        let here = send(&app, from(Some([127, 0, 0, 1]), path)).await;
        assert_eq!(here.status, 200, "{path}");
        let far = send(&app, from(Some([192, 168, 1, 17]), path)).await;
        assert_eq!(far.status, 403, "{path}");
        assert!(
            !far.text.contains("items") && !far.text.contains("/add"),
            "{path}"
        );
        let unknown = send(&app, from(None, path)).await;
        assert_eq!(unknown.status, 403, "{path}");
        assert!(unknown.text.contains("into_make_service_with_connect_info"));
    }
}

#[tokio::test]
async fn no_header_makes_somebody_else_this_machine() {
    let (app, ..) = filled().await;
    for name in [
        "forwarded",
        "x-forwarded-for",
        "x-real-ip",
        "x-forwarded-host",
        "via",
    ] {
        let mut far = from(Some([203, 0, 113, 9]), "/_cloakroom/");
        let value = header::HeaderValue::from_static("127.0.0.1");
        far.headers_mut().insert(name, value.clone());
        assert_eq!(send(&app, far).await.status, 403, "{name}");
        // A proxy on this machine makes everybody look like it.
        let mut near = from(Some([127, 0, 0, 1]), "/_cloakroom/");
        near.headers_mut().insert(name, value);
        assert_eq!(send(&app, near).await.status, 403, "{name}");
    }
}

#[tokio::test]
async fn a_foreign_name_of_this_machine_is_refused() {
    let (app, ..) = filled().await;
    for (host, expected) in [
        ("localhost:3000", 200),
        ("127.0.0.1:3000", 200),
        ("evil.example", 421),
        ("evil.example:3000", 421),
    ] {
        let mut request = from(Some([127, 0, 0, 1]), "/_cloakroom/");
        let host_value = header::HeaderValue::from_str(host).unwrap();
        request.headers_mut().insert(header::HOST, host_value);
        assert_eq!(send(&app, request).await.status, expected, "{host}");
    }
    // The authority of the target counts more than the header.
    let target = Request::get("http://evil.example/_cloakroom/")
        .header(header::HOST, "localhost")
        .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
    assert_eq!(status(&app, target).await, 421);
}

#[tokio::test]
async fn pages_of_the_panel_are_not_cached_not_embedded_and_load_nothing_from_elsewhere() {
    let (app, ..) = filled().await;
    for path in PAGES {
        let answer = get_page(&app, path).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(answer.headers.get("set-cookie").is_none());
    }
}

/// The token in a page's forms.
fn token(page: &Answered) -> &str {
    let (_, rest) = page.text.split_once("name=\"token\" value=\"").unwrap();
    rest.split('"').next().unwrap()
}

async fn clear(app: &Router, form: &str, headers: &[(&str, &str)]) -> StatusCode {
    let mut request = request("POST", "/_cloakroom/clear")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(app, request.body(Body::from(form.to_owned())).unwrap())
        .await
        .status
}

#[tokio::test]
async fn only_a_form_of_the_panels_own_changes_something() {
    let (app, panel, _) = filled().await;
    let page = get_page(&app, "/_cloakroom/").await;
    let own = format!("token={}", token(&page));
    let site = |site| ("sec-fetch-site", site);
    for (form, headers) in [
        (&*own, vec![site("cross-site")]),
        (&own, vec![site("same-site")]),
        (&own, vec![("origin", "http://evil.example")]),
        (&own, vec![("origin", "null")]),
        ("token=", vec![site("same-origin")]),
        (
            "token=0123456789abcdef0123456789abcdef",
            vec![site("same-origin")],
        ),
        ("", vec![]),
    ] {
        assert_eq!(clear(&app, form, &headers).await, 403, "{form} {headers:?}");
        assert_eq!(panel.recordings().len(), 1);
    }
    assert_eq!(status(&app, request("GET", "/_cloakroom/clear")).await, 404);
    assert_eq!(
        status(&app, request("DELETE", "/_cloakroom/clear")).await,
        405
    );
    let large = format!("{own}&x={}", "x".repeat(LARGEST_BODY));
    assert_eq!(clear(&app, &large, &[site("same-origin")]).await, 413);
    assert_eq!(panel.recordings().len(), 1);
    assert_eq!(clear(&app, &own, &[site("same-origin")]).await, 303);
    assert!(panel.recordings().is_empty());
}

#[tokio::test]
async fn a_peek_is_one_read_and_changes_nothing() {
    let (store, panel) = (SpyStore::new(MemoryStore::new()), panel());
    let app = with_panel(router(&store), &panel);
    let mut browser = Browser::new(app.clone());
    browser.get("/add").await;
    browser.get("/").await;
    store.take();
    let page = get_page(&app, "/_cloakroom/requests/2").await;
    assert_eq!(store.take(), [], "looking costs no call");
    let form = format!("token={}&namespace=cart", token(&page));
    let request = request("POST", "/_cloakroom/requests/2/peek")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let peeked = send(&app, request.body(Body::from(form)).unwrap()).await;
    assert_eq!(peeked.status, 200);
    assert!(peeked.text.contains("items"), "{}", peeked.text);
    assert!(peeked.headers.get("set-cookie").is_none());
    let calls = store.take();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].operation, cloakroom_core::store::Operation::Load);
}

#[tokio::test]
async fn what_is_below_the_path_never_reaches_the_application() {
    let (app, ..) = filled().await;
    for path in [
        "/_cloakroom/nothing",
        "/_cloakroom/../items",
        "/_cloakroom/requests/99",
    ] {
        assert_eq!(get_page(&app, path).await.status, 404, "{path}");
    }
    assert_eq!(get_page(&app, "/_cloakroomy").await.status, 404);
    assert_eq!(get_page(&app, "/_cloakroomy").await.text, "");
    let head = request("HEAD", "/_cloakroom/").body(Body::empty()).unwrap();
    let head = send(&app, head).await;
    assert_eq!((head.status, &*head.text), (StatusCode::OK, ""));
}

#[tokio::test(start_paused = true)]
async fn the_live_feed_tells_of_requests_and_ends_by_itself() {
    let (app, ..) = filled().await;
    let feed = request("GET", "/_cloakroom/feed")
        .body(Body::empty())
        .unwrap();
    let response = app.clone().oneshot(feed).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let mut body = response.into_body();
    let mut text = String::new();
    let began = tokio::time::Instant::now();
    get_page(&app, "/items").await;
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        text.push_str(std::str::from_utf8(&data).unwrap());
    }
    assert!(text.starts_with("retry:"), "{text}");
    assert!(
        text.contains("event: began\n") && text.contains("event: ended\n"),
        "{text}"
    );
    assert!(text.contains("/items"));
    // A server that is to stop waits for it no longer.
    assert!(began.elapsed() <= std::time::Duration::from_secs(9));
}
