//! One failure is one line of the log: it says which namespace, what was tried, what happened and
//! what to do. What becomes of the request for it is no second line.

use std::time::Duration;

use cloakroom_core::{
    CorruptPolicy, EventKind, FailurePolicy, Namespace, ReplacedTokenPolicy, SessionError, Sweeper,
    minutes,
};
use cloakroom_store::{
    Operation::{self, BySubject, Create, Delete, Load, Replace, Sweep, Touch},
    StoreErrorKind, Subject,
};
use cloakroom_testkit::Fault;

use crate::support::{ACCOUNT, Broken, Browser, Captured, CopyStore, FirstIds, World};

/// The one line that there is to be.
#[track_caller]
fn only_line(captured: &Captured) -> String {
    let lines = captured.take_trouble();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines.into_iter().next().unwrap()
}

/// The one line of a store call that failed.
#[track_caller]
fn assert_told(captured: &Captured, operation: Operation) {
    let line = only_line(captured);
    for part in [
        "ERROR",
        "namespace=\"account\"",
        &format!("message={operation} failed: the store"),
        ": see ",
        "source=the test asked for this fault",
    ] {
        assert!(line.contains(part), "{part:?} is missing: {line}");
    }
}

#[tokio::test]
async fn a_load_that_fails() {
    let captured = Captured::begin();
    for fault in [Fault::BeforeEffect, Fault::Timeout] {
        let world = World::new();
        let browser = Browser::known_to(&world).await;
        captured.take_trouble();
        world.faults.fail_next(Load, fault);
        let flight = world.begin(&browser);
        let error = flight.try_open(ACCOUNT).await.unwrap_err();
        assert!(error.is_reported());
        flight.finish_with(error.status()).await;
        assert_told(&captured, Load);
    }
}

#[tokio::test]
async fn a_commit_that_fails_whatever_its_policy() {
    let captured = Captured::begin();
    for policy in [FailurePolicy::Respond503, FailurePolicy::KeepResponse] {
        for fault in [Fault::BeforeEffect, Fault::Timeout] {
            let world = World::with(|namespace| namespace.on_store_failure(policy));
            let mut browser = Browser::known_to(&world).await;
            captured.take_trouble();
            world.faults.fail_next(Replace, fault);
            browser.visit(&world, |s| s.insert("k", 1)).await;
            assert_told(&captured, Replace);

            world.faults.fail_next(Create, fault);
            Browser::new().visit(&world, |s| s.insert("k", 1)).await;
            assert_told(&captured, Create);

            world.faults.fail_next(Delete, fault);
            browser.visit(&world, |s| s.end()).await;
            assert_told(&captured, Delete);
        }
    }
}

#[tokio::test]
async fn a_failure_that_a_second_look_mends_or_does_not() {
    let captured = Captured::begin();
    for (fault, also) in [
        (Fault::AfterEffect, None),
        (Fault::BeforeEffect, Some(Load)),
    ] {
        let world = World::new();
        let mut browser = Browser::known_to(&world).await;
        captured.take_trouble();
        world.faults.fail_next(Replace, fault);
        if let Some(operation) = also {
            world.faults.spare_next(operation);
            world.faults.fail_next(operation, Fault::BeforeEffect);
        }
        browser.visit(&world, |s| s.insert("k", 1)).await;
        assert_told(&captured, Replace);
    }
}

#[tokio::test]
async fn a_touch_that_fails() {
    let captured = Captured::begin();
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    world.clock.advance(minutes(10));
    world.faults.fail_next(Touch, Fault::BeforeEffect);
    assert_eq!(browser.visit(&world, |_| Ok(())).await.status, 200);
    assert_told(&captured, Touch);
}

#[tokio::test]
async fn a_save_that_fails() {
    let captured = Captured::begin();
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    world.faults.fail_next(Replace, Fault::BeforeEffect);
    let error = session.save().await.unwrap_err();
    assert!(error.is_reported());
    flight.finish_with(error.status()).await;
    assert_told(&captured, Replace);
}

#[tokio::test]
async fn a_replay_that_fails() {
    let captured = Captured::begin();
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    browser.visit(&world, |s| s.insert("other", 1)).await;
    captured.take_trouble();
    world.faults.fail_next(Load, Fault::BeforeEffect);
    assert_eq!(flight.finish().await.status, 503);
    assert_told(&captured, Load);
}

#[tokio::test]
async fn a_record_that_is_no_session() {
    let captured = Captured::begin();
    for policy in [CorruptPolicy::Reset, CorruptPolicy::Fail] {
        let world = World::with(|namespace| namespace.on_corrupt(policy));
        let browser = Browser::known_to(&world).await;
        world.garble(browser.id(), |data| data.fill(9)).await;
        captured.take_trouble();
        let flight = world.begin(&browser);
        if let Err(error) = flight.try_open(ACCOUNT).await {
            assert!(error.is_reported());
            flight.finish_with(error.status()).await;
        }
        let line = only_line(&captured);
        assert!(line.contains("account") && line.contains("see "), "{line}");
    }
}

#[tokio::test]
async fn an_end_of_a_copied_session_that_fails() {
    let captured = Captured::begin();
    let world = World::with(|n| n.on_replaced_token(ReplacedTokenPolicy::EndSession));
    let mut browser = Browser::known_to(&world).await;
    let thief = browser.clone();
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    browser.visit(&world, |_| Ok(())).await;
    world.clock.advance(minutes(2));
    world.faults.fail_next(Delete, Fault::BeforeEffect);
    captured.take_trouble();
    world.begin(&thief).try_open(ACCOUNT).await.unwrap_err();
    let lines = captured.take_trouble();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].contains("replaced by a rotation"), "{lines:#?}");
    assert!(lines[1].contains("delete failed"), "{lines:#?}");
    let failed = EventKind::StoreFailed(Delete, StoreErrorKind::Unavailable);
    assert_eq!(world.events.count(failed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_another_task_that_takes_too_long() {
    let captured = Captured::begin();
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    world.faults.always_on(Load, Fault::Hang);
    let flight = world.begin(&browser);
    // Nobody goes on with this one.
    let mut stalled = Box::pin(flight.try_open(ACCOUNT));
    let first = tokio::time::timeout(Duration::ZERO, &mut stalled).await;
    assert!(first.is_err());
    flight.try_open(ACCOUNT).await.unwrap_err();
    let line = only_line(&captured);
    assert!(line.contains("load failed"), "{line}");

    // And so for a commit.
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (_flight, session) = world.open(&browser).await;
    world.faults.always_on(Replace, Fault::Hang);
    session.insert("k", 1).unwrap();
    let mut stalled = Box::pin(session.save());
    let first = tokio::time::timeout(Duration::ZERO, &mut stalled).await;
    assert!(first.is_err());
    session.save().await.unwrap_err();
    let line = only_line(&captured);
    assert!(line.contains("replace failed"), "{line}");
}

#[tokio::test]
async fn ids_that_are_all_taken() {
    let captured = Captured::begin();
    let world = World::build(|builder, store| {
        builder
            .namespace(Namespace::new(ACCOUNT, store.clone()))
            .random(FirstIds::repeating(100))
    });
    Browser::known_to(&world).await;
    let response = Browser::new().visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(response.status, 503);
    let line = only_line(&captured);
    assert!(line.contains("create failed: the key is taken"), "{line}");
}

#[tokio::test]
async fn no_random_bytes() {
    let captured = Captured::begin();
    for policy in [FailurePolicy::Respond503, FailurePolicy::KeepResponse] {
        let broken = Broken::default();
        let world = World::build(|builder, store| {
            let namespace = Namespace::new(ACCOUNT, store.clone());
            builder
                .namespace(namespace.on_store_failure(policy))
                .random(broken.clone())
        });
        broken.set(true);
        Browser::new().visit(&world, |s| s.insert("k", 1)).await;
        let line = only_line(&captured);
        assert!(
            line.contains("account") && line.contains("random"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_sweep_that_fails() {
    let captured = Captured::begin();
    let world = World::new();
    world.faults.fail_next(Sweep, Fault::BeforeEffect);
    Sweeper::new(&world.manager).sweep().await;
    assert_told(&captured, Sweep);
}

#[tokio::test]
async fn a_list_and_an_end_from_outside_that_fail() {
    let captured = Captured::begin();
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.login("alice")).await;
    captured.take_trouble();
    let subjects = world.manager.subjects(ACCOUNT).unwrap();
    let alice = Subject::new("alice").unwrap();
    world.faults.fail_next(BySubject, Fault::BeforeEffect);
    subjects.sessions_of(&alice, None, 9).await.unwrap_err();
    assert_told(&captured, BySubject);
    // The load that would tell whether it was done fails too.
    world.faults.fail_next(Delete, Fault::BeforeEffect);
    world.faults.spare_next(Load);
    world.faults.fail_next(Load, Fault::BeforeEffect);
    subjects.end(&alice, browser.id()).await.unwrap_err();
    assert_told(&captured, Delete);
}

#[tokio::test]
async fn a_copy_that_is_no_session_is_looked_past() {
    let captured = Captured::begin();
    let store = CopyStore::default();
    let account = Namespace::new(ACCOUNT, store.clone());
    let world = World::build(|builder, _| builder.namespace(account));
    let mut browser = Browser::known_to(&world).await;
    let garble = |record: &mut cloakroom_store::Record| record.data = record.data.slice(1..);
    store.freeze_as(browser.id(), garble).await;
    assert_eq!(browser.read(&world, "known").await, Some(true));
    assert_eq!(captured.take_trouble(), [""; 0]);
}

#[test]
fn what_needs_a_runtime_and_has_none() {
    let captured = Captured::begin();
    let world = World::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut browser = runtime.block_on(Browser::known_to(&world));
    let (flight, session) = runtime.block_on(world.open(&browser));
    session.insert("k", 1).unwrap();
    runtime.block_on(browser.visit(&world, |s| s.insert("other", 1)));
    captured.take_trouble();
    drop(runtime);
    // A conflict has to be played again, by a task.
    let mut commit = std::pin::pin!(flight.commit());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(verdict) = commit.as_mut().poll(&mut context) else {
        panic!("it waits");
    };
    assert_eq!(verdict.status(), Some(503));
    let line = only_line(&captured);
    assert!(line.contains("runtime"), "{line}");
}

#[test]
fn what_the_engine_has_no_event_for_is_left_to_whoever_answers() {
    for error in [
        SessionError::Closed {
            namespace: "admin".to_owned(),
        },
        SessionError::NoLayer { hint: "add it" },
    ] {
        assert!(!error.is_reported());
    }
}
