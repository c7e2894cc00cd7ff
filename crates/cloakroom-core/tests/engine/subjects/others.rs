//! A session that ends the others of its subject.

use cloakroom_core::SessionError;
use cloakroom_store::Operation::{BySubject, Create, Delete, Load};
use cloakroom_testkit::Fault;

use super::{alice, ids, list, logged_in, several};
use crate::support::{Browser, Handler, World, revoke};

#[tokio::test]
async fn a_session_ends_the_others_of_its_subject() {
    let world = World::new();
    let others = several(&world, 2).await;
    let bob = logged_in(&world, "bob").await;
    let mut browser = logged_in(&world, "alice").await;
    let (flight, session) = world.open(&browser).await;
    world.calls();
    assert_eq!(session.end_others().await.unwrap(), 2);
    assert_eq!(world.calls(), [Load, BySubject, Delete, Delete]);
    assert!(flight.finish().await.cookies().is_empty());
    assert_eq!(ids(&world).await, [browser.id()]);
    assert!(world.record(bob.id()).await.is_some());
    browser.visit(&world, |s| s.insert("k", 1)).await;
    for mut other in others {
        assert_eq!(other.read::<u32>(&world, "k").await, None);
    }
}

#[tokio::test]
async fn a_login_that_is_not_committed_yet_is_committed_before_the_others_are_ended() {
    let world = World::new();
    several(&world, 1).await;
    // On a session that is new, on one that exists, and at a status at which nothing is saved.
    for (mut browser, status) in [
        (Browser::new(), 200),
        (Browser::known_to(&world).await, 200),
        (Browser::new(), 500),
    ] {
        let (flight, session) = world.open(&browser).await;
        session.login("alice").unwrap();
        assert_eq!(session.end_others().await.unwrap(), 1);
        browser.receive(&flight.finish_with(status).await);
        assert_eq!(ids(&world).await, [browser.id()]);
        let (_flight, session) = world.open(&browser).await;
        assert_eq!(session.subject(), Some(alice()));
    }
}

#[tokio::test]
async fn nobody_is_ended_when_the_login_could_not_be_committed() {
    let world = World::new();
    several(&world, 2).await;
    let (_flight, session) = world.open(&Browser::new()).await;
    session.login("alice").unwrap();
    world.faults.fail_next(Create, Fault::BeforeEffect);
    session.end_others().await.unwrap_err();
    assert_eq!(list(&world).await.len(), 2);
}

#[tokio::test]
async fn a_session_that_nobody_has_logged_in_to_has_no_others() {
    let world = World::new();
    let known = Browser::known_to(&world).await;
    for browser in [Browser::new(), known] {
        let (_flight, session) = world.open(&browser).await;
        let error = session.end_others().await.unwrap_err();
        assert!(error.to_string().contains("nobody is logged in"), "{error}");
    }
    let browser = logged_in(&world, "alice").await;
    let (_flight, session) = world.open(&browser).await;
    session.end().unwrap();
    session.end_others().await.unwrap_err();
}

#[tokio::test]
async fn a_request_whose_session_was_ended_or_logged_in_anew_ends_no_others() {
    let handlers: [Handler; 3] = [|s| s.end(), |s| s.login("alice"), revoke];
    for handler in handlers {
        let world = World::new();
        let mut browser = logged_in(&world, "alice").await;
        let other = logged_in(&world, "alice").await;
        let (_slow, session) = world.open(&browser).await;
        browser.visit(&world, handler).await;
        let error = session.end_others().await.unwrap_err();
        assert!(matches!(error, SessionError::Ended { .. }), "{error:?}");
        assert!(ids(&world).await.contains(&other.id()));
    }
    // A parallel request of the page that has just logged in knows nothing of the subject.
    let world = World::new();
    let mut browser = logged_in(&world, "alice").await;
    let before = browser.clone();
    browser.visit(&world, |s| s.login("alice")).await;
    let (_late, session) = world.open(&before).await;
    let error = session.end_others().await.unwrap_err();
    assert!(matches!(error, SessionError::Ended { .. }), "{error:?}");
}

#[tokio::test]
async fn a_rotation_on_the_way_is_no_obstacle() {
    let world = World::new();
    several(&world, 1).await;
    let mut browser = logged_in(&world, "alice").await;
    let (_slow, session) = world.open(&browser).await;
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    assert_eq!(session.end_others().await.unwrap(), 1);
    assert_eq!(ids(&world).await, [browser.id()]);
}
