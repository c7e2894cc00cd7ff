//! Clients that go away do not stop a commit halfway.

use std::time::Duration;

use cloakroom_store::Operation::{Create, Delete, Replace};
use cloakroom_testkit::Fault;
use tokio::time::{sleep, timeout};

use crate::support::{Browser, Handler, World};

#[tokio::test(start_paused = true)]
async fn a_client_that_disconnects_does_not_stop_a_commit_halfway() {
    let handlers: [Handler; 2] = [|s| s.end(), |s| s.insert("k", 1)];
    for (n, handler) in handlers.into_iter().enumerate() {
        let world = World::new();
        let mut browser = Browser::known_to(&world).await;
        let (flight, session) = world.open(&browser).await;
        handler(&session).unwrap();
        let slow = Fault::Delay(Duration::from_millis(100));
        world.faults.fail_next([Delete, Replace][n], slow);
        let commit = flight.commit();
        timeout(Duration::from_millis(10), commit)
            .await
            .unwrap_err();
        drop((flight, session));
        sleep(Duration::from_millis(200)).await;
        match n {
            0 => assert_eq!(world.records(), 0),
            _ => assert_eq!(browser.read(&world, "k").await, Some(1)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_between_two_steps_of_a_commit_stops_neither() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.login("alice")).await;
    let (flight, session) = world.open(&browser).await;
    session.login("bob").unwrap();
    let slow = Fault::Delay(Duration::from_millis(100));
    world.faults.always_on(Delete, slow);
    world.faults.always_on(Create, slow);
    let commit = flight.commit();
    timeout(Duration::from_millis(150), commit)
        .await
        .unwrap_err();
    sleep(Duration::from_millis(200)).await;
    assert!(world.record(browser.id()).await.is_none());
    assert_eq!(world.records(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_while_waiting_for_a_turn_loses_no_change() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    browser.visit(&world, |s| s.insert("first", 1)).await;
    session.insert("k", 1).unwrap();
    world.faults.spare_next(Replace);
    world
        .faults
        .fail_next(Replace, Fault::Delay(Duration::from_millis(100)));
    timeout(Duration::from_millis(10), flight.commit())
        .await
        .unwrap_err();
    drop((flight, session));
    sleep(Duration::from_millis(500)).await;
    assert_eq!(browser.read(&world, "k").await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_before_the_commit_saves_nothing() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    session.end().unwrap();
    drop(flight.commit());
    drop((flight, session));
    sleep(Duration::from_millis(100)).await;
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_during_an_early_save_does_not_stop_it_halfway() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.login("alice")).await;
    let (flight, session) = world.open(&browser).await;
    // Two steps: the old record is deleted, and a new one is created.
    session.login("bob").unwrap();
    let slow = Fault::Delay(Duration::from_millis(100));
    world.faults.always_on(Delete, slow);
    world.faults.always_on(Create, slow);
    timeout(Duration::from_millis(150), session.save())
        .await
        .unwrap_err();
    drop((flight, session));
    sleep(Duration::from_millis(200)).await;
    assert!(world.record(browser.id()).await.is_none());
    assert_eq!(world.records(), 1);
}

#[tokio::test(start_paused = true)]
async fn changes_of_a_save_that_is_given_up_are_saved_by_the_commit() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    let slow = Fault::Delay(Duration::from_millis(100));
    world.faults.fail_next(Replace, slow);
    timeout(Duration::from_millis(10), session.save())
        .await
        .unwrap_err();
    assert_eq!(flight.finish().await.status, 200);
    sleep(Duration::from_millis(200)).await;
    assert_eq!(browser.read(&world, "k").await, Some(1));
}
