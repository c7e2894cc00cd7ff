//! Several cookies of one name: an attacker on a sibling domain can add some.

use cloakroom_core::EventKind;
use cloakroom_store::Operation::Load;

use crate::support::{ACCOUNT, Browser, COOKIE, Flight, Request, World};

fn with_tokens(world: &World, tokens: &[&str]) -> Flight {
    let pairs: Vec<_> = tokens.iter().map(|t| format!("{COOKIE}={t}")).collect();
    world.begin_with(Request::cookie(pairs.join("; ")))
}

#[tokio::test]
async fn one_that_verifies_wins_in_every_position() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let forged = ["a".repeat(64), "b".repeat(64), "malformed".to_owned()];
    for position in 0..4 {
        let mut tokens: Vec<_> = forged.iter().map(String::as_str).collect();
        tokens.insert(position, browser.token());
        let flight = with_tokens(&world, &tokens);
        assert!(flight.open(ACCOUNT).await.contains("known"), "{position}");
    }
    assert!(!world.events.has(EventKind::DuplicateTokens));
}

#[tokio::test]
async fn two_that_verify_to_different_sessions_are_none_and_an_event() {
    let world = World::new();
    let user = Browser::known_to(&world).await;
    let attacker = Browser::known_to(&world).await;
    for tokens in [
        [user.token(), attacker.token()],
        [attacker.token(), user.token()],
    ] {
        let flight = with_tokens(&world, &tokens);
        let session = flight.open(ACCOUNT).await;
        assert!(session.is_new());
        assert_eq!(world.events.count(EventKind::DuplicateTokens), 1);
        world.events.take();
        assert!(flight.finish().await.cookies().is_empty());
    }
    assert_eq!(world.records(), 2);
}

#[tokio::test]
async fn the_fifth_is_not_tried() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let forged: Vec<_> = ["a", "b", "c", "d"].map(|c| c.repeat(64)).into();
    let mut tokens: Vec<_> = forged.iter().map(String::as_str).collect();
    tokens.push(browser.token());
    let flight = with_tokens(&world, &tokens);
    assert!(flight.open(ACCOUNT).await.is_new());
    assert_eq!(world.calls(), [Load; 4]);
}

#[tokio::test]
async fn malformed_ones_count_among_the_four() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let flight = with_tokens(&world, &["", "", "", "", browser.token()]);
    assert!(flight.open(ACCOUNT).await.is_new());
    assert_eq!(world.calls(), []);
}

#[tokio::test]
async fn the_same_token_twice_is_one_and_loaded_once() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let flight = with_tokens(&world, &[browser.token(), browser.token()]);
    assert!(flight.open(ACCOUNT).await.contains("known"));
    assert_eq!(world.calls(), [Load]);
}

#[tokio::test]
async fn the_current_and_the_previous_token_of_one_session_open_it() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let previous = browser.clone();
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    for tokens in [
        [browser.token(), previous.token()],
        [previous.token(), browser.token()],
    ] {
        let flight = with_tokens(&world, &tokens);
        assert!(flight.open(ACCOUNT).await.contains("known"));
        assert!(flight.finish().await.cookies().is_empty());
    }
    assert!(!world.events.has(EventKind::DuplicateTokens));
}

#[tokio::test]
async fn a_good_token_wins_over_a_late_one() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let before = browser.clone();
    browser.visit(&world, |s| s.login("alice")).await;
    let flight = with_tokens(&world, &[before.token(), browser.token()]);
    assert!(flight.open(ACCOUNT).await.contains("known"));
}
