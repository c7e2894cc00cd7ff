//! Touching, persistent cookies and lifetimes of single sessions.

use std::time::Duration;

use cloakroom_core::{Clock, EventKind, Limits, days, hours, minutes};
use cloakroom_store::Operation::{Load, Replace, Touch};

use crate::support::{Browser, World};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test]
async fn a_touch_happens_when_a_tenth_of_the_idle_time_has_passed() {
    let world = World::with(|n| n.limits(Limits::idle(minutes(10))));
    let mut browser = Browser::known_to(&world).await;
    world.clock.advance(seconds(59));
    browser.visit(&world, |_| Ok(())).await;
    assert_eq!(world.calls(), [Load]);
    world.clock.advance(seconds(1));
    browser.visit(&world, |_| Ok(())).await;
    assert_eq!(world.calls(), [Load, Touch]);
}

#[tokio::test]
async fn the_real_idle_limit_is_between_09_and_10_of_the_set_one() {
    let world = World::with(|n| n.limits(Limits::idle(minutes(10))));
    let mut browser = Browser::known_to(&world).await;
    // A use that is not noted.
    world.clock.advance(seconds(59));
    browser.visit(&world, |_| Ok(())).await;
    world.clock.advance(minutes(9));
    assert_eq!(browser.clone().read(&world, "known").await, Some(true));
    let world = World::with(|n| n.limits(Limits::idle(minutes(10))));
    let mut browser = Browser::known_to(&world).await;
    world.clock.advance(seconds(59));
    browser.visit(&world, |_| Ok(())).await;
    world.clock.advance(minutes(9) + seconds(1));
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn touch_after_zero_makes_the_idle_limit_exact() {
    let limits = Limits::idle(minutes(10)).touch_after(Duration::ZERO);
    let world = World::with(|n| n.limits(limits));
    let mut browser = Browser::known_to(&world).await;
    for _ in 0..5 {
        world.clock.advance(seconds(1));
        browser.visit(&world, |_| Ok(())).await;
        assert_eq!(world.calls(), [Load, Touch]);
    }
    world.clock.advance(minutes(10) - seconds(1));
    assert_eq!(browser.clone().read(&world, "known").await, Some(true));
    world.clock.advance(minutes(10));
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn without_an_idle_limit_nothing_is_touched() {
    let world = World::with(|n| n.limits(Limits::absolute_only(days(1))));
    let mut browser = Browser::known_to(&world).await;
    world.clock.advance(hours(23));
    browser.visit(&world, |_| Ok(())).await;
    assert_eq!(world.calls(), [Load]);
}

#[tokio::test]
async fn a_touch_moves_the_times_and_keeps_version_and_data() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let before = world.record(browser.id()).await.unwrap();
    world.clock.advance(minutes(10));
    browser.visit(&world, |_| Ok(())).await;
    let after = world.record(browser.id()).await.unwrap();
    assert_eq!(after.last_seen, world.clock.now());
    assert_eq!(after.expires, world.clock.now().saturating_add(minutes(30)));
    assert_eq!(after.created, before.created);
    assert_eq!((after.version, after.data), (before.version, before.data));
}

#[tokio::test]
async fn the_cookie_has_no_max_age_unless_it_is_persistent() {
    let world = World::new();
    let mut browser = Browser::new();
    let response = browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(response.max_age(), None);
    let response = browser.visit(&world, |s| s.login("alice")).await;
    assert_eq!(response.max_age(), None);
}

#[tokio::test]
async fn a_persistent_cookie_lasts_to_the_absolute_limit_and_is_sent_at_create_login_and_rotation()
{
    let world = World::with(|n| n.persistent(days(30)));
    let mut browser = Browser::new();
    let day = 86_400;
    let response = browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(response.max_age(), Some(30 * day));
    world.clock.advance(days(10));
    let response = browser.visit(&world, |s| s.insert("k", 2)).await;
    assert!(response.cookies().is_empty(), "a change sends no cookie");
    let response = browser.visit(&world, |s| s.rotate().map(drop)).await;
    assert_eq!(response.max_age(), Some(20 * day));
    let response = browser.visit(&world, |s| s.login("alice")).await;
    assert_eq!(response.max_age(), Some(30 * day), "it begins again");
    world.clock.advance(days(30));
    assert_eq!(browser.read::<u32>(&world, "k").await, None);
}

#[tokio::test]
async fn max_age_is_at_most_400_days() {
    let world = World::with(|n| n.persistent(days(1_000)));
    let mut browser = Browser::new();
    let response = browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(response.max_age(), Some(400 * 86_400));
    world.clock.advance(days(999));
    assert_eq!(browser.read(&world, "k").await, Some(1));
}

#[tokio::test]
async fn a_persistent_namespace_may_have_an_idle_limit_too() {
    let world = World::with(|n| n.limits(Limits::idle(days(7))).persistent(days(30)));
    let mut browser = Browser::new();
    let response = browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(response.max_age(), Some(30 * 86_400));
    world.clock.advance(days(7));
    assert_eq!(browser.read::<u32>(&world, "k").await, None);
}

#[tokio::test]
async fn persist_gives_one_session_a_lifetime_of_its_own() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut other = Browser::known_to(&world).await;
    let response = browser.visit(&world, |s| s.persist(days(14))).await;
    assert_eq!(world.calls(), [Load, Replace]);
    assert_eq!(response.max_age(), Some(14 * 86_400));
    world.clock.advance(days(14) - seconds(1));
    assert_eq!(other.read::<bool>(&world, "known").await, None);
    assert_eq!(browser.read(&world, "known").await, Some(true));
    world.clock.advance(seconds(1));
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn persist_on_a_first_visit_and_with_a_login() {
    let world = World::new();
    let mut browser = Browser::new();
    let remember = |s: &cloakroom_core::SessionHandle| {
        s.persist(days(14))?;
        s.login("alice")
    };
    let response = browser.visit(&world, remember).await;
    assert_eq!(response.max_age(), Some(14 * 86_400));
    world.clock.advance(days(10));
    let response = browser.visit(&world, |s| s.login("alice")).await;
    assert_eq!(response.max_age(), Some(14 * 86_400), "it stays with it");
}

#[tokio::test]
async fn persisting_for_less_than_a_second_is_refused() {
    let world = World::new();
    let (_flight, session) = world.open(&Browser::new()).await;
    assert!(session.persist(Duration::from_millis(999)).is_err());
    assert!(session.persist(seconds(1)).is_ok());
}

#[tokio::test]
async fn the_handle_tells_the_times() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let created = world.clock.now();
    world.clock.advance(minutes(10));
    browser.visit(&world, |_| Ok(())).await;
    let seen = world.clock.now();
    world.clock.advance(minutes(1));
    let (_flight, session) = world.open(&browser).await;
    assert!(!session.is_new());
    assert_eq!(session.created(), created);
    assert_eq!(session.last_seen(), seen);
    assert_eq!(session.expires(), seen.saturating_add(minutes(30)));
    assert!(!world.events.has(EventKind::Expired));
}
