//! Rotation: a new secret, and the old one for a grace.

use std::time::Duration;

use cloakroom_core::{EventKind, minutes};
use cloakroom_store::Operation::{Load, Replace};

use crate::support::{Browser, World};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test]
async fn a_rotation_changes_the_secret_and_nothing_else() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (id, token) = (browser.id(), browser.token().to_owned());
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    assert_eq!(world.calls(), [Load, Replace]);
    assert_eq!(browser.id(), id);
    assert_ne!(browser.token(), token);
    assert_eq!(browser.read(&world, "known").await, Some(true));
    assert_eq!(world.records(), 1);
    assert!(world.events.has(EventKind::Rotated));
}

#[tokio::test]
async fn the_previous_token_is_good_until_60_s_after_the_first_sight_of_the_next() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut previous = browser.clone();
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    world.clock.advance(minutes(20));
    assert_eq!(previous.clone().read(&world, "known").await, Some(true));
    browser.visit(&world, |_| Ok(())).await;
    world.clock.advance(seconds(59));
    assert_eq!(previous.clone().read(&world, "known").await, Some(true));
    world.clock.advance(seconds(1));
    assert_eq!(previous.read::<bool>(&world, "known").await, None);
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn unseen_the_previous_token_lasts_to_the_idle_limit() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let lost = browser.clone();
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    world.clock.advance(minutes(30) - seconds(1));
    assert_eq!(lost.clone().read(&world, "known").await, Some(true));
    world.clock.advance(seconds(1));
    assert_eq!(lost.clone().read::<bool>(&world, "known").await, None);
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn whoever_presents_the_previous_token_is_sent_the_same_next_one_and_nothing_is_written() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let lost = browser.clone();
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    world.calls();
    for _ in 0..3 {
        let mut again = lost.clone();
        again.visit(&world, |_| Ok(())).await;
        assert_eq!(again.token(), browser.token());
        assert_eq!(world.calls(), [Load]);
    }
}

#[tokio::test]
async fn a_change_under_the_previous_token_is_kept_and_answered_with_the_next() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut lost = browser.clone();
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    lost.visit(&world, |s| s.insert("late", 1)).await;
    assert_eq!(lost.token(), browser.token());
    assert_eq!(browser.read(&world, "late").await, Some(1));
}

#[tokio::test]
async fn the_previous_token_starts_no_rotation() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut previous = browser.clone();
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    world.events.take();
    world.calls();
    previous.visit(&world, |s| s.rotate().map(drop)).await;
    assert_eq!(world.calls(), [Load]);
    assert!(!world.events.has(EventKind::Rotated));
    assert_eq!(previous.token(), browser.token());
}

#[tokio::test]
async fn no_rotation_starts_while_a_previous_token_is_good() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    let token = browser.token().to_owned();
    for _ in 0..2 {
        world.clock.advance(seconds(30));
        browser.visit(&world, |s| s.rotate().map(drop)).await;
        assert_eq!(browser.token(), token);
    }
    world.clock.advance(seconds(30));
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    assert_ne!(browser.token(), token);
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn the_first_sight_of_the_next_token_costs_one_store_call_once() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    world.calls();
    browser.visit(&world, |_| Ok(())).await;
    assert_eq!(world.calls(), [Load, Replace]);
    browser.visit(&world, |_| Ok(())).await;
    assert_eq!(world.calls(), [Load]);
}

#[tokio::test]
async fn a_change_with_the_first_sight_costs_no_call_more() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut previous = browser.clone();
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    world.calls();
    browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(world.calls(), [Load, Replace]);
    world.clock.advance(seconds(60));
    assert_eq!(previous.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn a_first_sight_that_can_not_be_noted_disturbs_nobody() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    let fault = cloakroom_testkit::Fault::BeforeEffect;
    world.faults.fail_next(Replace, fault);
    let response = browser.visit(&world, |_| Ok(())).await;
    assert_eq!(response.status, 200);
    browser.visit(&world, |_| Ok(())).await;
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn rotate_every_applies_to_sessions_with_a_subject() {
    let world = World::with(|namespace| namespace.rotate_every(minutes(10)));
    let mut anonymous = Browser::known_to(&world).await;
    let mut user = Browser::known_to(&world).await;
    user.visit(&world, |s| s.login("alice")).await;
    let tokens = [anonymous.token().to_owned(), user.token().to_owned()];
    world.clock.advance(minutes(10) - seconds(1));
    user.visit(&world, |_| Ok(())).await;
    assert_eq!(user.token(), tokens[1]);
    world.clock.advance(seconds(1));
    anonymous.visit(&world, |_| Ok(())).await;
    user.visit(&world, |_| Ok(())).await;
    assert_eq!(anonymous.token(), tokens[0]);
    assert_ne!(user.token(), tokens[1]);
    assert_eq!(user.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn rotate_every_does_not_rotate_a_streaming_response() {
    let world = World::with(|namespace| namespace.rotate_every(minutes(10)));
    let mut user = Browser::known_to(&world).await;
    user.visit(&world, |s| s.login("alice")).await;
    let (flight, session) = world.open(&user).await;
    user.receive(&flight.finish().await);
    world.clock.advance(minutes(20));
    session.insert("streamed", 1).unwrap();
    session.save().await.unwrap();
    assert_eq!(user.read(&world, "streamed").await, Some(1));
}

#[tokio::test]
async fn a_rotation_in_a_request_that_fails_is_not_carried_out() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    session.rotate().unwrap();
    let response = flight.finish_with(500).await;
    assert!(response.cookies().is_empty());
    assert_eq!(world.calls(), [Load]);
}
