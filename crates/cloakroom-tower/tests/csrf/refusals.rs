//! What is answered where a token can't be looked at, and a page of one's own for refusals.

use axum::{
    Router,
    body::Body,
    http::{Response, StatusCode},
    middleware::map_response,
    response::{Html, IntoResponse},
    routing::post,
};
use cloakroom_core::{CsrfRefusal, Namespace, OriginRules, SessionManager, store::Operation};
use cloakroom_memory::MemoryStore;

use cloakroom_testkit::{Fault, FaultyStore};
use cloakroom_tower::{CsrfTokenLayer, SessionLayer};

use crate::browser::{Browser, manager};

fn app(namespace: &str) -> Router {
    let layer = CsrfTokenLayer::from(OriginRules::new().require_token(namespace));
    Router::new()
        .route("/", post(|| async { "done" }))
        .layer(layer)
}

#[tokio::test]
async fn without_a_session_layer_outside_it_is_500() {
    let (manager, _, _) = manager();
    let inside = SessionLayer::new(manager.clone());
    let wrong_order = Router::new().route("/", post(|| async {})).layer(inside);
    let wrong_order = wrong_order.layer(CsrfTokenLayer::from(
        OriginRules::new().require_token("account"),
    ));
    for app in [app("account"), wrong_order] {
        let mut browser = Browser::new(app);
        let answer = browser.post_form("/", "a=1").await;
        assert_eq!(answer.status, 500);
        assert!(
            !answer.text.contains("layer"),
            "no details: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn a_namespace_that_is_unknown_is_500_and_a_closed_one_403() {
    for (namespace, expected) in [("acount", 500), ("admin", 403)] {
        let (manager, _, _) = manager();
        let mut browser = Browser::new(app(namespace).layer(SessionLayer::new(manager)));
        let answer = browser.post_form("/", "a=1").await;
        assert_eq!(answer.status, expected);
        assert!(
            !answer.text.contains(namespace),
            "no details: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn a_store_that_fails_is_503() {
    let store = FaultyStore::new(MemoryStore::new());
    let faults = store.faults();
    let manager = SessionManager::builder()
        .namespace(Namespace::new("account", store))
        .build()
        .unwrap();
    let mut browser = Browser::new(app("account").layer(SessionLayer::new(manager)));
    faults.always_on(Operation::Load, Fault::BeforeEffect);
    let token = "A".repeat(64);
    let request = browser
        .request("POST", "/")
        .header("cookie", format!("__Host-account={token}"))
        .header("x-csrf-token", "x");
    assert_eq!(browser.send(request, Body::empty()).await.status, 503);
}

#[tokio::test]
async fn a_layer_outside_answers_with_a_page_of_its_own() {
    async fn explain(response: Response<Body>) -> Response<Body> {
        match response.extensions().get::<CsrfRefusal>() {
            Some(CsrfRefusal::WrongToken | CsrfRefusal::NoSession) => {
                let page = Html("<p>This form has expired.</p>");
                (StatusCode::FORBIDDEN, page).into_response()
            }
            _ => response,
        }
    }
    let (manager, _, _) = manager();
    let app = app("account").layer(map_response(explain));
    let mut browser = Browser::new(app.layer(SessionLayer::new(manager)));
    let answer = browser.post_form("/", "csrf_token=x").await;
    assert_eq!(
        (answer.status.as_u16(), &*answer.text),
        (403, "<p>This form has expired.</p>")
    );
}
