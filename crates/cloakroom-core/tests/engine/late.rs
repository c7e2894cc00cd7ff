//! Late requests: parallel fetches of the page that logged in, with the token from before.

use std::time::Duration;

use cloakroom_core::{EndedPolicy, EventKind, SessionError, SessionHandle, VoidReason, minutes};
use cloakroom_store::Operation::{Create, Load};

use crate::support::{Browser, Handler, World, revoke};

/// A session that has just logged in, and the browser as it was before.
async fn logged_in(world: &World) -> (Browser, Browser) {
    let mut browser = Browser::known_to(world).await;
    let before = browser.clone();
    browser.visit(world, |s| s.login("alice")).await;
    world.calls();
    world.events.take();
    (browser, before)
}

#[tokio::test]
async fn a_late_request_has_an_empty_session_and_sends_no_cookie() {
    let world = World::new();
    let (mut browser, mut late) = logged_in(&world).await;
    let look = |s: &SessionHandle| {
        assert!(s.is_empty());
        assert!(s.id().is_none());
        assert!(s.subject().is_none());
        Ok(())
    };
    let response = late.visit(&world, look).await;
    assert!(response.cookies().is_empty());
    assert_eq!(world.calls(), [Load]);
    assert_eq!(world.events.count(EventKind::Late), 1);
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn a_late_request_stores_nothing_and_sends_no_cookie_of_any_kind() {
    let handlers: [Handler; 5] = [
        |s| s.insert("k", 1),
        |s| s.update("k", |n: &mut u32| *n += 1),
        |s| s.rotate().map(drop),
        |s| s.persist(minutes(60)),
        |s| {
            s.rotate()?.revoke();
            s.insert("k", 1)
        },
    ];
    for (n, handler) in handlers.into_iter().enumerate() {
        let world = World::new();
        let (mut browser, mut late) = logged_in(&world).await;
        let response = late.visit(&world, handler).await;
        assert_eq!(response.status, 200, "{n}");
        assert!(response.cookies().is_empty(), "{n}");
        assert_eq!(world.calls(), [Load], "{n}");
        assert_eq!(world.records(), 1, "{n}");
        assert_eq!(browser.read(&world, "known").await, Some(true), "{n}");
        assert_eq!(browser.read::<u32>(&world, "k").await, None, "{n}");
    }
}

#[tokio::test]
async fn a_late_write_is_an_event_and_the_policy_decides_the_answer() {
    for (policy, status) in [
        (EndedPolicy::Ignore, 200),
        (EndedPolicy::Respond409, 409),
        (EndedPolicy::Respond401, 401),
    ] {
        let world = World::with(|namespace| namespace.on_ended(policy));
        let (_, mut late) = logged_in(&world).await;
        let response = late.visit(&world, |s| s.insert("k", 1)).await;
        assert_eq!(response.status, status);
        assert!(response.cookies().is_empty());
        assert_eq!(world.events.count(EventKind::Void(VoidReason::Late)), 1);
        let response = late.visit(&world, |_| Ok(())).await;
        assert_eq!(response.status, 200, "reading is no change");
    }
}

#[tokio::test]
async fn saving_in_a_late_request_says_that_the_session_was_ended() {
    let world = World::new();
    let (_, late) = logged_in(&world).await;
    let (_flight, session) = world.open(&late).await;
    session.insert("k", 1).unwrap();
    let error = session.save().await.unwrap_err();
    assert!(matches!(error, SessionError::Ended { .. }), "{error:?}");
}

#[tokio::test]
async fn after_60_s_the_token_from_before_is_no_session() {
    let world = World::new();
    let (mut browser, mut old) = logged_in(&world).await;
    world.clock.advance(Duration::from_secs(59));
    old.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(world.records(), 1);
    world.clock.advance(Duration::from_secs(1));
    let response = old.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(response.cookies().len(), 1);
    assert_ne!(old.id(), browser.id());
    assert!(world.events.has(EventKind::WrongSecret));
    assert_eq!(world.records(), 2);
    assert_eq!(browser.read::<u32>(&world, "k").await, None);
}

#[tokio::test]
async fn a_login_in_a_late_request_makes_a_session_of_its_own() {
    let world = World::new();
    let (mut browser, mut late) = logged_in(&world).await;
    let login = |s: &SessionHandle| {
        s.insert("mine", 1)?;
        s.login("bob")
    };
    late.visit(&world, login).await;
    assert_eq!(world.calls(), [Load, Create]);
    assert_ne!(late.id(), browser.id());
    assert_eq!(late.read(&world, "mine").await, Some(1));
    assert_eq!(late.read::<bool>(&world, "known").await, None);
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn after_a_revocation_requests_are_late_too() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut late = browser.clone();
    browser.visit(&world, revoke).await;
    let response = late.visit(&world, |s| s.insert("k", 1)).await;
    assert!(response.cookies().is_empty());
    assert!(world.events.has(EventKind::Late));
    assert!(world.events.has(EventKind::Void(VoidReason::Late)));
}

#[tokio::test]
async fn a_rotation_makes_no_request_late() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut parallel = browser.clone();
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    parallel.visit(&world, |s| s.insert("k", 1)).await;
    assert!(!world.events.has(EventKind::Late));
    assert_eq!(browser.read(&world, "k").await, Some(1));
}

#[tokio::test]
async fn a_late_request_can_not_end_the_new_session_and_is_told_so() {
    let world = World::new();
    let (mut browser, late) = logged_in(&world).await;
    let (flight, session) = world.open(&late).await;
    for error in [session.end().unwrap_err(), session.logout().unwrap_err()] {
        assert!(matches!(error, SessionError::Ended { .. }), "{error:?}");
    }
    let response = flight.finish().await;
    assert!(response.cookies().is_empty());
    assert_eq!(world.calls(), [Load]);
    assert_eq!(browser.read(&world, "known").await, Some(true));
}
