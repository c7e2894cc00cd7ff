//! What the list of a subject's sessions shows.

use std::time::Duration;

use cloakroom_core::{
    Limits, Namespace, SessionManager, days, hours, minutes,
    store::{Cursor, StoreErrorKind},
};
use cloakroom_store::Operation::{BySubject, Load};
use cloakroom_testkit::Fault;
use tokio::time::Instant;

use super::{SECOND, TICK, alice, ids, list, logged_in, several, store_error, subjects};
use crate::support::{ACCOUNT, Browser, World};

#[tokio::test]
async fn the_list_shows_the_subjects_sessions_and_no_others_in_one_call() {
    let world = World::new();
    let alices = several(&world, 2).await;
    logged_in(&world, "bob").await;
    Browser::known_to(&world).await;
    let mut listed = ids(&world).await;
    assert_eq!(world.calls(), [BySubject]);
    listed.sort();
    let mut expected: Vec<_> = alices.iter().map(Browser::id).collect();
    expected.sort();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn the_list_says_of_each_what_the_session_says_of_itself() {
    let world = World::new();
    let mut browser = logged_in(&world, "alice").await;
    world.clock.advance(minutes(10));
    browser.visit(&world, |s| s.insert("k", 1)).await;
    world.clock.advance(minutes(1));
    let (_flight, session) = world.open(&browser).await;
    let [listed] = list(&world).await[..] else {
        panic!("one session")
    };
    assert_eq!(Some(listed.id), session.id());
    assert_eq!(listed.created, session.created());
    assert_eq!(listed.last_seen, session.last_seen());
    assert_eq!(listed.expires, session.expires());
    let since = listed.last_seen.saturating_since(listed.created);
    assert_eq!(since, minutes(10));
}

#[tokio::test]
async fn the_list_comes_in_pages() {
    let world = World::new();
    let alices = several(&world, 7).await;
    let mut found = Vec::new();
    let mut after: Option<Cursor> = None;
    let mut pages = 0;
    loop {
        let page = subjects(&world)
            .sessions_of(&alice(), after.as_ref(), 3)
            .await;
        let page = page.unwrap();
        assert!(page.sessions.len() <= 3);
        found.extend(page.sessions.iter().map(|session| session.id));
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, 3);
    found.sort();
    let mut expected: Vec<_> = alices.iter().map(Browser::id).collect();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_page_has_one_session_at_least_and_a_hundred_at_most() {
    let world = World::new();
    several(&world, 105).await;
    for (limit, length) in [(0, 1), (1, 1), (1_000_000, 100), (usize::MAX, 100)] {
        let page = subjects(&world).sessions_of(&alice(), None, limit).await;
        assert_eq!(page.unwrap().sessions.len(), length, "{limit}");
    }
}

#[tokio::test]
async fn the_expired_are_left_out_whether_they_are_swept_or_not() {
    let world = World::with(|n| n.limits(Limits::idle(minutes(30)).absolute(hours(8))));
    let mut used = logged_in(&world, "alice").await;
    logged_in(&world, "alice").await;
    world.clock.advance(minutes(20));
    used.visit(&world, |s| s.insert("k", 1)).await;
    world.clock.advance(minutes(10));
    assert_eq!(ids(&world).await, [used.id()]);
    assert_eq!(world.records(), 2);
}

#[tokio::test]
async fn limits_that_were_shortened_count_for_the_list_as_they_do_for_opening() {
    let world = World::with(|n| n.limits(Limits::idle(hours(10)).absolute(days(30))));
    let mut used = logged_in(&world, "alice").await;
    logged_in(&world, "alice").await;
    world.clock.advance(hours(1));
    used.visit(&world, |s| s.insert("k", 1)).await;
    // The next release of the application, with the same store.
    let shortened = Limits::idle(minutes(30)).absolute(hours(8));
    let account = Namespace::new(ACCOUNT, world.store.clone()).limits(shortened);
    let manager = SessionManager::builder()
        .namespace(account)
        .clock(world.clock.clone())
        .build()
        .unwrap();
    let page = manager.subjects(ACCOUNT).unwrap();
    let page = page.sessions_of(&alice(), None, 10).await.unwrap();
    let listed: Vec<_> = page.sessions.iter().map(|session| session.id).collect();
    assert_eq!(listed, [used.id()]);
}

#[tokio::test]
async fn sessions_with_a_lifetime_of_their_own_are_listed_as_long_as_it_lasts() {
    let world = World::with(|n| n.limits(Limits::idle(minutes(30)).absolute(hours(8))));
    let mut browser = logged_in(&world, "alice").await;
    browser.visit(&world, |s| s.persist(days(14))).await;
    world.calls();
    for (time, is_listed) in [(days(1), true), (days(12), true), (days(1), false)] {
        world.clock.advance(time);
        assert_eq!(!list(&world).await.is_empty(), is_listed);
    }
    assert_eq!(world.calls(), [BySubject, Load, BySubject, Load, BySubject]);
}

#[tokio::test(start_paused = true)]
async fn those_that_are_loaded_are_loaded_sixteen_at_a_time() {
    let world = World::with(|n| n.limits(Limits::idle(minutes(30)).absolute(hours(8))));
    for mut browser in several(&world, 50).await {
        browser.visit(&world, |s| s.persist(days(14))).await;
    }
    world.clock.advance(days(1));
    let before = ids(&world).await;
    assert_eq!(before.len(), 50);
    // One after the other they would take longer than opening may.
    let late = Duration::from_millis(30);
    world.faults.always_on(Load, Fault::Delay(late));
    let began = Instant::now();
    assert_eq!(ids(&world).await, before);
    let rounds = late * 50_u32.div_ceil(16);
    let took = began.elapsed();
    assert!(rounds <= took && took <= rounds + 4 * TICK, "{took:?}");
}

/// However many there are, they have the one deadline together.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_too_slow_for_a_page_is_an_error_in_time() {
    let world = World::with(|n| n.limits(Limits::idle(minutes(30)).absolute(hours(8))));
    for mut browser in several(&world, 100).await {
        browser.visit(&world, |s| s.persist(days(14))).await;
    }
    world.clock.advance(days(1));
    let late = Fault::Delay(Duration::from_millis(400));
    world.faults.always_on(Load, late);
    let began = Instant::now();
    let page = subjects(&world).sessions_of(&alice(), None, 100).await;
    assert_eq!(store_error(page.unwrap_err()), StoreErrorKind::TimedOut);
    assert!(began.elapsed() <= SECOND + TICK, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_login_begins_the_absolute_limit_again_for_the_list_too() {
    let world = World::with(|n| n.limits(Limits::absolute_only(hours(8))));
    let mut browser = Browser::known_to(&world).await;
    world.clock.advance(hours(7));
    browser.visit(&world, |s| s.login("alice")).await;
    world.clock.advance(hours(7));
    assert_eq!(ids(&world).await, [browser.id()]);
    world.clock.advance(hours(1));
    assert_eq!(list(&world).await, []);
}

#[tokio::test]
async fn a_cursor_from_elsewhere_is_an_error() {
    let world = World::new();
    several(&world, 2).await;
    let forged = Cursor::new("' or 1=1; --".into());
    let page = subjects(&world)
        .sessions_of(&alice(), Some(&forged), 10)
        .await;
    assert_eq!(store_error(page.unwrap_err()), StoreErrorKind::Other);
}
