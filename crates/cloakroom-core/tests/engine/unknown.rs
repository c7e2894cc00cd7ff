//! Writes of unknown outcome: never sent again, and resolved by a load.

use cloakroom_core::{EventKind, FailurePolicy, SessionHandle};
use cloakroom_store::Operation::{self, Create, Load, Replace};
use cloakroom_testkit::Fault;

use crate::support::{Browser, Response, World};

const LOST: [Fault; 2] = [Fault::AfterEffect, Fault::TimeoutAfterEffect];
const UNDONE: [Fault; 2] = [Fault::BeforeEffect, Fault::Timeout];

/// One request whose first call of a method meets a fault.
async fn under_fault(
    world: &World,
    browser: &mut Browser,
    operation: Operation,
    fault: Fault,
) -> Response {
    world.faults.fail_next(operation, fault);
    let insert = |s: &SessionHandle| s.insert("k", 1);
    browser.visit(world, insert).await
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_found_and_done() {
    for fault in LOST {
        let world = World::new();
        let mut browser = Browser::new();
        let response = under_fault(&world, &mut browser, Create, fault).await;
        assert_eq!(response.status, 200);
        assert_eq!(world.calls(), [Create, Load]);
        assert!(world.events.has(EventKind::Created));
        assert_eq!(browser.read(&world, "k").await, Some(1));
    }
}

#[tokio::test]
async fn a_create_that_was_not_done_is_a_503_and_never_sent_again() {
    for fault in UNDONE {
        let world = World::new();
        let response = under_fault(&world, &mut Browser::new(), Create, fault).await;
        assert_eq!(response.status, 503);
        assert!(response.cookies().is_empty());
        assert_eq!(world.calls(), [Create, Load]);
        assert_eq!(world.records(), 0);
    }
}

#[tokio::test]
async fn a_replace_whose_answer_is_lost_is_found_and_done() {
    for fault in LOST {
        let world = World::new();
        let mut browser = Browser::known_to(&world).await;
        let response = under_fault(&world, &mut browser, Replace, fault).await;
        assert_eq!(response.status, 200);
        assert_eq!(world.calls(), [Load, Replace, Load]);
        assert!(world.events.has(EventKind::Saved));
        assert_eq!(browser.read(&world, "k").await, Some(1));
    }
}

#[tokio::test]
async fn a_replace_that_was_not_done_is_a_503_and_never_sent_again() {
    for fault in UNDONE {
        let world = World::new();
        let mut browser = Browser::known_to(&world).await;
        let response = under_fault(&world, &mut browser, Replace, fault).await;
        assert_eq!(response.status, 503);
        assert_eq!(world.calls(), [Load, Replace, Load]);
        assert_eq!(browser.read::<u32>(&world, "k").await, None);
    }
}

#[tokio::test]
async fn an_increment_whose_answer_is_lost_counts_once() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    world.faults.fail_next(Replace, Fault::AfterEffect);
    let increment = |s: &SessionHandle| s.update("hits", |hits: &mut u32| *hits += 1);
    browser.visit(&world, increment).await;
    assert_eq!(browser.read(&world, "hits").await, Some(1));
}

#[tokio::test]
async fn when_the_load_fails_too_the_answer_is_503() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    world.calls();
    world.faults.fail_next(Replace, Fault::AfterEffect);
    world.faults.fail_next(Load, Fault::BeforeEffect);
    assert_eq!(flight.finish().await.status, 503);
    assert_eq!(world.calls(), [Replace, Load]);
}

#[tokio::test]
async fn a_login_whose_answer_is_lost_sends_its_token() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let before = browser.token().to_owned();
    world.faults.fail_next(Replace, Fault::AfterEffect);
    browser.visit(&world, |s| s.login("alice")).await;
    assert_ne!(browser.token(), before);
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn a_login_that_was_not_done_is_a_503_without_a_cookie() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    world.faults.fail_next(Replace, Fault::BeforeEffect);
    let response = browser.visit(&world, |s| s.login("alice")).await;
    assert_eq!(response.status, 503);
    assert!(response.cookies().is_empty());
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn somebody_elses_write_in_between_does_not_count_as_ours() {
    // Ours was not done; the version that the load finds is another request's.
    let world = World::with(|n| n.on_store_failure(FailurePolicy::Respond503));
    let mut browser = Browser::known_to(&world).await;
    let (slow, session) = world.open(&browser).await;
    session.insert("slow", 1).unwrap();
    browser.visit(&world, |s| s.insert("fast", 1)).await;
    world.faults.fail_next(Replace, Fault::BeforeEffect);
    assert_eq!(slow.finish().await.status, 503);
    assert_eq!(browser.read::<u32>(&world, "slow").await, None);
    assert_eq!(browser.read(&world, "fast").await, Some(1));
}

#[tokio::test]
async fn after_a_conflict_too_a_lost_answer_is_found_and_not_sent_again() {
    for (fault, status, stored) in [
        (Fault::AfterEffect, 200, Some(1)),
        (Fault::BeforeEffect, 503, None),
    ] {
        let world = World::new();
        let mut browser = Browser::known_to(&world).await;
        let (slow, session) = world.open(&browser).await;
        browser.visit(&world, |s| s.insert("fast", 1)).await;
        session.update("hits", |hits: &mut u32| *hits += 1).unwrap();
        world.calls();
        world.faults.spare_next(Replace); // it meets the conflict
        world.faults.fail_next(Replace, fault);
        assert_eq!(slow.finish().await.status, status);
        assert_eq!(world.calls(), [Replace, Load, Replace, Load]);
        assert_eq!(browser.read(&world, "hits").await, stored);
    }
}

#[tokio::test]
async fn a_store_that_says_no_for_certain_is_not_asked_what_it_did() {
    // A record that the store does not take was surely not written.
    let small = cloakroom_memory::MemoryStore::builder()
        .max_bytes(1_000)
        .build();
    let spy = cloakroom_testkit::SpyStore::new(small);
    let manager = cloakroom_core::SessionManager::builder()
        .namespace(cloakroom_core::Namespace::new("account", spy.clone()))
        .build()
        .unwrap();
    let sessions = cloakroom_core::RequestSessions::begin(&manager);
    let head = crate::support::Request::default();
    let unopened = sessions.judge("account", &head).unwrap().unwrap();
    let session = unopened.open().await.unwrap();
    session.insert("k", "x".repeat(2_000)).unwrap();
    let verdict = sessions.commit(cloakroom_core::Outcome::Success).await;
    assert_eq!(verdict.status(), Some(503));
    assert_eq!(spy.operations(), [Create]);
}
