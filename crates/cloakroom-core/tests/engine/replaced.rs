//! Replaced tokens that come back.

use cloakroom_core::{EventKind, ReplacedTokenPolicy, minutes};
use cloakroom_store::Operation::{Delete, Load};

use crate::support::{Browser, World, revoke};

/// A session whose token was rotated, and whoever still has the token from before.
async fn rotated(world: &World) -> (Browser, Browser) {
    let mut browser = Browser::known_to(world).await;
    let old = browser.clone();
    browser.visit(world, |s| s.rotate().map(drop)).await;
    browser.visit(world, |_| Ok(())).await;
    world.clock.advance(minutes(1));
    world.calls();
    world.events.take();
    (browser, old)
}

#[tokio::test]
async fn a_replaced_token_after_its_grace_is_an_event_and_a_new_session() {
    let world = World::new();
    let (mut browser, mut old) = rotated(&world).await;
    let response = old.visit(&world, |s| {
        assert!(s.is_new());
        Ok(())
    });
    assert!(response.await.cookies().is_empty());
    assert_eq!(world.calls(), [Load]);
    assert_eq!(world.events.count(EventKind::ReplacedToken), 1);
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn a_policy_ends_the_session_of_a_replaced_token() {
    let world = World::with(|n| n.on_replaced_token(ReplacedTokenPolicy::EndSession));
    let (mut browser, mut old) = rotated(&world).await;
    old.visit(&world, |_| Ok(())).await;
    assert_eq!(world.calls(), [Load, Delete]);
    assert!(world.events.has(EventKind::ReplacedToken));
    assert!(world.events.has(EventKind::Ended));
    assert_eq!(world.records(), 0);
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn a_token_in_its_grace_is_no_replaced_one() {
    let world = World::with(|n| n.on_replaced_token(ReplacedTokenPolicy::EndSession));
    let mut browser = Browser::known_to(&world).await;
    let mut old = browser.clone();
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    assert_eq!(old.read(&world, "known").await, Some(true));
    assert!(!world.events.has(EventKind::ReplacedToken));
    assert_eq!(world.records(), 1);
}

#[tokio::test]
async fn a_token_from_before_a_login_never_counts_as_replaced() {
    let world = World::with(|n| n.on_replaced_token(ReplacedTokenPolicy::EndSession));
    let (mut browser, before_rotation) = rotated(&world).await;
    let before_login = browser.clone();
    browser.visit(&world, |s| s.login("alice")).await;
    for wait in [0, 2] {
        world.clock.advance(minutes(wait));
        for old in [&before_rotation, &before_login] {
            old.clone().visit(&world, |_| Ok(())).await;
        }
    }
    assert!(!world.events.has(EventKind::ReplacedToken));
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn a_token_from_before_a_revocation_never_counts_as_replaced() {
    let world = World::with(|n| n.on_replaced_token(ReplacedTokenPolicy::EndSession));
    let (mut browser, old) = rotated(&world).await;
    browser.visit(&world, revoke).await;
    world.clock.advance(minutes(2));
    old.clone().visit(&world, |_| Ok(())).await;
    assert!(!world.events.has(EventKind::ReplacedToken));
    assert_eq!(browser.read(&world, "known").await, Some(true));
}
