//! Login and revocation: a new epoch.

use std::time::Duration;

use cloakroom_core::{
    EndedPolicy, EventKind, Limits, SessionError, SessionHandle, VoidReason, hours, minutes,
};
use cloakroom_store::Operation::{Create, Delete, Load, Replace};
use cloakroom_testkit::Fault;

use crate::support::{Browser, Handler, World, revoke};

#[tokio::test]
async fn cve_2022_25896_a_login_makes_a_new_token_and_the_old_one_is_dead_at_once() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut thief = browser.clone();
    browser.visit(&world, |s| s.login("alice")).await;
    assert_eq!(world.calls(), [Load, Replace]);
    assert_ne!(browser.token(), thief.token());
    assert_eq!(browser.id(), thief.id());
    let (_flight, session) = world.open(&thief).await;
    assert!(session.subject().is_none());
    assert_eq!(thief.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn a_login_keeps_the_values_and_sets_the_subject() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.login("alice")).await;
    let (_flight, session) = world.open(&browser).await;
    assert_eq!(session.get("known").unwrap(), Some(true));
    assert_eq!(session.subject().unwrap().as_str(), "alice");
    assert!(world.events.has(EventKind::LoggedIn));
}

#[tokio::test]
async fn the_subject_is_seen_in_the_request_that_logs_in() {
    let world = World::new();
    let (_flight, session) = world.open(&Browser::new()).await;
    session.login("alice").unwrap();
    assert_eq!(session.subject().unwrap().as_str(), "alice");
}

#[tokio::test]
async fn a_login_on_a_first_visit_stores_a_session() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.login("alice")).await;
    assert_eq!(world.calls(), [Create]);
    let (_flight, session) = world.open(&browser).await;
    assert_eq!(session.subject().unwrap().as_str(), "alice");
}

#[tokio::test]
async fn cve_2018_11385_a_login_of_the_same_subject_makes_a_new_token_too() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.login("alice")).await;
    let mut before = browser.clone();
    browser.visit(&world, |s| s.login("alice")).await;
    assert_ne!(browser.token(), before.token());
    assert_eq!(browser.id(), before.id());
    assert_eq!(before.read::<bool>(&world, "known").await, None);
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn cve_2014_0482_another_subject_ends_the_old_record_and_starts_empty() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.login("alice")).await;
    let mut alice = browser.clone();
    world.calls();
    browser.visit(&world, |s| s.login("bob")).await;
    assert_eq!(world.calls(), [Load, Delete, Create]);
    assert_ne!(browser.id(), alice.id());
    assert!(world.record(alice.id()).await.is_none());
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
    assert_eq!(alice.read::<bool>(&world, "known").await, None);
    let record = world.record(browser.id()).await.unwrap();
    assert_eq!(record.subject.unwrap().as_str(), "bob");
}

#[tokio::test]
async fn two_subjects_in_one_request_leave_the_last() {
    let world = World::new();
    let mut browser = Browser::new();
    let both = |s: &SessionHandle| {
        s.login("alice")?;
        s.insert("of", "alice")?;
        s.login("bob")
    };
    browser.visit(&world, both).await;
    assert_eq!(browser.read::<String>(&world, "of").await, None);
    let record = world.record(browser.id()).await.unwrap();
    assert_eq!(record.subject.unwrap().as_str(), "bob");
    assert_eq!(world.records(), 1);
}

#[tokio::test]
async fn the_absolute_limit_begins_again_at_login() {
    let limits = Limits::absolute_only(hours(2));
    let world = World::with(|namespace| namespace.limits(limits));
    let mut browser = Browser::known_to(&world).await;
    let mut untouched = Browser::known_to(&world).await;
    world.clock.advance(minutes(90));
    browser.visit(&world, |s| s.login("alice")).await;
    world.clock.advance(minutes(31));
    assert_eq!(untouched.read::<bool>(&world, "known").await, None);
    world.clock.advance(minutes(89) - Duration::from_secs(1));
    assert_eq!(browser.clone().read(&world, "known").await, Some(true));
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn an_invalid_subject_is_refused() {
    let world = World::new();
    let (_flight, session) = world.open(&Browser::new()).await;
    for subject in [String::new(), "x".repeat(256)] {
        let error = session.login(&subject).unwrap_err();
        assert!(matches!(error, SessionError::InvalidSubject(_)));
    }
    assert!(session.subject().is_none());
}

#[tokio::test]
async fn cve_2019_17563_a_request_from_before_a_login_writes_nothing_after_it() {
    let intents: [Handler; 2] = [|s| s.login("alice"), revoke];
    for intent in intents {
        let world = World::new();
        let mut browser = Browser::known_to(&world).await;
        let (slow, session) = world.open(&browser).await;
        browser.visit(&world, intent).await;
        session.insert("role", "admin").unwrap();
        session.rotate().unwrap();
        let response = slow.finish().await;
        assert_eq!(response.status, 200);
        assert!(response.cookies().is_empty());
        assert!(world.events.has(EventKind::Void(VoidReason::NewEpoch)));
        assert_eq!(browser.read::<String>(&world, "role").await, None);
        assert_eq!(browser.read(&world, "known").await, Some(true));
    }
}

#[tokio::test]
async fn a_policy_answers_void_changes_with_409_or_401() {
    for (policy, status) in [
        (EndedPolicy::Ignore, 200),
        (EndedPolicy::Respond409, 409),
        (EndedPolicy::Respond401, 401),
    ] {
        let world = World::with(|namespace| namespace.on_ended(policy));
        let mut browser = Browser::known_to(&world).await;
        let (slow, session) = world.open(&browser).await;
        let (reading, _) = world.open(&browser).await;
        browser.visit(&world, |s| s.login("alice")).await;
        session.insert("k", 1).unwrap();
        let response = slow.finish().await;
        assert_eq!(response.status, status);
        assert!(response.cookies().is_empty());
        assert_eq!(reading.finish().await.status, 200, "it changes nothing");
    }
}

#[tokio::test]
async fn housekeeping_that_meets_a_login_is_no_change_of_the_request() {
    let world = World::with(|namespace| {
        namespace
            .rotate_every(minutes(10))
            .on_ended(EndedPolicy::Respond409)
    });
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.login("alice")).await;
    world.clock.advance(minutes(15));
    let (reading, _) = world.open(&browser).await;
    browser.visit(&world, |s| s.login("alice")).await;
    let response = reading.finish().await;
    assert_eq!(response.status, 200);
    assert!(response.cookies().is_empty());
}

#[tokio::test]
async fn a_login_on_a_record_that_is_gone_makes_one_of_its_own_changes_alone() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.insert("hits", 5)).await;
    let (slow, session) = world.open(&browser).await;
    browser.visit(&world, |s| s.end()).await;
    session.insert("mine", 1).unwrap();
    session.update("hits", |hits: &mut u32| *hits += 1).unwrap();
    session.login("alice").unwrap();
    browser.receive(&slow.finish().await);
    assert_eq!(world.records(), 1);
    assert_eq!(browser.read(&world, "mine").await, Some(1));
    assert_eq!(browser.read(&world, "hits").await, Some(1));
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
    let record = world.record(browser.id()).await.unwrap();
    assert_eq!(record.subject.unwrap().as_str(), "alice");
}

#[tokio::test]
async fn two_logins_at_the_same_time_make_two_sessions() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (first, a) = world.open(&browser).await;
    let (second, b) = world.open(&browser).await;
    a.login("alice").unwrap();
    b.login("bob").unwrap();
    let (mut one, mut other) = (browser.clone(), browser.clone());
    one.receive(&first.finish().await);
    other.receive(&second.finish().await);
    assert_ne!(one.id(), other.id());
    for (browser, subject) in [(&one, "alice"), (&other, "bob")] {
        let (_flight, session) = world.open(browser).await;
        assert_eq!(session.subject().unwrap().as_str(), subject);
    }
    assert_eq!(one.read(&world, "known").await, Some(true));
    assert_eq!(other.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn a_revocation_makes_a_new_token_and_the_old_one_is_dead_at_once() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut thief = browser.clone();
    browser.visit(&world, revoke).await;
    assert_eq!(world.calls(), [Load, Replace]);
    assert_eq!(thief.read::<bool>(&world, "known").await, None);
    assert_eq!(browser.read(&world, "known").await, Some(true));
    assert!(world.events.has(EventKind::Revoked));
}

#[tokio::test]
async fn a_revocation_does_not_begin_the_absolute_limit_again() {
    let limits = Limits::absolute_only(hours(2));
    let world = World::with(|namespace| namespace.limits(limits));
    let mut browser = Browser::known_to(&world).await;
    world.clock.advance(minutes(90));
    browser.visit(&world, revoke).await;
    world.clock.advance(minutes(30));
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn a_revocation_ends_the_grace_of_a_rotation() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut first = browser.clone();
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    let mut second = browser.clone();
    browser.visit(&world, revoke).await;
    assert_eq!(first.read::<bool>(&world, "known").await, None);
    assert_eq!(second.read::<bool>(&world, "known").await, None);
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_login_during_that_of_somebody_else_begins_a_session_of_its_own() {
    // Of a session that is new and of one that exists; the first login is stored or fails.
    let slow = Fault::Delay(Duration::from_millis(100));
    for (is_known, first) in [(false, slow), (true, slow), (true, Fault::Hang)] {
        let world = World::new();
        let mut browser = match is_known {
            true => Browser::known_to(&world).await,
            false => Browser::new(),
        };
        let write = if is_known { Replace } else { Create };
        world.faults.fail_next(write, first);
        let (flight, session) = world.open(&browser).await;
        session.login("alice").unwrap();
        session.insert("of", "alice").unwrap();
        let saving = session.clone();
        let saved = tokio::spawn(async move { saving.save().await });
        tokio::task::yield_now().await;
        assert_eq!(session.subject().unwrap().as_str(), "alice");
        session.login("bob").unwrap();
        assert_eq!(session.subject().unwrap().as_str(), "bob");
        let _ = saved.await.unwrap();
        browser.receive(&flight.finish().await);

        let case = format!("{is_known} {first:?}");
        assert_eq!(world.records(), 1, "{case}");
        let record = world.record(browser.id()).await.unwrap();
        assert_eq!(record.subject.unwrap().as_str(), "bob", "{case}");
        assert_eq!(browser.read::<String>(&world, "of").await, None, "{case}");
        let ids_made = world.store.count(Create);
        assert_eq!(ids_made, if is_known { 1 } else { 2 }, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_during_a_login_that_turns_out_void_ends_it_too() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (slow, session) = world.open(&browser).await;
    browser.visit(&world, |s| s.login("carol")).await;
    session.login("alice").unwrap();
    // It meets a conflict, and learns after a while that there was another login.
    let late = Fault::Delay(Duration::from_millis(100));
    world.faults.fail_next(Load, late);
    let saving = session.clone();
    let saved = tokio::spawn(async move { saving.save().await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    session.end().unwrap();
    saved.await.unwrap().unwrap();
    assert!(slow.finish().await.only_cookie().ends_with("Max-Age=0"));
    assert_eq!(world.records(), 0);
}
