//! What a failing handler or store does to the answer.

use cloakroom_core::{EventKind, FailurePolicy, Namespace, Outcome, SessionError, Verdict};
use cloakroom_store::Operation::{Create, Load, Replace};
use cloakroom_testkit::Fault;

use crate::support::{ACCOUNT, Browser, COOKIE, Response, World};

#[test]
fn only_5xx_is_a_server_error() {
    for status in [200, 204, 302, 404, 422, 499] {
        assert_eq!(Outcome::of_status(status), Outcome::Success);
    }
    for status in [500, 503, 599] {
        assert_eq!(Outcome::of_status(status), Outcome::ServerError);
    }
}

#[tokio::test]
async fn a_5xx_response_does_not_save() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    session.login("alice").unwrap();
    let response = flight.finish_with(500).await;
    assert_eq!(response.status, 500);
    assert!(response.cookies().is_empty());
    assert_eq!(world.calls(), [Load]);
    assert!(world.events.has(EventKind::NotSaved));
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn a_5xx_response_on_a_first_visit_makes_no_session() {
    let world = World::new();
    let (flight, session) = world.open(&Browser::new()).await;
    session.insert("k", 1).unwrap();
    let response = flight.finish_with(503).await;
    assert!(response.cookies().is_empty());
    assert_eq!(world.calls(), []);
}

#[tokio::test]
async fn save_on_server_error_saves() {
    let world = World::with(|namespace| namespace.save_on_server_error());
    let mut browser = Browser::new();
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    let response = flight.finish_with(500).await;
    assert_eq!(response.status, 500);
    browser.receive(&response);
    assert_eq!(browser.read(&world, "k").await, Some(1));
}

#[tokio::test]
async fn a_4xx_response_saves() {
    let world = World::new();
    let mut browser = Browser::new();
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    browser.receive(&flight.finish_with(422).await);
    assert_eq!(browser.read(&world, "k").await, Some(1));
}

#[tokio::test]
async fn when_the_store_fails_the_response_is_a_503_without_details() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    world.faults.always_on(Replace, Fault::BeforeEffect);
    let response = browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(response.status, 503);
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    let verdict: Verdict = flight.commit().await;
    for detail in ["account", "test asked", "replace", "unavailable", "k"] {
        let words = verdict.message().split_ascii_whitespace();
        assert!(!words.into_iter().any(|word| word == detail), "{detail}");
    }
    world.faults.clear();
    browser.visit(&world, |s| s.insert("k", 2)).await;
    assert_eq!(browser.read(&world, "k").await, Some(2));
}

#[tokio::test]
async fn a_policy_keeps_the_response_and_the_loss_is_an_event() {
    let world = World::with(|n| n.on_store_failure(FailurePolicy::KeepResponse));
    let mut browser = Browser::known_to(&world).await;
    world.faults.fail_next(Replace, Fault::BeforeEffect);
    let response = browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(response.status, 200);
    assert_eq!(world.events.count(EventKind::Lost), 1);
    assert_eq!(browser.read::<u32>(&world, "k").await, None);
}

#[tokio::test]
async fn the_policy_holds_for_a_first_visit_too() {
    let world = World::with(|n| n.on_store_failure(FailurePolicy::KeepResponse));
    world.faults.always_on(Create, Fault::BeforeEffect);
    let mut browser = Browser::new();
    let response = browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(response.status, 200);
    assert!(response.cookies().is_empty());
    assert!(world.events.has(EventKind::Lost));
}

#[tokio::test]
async fn a_store_that_fails_when_opening_is_an_error_for_the_handler() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    world.faults.fail_next(Load, Fault::BeforeEffect);
    let flight = world.begin(&browser);
    let error = flight.try_open(ACCOUNT).await.unwrap_err();
    assert!(matches!(error, SessionError::Store(_)));
    assert_eq!(error.status(), 503);
    let shown = error.to_string();
    assert!(!shown.contains("test asked"), "{shown}");
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.source().is_some(), "kept for logs");
    assert!(flight.open(ACCOUNT).await.contains("known"), "it recovers");
}

#[tokio::test]
async fn a_session_that_could_not_be_opened_is_not_overwritten() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    world.faults.fail_next(Load, Fault::BeforeEffect);
    let flight = world.begin(&browser);
    flight.try_open(ACCOUNT).await.unwrap_err();
    let response = flight.finish().await;
    assert!(response.cookies().is_empty());
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn a_change_of_subject_whose_new_record_fails_leaves_nobody_logged_in() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.login("alice")).await;
    world.faults.fail_next(Create, Fault::BeforeEffect);
    let response = browser.visit(&world, |s| s.login("bob")).await;
    assert_eq!(response.status, 503);
    assert!(browser.cookie(COOKIE).is_none());
    assert_eq!(world.records(), 0);
}

fn account_and_cart(failing: bool) -> (World, cloakroom_testkit::Faults) {
    let store = cloakroom_memory::MemoryStore::new();
    let cart = cloakroom_testkit::FaultyStore::new(store);
    let faults = cart.faults();
    if failing {
        faults.always_on(Create, Fault::BeforeEffect);
    }
    let world = World::build(|builder, store| {
        builder
            .namespace(Namespace::new(ACCOUNT, store.clone()))
            .namespace(Namespace::new("cart", cart))
    });
    (world, faults)
}

#[tokio::test]
async fn the_response_carries_the_cookies_of_every_namespace_that_did_commit() {
    let (world, _) = account_and_cart(true);
    let mut browser = Browser::new();
    let flight = world.begin(&browser);
    for name in [ACCOUNT, "cart"] {
        flight.open(name).await.insert("k", 1).unwrap();
    }
    let response: Response = flight.finish().await;
    assert_eq!(response.status, 503);
    browser.receive(&response);
    assert!(browser.cookie(COOKIE).is_some());
    assert!(browser.cookie("__Host-cart").is_none());
    assert_eq!(browser.read(&world, "k").await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn the_namespaces_of_a_request_commit_concurrently() {
    let (world, faults) = account_and_cart(false);
    let slow = Fault::Delay(std::time::Duration::from_millis(300));
    world.faults.always_on(Create, slow);
    faults.always_on(Create, slow);
    let flight = world.begin(&Browser::new());
    for name in [ACCOUNT, "cart"] {
        flight.open(name).await.insert("k", 1).unwrap();
    }
    let began = tokio::time::Instant::now();
    let response = flight.finish().await;
    assert_eq!(response.cookies().len(), 2);
    assert!(began.elapsed().as_millis() < 400, "{:?}", began.elapsed());
}
