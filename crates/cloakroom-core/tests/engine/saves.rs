//! `save`: a commit before the response's head.

use std::time::Duration;

use cloakroom_core::SessionError;
use cloakroom_store::Operation::{Create, Load, Replace};
use cloakroom_testkit::Fault;

use crate::support::{Browser, World};

#[tokio::test]
async fn a_save_that_fails_keeps_the_journal_for_another_try() {
    for fault in [Fault::BeforeEffect, Fault::Timeout] {
        let world = World::new();
        let mut browser = Browser::known_to(&world).await;
        let (_flight, session) = world.open(&browser).await;
        session.insert("k", 1).unwrap();
        session.update("n", |n: &mut u32| *n += 1).unwrap();
        world.faults.fail_next(Replace, fault);
        let error = session.save().await.unwrap_err();
        assert!(matches!(error, SessionError::Store(_)));
        assert_eq!(session.get("k").unwrap(), Some(1));
        session.update("n", |n: &mut u32| *n += 1).unwrap();
        session.save().await.unwrap();
        assert_eq!(browser.read(&world, "k").await, Some(1));
        assert_eq!(browser.read(&world, "n").await, Some(2));
    }
}

#[tokio::test]
async fn a_first_save_that_fails_keeps_the_journal_and_the_login() {
    let world = World::new();
    let mut browser = Browser::new();
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    session.login("alice").unwrap();
    world.faults.fail_next(Create, Fault::BeforeEffect);
    session.save().await.unwrap_err();
    session.save().await.unwrap();
    browser.receive(&flight.finish().await);
    assert_eq!(browser.read(&world, "k").await, Some(1));
    let record = world.record(browser.id()).await.unwrap();
    assert_eq!(record.subject.unwrap().as_str(), "alice");
}

#[tokio::test(start_paused = true)]
async fn a_save_that_fails_while_taking_turns_keeps_the_journal_too() {
    for hanging in [Load, Replace] {
        let world = World::new();
        let mut browser = Browser::known_to(&world).await;
        let (_flight, session) = world.open(&browser).await;
        browser.visit(&world, |s| s.insert("other", 1)).await;
        session.insert("k", 1).unwrap();
        // It meets the conflict, and then nothing answers any more.
        world.faults.spare_next(Replace);
        if hanging == Replace {
            world.faults.spare_next(Load);
        }
        world.faults.always(Fault::Hang);
        let error = session.save().await.unwrap_err();
        assert!(matches!(error, SessionError::Store(_)), "{error:?}");
        world.faults.clear();
        assert_eq!(session.get("k").unwrap(), Some(1), "{hanging}");
        session.save().await.unwrap();
        assert_eq!(browser.read(&world, "k").await, Some(1), "{hanging}");
    }
}

#[tokio::test]
async fn the_cookie_of_an_early_save_goes_out_with_the_head_even_when_the_handler_fails() {
    let world = World::new();
    let mut browser = Browser::new();
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    session.save().await.unwrap();
    assert!(session.id().is_some());
    assert!(!session.is_new());
    session.insert("lost", 1).unwrap();
    let response = flight.finish_with(500).await;
    assert_eq!(response.status, 500);
    browser.receive(&response);
    assert_eq!(browser.read(&world, "k").await, Some(1));
    assert_eq!(browser.read::<u32>(&world, "lost").await, None);
}

#[tokio::test]
async fn an_early_login_goes_out_with_the_head_even_when_the_handler_fails() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    session.login("alice").unwrap();
    session.save().await.unwrap();
    browser.receive(&flight.finish_with(500).await);
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn saving_nothing_does_nothing() {
    let world = World::new();
    let (_flight, session) = world.open(&Browser::new()).await;
    session.save().await.unwrap();
    let browser = Browser::known_to(&world).await;
    let (_flight, session) = world.open(&browser).await;
    session.save().await.unwrap();
    assert_eq!(world.calls(), [Load]);
}

#[tokio::test(start_paused = true)]
async fn changes_made_while_a_save_is_under_way_are_kept_and_seen() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    session.insert("a", 1).unwrap();
    let slow = Fault::Delay(Duration::from_millis(100));
    world.faults.fail_next(Replace, slow);
    let saving = session.clone();
    let saved = tokio::spawn(async move { saving.save().await });
    tokio::task::yield_now().await;
    assert_eq!(session.get("a").unwrap(), Some(1), "what is being saved");
    session.insert("b", 2).unwrap();
    session.update("a", |a: &mut u32| *a += 10).unwrap();
    saved.await.unwrap().unwrap();
    assert_eq!(session.get("a").unwrap(), Some(11));
    browser.receive(&flight.finish().await);
    assert_eq!(browser.read(&world, "a").await, Some(11));
    assert_eq!(browser.read(&world, "b").await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn two_saves_at_the_same_time_are_one_after_the_other() {
    let world = World::new();
    let mut browser = Browser::new();
    let (flight, session) = world.open(&browser).await;
    world
        .faults
        .always_on(Create, Fault::Delay(Duration::from_millis(50)));
    session.insert("a", 1).unwrap();
    let other = session.clone();
    let both = tokio::join!(session.save(), async {
        other.insert("b", 2).unwrap();
        other.save().await
    });
    both.0.unwrap();
    both.1.unwrap();
    browser.receive(&flight.finish().await);
    assert_eq!(world.records(), 1);
    assert_eq!(browser.read(&world, "a").await, Some(1));
    assert_eq!(browser.read(&world, "b").await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn clearing_while_a_first_save_is_under_way_clears() {
    let world = World::new();
    let mut browser = Browser::new();
    let (flight, session) = world.open(&browser).await;
    let slow = Fault::Delay(std::time::Duration::from_millis(100));
    world
        .faults
        .fail_next(cloakroom_store::Operation::Create, slow);
    session.insert("k", 1).unwrap();
    let clear = async {
        session.clear().unwrap();
        assert!(session.is_empty());
    };
    let (saved, ()) = tokio::join!(session.save(), clear);
    saved.unwrap();
    assert!(session.is_empty());
    browser.receive(&flight.finish().await);
    assert_eq!(browser.read::<u32>(&world, "k").await, None);
}
