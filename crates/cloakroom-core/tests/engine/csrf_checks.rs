//! The check of a request's token, as integrations do it: the head, the session, the body.

use cloakroom_core::{CsrfRefusal, EventKind, OriginRules, SessionError};
use cloakroom_store::Operation::Load;

use crate::{
    csrf::token,
    support::{ACCOUNT, Browser, Request, World},
};

const FORM: &str = "application/x-www-form-urlencoded";

fn refusal<T: std::fmt::Debug>(result: Result<T, SessionError>) -> CsrfRefusal {
    match result.unwrap_err() {
        SessionError::Csrf { namespace, refusal } => {
            assert_eq!(namespace, ACCOUNT);
            refusal
        }
        other => panic!("{other}"),
    }
}

/// A visitor with a session, a token of it, and a request as one of its pages sends it.
async fn visitor() -> (World, String, Request) {
    let world = World::new();
    let mut browser = Browser::new();
    let token = token(&world, &mut browser).await;
    world.calls();
    let mut request = browser.request();
    request.method = "POST".to_owned();
    (world, token, request)
}

#[tokio::test]
async fn a_token_in_the_header_needs_no_body() {
    let (world, token, request) = visitor().await;
    let rules = OriginRules::new().require_token(ACCOUNT);
    let flight = world.begin_with(request.header("x-csrf-token", &*token));
    let check = rules.check(&flight.head, Some(&flight.sessions)).unwrap();
    assert!(world.calls().is_empty(), "judged without a store call");
    let check = check.unwrap().open().await.unwrap();
    assert_eq!(world.calls(), [Load]);
    assert_eq!(check.needs_body(), None);
    assert!(
        check.form(b"csrf_token=x").is_ok(),
        "the header alone counts"
    );
}

#[tokio::test]
async fn a_form_is_asked_for_up_to_the_bound() {
    let (world, token, request) = visitor().await;
    for (rules, bound) in [
        (OriginRules::new().require_token(ACCOUNT), 64 * 1024),
        (OriginRules::new().require_token(ACCOUNT).body_limit(7), 7),
    ] {
        let request = request.clone().header("content-type", FORM);
        let flight = world.begin_with(request);
        let check = rules.check(&flight.head, Some(&flight.sessions)).unwrap();
        let check = check.unwrap().open().await.unwrap();
        assert_eq!(check.needs_body(), Some(bound));
        let form = |token: &str| check.form(format!("csrf_token={token}").as_bytes());
        assert!(form(&token).is_ok());
        assert_eq!(refusal(form("x")), CsrfRefusal::MalformedToken);
        let error = check.refuse(CsrfRefusal::BodyTooLarge);
        assert_eq!(error.status(), 413);
        let event = EventKind::CsrfRefused(CsrfRefusal::BodyTooLarge);
        assert!(world.events.has(event));
    }
}

#[tokio::test]
async fn nothing_is_asked_for_where_no_token_can_be_good() {
    let world = World::new();
    let rules = OriginRules::new().require_token(ACCOUNT);
    for (content_type, expected) in [
        (FORM, CsrfRefusal::NoSession),
        ("application/json", CsrfRefusal::NoToken),
    ] {
        let request = Request::to("POST", "/").header("content-type", content_type);
        let flight = world.begin_with(request);
        let check = rules.check(&flight.head, Some(&flight.sessions)).unwrap();
        assert_eq!(refusal(check.unwrap().open().await), expected);
    }
    assert!(world.calls().is_empty());
}

#[tokio::test]
async fn without_sessions_it_is_a_mistake_and_not_a_pass() {
    let rules = OriginRules::new().require_token(ACCOUNT);
    let request = Request::to("POST", "/");
    let error = rules.check(&request, None).unwrap_err();
    assert_eq!((error.status(), error.refusal()), (500, None));
    // Of another origin it is refused before that.
    let foreign = request.header("sec-fetch-site", "cross-site");
    let error = rules.check(&foreign, None).unwrap_err();
    assert_eq!(error.refusal(), Some(CsrfRefusal::CrossOrigin));
    let safe = rules.check(&Request::to("GET", "/"), None);
    assert!(safe.unwrap().is_none());
}

#[tokio::test]
async fn a_closed_namespace_is_403_and_an_unknown_one_500() {
    let world = World::with(|account| account.only_if(|_| false));
    for (namespace, expected) in [(ACCOUNT, 403), ("acount", 500)] {
        let rules = OriginRules::new().require_token(namespace);
        let flight = world.begin_with(Request::to("POST", "/"));
        let error = rules
            .check(&flight.head, Some(&flight.sessions))
            .unwrap_err();
        assert_eq!((error.status(), error.refusal()), (expected, None));
    }
}
