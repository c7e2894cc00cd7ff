//! Plain rules.

use actix_web::{
    HttpRequest,
    http::header,
    web::{self, ServiceConfig},
};
use cloakroom_actix::{CsrfMiddleware, SessionMiddleware};
use cloakroom_core::{CsrfRefusal, OriginRules};

use super::{
    manager,
    table::{BYPASSES, ROWS, Row, TRUSTED},
};
use crate::browser::Browser;

async fn method(request: HttpRequest) -> String {
    request.method().to_string()
}

fn routes(middleware: CsrfMiddleware) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        let all = web::scope("").default_service(web::to(method));
        config.service(all.wrap(middleware));
    }
}

/// Sends a row of the table; `-` is no such header.
async fn passes(browser: &mut Browser, row: &Row) -> bool {
    let (method, site, origin, host, path, _) = *row;
    let mut request = browser.request(method, path);
    for (name, value) in [("sec-fetch-site", site), ("origin", origin), ("host", host)] {
        if value != "-" {
            request = request.insert_header((name, value));
        }
    }
    let answer = browser.send(request).await;
    match answer.status.as_u16() {
        200 => true,
        403 => {
            assert!(answer.refusal.is_some());
            let text = &answer.text;
            assert!(!text.contains("rigin"), "no details: {text}");
            assert_eq!(answer.all(header::CACHE_CONTROL), ["no-store"]);
            false
        }
        other => panic!("{other}"),
    }
}

#[actix_web::test]
async fn the_middleware_gives_the_verdicts_of_go_1_25() {
    let rules = OriginRules::new().trusted_origin(TRUSTED).unwrap();
    let rules = BYPASSES.into_iter().fold(rules, |rules, pattern| {
        rules.insecure_bypass(pattern).unwrap()
    });
    let mut browser = Browser::new(routes(CsrfMiddleware::from(rules))).await;
    for row in ROWS {
        assert_eq!(passes(&mut browser, row).await, row.5, "{row:?}");
    }
}

#[actix_web::test]
async fn without_settings_nobody_is_trusted_and_nothing_let_past() {
    let mut browser = Browser::new(routes(CsrfMiddleware::new())).await;
    for row in ROWS {
        let (_, _, origin, _, path, expected) = *row;
        let is_plain = origin != TRUSTED && !path.contains("hook") && !path.contains("notify");
        if is_plain {
            assert_eq!(passes(&mut browser, row).await, expected, "{row:?}");
        } else if origin != TRUSTED {
            assert!(!passes(&mut browser, row).await, "{row:?}");
        }
    }
}

#[actix_web::test]
async fn in_http_2_the_authority_is_the_host() {
    let mut browser = Browser::new(routes(CsrfMiddleware::new())).await;
    for (target, host, expected) in [
        ("https://shop.example/buy", "shop.example", 200),
        ("https://shop.example/buy", "evil.example", 200),
        ("https://evil.example/buy", "evil.example", 403),
        ("https://evil.example/buy", "shop.example", 403),
        ("/buy", "evil.example", 403),
    ] {
        let request = browser.request("POST", target);
        let request = request.insert_header((header::HOST, host));
        let request = request.insert_header((header::ORIGIN, "https://shop.example"));
        let answer = browser.send(request).await;
        assert_eq!(answer.status, expected, "{target} {host:?}");
    }
}

#[actix_web::test]
async fn inside_the_session_middleware_a_refusal_is_an_event_and_touches_no_store() {
    let (manager, store, refusals) = manager();
    let mut browser = Browser::new(|config| {
        let all = web::scope("").default_service(web::to(method));
        let all = all.wrap(CsrfMiddleware::new());
        config.service(all.wrap(SessionMiddleware::new(manager)));
    })
    .await;
    let request = browser.post("/", &[("sec-fetch-site", "cross-site")]);
    let answer = browser.send(request).await;
    assert_eq!(answer.status, 403);
    browser.send(browser.post("/", &[("origin", "null")])).await;
    let expected = [CsrfRefusal::CrossOrigin, CsrfRefusal::ForeignOrigin];
    assert_eq!(
        refusals.take(),
        expected.map(|refusal| (String::new(), refusal))
    );
    assert!(store.take().is_empty());
    assert!(answer.all(header::SET_COOKIE).is_empty());
}
