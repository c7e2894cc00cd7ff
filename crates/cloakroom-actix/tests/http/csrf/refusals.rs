//! What is answered where a token can't be looked at, and a page of one's own for refusals.

use actix_web::{
    HttpResponse, Scope,
    body::{EitherBody, MessageBody},
    dev::{HttpServiceFactory, ServiceRequest, ServiceResponse},
    http::header,
    middleware::{Next, from_fn},
    web,
};
use cloakroom_actix::{CsrfMiddleware, SessionMiddleware};
use cloakroom_core::{CsrfRefusal, Namespace, OriginRules, SessionManager, store::Operation};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::{Fault, FaultyStore};

use super::manager;
use crate::browser::Browser;

fn done() -> Scope {
    web::scope("").route("/", web::post().to(async || "done"))
}

fn asks(namespace: &str) -> CsrfMiddleware {
    CsrfMiddleware::from(OriginRules::new().require_token(namespace))
}

async fn browser(service: impl HttpServiceFactory + 'static) -> Browser {
    Browser::new(|config| {
        config.service(service);
    })
    .await
}

#[actix_web::test]
async fn without_the_session_middleware_outside_it_is_500() {
    let (manager, _, _) = manager();
    let none = browser(done().wrap(asks("account"))).await;
    let inside = SessionMiddleware::new(manager);
    let wrong_order = browser(done().wrap(inside).wrap(asks("account"))).await;
    for mut browser in [none, wrong_order] {
        let answer = browser.post_form("/", "a=1").await;
        assert_eq!(answer.status, 500);
        let text = &answer.text;
        assert!(!text.contains("layer"), "no details: {text}");
    }
}

#[actix_web::test]
async fn a_namespace_that_is_unknown_is_500_and_a_closed_one_403() {
    for (namespace, expected) in [("acount", 500), ("admin", 403)] {
        let (manager, _, _) = manager();
        let app = done().wrap(asks(namespace));
        let mut browser = browser(app.wrap(SessionMiddleware::new(manager))).await;
        let answer = browser.post_form("/", "a=1").await;
        assert_eq!(answer.status, expected);
        let text = &answer.text;
        assert!(!text.contains(namespace), "no details: {text}");
    }
}

#[actix_web::test]
async fn a_store_that_fails_is_503() {
    let store = FaultyStore::new(MemoryStore::new());
    store
        .faults()
        .always_on(Operation::Load, Fault::BeforeEffect);
    let account = Namespace::new("account", store);
    let manager = SessionManager::builder().namespace(account).build();
    let app = done().wrap(asks("account"));
    let mut browser = browser(app.wrap(SessionMiddleware::new(manager.unwrap()))).await;
    let cookie = format!("__Host-account={}", "A".repeat(64));
    let request = browser.post("/", &[("x-csrf-token", "x")]);
    let request = request.insert_header((header::COOKIE, cookie));
    assert_eq!(browser.send(request).await.status, 503);
}

/// A page of the application's in the place of some refusals.
async fn explain<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, String>>, actix_web::Error> {
    let response = next.call(request).await?;
    let refusal = response.response().extensions().get().copied();
    Ok(match refusal {
        Some(CsrfRefusal::MalformedToken | CsrfRefusal::NoSession) => {
            let page = "<p>This form has expired.</p>".to_owned();
            let page = HttpResponse::Forbidden().message_body(page)?;
            response.into_response(page.map_into_right_body())
        }
        _ => response.map_into_left_body(),
    })
}

#[actix_web::test]
async fn middleware_outside_answers_with_a_page_of_its_own() {
    let (manager, _, _) = manager();
    let app = done().wrap(asks("account")).wrap(from_fn(explain));
    let mut browser = browser(app.wrap(SessionMiddleware::new(manager))).await;
    let request = browser.post("/", &[("x-csrf-token", "x")]);
    let answer = browser.send(request).await;
    let got = (answer.status.as_u16(), &*answer.text);
    assert_eq!(got, (403, "<p>This form has expired.</p>"));
    let answer = browser.send(browser.post("/", &[])).await;
    assert!(answer.text.starts_with("The request was refused."));
}
