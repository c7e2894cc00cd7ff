//! Ending one session, all, and all but one.

use std::time::Duration;

use cloakroom_core::{EventKind, Namespace, SessionError, minutes, store::SessionId};
use cloakroom_store::Operation::{BySubject, Delete, Load, Replace};
use cloakroom_testkit::Fault;
use tokio::time::Instant;

use super::{TICK, alice, ids, list, logged_in, several, subjects};
use crate::support::{ACCOUNT, Browser, World};

#[tokio::test]
async fn one_session_is_ended_by_its_id_and_its_subject() {
    let world = World::new();
    let (mut ended, mut other) = (
        logged_in(&world, "alice").await,
        logged_in(&world, "alice").await,
    );
    assert!(subjects(&world).end(&alice(), ended.id()).await.unwrap());
    assert_eq!(world.calls(), [Load, Delete]);
    assert_eq!(world.events.take(), [EventKind::Ended]);
    assert_eq!(ids(&world).await, [other.id()]);
    let response = ended.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(response.status, 200);
    assert!(world.events.has(EventKind::UnknownToken));
    assert_eq!(other.read::<u32>(&world, "k").await, None);
    let (_flight, session) = world.open(&other).await;
    assert_eq!(session.subject(), Some(alice()));
}

#[tokio::test]
async fn the_id_of_somebody_elses_session_ends_nothing() {
    let world = World::new();
    let bob = logged_in(&world, "bob").await;
    let anonymous = Browser::known_to(&world).await;
    let unknown = SessionId::from_bytes([7; 16]);
    for id in [bob.id(), anonymous.id(), unknown] {
        assert!(!subjects(&world).end(&alice(), id).await.unwrap());
        assert_eq!(world.calls(), [Load]);
    }
    assert_eq!(world.events.take(), []);
    assert_eq!(world.records(), 2);
}

#[tokio::test]
async fn an_id_names_a_session_in_its_namespace_alone() {
    let world = World::build(|builder, store| {
        builder
            .namespace(Namespace::new(ACCOUNT, store.clone()))
            .namespace(Namespace::new("admin", store.clone()))
    });
    let browser = logged_in(&world, "alice").await;
    let admin = world.manager.subjects("admin").unwrap();
    assert!(!admin.end(&alice(), browser.id()).await.unwrap());
    assert_eq!(admin.end_all(&alice()).await.unwrap(), 0);
    assert_eq!(ids(&world).await, [browser.id()]);
}

#[tokio::test]
async fn an_expired_session_is_ended_so_that_a_slow_request_can_not_prolong_it() {
    for all in [false, true] {
        let world = World::new();
        let browser = logged_in(&world, "alice").await;
        world.clock.advance(minutes(29));
        let (slow, _session) = world.open(&browser).await;
        world.clock.advance(minutes(10));
        assert_eq!(list(&world).await, []);
        match all {
            true => assert_eq!(subjects(&world).end_all(&alice()).await.unwrap(), 1),
            false => assert!(subjects(&world).end(&alice(), browser.id()).await.unwrap()),
        }
        slow.finish().await;
        assert_eq!(world.records(), 0);
    }
}

#[tokio::test]
async fn a_corrupt_session_can_be_ended() {
    let world = World::new();
    for all in [false, true] {
        let browser = logged_in(&world, "alice").await;
        world.garble(browser.id(), Vec::clear).await;
        match all {
            true => assert_eq!(subjects(&world).end_all(&alice()).await.unwrap(), 1),
            false => assert!(subjects(&world).end(&alice(), browser.id()).await.unwrap()),
        }
        assert_eq!(world.records(), 0);
    }
}

#[tokio::test]
async fn all_sessions_are_ended_and_nobody_elses() {
    let world = World::new();
    let alices = several(&world, 3).await;
    let bob = logged_in(&world, "bob").await;
    Browser::known_to(&world).await;
    assert_eq!(subjects(&world).end_all(&alice()).await.unwrap(), 3);
    assert_eq!(world.calls(), [BySubject, Delete, Delete, Delete]);
    assert_eq!(world.events.take(), [EventKind::Ended; 3]);
    assert_eq!(world.records(), 2);
    for mut browser in alices {
        browser
            .visit(&world, |s| {
                assert!(s.is_new());
                Ok(())
            })
            .await;
    }
    let (_flight, session) = world.open(&bob).await;
    assert_eq!(session.subject().unwrap().as_str(), "bob");
    assert_eq!(subjects(&world).end_all(&alice()).await.unwrap(), 0);
}

#[tokio::test]
async fn all_others_are_ended() {
    let world = World::new();
    let alices = several(&world, 3).await;
    let keep = alices[1].id();
    let count = subjects(&world).end_others(&alice(), keep).await.unwrap();
    assert_eq!(count, 2);
    assert_eq!(ids(&world).await, [keep]);
    // Whoever is kept need not be there.
    let unknown = SessionId::from_bytes([7; 16]);
    let count = subjects(&world).end_others(&alice(), unknown).await;
    assert_eq!(count.unwrap(), 1);
}

#[tokio::test]
async fn many_sessions_are_ended_page_by_page() {
    let world = World::new();
    let alices = several(&world, 200).await;
    let keep = alices[150].id();
    let count = subjects(&world).end_others(&alice(), keep).await.unwrap();
    assert_eq!(count, 199);
    assert_eq!(world.store.count(BySubject), 7);
    assert_eq!(ids(&world).await, [keep]);
}

#[tokio::test(start_paused = true)]
async fn sessions_of_a_page_are_ended_at_the_same_time() {
    let world = World::new();
    several(&world, 64).await;
    let slow = Fault::Delay(Duration::from_millis(100));
    world.faults.always_on(Delete, slow);
    let began = Instant::now();
    assert_eq!(subjects(&world).end_all(&alice()).await.unwrap(), 64);
    assert!(began.elapsed() <= Duration::from_millis(200) + TICK);
}

#[tokio::test]
async fn a_session_that_ends_itself_by_its_id_stores_nothing_any_more() {
    let world = World::new();
    let browser = logged_in(&world, "alice").await;
    let (flight, session) = world.open(&browser).await;
    let subjects = session.subjects().unwrap();
    assert!(subjects.end(&alice(), browser.id()).await.unwrap());
    session.insert("k", 1).unwrap();
    world.calls();
    let response = flight.finish().await;
    assert!(response.cookies().is_empty());
    assert_eq!(world.calls(), [Replace, Load]);
    assert_eq!(world.records(), 0);
}

#[tokio::test]
async fn a_task_may_do_it() {
    let world = World::new();
    let id = logged_in(&world, "alice").await.id();
    let subjects = subjects(&world);
    let task = tokio::spawn(async move {
        let listed = subjects.sessions_of(&alice(), None, 10).await?;
        subjects.end(&alice(), id).await?;
        subjects.end_others(&alice(), id).await?;
        Ok::<_, SessionError>(listed.sessions.len())
    });
    assert_eq!(task.await.unwrap().unwrap(), 1);
}
