//! What a client is told of an error: a status and a sentence, the same from every integration.

use cloakroom_core::{
    CsrfRefusal, ErrorResponse, FormError, Outcome, ResponseHeader, SessionError, Transport,
};
use cloakroom_testkit::Fault;

use crate::support::{ACCOUNT, Browser, Request, Response, World};

/// The head that an integration makes of it, beside what is there already.
fn head(error: &ErrorResponse, before: Response) -> Response {
    let mut head = before;
    error.write_head(&mut head);
    head
}

fn refused(refusal: CsrfRefusal) -> SessionError {
    SessionError::Csrf {
        namespace: ACCOUNT.to_owned(),
        refusal,
    }
}

#[tokio::test]
async fn it_has_a_status_and_no_details() {
    let namespace = ACCOUNT.to_owned();
    let unknown = SessionError::UnknownNamespace {
        name: ACCOUNT.to_owned(),
        known: vec!["cart".to_owned()],
    };
    for (error, status) in [
        (SessionError::Closed { namespace }, 403),
        (unknown, 500),
        (
            SessionError::NoLayer {
                hint: "add the account layer",
            },
            500,
        ),
        (refused(CsrfRefusal::WrongToken), 403),
        (refused(CsrfRefusal::BodyTooLarge), 413),
        (refused(CsrfRefusal::UnreadableBody), 400),
        (FormError::NotAForm.into(), 415),
        (FormError::TooLarge.into(), 413),
        (FormError::Unreadable.into(), 400),
        (FormError::Fields("cart: no number".to_owned()).into(), 422),
    ] {
        let response = error.respond();
        assert_eq!(response.status(), status, "{error}");
        let message = response.message();
        assert!(message.ends_with(".\n"), "{message:?}");
        for detail in [ACCOUNT, "cart", "layer", "oken"] {
            assert!(!message.contains(detail), "{message:?}");
        }
    }
}

#[tokio::test]
async fn no_cache_keeps_it_whatever_the_application_allows() {
    let allowed = Response::new(200).header(ResponseHeader::CacheControl, "public, max-age=600");
    let error = refused(CsrfRefusal::NoToken).respond();
    let head = head(&error, allowed);
    assert_eq!(head.all(ResponseHeader::CacheControl), ["no-store"]);
    assert!(head.all(ResponseHeader::Location).is_empty());
}

#[tokio::test]
async fn why_it_was_refused_is_for_layers_alone() {
    for refusal in [CsrfRefusal::NoToken, CsrfRefusal::BodyTooLarge] {
        assert_eq!(refused(refusal).respond().refusal(), Some(refusal));
    }
    let hint = "add the layer";
    let no_layer = SessionError::NoLayer { hint };
    assert_eq!(no_layer.respond().refusal(), None);
}

#[tokio::test]
async fn a_redirect_has_its_address_and_keeps_it_from_other_pages() {
    let world = World::with(|account| account.transports([Transport::query("sid")]));
    let flight = world.begin_with(Request::to("GET", "/cart?a=1"));
    let error = flight.try_open(ACCOUNT).await.unwrap_err();
    let response = error.respond();
    assert_eq!((response.status(), response.message()), (302, ""));
    let head = head(&response, Response::new(302));
    let location = head.all(ResponseHeader::Location);
    assert!(location[0].starts_with("/cart?a=1&sid="), "{location:?}");
    assert_eq!(head.all(ResponseHeader::ReferrerPolicy), ["no-referrer"]);
    let shown = format!("{response:?}");
    let (_, token) = location[0].split_once("sid=").unwrap();
    assert!(!shown.contains(&token[22..]), "{shown}");
}

#[tokio::test]
async fn a_commit_that_fails_has_one_and_another_has_none() {
    let world = World::new();
    let mut browser = Browser::new();
    browser
        .visit(&world, |session| session.insert("k", 1))
        .await;
    for (fault, expected) in [(None, None), (Some(Fault::BeforeEffect), Some(503))] {
        let (flight, session) = world.open(&browser).await;
        session.insert("k", 2 + u8::from(fault.is_some())).unwrap();
        if let Some(fault) = fault {
            world.faults.always(fault);
        }
        let verdict = flight.sessions.commit(Outcome::Success).await;
        let response = verdict.response();
        assert_eq!(response.map(|response| response.status()), expected);
    }
}
