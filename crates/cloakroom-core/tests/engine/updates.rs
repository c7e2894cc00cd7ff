//! `update`: closures that run again on a fresh value.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use cloakroom_core::{Namespace, Outcome, RequestSessions, SessionError, SessionHandle};

use crate::support::{ACCOUNT, Browser, World};

fn increment(session: &SessionHandle) -> Result<u32, SessionError> {
    session.update("hits", |hits: &mut u32| {
        *hits += 1;
        *hits
    })
}

#[tokio::test]
async fn an_update_begins_with_the_default_and_returns_what_the_closure_returned() {
    let world = World::new();
    let (_flight, session) = world.open(&Browser::new()).await;
    assert_eq!(increment(&session).unwrap(), 1);
    assert_eq!(increment(&session).unwrap(), 2);
    assert_eq!(session.get("hits").unwrap(), Some(2));
}

#[tokio::test]
async fn a_key_without_a_value_that_is_left_at_the_default_stays_without_one() {
    let world = World::new();
    let mut browser = Browser::new();
    let response = browser
        .visit(&world, |s| s.update("items", |_: &mut Vec<u32>| ()))
        .await;
    assert!(response.cookies().is_empty());
    assert_eq!(world.records(), 0);
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.insert("n", 0)).await;
    browser
        .visit(&world, |s| s.update("n", |_: &mut u32| ()))
        .await;
    assert_eq!(browser.read(&world, "n").await, Some(0));
}

#[tokio::test]
async fn updates_of_one_key_by_two_requests_both_count() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (one, a) = world.open(&browser).await;
    let (other, b) = world.open(&browser).await;
    for session in [&a, &b, &b] {
        increment(session).unwrap();
    }
    one.finish().await;
    other.finish().await;
    assert_eq!(browser.read(&world, "hits").await, Some(3));
}

#[tokio::test]
async fn a_hundred_parallel_increments_make_a_hundred() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut flights = Vec::new();
    for _ in 0..100 {
        let (flight, session) = world.open(&browser).await;
        increment(&session).unwrap();
        flights.push(flight);
    }
    let commits: Vec<_> = flights
        .into_iter()
        .map(|flight| tokio::spawn(async move { flight.finish().await.status }))
        .collect();
    for commit in commits {
        assert_eq!(commit.await.unwrap(), 200);
    }
    assert_eq!(browser.read(&world, "hits").await, Some(100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_increments_on_several_threads_make_a_hundred() {
    // The deadline is not what this is about, and the machine may be busy.
    let world = World::build(|builder, store| {
        builder
            .namespace(Namespace::new(ACCOUNT, store.clone()))
            .commit_deadline(Duration::from_secs(60))
    });
    let mut browser = Browser::known_to(&world).await;
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (manager, head) = (world.manager.clone(), browser.request());
            tokio::spawn(async move {
                let sessions = RequestSessions::begin(&manager);
                let unopened = sessions.judge(ACCOUNT, &head).unwrap().unwrap();
                let session = unopened.open().await.unwrap();
                increment(&session).unwrap();
                sessions.commit(Outcome::Success).await.status()
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), None);
    }
    assert_eq!(browser.read(&world, "hits").await, Some(100));
}

#[tokio::test]
async fn two_stores_handles_of_one_store_lose_no_increment_either() {
    // Two processes: each has a manager and its own turns, and they meet in the store.
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let other = cloakroom_core::SessionManager::builder()
        .namespace(Namespace::new(ACCOUNT, world.store.clone()))
        .clock(world.clock.clone())
        .build()
        .unwrap();
    let mut commits = Vec::new();
    for n in 0..40 {
        let manager = if n % 2 == 0 { &world.manager } else { &other };
        let sessions = RequestSessions::begin(manager);
        let unopened = sessions.judge(ACCOUNT, &browser.request()).unwrap();
        let session = unopened.unwrap().open().await.unwrap();
        increment(&session).unwrap();
        commits.push(sessions);
    }
    let commits: Vec<_> = commits
        .into_iter()
        .map(|sessions| {
            tokio::spawn(async move { sessions.commit(Outcome::Success).await.status() })
        })
        .collect();
    for commit in commits {
        assert_eq!(commit.await.unwrap(), None);
    }
    assert_eq!(browser.read(&world, "hits").await, Some(40));
}

#[tokio::test]
async fn an_update_after_an_insert_does_not_see_what_others_stored() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (slow, session) = world.open(&browser).await;
    browser.visit(&world, |s| s.insert("hits", 50)).await;
    session.insert("hits", 10).unwrap();
    increment(&session).unwrap();
    slow.finish().await;
    assert_eq!(browser.read(&world, "hits").await, Some(11));
}

#[tokio::test]
async fn an_update_after_a_clear_does_not_see_what_others_stored() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (slow, session) = world.open(&browser).await;
    browser.visit(&world, |s| s.insert("hits", 50)).await;
    session.clear().unwrap();
    increment(&session).unwrap();
    slow.finish().await;
    assert_eq!(browser.read(&world, "hits").await, Some(1));
}

#[tokio::test]
async fn a_get_inside_an_update_does_not_deadlock() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    let inside = session.clone();
    let seen = session.update("copy", move |copy: &mut bool| {
        *copy = inside.get("known").unwrap().unwrap();
        (inside.contains("known"), inside.len())
    });
    assert_eq!(seen.unwrap(), (true, 1));
    flight.finish().await;
    assert_eq!(browser.read(&world, "copy").await, Some(true));
}

#[tokio::test]
async fn a_change_by_another_task_meanwhile_runs_the_closure_again() {
    let world = World::new();
    let (_flight, session) = world.open(&Browser::new()).await;
    let runs = Arc::new(AtomicU32::new(0));
    let (inside, counter) = (session.clone(), Arc::clone(&runs));
    let update = move |value: &mut u32| {
        // The other task comes in between, once.
        if counter.fetch_add(1, Ordering::SeqCst) == 0 {
            inside.insert("k", 40).unwrap();
        }
        *value += 2;
    };
    session.update("k", update).unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert_eq!(session.get("k").unwrap(), Some(42));
}

#[tokio::test]
async fn a_value_of_another_type_is_an_error_and_nothing_has_changed() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.insert("hits", "many")).await;
    let (_flight, session) = world.open(&browser).await;
    let error = increment(&session).unwrap_err();
    assert!(matches!(error, SessionError::Decode { ref key, .. } if key == "hits"));
    let value: Option<String> = session.get("hits").unwrap();
    assert_eq!(value.as_deref(), Some("many"));
}

/// An update that panics when it runs a second time.
fn panics_when_run_again(session: &SessionHandle) {
    let runs = AtomicU32::new(0);
    let update = move |hits: &mut u32| {
        *hits += 1;
        assert_eq!(runs.fetch_add(1, Ordering::SeqCst), 0, "it ran again");
    };
    session.update("hits", update).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_closure_that_panics_when_it_is_replayed_is_an_error() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (slow, session) = world.open(&browser).await;
    let (parallel, other) = world.open(&browser).await;
    browser.visit(&world, increment_once).await;
    panics_when_run_again(&session);
    increment(&other).unwrap();
    let (slow, parallel) = tokio::join!(slow.finish(), parallel.finish());
    assert_eq!(slow.status, 500);
    assert_eq!(parallel.status, 200, "others are not disturbed");
    assert_eq!(browser.read(&world, "hits").await, Some(2));
}

fn increment_once(session: &SessionHandle) -> Result<(), SessionError> {
    increment(session).map(drop)
}

#[tokio::test(start_paused = true)]
async fn a_closure_that_panics_on_the_record_of_a_login_is_an_error() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (slow, session) = world.open(&browser).await;
    browser.visit(&world, |s| s.end()).await;
    panics_when_run_again(&session);
    session.login("alice").unwrap();
    let answer = tokio::spawn(async move { slow.finish().await.status });
    assert_eq!(answer.await.expect("the commit panicked"), 500);
}

#[tokio::test]
async fn saving_an_update_that_panics_says_so() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (_slow, session) = world.open(&browser).await;
    browser.visit(&world, increment_once).await;
    panics_when_run_again(&session);
    let error = session.save().await.unwrap_err();
    assert!(matches!(error, SessionError::Panicked { .. }), "{error:?}");
    assert!(error.to_string().contains("hits"), "{error}");
}

#[tokio::test]
async fn a_closure_that_changes_its_own_key_another_way_is_an_error_and_no_hang() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (_flight, session) = world.open(&browser).await;
    let inner = session.clone();
    let count = AtomicU32::new(0);
    let update = move |hits: &mut u32| {
        *hits += 1;
        let other = count.fetch_add(1, Ordering::SeqCst);
        inner.insert("hits", other).unwrap();
    };
    let error = session.update("hits", update).unwrap_err();
    assert!(matches!(error, SessionError::Conflict { .. }), "{error:?}");
}
