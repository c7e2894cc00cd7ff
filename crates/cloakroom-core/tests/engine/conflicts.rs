//! No lost updates: two requests that change one session at the same time.

use cloakroom_core::{EventKind, SessionHandle};
use cloakroom_store::Operation::{Load, Replace};

use crate::support::{Browser, Response, World};

/// Two requests open the session, change it, and commit in this order.
async fn race(
    world: &World,
    browser: &Browser,
    first: impl FnOnce(&SessionHandle),
    second: impl FnOnce(&SessionHandle),
) -> (Response, Response) {
    let (one, a) = world.open(browser).await;
    let (other, b) = world.open(browser).await;
    first(&a);
    second(&b);
    (one.finish().await, other.finish().await)
}

fn set(key: &'static str, value: u32) -> impl FnOnce(&SessionHandle) {
    move |session| session.insert(key, value).unwrap()
}

#[tokio::test]
async fn changes_of_different_keys_are_both_kept() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    race(&world, &browser, set("a", 1), set("b", 2)).await;
    assert_eq!(world.calls(), [Load, Load, Replace, Replace, Load, Replace]);
    assert_eq!(world.events.count(EventKind::Conflict), 1);
    assert!(!world.events.has(EventKind::Overwritten));
    assert_eq!(browser.read(&world, "a").await, Some(1));
    assert_eq!(browser.read(&world, "b").await, Some(2));
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn the_last_writer_wins_per_key() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    race(&world, &browser, set("k", 1), set("k", 2)).await;
    assert_eq!(browser.read(&world, "k").await, Some(2));
    assert!(!world.events.has(EventKind::Overwritten), "it had not read");
}

#[tokio::test]
async fn a_removal_lands_on_its_own_key() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let remove = |s: &SessionHandle| assert!(s.remove("known").unwrap());
    race(&world, &browser, set("a", 1), remove).await;
    assert_eq!(browser.read(&world, "a").await, Some(1));
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn a_value_removed_and_changed_at_the_same_time_is_as_the_last_left_it() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let remove = |s: &SessionHandle| assert!(s.remove("known").unwrap());
    let insert = |s: &SessionHandle| s.insert("known", false).unwrap();
    race(&world, &browser, remove, insert).await;
    assert_eq!(browser.read(&world, "known").await, Some(false));
    race(&world, &browser, insert_true, remove).await;
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

fn insert_true(session: &SessionHandle) {
    session.insert("known", true).unwrap();
}

#[tokio::test]
async fn clear_removes_what_others_have_added() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let clear = |s: &SessionHandle| {
        s.clear().unwrap();
        s.insert("after", 1).unwrap();
    };
    race(&world, &browser, set("added", 1), clear).await;
    let (_flight, session) = world.open(&browser).await;
    assert_eq!(session.keys(), ["after"]);
    browser.visit(&world, |s| s.end()).await;
}

#[tokio::test]
async fn what_is_added_after_a_clear_stays() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let clear = |s: &SessionHandle| s.clear().unwrap();
    race(&world, &browser, clear, set("added", 1)).await;
    let (_flight, session) = world.open(&browser).await;
    assert_eq!(session.keys(), ["added"]);
}

#[tokio::test]
async fn an_insert_on_a_key_that_was_read_and_changed_meanwhile_is_an_event() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let read_and_insert = |s: &SessionHandle| {
        assert_eq!(s.get::<u32>("k").unwrap(), None);
        s.insert("k", 2).unwrap();
    };
    let (_, second) = race(&world, &browser, set("k", 1), read_and_insert).await;
    assert_eq!(second.status, 200);
    assert_eq!(world.events.count(EventKind::Overwritten), 1);
    assert_eq!(browser.read(&world, "k").await, Some(2));
}

#[tokio::test]
async fn in_a_strict_namespace_it_is_a_409_and_nothing_is_stored() {
    // Every way to read counts.
    let reads: [fn(&SessionHandle); 6] = [
        |s| drop(s.get::<u32>("k")),
        |s| assert!(!s.contains("k")),
        |s| drop(s.keys()),
        |s| assert!(!s.is_empty()),
        |s| drop(s.entries::<bool>()),
        |s| drop(s.take::<u32>("k")),
    ];
    for (n, read) in reads.into_iter().enumerate() {
        let world = World::with(|namespace| namespace.strict());
        let mut browser = Browser::known_to(&world).await;
        let read_and_insert = |s: &SessionHandle| {
            read(s);
            s.insert("other", 2).unwrap();
            s.insert("k", 2).unwrap();
        };
        let (first, second) = race(&world, &browser, set("k", 1), read_and_insert).await;
        assert_eq!(first.status, 200, "{n}");
        assert_eq!(second.status, 409, "{n}");
        assert!(world.events.has(EventKind::Overwritten), "{n}");
        assert_eq!(browser.read(&world, "k").await, Some(1), "{n}");
        assert_eq!(browser.read::<u32>(&world, "other").await, None, "{n}");
    }
}

#[tokio::test]
async fn in_a_strict_namespace_keys_that_were_not_read_or_not_changed_do_not_clash() {
    let world = World::with(|namespace| namespace.strict());
    let mut browser = Browser::known_to(&world).await;
    let read_other = |s: &SessionHandle| {
        assert_eq!(s.get("known").unwrap(), Some(true));
        s.insert("known", false).unwrap();
        s.insert("k", 2).unwrap();
    };
    let (_, second) = race(&world, &browser, set("k", 1), read_other).await;
    assert_eq!(second.status, 200);
    assert_eq!(browser.read(&world, "k").await, Some(2));
    let add = |s: &SessionHandle| s.update("k", |k: &mut u32| *k += 10).unwrap();
    let (_, second) = race(&world, &browser, set("k", 5), add).await;
    assert_eq!(second.status, 200, "an update sees the fresh value");
    assert_eq!(browser.read(&world, "k").await, Some(15));
}

#[tokio::test]
async fn a_replay_that_changes_nothing_writes_nothing() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (_, second) = race(&world, &browser, set("k", 1), set("k", 1)).await;
    assert_eq!(second.status, 200);
    assert_eq!(world.calls(), [Load, Load, Replace, Replace, Load]);
}

#[tokio::test]
async fn a_session_that_meets_conflicts_is_committed_in_turns() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut flights = Vec::new();
    for n in 0..20 {
        let (flight, session) = world.open(&browser).await;
        session.insert(&format!("key-{n}"), n).unwrap();
        flights.push(flight);
    }
    world.calls();
    let commits: Vec<_> = flights
        .into_iter()
        .map(|flight| tokio::spawn(async move { flight.finish().await.status }))
        .collect();
    for commit in commits {
        assert_eq!(commit.await.unwrap(), 200);
    }
    let calls = world.calls();
    assert!(calls.len() < 50, "{} calls", calls.len());
    for n in 0..20 {
        let key = format!("key-{n}");
        assert_eq!(browser.read(&world, &key).await, Some(n));
    }
}

#[tokio::test]
async fn after_a_conflict_the_session_shows_what_others_have_changed() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (one, a) = world.open(&browser).await;
    let (_other, b) = world.open(&browser).await;
    a.insert("a", 1).unwrap();
    one.finish().await;
    b.insert("b", 2).unwrap();
    assert_eq!(b.get::<u32>("a").unwrap(), None);
    b.save().await.unwrap();
    assert_eq!(b.get("a").unwrap(), Some(1));
    assert_eq!(b.get("b").unwrap(), Some(2));
}

#[tokio::test]
async fn a_size_limit_that_is_met_only_together_with_others_is_an_error() {
    let world = World::with(|namespace| namespace.max_size(200));
    let mut browser = Browser::known_to(&world).await;
    let text = "x".repeat(100);
    let half = |key: &'static str| {
        let text = text.clone();
        move |s: &SessionHandle| s.insert(key, &text).unwrap()
    };
    let (first, second) = race(&world, &browser, half("a"), half("b")).await;
    assert_eq!((first.status, second.status), (200, 413));
    assert_eq!(browser.read::<String>(&world, "b").await, None);
    assert_eq!(browser.read(&world, "a").await, Some(text));
}

#[tokio::test]
async fn the_size_counts_what_is_there_after_a_merge() {
    let world = World::with(|namespace| namespace.max_size(200));
    let mut browser = Browser::known_to(&world).await;
    let (_slow, session) = world.open(&browser).await;
    session.insert("large", "x".repeat(140)).unwrap();
    session.save().await.unwrap();
    browser.visit(&world, |s| s.clear()).await;
    session.insert("small", 1).unwrap();
    session.save().await.unwrap();
    assert!(!session.contains("large"));
    session.insert("again", "x".repeat(100)).unwrap();
    session.save().await.unwrap();
    let stored = browser.read::<String>(&world, "again").await;
    assert_eq!(stored.map(|text| text.len()), Some(100));
}
