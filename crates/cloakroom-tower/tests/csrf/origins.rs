//! The layer with the plain rules.

use axum::{Router, body::Body, http::header, routing::any};
use cloakroom_core::{CsrfRefusal, OriginRules};
use cloakroom_tower::{CsrfLayer, SessionLayer};

use crate::{
    browser::{Browser, manager},
    table::{BYPASSES, ROWS, TRUSTED},
};

async fn method(method: axum::http::Method) -> String {
    method.to_string()
}

fn app(layer: CsrfLayer) -> Router {
    Router::new().fallback(any(method)).layer(layer)
}

/// Sends a row of the table; `-` is no such header.
async fn passes(app: &Router, row: &crate::table::Row) -> bool {
    let (method, site, origin, host, path, _) = *row;
    let mut browser = Browser::new(app.clone());
    let mut request = axum::http::Request::builder().method(method).uri(path);
    for (name, value) in [("sec-fetch-site", site), ("origin", origin), ("host", host)] {
        if value != "-" {
            request = request.header(name, value);
        }
    }
    let answer = browser.send(request, Body::empty()).await;
    match answer.status.as_u16() {
        200 => true,
        403 => {
            assert!(answer.refusal.is_some());
            assert!(
                !answer.text.contains("rigin"),
                "no details: {}",
                answer.text
            );
            assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
            false
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn the_layer_gives_the_verdicts_of_go_1_25() {
    let rules = OriginRules::new().trusted_origin(TRUSTED).unwrap();
    let rules = BYPASSES.into_iter().fold(rules, |rules, pattern| {
        rules.insecure_bypass(pattern).unwrap()
    });
    let app = app(CsrfLayer::from(rules));
    for row in ROWS {
        assert_eq!(passes(&app, row).await, row.5, "{row:?}");
    }
}

#[tokio::test]
async fn without_settings_nobody_is_trusted_and_nothing_let_past() {
    let app = app(CsrfLayer::new());
    for row in ROWS {
        let (_, _, origin, _, path, expected) = *row;
        let is_plain = origin != TRUSTED && !path.contains("hook") && !path.contains("notify");
        if is_plain {
            assert_eq!(passes(&app, row).await, expected, "{row:?}");
        } else if origin != TRUSTED {
            assert!(!passes(&app, row).await, "{row:?}");
        }
    }
}

#[tokio::test]
async fn in_http_2_the_authority_is_the_host() {
    let mut browser = Browser::new(app(CsrfLayer::new()));
    for (target, host, expected) in [
        ("https://shop.example/buy", None, 200),
        ("https://shop.example/buy", Some("evil.example"), 200),
        ("https://evil.example/buy", None, 403),
        ("https://evil.example/buy", Some("shop.example"), 403),
        ("/buy", None, 403),
    ] {
        let mut request =
            axum::http::Request::post(target).header("origin", "https://shop.example");
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let answer = browser.send(request, Body::empty()).await;
        assert_eq!(answer.status, expected, "{target} {host:?}");
    }
}

#[tokio::test]
async fn inside_a_session_layer_a_refusal_is_an_event_and_touches_no_store() {
    let (manager, store, refusals) = manager();
    let app = app(CsrfLayer::new()).layer(SessionLayer::new(manager));
    let mut browser = Browser::new(app);
    let request = browser
        .request("POST", "/")
        .header("sec-fetch-site", "cross-site");
    let answer = browser.send(request, Body::empty()).await;
    assert_eq!(answer.status, 403);
    let request = browser.request("POST", "/").header("origin", "null");
    browser.send(request, Body::empty()).await;
    let expected = [CsrfRefusal::CrossOrigin, CsrfRefusal::ForeignOrigin];
    assert_eq!(
        refusals.take(),
        expected.map(|refusal| (String::new(), refusal))
    );
    assert!(store.take().is_empty());
    assert!(answer.headers.get(header::SET_COOKIE).is_none());
}

#[tokio::test]
async fn rules_that_are_made_elsewhere_make_a_layer() {
    let rules = OriginRules::new().insecure_bypass("/hook").unwrap();
    let mut browser = Browser::new(app(CsrfLayer::from(rules)));
    for (path, expected) in [("/hook", 200), ("/buy", 403)] {
        let request = browser
            .request("POST", path)
            .header("sec-fetch-site", "cross-site");
        assert_eq!(browser.send(request, Body::empty()).await.status, expected);
    }
}
