//! Which changes are stored when a request ends, and when there may be none.

use std::time::Duration;

use cloakroom_core::{
    Codec, EventKind, Level, ReadOnlySession, SaveMode, SessionError, SessionHandle, minutes,
};
use cloakroom_store::Operation::{Create, Delete, Load, Replace, Touch};

use crate::support::{ACCOUNT, Browser, Handler, World};

fn explicit() -> World {
    World::with(|namespace| namespace.save_mode(SaveMode::Explicit))
}

fn always() -> World {
    World::with(|namespace| namespace.save_mode(SaveMode::Always))
}

/// Beaker's `session.save()` without `auto`.
#[tokio::test]
async fn beaker_explicit_sessions_keep_what_was_saved() {
    let world = explicit();
    let mut browser = Browser::new();
    let (flight, session) = world.open(&browser).await;
    session.insert("a", 1).unwrap();
    session.save().await.unwrap();
    session.insert("b", 2).unwrap();
    browser.receive(&flight.finish().await);
    assert_eq!(world.calls(), [Create]);
    assert!(world.events.has(EventKind::NotSaved));
    assert_eq!(browser.read(&world, "a").await, Some(1));
    assert_eq!(browser.read::<u32>(&world, "b").await, None);
}

#[tokio::test]
async fn an_explicit_session_that_is_not_saved_is_none() {
    let world = explicit();
    let mut browser = Browser::new();
    let response = browser.visit(&world, |s| s.insert("a", 1)).await;
    assert!(response.cookies().is_empty());
    assert_eq!(world.calls(), []);
}

#[tokio::test]
async fn an_explicit_session_is_touched_although_nothing_is_saved() {
    let world = explicit();
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.login("ada")).await;
    world.clock.advance(minutes(20));
    world.calls();
    browser.visit(&world, |s| s.insert("a", 1)).await;
    assert_eq!(world.calls(), [Load, Touch]);
}

#[tokio::test]
async fn a_login_and_an_end_are_wishes_to_save() {
    let world = explicit();
    let mut browser = Browser::new();
    let login = |s: &SessionHandle| {
        s.insert("a", 1)?;
        s.login("ada")
    };
    browser.visit(&world, login).await;
    assert_eq!(browser.read(&world, "a").await, Some(1));
    world.calls();
    browser.visit(&world, |s| s.end()).await;
    assert_eq!(world.calls(), [Load, Delete]);
}

/// Beaker's `save_accessed_time`.
#[tokio::test]
async fn beaker_always_notes_each_use() {
    let world = always();
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.insert("a", 1)).await;
    world.clock.advance(Duration::from_secs(1));
    world.calls();
    browser.visit(&world, |_| Ok(())).await;
    assert_eq!(world.calls(), [Load, Touch]);
    browser.visit(&world, |s| s.insert("a", 2)).await;
    assert_eq!(world.calls(), [Load, Replace]);
}

#[tokio::test]
async fn always_makes_a_session_for_each_visitor_who_opens_one() {
    let world = always();
    let mut browser = Browser::new();
    let response = browser.visit(&world, |_| Ok(())).await;
    assert_eq!(response.cookies().len(), 1);
    assert_eq!(world.calls(), [Create]);
    let (flight, session) = world.open(&browser).await;
    assert!(!session.is_new());
    flight.finish().await;
    // A request that opens none makes none.
    let flight = world.begin(&Browser::new());
    assert!(flight.finish().await.cookies().is_empty());
    assert_eq!(world.records(), 1);
}

#[tokio::test]
async fn always_brings_no_ended_session_back() {
    let world = always();
    let mut browser = Browser::known_to(&world).await;
    let (slow, _session) = world.open(&browser).await;
    world.clock.advance(Duration::from_secs(1));
    browser.visit(&world, |s| s.end()).await;
    slow.finish().await;
    assert_eq!(world.records(), 0);
}

#[tokio::test]
async fn after_a_server_error_always_saves_no_more_than_others() {
    let world = always();
    let browser = Browser::new();
    let (flight, _session) = world.open(&browser).await;
    assert!(flight.finish_with(500).await.cookies().is_empty());
    assert_eq!(world.calls(), []);
}

/// Beaker's `revert()`.
#[tokio::test]
async fn beaker_revert_forgets_the_changes_since_the_last_save() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    session.insert("a", 1).unwrap();
    session.save().await.unwrap();
    session.insert("a", 2).unwrap();
    session.login("ada").unwrap();
    session.rotate().unwrap();
    session.revert();
    assert_eq!(session.get("a").unwrap(), Some(1));
    assert_eq!(session.subject(), None);
    world.calls();
    flight.finish().await;
    assert_eq!(world.calls(), []);
    assert_eq!(browser.read(&world, "a").await, Some(1));
}

#[tokio::test]
async fn an_end_is_not_reverted() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let end = |s: &SessionHandle| {
        s.end()?;
        s.revert();
        Ok(())
    };
    browser.visit(&world, end).await;
    assert_eq!(world.records(), 0);
}

#[tokio::test]
async fn a_reverted_session_has_room_again() {
    let world = World::with(|namespace| namespace.max_size(100).codec(Codec::MessagePack));
    let browser = Browser::new();
    let (_flight, session) = world.open(&browser).await;
    session.insert("a", "x".repeat(80)).unwrap();
    session.revert();
    session.insert("b", "x".repeat(80)).unwrap();
}

#[tokio::test]
async fn changes_on_safe_methods_are_refused_where_that_is_asked_for() {
    let world = World::with(|namespace| namespace.refuse_changes_on_get());
    let changes: [(&str, Handler); 11] = [
        ("insert", |s| s.insert("a", 1)),
        ("remove", |s| s.remove("k").map(drop)),
        ("take", |s| s.take::<u32>("k").map(drop)),
        ("clear", |s| s.clear()),
        ("update", |s| s.update("a", |n: &mut u32| *n += 1)),
        ("flash", |s| s.flash(Level::Info, "hi")),
        ("login", |s| s.login("ada")),
        ("end", |s| s.end()),
        ("logout", |s| s.logout()),
        ("rotate", |s| s.rotate().map(drop)),
        ("persist", |s| s.persist(minutes(1))),
    ];
    let mut browser = Browser::new();
    let (flight, session) = post(&world, &browser).await;
    session.insert("k", 1).unwrap();
    browser.receive(&flight.finish().await);
    world.calls();
    for (name, change) in changes {
        let (flight, session) = world.open(&browser).await;
        let error = change(&session).unwrap_err();
        assert!(matches!(error, SessionError::SafeMethod { .. }), "{name}");
        assert!(session.take_once::<u32>("k").await.is_err());
        assert!(
            session
                .update_now("k", |n: &mut u32| *n += 1)
                .await
                .is_err()
        );
        flight.finish().await;
        assert_eq!(world.calls(), [Load], "{name}");
    }
    let (flight, session) = post(&world, &browser).await;
    session.insert("k", 2).unwrap();
    flight.finish().await;
    assert_eq!(browser.read(&world, "k").await, Some(2));
}

#[tokio::test]
async fn messages_are_taken_on_safe_methods() {
    let world = World::with(|namespace| namespace.refuse_changes_on_get());
    let mut browser = Browser::new();
    let (flight, session) = post(&world, &browser).await;
    session.flash(Level::Info, "saved").unwrap();
    browser.receive(&flight.finish().await);
    let (flight, session) = world.open(&browser).await;
    assert_eq!(session.flashes::<String>().await.unwrap().len(), 1);
    flight.finish().await;
    let (_flight, session) = world.open(&browser).await;
    assert!(session.flashes::<String>().await.unwrap().is_empty());
}

async fn post(world: &World, browser: &Browser) -> (crate::support::Flight, SessionHandle) {
    let mut request = world.begin(browser).head;
    request.method = "POST".to_owned();
    let flight = world.begin_with(request);
    let session = flight.open(ACCOUNT).await;
    (flight, session)
}

#[tokio::test]
async fn what_is_read_alone_sees_what_others_change() {
    let world = World::new();
    let browser = Browser::new();
    let (_flight, session) = world.open(&browser).await;
    let reader: ReadOnlySession = session.read_only();
    assert!(reader.is_empty() && reader.is_new());
    session.insert("a", 1).unwrap();
    session.login("ada").unwrap();
    assert_eq!(reader.get("a").unwrap(), Some(1));
    assert_eq!(reader.get_or_default::<u32>("b").unwrap(), 0);
    assert_eq!(reader.entries::<u32>().unwrap().len(), 1);
    assert_eq!((reader.keys().len(), reader.len()), (1, 1));
    assert!(reader.contains("a"));
    assert_eq!(reader.namespace(), ACCOUNT);
    assert_eq!(reader.id(), None);
    assert_eq!(reader.subject(), session.subject());
    assert_eq!(reader.created(), reader.last_seen());
    assert_eq!(reader.expires(), session.expires());
}
