//! Who may see the panel, over http.

use actix_web::{
    http::{StatusCode, header},
    test::TestRequest,
};
use cloakroom_core::store::Operation;
use cloakroom_memory::MemoryStore;
use cloakroom_panel::{LARGEST_BODY, Panel};
use cloakroom_testkit::SpyStore;

use crate::shop::{Answer, Application, Browser, HERE, from, panel, request, routes, store};

const PAGES: [&str; 6] = [
    "/_cloakroom",
    "/_cloakroom/",
    "/_cloakroom/requests/1",
    "/_cloakroom/namespaces",
    "/_cloakroom/findings",
    "/_cloakroom/panel.js",
];

/// An application in whose cart there is something, and its panel.
async fn filled() -> (Application, Panel, SpyStore<MemoryStore>) {
    let (store, panel) = (store(), panel());
    let app = Application::new(panel.clone(), routes(&store)).await;
    Browser::new(&app).get("/add").await;
    store.take();
    (app, panel, store)
}

#[actix_web::test]
async fn the_panel_is_shown_to_this_machine_alone() {
    let (app, ..) = filled().await;
    for path in PAGES {
        let here = app.send(from(Some(HERE), "GET", path)).await;
        assert_eq!(here.status, 200, "{path}");
        for peer in [Some([192, 168, 1, 17]), None] {
            let far = app.send(from(peer, "GET", path)).await;
            assert_eq!(far.status, 403, "{path}");
            let tells = far.text.contains("items") || far.text.contains("/add");
            assert!(!tells, "{path}");
        }
    }
}

#[actix_web::test]
async fn no_header_makes_somebody_else_this_machine() {
    let (app, ..) = filled().await;
    for name in [
        "forwarded",
        "x-forwarded-for",
        "x-real-ip",
        "x-forwarded-host",
        "via",
    ] {
        // A proxy on this machine makes everybody look like it.
        for peer in [[203, 0, 113, 9], HERE] {
            let request = from(Some(peer), "GET", "/_cloakroom/");
            let request = request.insert_header((name, "127.0.0.1"));
            assert_eq!(app.send(request).await.status, 403, "{name} {peer:?}");
        }
    }
}

#[actix_web::test]
async fn a_foreign_name_of_this_machine_is_refused() {
    let (app, ..) = filled().await;
    for (target, host, expected) in [
        ("/_cloakroom/", "localhost:3000", 200),
        ("/_cloakroom/", "127.0.0.1:3000", 200),
        ("/_cloakroom/", "evil.example", 421),
        ("/_cloakroom/", "evil.example:3000", 421),
        // The authority of the target counts more than the header.
        ("http://evil.example/_cloakroom/", "localhost", 421),
    ] {
        let request = request("GET", target).insert_header((header::HOST, host));
        assert_eq!(app.send(request).await.status, expected, "{target} {host}");
    }
}

#[actix_web::test]
async fn pages_of_the_panel_are_not_cached_not_embedded_and_load_nothing_from_elsewhere() {
    let (app, ..) = filled().await;
    for path in PAGES {
        let answer = app.get(path).await;
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
fn token(page: &Answer) -> &str {
    let (_, rest) = page.text.split_once("name=\"token\" value=\"").unwrap();
    rest.split('"').next().unwrap()
}

fn post(path: &str, form: &str) -> TestRequest {
    let kind = "application/x-www-form-urlencoded";
    let request = request("POST", path).insert_header((header::CONTENT_TYPE, kind));
    request.set_payload(form.to_owned())
}

async fn clear(app: &Application, form: &str, header: (&str, &str)) -> StatusCode {
    let request = post("/_cloakroom/clear", form).insert_header(header);
    app.send(request).await.status
}

#[actix_web::test]
async fn only_a_form_of_the_panels_own_changes_something() {
    let (app, panel, _) = filled().await;
    let page = app.get("/_cloakroom/").await;
    let own = format!("token={}", token(&page));
    let site = |site| ("sec-fetch-site", site);
    for (form, header) in [
        (&*own, site("cross-site")),
        (&own, site("same-site")),
        (&own, ("origin", "http://evil.example")),
        (&own, ("origin", "null")),
        ("token=", site("same-origin")),
        (
            "token=0123456789abcdef0123456789abcdef",
            site("same-origin"),
        ),
        ("", ("accept", "*/*")),
    ] {
        assert_eq!(clear(&app, form, header).await, 403, "{form} {header:?}");
        assert_eq!(panel.recordings().len(), 1);
    }
    for (method, expected) in [("GET", 404), ("DELETE", 405)] {
        let answer = app.send(request(method, "/_cloakroom/clear")).await;
        assert_eq!(answer.status, expected);
    }
    let large = format!("{own}&x={}", "x".repeat(LARGEST_BODY));
    assert_eq!(clear(&app, &large, site("same-origin")).await, 413);
    assert_eq!(panel.recordings().len(), 1);
    assert_eq!(clear(&app, &own, site("same-origin")).await, 303);
    assert!(panel.recordings().is_empty());
}

#[actix_web::test]
async fn a_peek_is_one_read_and_changes_nothing() {
    let (store, panel) = (store(), panel());
    let app = Application::new(panel.clone(), routes(&store)).await;
    let mut browser = Browser::new(&app);
    browser.get("/add").await;
    browser.get("/").await;
    store.take();
    let page = app.get("/_cloakroom/requests/2").await;
    assert_eq!(store.take(), [], "looking costs no call");
    let form = format!("token={}&namespace=cart", token(&page));
    let peeked = app.send(post("/_cloakroom/requests/2/peek", &form)).await;
    assert_eq!(peeked.status, 200);
    assert!(peeked.text.contains("items"), "{}", peeked.text);
    assert!(peeked.headers.get("set-cookie").is_none());
    let calls = store.take();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].operation, Operation::Load);
}

#[actix_web::test]
async fn what_is_below_the_path_never_reaches_the_application() {
    let (app, ..) = filled().await;
    for path in [
        "/_cloakroom/nothing",
        "/_cloakroom/../items",
        "/_cloakroom/requests/99",
    ] {
        assert_eq!(app.get(path).await.status, 404, "{path}");
    }
    let beside = app.get("/_cloakroomy").await;
    assert_eq!((beside.status, &*beside.text), (StatusCode::NOT_FOUND, ""));
    let head = app.send(request("HEAD", "/_cloakroom/")).await;
    assert_eq!((head.status, &*head.text), (StatusCode::OK, ""));
}

#[actix_web::test]
async fn the_live_feed_ends_by_itself() {
    let (app, ..) = filled().await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let reply = app.reply(request("GET", "/_cloakroom/feed")).await.unwrap();
    let header = |name| reply.headers().get(name).unwrap().to_str().unwrap();
    assert_eq!(header("content-type"), "text/event-stream");
    assert_eq!(header("cache-control"), "no-store");
    app.get("/items").await;
    let text = actix_web::body::to_bytes(reply.into_body()).await.unwrap();
    let text = std::str::from_utf8(&text).unwrap();
    assert!(text.starts_with("retry:"), "{text}");
    assert!(text.contains("event: began\n") && text.contains("event: ended\n"));
    assert!(text.contains("/items"), "{text}");
    // A server that is to stop waits for it no longer.
    assert!(began.elapsed() <= std::time::Duration::from_secs(9));
}
