//! The ends of sessions, judged by the server.

use std::time::Duration;

use cloakroom_core::{
    Clock, EndedPolicy, EventKind, Limits, Namespace, SessionManager, days, hours, minutes,
};

use crate::support::{ACCOUNT, Browser, World};

const INSTANT: Duration = Duration::from_millis(1);

fn with_limits(limits: Limits) -> World {
    World::with(|namespace| namespace.limits(limits))
}

#[tokio::test]
async fn cve_2018_1000814_the_idle_limit_is_the_servers_and_not_only_the_browsers() {
    let world = with_limits(Limits::idle(minutes(30)));
    let mut browser = Browser::known_to(&world).await;
    let mut curl = browser.clone();
    world.clock.advance(minutes(30) - INSTANT);
    assert_eq!(browser.clone().read(&world, "known").await, Some(true));
    let world = with_limits(Limits::idle(minutes(30)));
    browser = Browser::known_to(&world).await;
    curl.clone_from(&browser);
    world.clock.advance(minutes(30));
    assert_eq!(curl.read::<bool>(&world, "known").await, None);
    assert!(world.events.has(EventKind::Expired));
}

#[tokio::test]
async fn the_absolute_limit_ends_a_session_that_is_in_use() {
    let world = with_limits(Limits::idle(minutes(30)).absolute(hours(2)));
    let mut browser = Browser::known_to(&world).await;
    for n in 0..11 {
        world.clock.advance(minutes(10));
        browser.visit(&world, |s| s.insert("n", n)).await;
    }
    world.clock.advance(minutes(10) - INSTANT);
    assert_eq!(browser.read(&world, "n").await, Some(10));
    world.clock.advance(INSTANT);
    assert_eq!(browser.read::<u32>(&world, "n").await, None);
}

#[tokio::test]
async fn the_absolute_limit_survives_rotation_and_touching() {
    let world = with_limits(Limits::idle(minutes(30)).absolute(hours(1)));
    let mut browser = Browser::known_to(&world).await;
    for _ in 0..5 {
        world.clock.advance(minutes(5));
        browser.visit(&world, |_| Ok(())).await;
        world.clock.advance(minutes(5));
        browser.visit(&world, |s| s.rotate().map(drop)).await;
    }
    assert!(world.events.has(EventKind::Touched));
    assert!(world.events.has(EventKind::Rotated));
    world.clock.advance(minutes(10));
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn the_earlier_of_both_limits_counts() {
    let world = with_limits(Limits::idle(minutes(10)).absolute(hours(1)));
    let mut browser = Browser::known_to(&world).await;
    world.clock.advance(minutes(10));
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn use_prolongs_the_idle_limit_by_changes_and_by_reads() {
    let world = with_limits(Limits::idle(minutes(10)));
    let mut browser = Browser::known_to(&world).await;
    for n in 0..20 {
        world.clock.advance(minutes(8));
        match n % 2 {
            0 => assert_eq!(browser.read(&world, "known").await, Some(true)),
            _ => drop(browser.visit(&world, |s| s.insert("n", n)).await),
        }
    }
}

#[tokio::test]
async fn a_request_that_opens_nothing_prolongs_nothing() {
    let world = with_limits(Limits::idle(minutes(10)));
    let mut browser = Browser::known_to(&world).await;
    world.clock.advance(minutes(8));
    let flight = world.begin(&browser);
    flight.sessions.judge_all(&flight.head);
    flight.finish().await;
    world.clock.advance(minutes(2));
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn an_expired_session_is_new() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    world.clock.advance(hours(9));
    let (flight, session) = world.open(&browser).await;
    assert!(session.is_new());
    assert!(session.is_empty());
    assert!(session.id().is_none());
    assert!(session.subject().is_none());
    assert_eq!(session.created(), world.clock.now());
    assert_eq!(session.last_seen(), world.clock.now());
    let end = world.clock.now().saturating_add(minutes(30));
    assert_eq!(session.expires(), end);
    let response = flight.finish().await;
    assert!(response.cookies().is_empty(), "no removal cookie");
}

#[tokio::test]
async fn what_is_stored_after_expiry_has_another_id() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let old = browser.id();
    world.clock.advance(hours(9));
    browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_ne!(browser.id(), old);
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

/// Another start of the application, with other limits.
fn restarted(world: &World, limits: Limits) -> World {
    let manager = SessionManager::builder()
        .namespace(Namespace::new(ACCOUNT, world.store.clone()).limits(limits))
        .clock(world.clock.clone())
        .observer(world.events.clone());
    World {
        manager: manager.build().unwrap(),
        store: world.store.clone(),
        faults: world.faults.clone(),
        clock: world.clock.clone(),
        events: world.events.clone(),
    }
}

#[tokio::test]
async fn shortened_limits_apply_to_the_sessions_that_there_are() {
    let before = with_limits(Limits::idle(days(10)).absolute(days(20)));
    let mut browser = Browser::known_to(&before).await;
    before.clock.advance(hours(2));
    for limits in [Limits::idle(hours(1)), Limits::absolute_only(hours(1))] {
        let after = restarted(&before, limits);
        let mut copy = browser.clone();
        assert_eq!(copy.read::<bool>(&after, "known").await, None);
    }
    assert_eq!(browser.read(&before, "known").await, Some(true));
}

#[tokio::test]
async fn cve_2024_35220_the_records_own_end_counts_when_the_limits_are_longer() {
    let before = with_limits(Limits::idle(hours(1)));
    let mut browser = Browser::known_to(&before).await;
    let after = restarted(&before, Limits::idle(days(10)));
    before.clock.advance(hours(1));
    assert_eq!(browser.read::<bool>(&after, "known").await, None);
}

#[tokio::test]
async fn a_commit_judges_expiry_with_a_margin() {
    for (wait, is_kept) in [(59, true), (62, false)] {
        let world = with_limits(Limits::idle(minutes(10)));
        let mut browser = Browser::known_to(&world).await;
        world.clock.advance(minutes(10) - INSTANT);
        let (slow, session) = world.open(&browser).await;
        let (other, conflicting) = world.open(&browser).await;
        session.update("n", |n: &mut u32| *n += 1).unwrap();
        conflicting.insert("k", 1).unwrap();
        // Without a conflict nothing is loaded, and with one the record has been used just now.
        let old = world.record(browser.id()).await.unwrap();
        other.finish().await;
        world
            .tamper(browser.id(), |record| record.expires = old.expires)
            .await;
        world.clock.advance(Duration::from_secs(wait));
        slow.finish().await;
        let stored = browser.read::<u32>(&world, "n").await;
        assert_eq!(stored.is_some(), is_kept, "{wait} s");
    }
}

#[tokio::test]
async fn a_commit_without_a_conflict_judges_expiry_with_the_same_margin() {
    for (wait, is_kept) in [(59, true), (62, false)] {
        let world = with_limits(Limits::idle(minutes(10)));
        let mut browser = Browser::known_to(&world).await;
        world.clock.advance(minutes(10) - INSTANT);
        let (_stream, session) = world.open(&browser).await;
        world.clock.advance(Duration::from_secs(wait));
        session.insert("k", 1).unwrap();
        assert_eq!(session.save().await.is_ok(), is_kept, "{wait} s");
        let stored = browser.read::<u32>(&world, "k").await;
        assert_eq!(stored.is_some(), is_kept, "{wait} s");
    }
}

#[tokio::test]
async fn a_clock_that_goes_back_ends_nothing_and_moves_no_time_back() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let ahead = world.record(browser.id()).await.unwrap();
    let slow = crate::support::TestClock::default();
    let manager = SessionManager::builder()
        .namespace(Namespace::new(ACCOUNT, world.store.clone()))
        .clock(slow);
    world.clock.advance(minutes(5));
    browser.visit(&world, |s| s.insert("k", 1)).await;
    let later = world.record(browser.id()).await.unwrap();
    assert!(later.last_seen > ahead.last_seen);
    let behind = World {
        manager: manager.build().unwrap(),
        store: world.store.clone(),
        faults: world.faults.clone(),
        clock: world.clock.clone(),
        events: world.events.clone(),
    };
    browser.visit(&behind, |s| s.insert("k", 2)).await;
    let record = world.record(browser.id()).await.unwrap();
    assert_eq!(record.last_seen, later.last_seen);
    assert_eq!(record.expires, later.expires);
}

#[tokio::test]
async fn a_login_long_after_expiry_makes_a_session_of_its_own() {
    let world = with_limits(Limits::idle(minutes(10)));
    let mut browser = Browser::known_to(&world).await;
    let old = browser.id();
    let (slow, session) = world.open(&browser).await;
    world.clock.advance(minutes(12));
    session.insert("mine", 1).unwrap();
    session.login("alice").unwrap();
    browser.receive(&slow.finish().await);
    assert_ne!(browser.id(), old);
    assert_eq!(browser.read(&world, "mine").await, Some(1));
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn a_slow_read_counts_from_when_the_session_was_opened() {
    let world = with_limits(Limits::idle(minutes(10)));
    let mut browser = Browser::known_to(&world).await;
    world.clock.advance(minutes(9));
    let (slow, _) = world.open(&browser).await;
    world.clock.advance(minutes(3));
    assert_eq!(slow.finish().await.status, 200);
    world.clock.advance(minutes(7) - INSTANT);
    let (_flight, session) = world.open(&browser).await;
    assert!(!session.is_new());
    world.clock.advance(INSTANT);
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn a_slow_read_whose_rotation_is_due_too_late_is_answered_as_it_is() {
    let world = World::with(|n| {
        n.limits(Limits::idle(minutes(10)))
            .rotate_every(minutes(5))
            .on_ended(EndedPolicy::Respond409)
    });
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.login("alice")).await;
    world.clock.advance(minutes(9));
    let (slow, _) = world.open(&browser).await;
    world.clock.advance(minutes(3));
    assert_eq!(slow.finish().await.status, 200);
}
