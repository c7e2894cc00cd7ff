//! Sessions that outlive the response's head.

use cloakroom_core::{EventKind, SessionError, VoidReason, minutes};
use cloakroom_store::Operation::Load;

use crate::support::{Browser, World};

#[tokio::test]
async fn a_handle_that_outlives_its_response_keeps_working_through_save() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    flight.finish().await;
    drop(flight);
    for n in 1..=3 {
        session.insert("n", n).unwrap();
        session.save().await.unwrap();
        assert_eq!(browser.read(&world, "n").await, Some(n));
    }
}

#[tokio::test]
async fn what_would_need_a_cookie_then_is_head_sent() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    flight.finish().await;
    for (operation, error) in [
        ("login", session.login("alice").unwrap_err()),
        ("rotate", session.rotate().unwrap_err()),
        ("persist", session.persist(minutes(60)).unwrap_err()),
    ] {
        assert!(matches!(error, SessionError::HeadSent { .. }));
        let text = error.to_string();
        assert!(
            text.contains(operation) && text.contains("account"),
            "{text}"
        );
    }
    session.save().await.unwrap();
    assert_eq!(world.calls(), [Load], "nothing was changed");
}

#[tokio::test]
async fn the_first_change_of_a_new_session_then_is_head_sent() {
    let world = World::new();
    let (flight, session) = world.open(&Browser::new()).await;
    flight.finish().await;
    let update = session.update("k", |k: &mut u32| *k += 1);
    for error in [session.insert("k", 1).unwrap_err(), update.unwrap_err()] {
        assert!(matches!(error, SessionError::HeadSent { .. }), "{error:?}");
    }
    assert!(session.is_empty());
    session.save().await.unwrap();
    assert_eq!(world.calls(), []);
}

#[tokio::test]
async fn changes_dropped_without_a_save_are_an_event() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    flight.finish().await;
    session.insert("k", 1).unwrap();
    drop(flight);
    assert!(!world.events.has(EventKind::Dropped));
    drop(session);
    assert_eq!(world.events.count(EventKind::Dropped), 1);
    assert_eq!(browser.read::<u32>(&world, "k").await, None);
}

#[tokio::test]
async fn an_end_dropped_without_a_save_is_an_event_too() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    flight.finish().await;
    session.end().unwrap();
    drop((flight, session));
    assert_eq!(world.events.count(EventKind::Dropped), 1);
}

#[tokio::test]
async fn what_was_saved_or_not_changed_is_not_dropped() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    flight.finish().await;
    session.insert("k", 2).unwrap();
    session.save().await.unwrap();
    drop((flight, session));
    // A request that was given up before its head.
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 3).unwrap();
    drop((flight, session));
    assert!(!world.events.has(EventKind::Dropped));
}

#[tokio::test]
async fn an_end_in_a_stream_is_carried_out_by_save() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    flight.finish().await;
    session.end().unwrap();
    session.save().await.unwrap();
    assert_eq!(world.records(), 0);
}

#[tokio::test]
async fn a_save_tells_that_the_session_was_ended_meanwhile() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    flight.finish().await;
    browser.visit(&world, |s| s.end()).await;
    for _ in 0..2 {
        session.insert("k", 1).unwrap();
        let error = session.save().await.unwrap_err();
        assert!(matches!(error, SessionError::Ended { .. }), "{error:?}");
        assert_eq!(error.status(), 409);
    }
    assert!(world.events.has(EventKind::Void(VoidReason::Gone)));
    assert_eq!(world.records(), 0);
}

#[tokio::test]
async fn a_stream_from_before_a_login_writes_nothing_after_it() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    flight.finish().await;
    browser.visit(&world, |s| s.login("alice")).await;
    session.insert("k", 1).unwrap();
    let error = session.save().await.unwrap_err();
    assert!(matches!(error, SessionError::Ended { .. }), "{error:?}");
    assert_eq!(browser.read::<u32>(&world, "k").await, None);
}

#[tokio::test]
async fn a_stream_goes_on_after_a_rotation() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    flight.finish().await;
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    session.insert("k", 1).unwrap();
    session.save().await.unwrap();
    assert_eq!(browser.read(&world, "k").await, Some(1));
}

#[tokio::test]
async fn a_change_between_commit_and_head_is_dropped_with_an_event() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    assert_eq!(flight.commit().await.status(), None);
    session.insert("k", 1).unwrap();
    flight
        .sessions
        .finish(&mut crate::support::Response::new(200));
    drop((flight, session));
    assert_eq!(world.events.count(EventKind::Dropped), 1);
}

#[tokio::test]
async fn a_session_first_opened_after_the_head_can_be_used_but_not_begun() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let flight = world.begin(&browser);
    flight.sessions.judge_all(&flight.head);
    flight.finish().await;
    let session = flight.open(crate::support::ACCOUNT).await;
    session.insert("k", 1).unwrap();
    session.save().await.unwrap();
    assert_eq!(browser.read(&world, "k").await, Some(1));
    let flight = world.begin(&Browser::new());
    flight.sessions.judge_all(&flight.head);
    flight.finish().await;
    let session = flight.open(crate::support::ACCOUNT).await;
    let error = session.insert("k", 1).unwrap_err();
    assert!(matches!(error, SessionError::HeadSent { .. }), "{error:?}");
}

#[tokio::test]
async fn a_namespace_first_judged_after_the_head_can_be_used_but_not_begun() {
    for is_unchanged in [true, false] {
        let world = World::new();
        let mut browser = Browser::known_to(&world).await;
        for is_new in [true, false] {
            let visitor = match is_new {
                true => Browser::new(),
                false => browser.clone(),
            };
            let flight = world.begin(&visitor);
            let mut response = crate::support::Response::new(200);
            match is_unchanged {
                true => assert!(flight.sessions.finish_unchanged(&mut response)),
                false => drop(flight.answer(response).await),
            }
            let session = flight.open(crate::support::ACCOUNT).await;
            let result = session.insert("k", 1);
            if is_new {
                let error = result.unwrap_err();
                assert!(matches!(error, SessionError::HeadSent { .. }), "{error:?}");
            }
            session.save().await.unwrap();
        }
        assert_eq!(world.records(), 1);
        assert_eq!(browser.read(&world, "k").await, Some(1));
    }
}

#[tokio::test]
async fn a_namespace_judged_while_the_head_is_made_knows_of_the_head() {
    let world = World::new();
    for round in 0..2_000 {
        let flight = world.begin(&Browser::new());
        let barrier = std::sync::Barrier::new(2);
        let judged = std::thread::scope(|scope| {
            let judge = || {
                barrier.wait();
                flight.sessions.judge(crate::support::ACCOUNT, &flight.head)
            };
            let judged = scope.spawn(judge);
            let mut response = crate::support::Response::new(200);
            barrier.wait();
            assert!(flight.sessions.finish_unchanged(&mut response));
            judged.join().unwrap()
        });
        let session = judged.unwrap().unwrap().open().await.unwrap();
        let error = session.insert("k", 1).unwrap_err();
        assert!(matches!(error, SessionError::HeadSent { .. }), "{round}");
    }
}
