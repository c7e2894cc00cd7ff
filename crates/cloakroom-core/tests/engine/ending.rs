//! Ended stays ended.

use cloakroom_core::{EndedPolicy, EventKind, FailurePolicy, SessionHandle, VoidReason, minutes};
use cloakroom_store::{
    Operation,
    Operation::{Create, Delete, Load},
    StoreErrorKind,
};
use cloakroom_testkit::Fault;

use crate::support::{Browser, COOKIE, World};

#[tokio::test]
async fn an_end_deletes_the_record_and_removes_the_cookie() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut copy = browser.clone();
    let response = browser.visit(&world, |s| s.logout()).await;
    assert_eq!(world.calls(), [Load, Delete]);
    assert_eq!(world.records(), 0);
    assert_eq!(
        response.only_cookie(),
        "__Host-account=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
    );
    assert!(browser.cookie(COOKIE).is_none());
    assert!(world.events.has(EventKind::Ended));
    assert_eq!(copy.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn the_removal_repeats_every_attribute() {
    let cookie = cloakroom_core::Cookie::named("sid")
        .domain("example.com")
        .path("/shop")
        .same_site(cloakroom_core::SameSite::None)
        .partitioned();
    let world = World::with(|namespace| namespace.cookie(cookie));
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.insert("k", 1)).await;
    assert!(browser.cookie("__Secure-sid").is_some());
    let response = browser.visit(&world, |s| s.end()).await;
    assert_eq!(
        response.only_cookie(),
        "__Secure-sid=; Domain=example.com; Path=/shop; Secure; HttpOnly; SameSite=None; \
         Partitioned; Max-Age=0"
    );
    assert!(browser.cookie("__Secure-sid").is_none());
}

#[tokio::test]
async fn an_end_is_carried_out_at_any_status() {
    for status in [200, 302, 404, 500, 503, 599] {
        let world = World::new();
        let browser = Browser::known_to(&world).await;
        let (flight, session) = world.open(&browser).await;
        session.end().unwrap();
        let response = flight.finish_with(status).await;
        assert_eq!(response.status, status);
        assert!(response.only_cookie().ends_with("Max-Age=0"));
        assert_eq!(world.records(), 0);
    }
}

#[tokio::test]
async fn an_end_whose_delete_fails_is_a_503_under_every_policy_and_the_cookie_is_removed() {
    for policy in [FailurePolicy::Respond503, FailurePolicy::KeepResponse] {
        for status in [200, 500] {
            let world = World::with(|namespace| namespace.on_store_failure(policy));
            let browser = Browser::known_to(&world).await;
            let (flight, session) = world.open(&browser).await;
            session.end().unwrap();
            world.faults.fail_next(Delete, Fault::BeforeEffect);
            let response = flight.finish_with(status).await;
            assert_eq!(response.status, 503, "{policy:?} {status}");
            assert!(response.only_cookie().ends_with("Max-Age=0"));
            let failed = EventKind::StoreFailed(Delete, StoreErrorKind::Unavailable);
            assert!(world.events.has(failed));
        }
    }
}

#[tokio::test]
async fn a_delete_whose_answer_is_lost_has_ended_the_session() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    world.faults.fail_next(Delete, Fault::AfterEffect);
    let response = browser.visit(&world, |s| s.end()).await;
    assert_eq!(response.status, 200);
    assert_eq!(world.records(), 0);
    assert!(browser.cookie(COOKIE).is_none());
}

#[tokio::test]
async fn cve_2025_46336_a_slow_request_can_not_bring_the_session_back() {
    for (policy, status) in [
        (EndedPolicy::Ignore, 200),
        (EndedPolicy::Respond409, 409),
        (EndedPolicy::Respond401, 401),
    ] {
        let world = World::with(|namespace| namespace.on_ended(policy));
        let mut browser = Browser::known_to(&world).await;
        let (slow, session) = world.open(&browser).await;
        browser.visit(&world, |s| s.logout()).await;
        session.insert("k", 1).unwrap();
        let response = slow.finish().await;
        assert_eq!(response.status, status);
        assert!(response.cookies().is_empty());
        assert_eq!(world.records(), 0);
        assert!(world.events.has(EventKind::Void(VoidReason::Gone)));
    }
}

#[tokio::test]
async fn reading_and_touching_do_not_bring_the_session_back() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    world.clock.advance(minutes(10));
    let (slow, session) = world.open(&browser).await;
    browser.visit(&world, |s| s.logout()).await;
    assert_eq!(session.get("known").unwrap(), Some(true));
    let response = slow.finish().await;
    assert_eq!(response.status, 200);
    assert!(response.cookies().is_empty());
    assert_eq!(world.records(), 0);
}

#[tokio::test]
async fn what_is_stored_after_an_end_begins_a_new_session() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let old = browser.id();
    let farewell = |s: &SessionHandle| {
        s.insert("lost", 1)?;
        s.end()?;
        assert!(s.is_new());
        assert!(s.is_empty());
        s.insert("message", "bye")
    };
    browser.visit(&world, farewell).await;
    assert_eq!(world.calls(), [Load, Delete, Create]);
    assert_ne!(browser.id(), old);
    assert_eq!(world.records(), 1);
    let message = browser.read::<String>(&world, "message").await;
    assert_eq!(message.as_deref(), Some("bye"));
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
    assert_eq!(browser.read::<u32>(&world, "lost").await, None);
}

#[tokio::test]
async fn ending_no_session_sends_and_stores_nothing() {
    let world = World::new();
    let end = |s: &SessionHandle| {
        s.insert("k", 1)?;
        s.end()
    };
    let response = Browser::new().visit(&world, end).await;
    assert!(response.cookies().is_empty());
    assert_eq!(world.calls(), []);
}

#[tokio::test]
async fn an_end_wins_over_a_login_that_was_committed_before_it() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (slow, session) = world.open(&browser).await;
    browser.visit(&world, |s| s.login("alice")).await;
    session.logout().unwrap();
    let response = slow.finish().await;
    assert!(response.only_cookie().ends_with("Max-Age=0"));
    assert_eq!(world.records(), 0);
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn an_end_wins_over_a_login_in_the_same_request() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let both = |s: &SessionHandle| {
        s.login("alice")?;
        s.end()
    };
    let response = browser.visit(&world, both).await;
    assert!(response.only_cookie().ends_with("Max-Age=0"));
    assert_eq!(world.records(), 0);
}

#[tokio::test]
async fn a_login_after_an_end_in_one_request_makes_a_new_session() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let old = browser.id();
    let both = |s: &SessionHandle| {
        s.end()?;
        s.login("alice")
    };
    let response = browser.visit(&world, both).await;
    assert_eq!(response.cookies().len(), 1);
    assert_ne!(browser.id(), old);
    assert_eq!(world.records(), 1);
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

#[tokio::test(start_paused = true)]
async fn an_end_during_a_save_ends_what_the_save_has_written() {
    // Of a session that is new and of one that exists.
    for is_known in [false, true] {
        let world = World::new();
        let browser = match is_known {
            true => Browser::known_to(&world).await,
            false => Browser::new(),
        };
        let slow = Fault::Delay(std::time::Duration::from_millis(100));
        world.faults.always_on(Operation::Create, slow);
        world.faults.always_on(Operation::Replace, slow);
        let (flight, session) = world.open(&browser).await;
        session.insert("k", 1).unwrap();
        let saving = session.clone();
        let saved = tokio::spawn(async move { saving.save().await });
        tokio::task::yield_now().await;
        session.end().unwrap();
        saved.await.unwrap().unwrap();
        let response = flight.finish().await;
        assert_eq!(response.status, 200);
        assert_eq!(world.records(), 0, "known: {is_known}");
        assert!(!response.cookies().iter().any(|c| !c.ends_with("Max-Age=0")));
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_during_a_save_that_fails_spares_the_session_that_begins_after_it() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    world.faults.fail_next(Operation::Replace, Fault::Hang);
    let saving = session.clone();
    let saved = tokio::spawn(async move { saving.save().await });
    tokio::task::yield_now().await;
    session.end().unwrap();
    session.insert("message", "bye").unwrap();
    saved.await.unwrap().unwrap_err();
    let response = flight.finish().await;
    assert_eq!(response.status, 200);
    browser.receive(&response);
    assert_eq!(world.records(), 1);
    let message = browser.read::<String>(&world, "message").await;
    assert_eq!(message.as_deref(), Some("bye"));
}

#[tokio::test(start_paused = true)]
async fn a_second_end_during_the_first_spares_the_session_that_begins_after_it() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    let slow = Fault::Delay(std::time::Duration::from_millis(100));
    world.faults.fail_next(Operation::Delete, slow);
    session.end().unwrap();
    let saving = session.clone();
    let saved = tokio::spawn(async move { saving.save().await });
    tokio::task::yield_now().await;
    session.end().unwrap();
    session.insert("message", "bye").unwrap();
    saved.await.unwrap().unwrap();
    browser.receive(&flight.finish().await);
    let message = browser.read::<String>(&world, "message").await;
    assert_eq!(message.as_deref(), Some("bye"));
}
