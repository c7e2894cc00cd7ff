//! Rotations and other requests at the same time, and responses that are lost.

use std::time::Duration;

use cloakroom_core::{hours, minutes};
use cloakroom_store::Operation;
use cloakroom_testkit::Fault;

use crate::support::{Browser, COOKIE, World};

#[tokio::test]
async fn two_rotations_at_the_same_time_lead_to_one_token() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (first, a) = world.open(&browser).await;
    let (second, b) = world.open(&browser).await;
    a.rotate().unwrap();
    b.rotate().unwrap();
    let (mut one, mut other) = (browser.clone(), browser.clone());
    one.receive(&first.finish().await);
    other.receive(&second.finish().await);
    assert_eq!(one.token(), other.token());
    assert_ne!(one.token(), browser.token());
    assert_eq!(one.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn a_request_from_before_a_rotation_keeps_its_changes_and_restores_no_old_token() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (slow, session) = world.open(&browser).await;
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    let next = browser.token().to_owned();
    session.insert("slow", 1).unwrap();
    browser.receive(&slow.finish().await);
    assert_eq!(browser.token(), next);
    assert_eq!(browser.read(&world, "slow").await, Some(1));
}

#[tokio::test]
async fn a_change_replayed_onto_a_rotation_is_no_first_sight_of_the_next_token() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (rotating, a) = world.open(&browser).await;
    let (changing, b) = world.open(&browser).await;
    a.rotate().unwrap();
    // This response is lost, so the browser goes on with what it has.
    rotating.finish().await;
    b.insert("k", 1).unwrap();
    browser.receive(&changing.finish().await);
    world.clock.advance(minutes(5));
    assert_eq!(browser.read(&world, "k").await, Some(1));
}

#[tokio::test]
async fn two_rotations_whose_responses_are_lost_lock_nobody_out() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (first, a) = world.open(&browser).await;
    let (second, b) = world.open(&browser).await;
    a.rotate().unwrap();
    b.rotate().unwrap();
    first.finish().await;
    second.finish().await;
    world.clock.advance(minutes(5));
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn a_persist_replayed_onto_a_rotation_sends_the_next_token() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (rotating, a) = world.open(&browser).await;
    let (persisting, b) = world.open(&browser).await;
    a.rotate().unwrap();
    b.persist(hours(100)).unwrap();
    browser.receive(&rotating.finish().await);
    let next = browser.token().to_owned();
    browser.receive(&persisting.finish().await);
    assert_eq!(browser.token(), next);
}

#[tokio::test]
async fn a_change_under_a_token_that_two_rotations_have_replaced_meanwhile_sends_no_wrong_token() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut slow = browser.clone();
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    browser.visit(&world, |_| Ok(())).await;
    world.clock.advance(Duration::from_secs(59));
    let (flight, session) = world.open(&slow).await;
    world.clock.advance(Duration::from_secs(1));
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    session.insert("slow", 1).unwrap();
    let response = flight.finish().await;
    assert_eq!(browser.clone().read(&world, "slow").await, Some(1));
    // No cookie is right, and so is one that opens the session.
    if !response.cookies().is_empty() {
        slow.receive(&response);
        assert_eq!(slow.read(&world, "slow").await, Some(1));
    }
}

#[tokio::test]
async fn two_first_sights_at_the_same_time_disturb_nobody() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    let (one, _) = world.open(&browser).await;
    let (other, _) = world.open(&browser).await;
    for flight in [one, other] {
        let response = flight.finish().await;
        assert_eq!(response.status, 200);
        assert!(response.cookies().is_empty());
    }
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn a_login_under_the_previous_token_logs_in() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut lost = browser.clone();
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    lost.visit(&world, |s| s.login("alice")).await;
    assert_eq!(lost.read(&world, "known").await, Some(true));
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
}

#[tokio::test]
async fn a_rotation_and_an_end_at_the_same_time_leave_nothing() {
    for ends_first in [false, true] {
        let world = World::new();
        let browser = Browser::known_to(&world).await;
        let (rotating, a) = world.open(&browser).await;
        let (ending, b) = world.open(&browser).await;
        a.rotate().unwrap();
        b.end().unwrap();
        let order = match ends_first {
            true => [ending, rotating],
            false => [rotating, ending],
        };
        for flight in order {
            assert_eq!(flight.finish().await.status, 200);
        }
        assert_eq!(world.records(), 0);
    }
}

#[tokio::test]
async fn what_comes_after_a_replay_onto_a_rotation_is_no_first_sight_either() {
    for changes_again in [false, true] {
        let world = World::new();
        let mut browser = Browser::known_to(&world).await;
        let (rotating, a) = world.open(&browser).await;
        let (saving, b) = world.open(&browser).await;
        a.rotate().unwrap();
        // This response is lost.
        rotating.finish().await;
        b.insert("k", 1).unwrap();
        b.save().await.unwrap();
        if changes_again {
            b.insert("k", 2).unwrap();
        }
        // So is this one.
        saving.finish().await;
        world.clock.advance(minutes(5));
        assert!(browser.read::<u32>(&world, "k").await.is_some());
    }
}

#[tokio::test]
async fn a_rotation_asked_for_after_a_replay_onto_a_rotation_follows_it() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (rotating, a) = world.open(&browser).await;
    let (saving, b) = world.open(&browser).await;
    a.rotate().unwrap();
    let mut other = browser.clone();
    other.receive(&rotating.finish().await);
    b.insert("k", 1).unwrap();
    b.save().await.unwrap();
    b.rotate().unwrap();
    browser.receive(&saving.finish().await);
    assert_eq!(browser.token(), other.token());
}

#[tokio::test]
async fn a_due_rotation_whose_answer_is_lost_or_that_is_not_done_locks_nobody_out() {
    for fault in [Fault::AfterEffect, Fault::BeforeEffect] {
        let world = World::with(|n| n.rotate_every(minutes(10)));
        let mut browser = Browser::known_to(&world).await;
        browser.visit(&world, |s| s.login("alice")).await;
        let before = browser.token().to_owned();
        world.clock.advance(minutes(11));
        world.faults.fail_next(Operation::Replace, fault);
        let response = browser.visit(&world, |_| Ok(())).await;
        assert_eq!(response.status, 200, "{fault:?}");
        world.clock.advance(minutes(5));
        browser.visit(&world, |_| Ok(())).await;
        assert_ne!(browser.token(), before, "{fault:?}");
        assert_eq!(browser.read(&world, "known").await, Some(true));
    }
}

#[tokio::test]
async fn due_rotations_of_parallel_requests_lead_to_one_token() {
    let world = World::with(|n| n.rotate_every(minutes(10)));
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.login("alice")).await;
    world.clock.advance(minutes(11));
    let mut flights = Vec::new();
    for n in 0..6 {
        let (flight, session) = world.open(&browser).await;
        if n % 2 == 0 {
            session.insert(&format!("key-{n}"), n).unwrap();
        }
        flights.push(flight);
    }
    let mut tokens = std::collections::HashSet::new();
    for flight in flights {
        let mut copy = browser.clone();
        let response = flight.finish().await;
        assert_eq!(response.status, 200);
        if !response.cookies().is_empty() {
            copy.receive(&response);
            tokens.insert(copy.token().to_owned());
        }
    }
    assert_eq!(tokens.len(), 1);
    let mut next = Browser::with_cookie(COOKIE, tokens.iter().next().unwrap());
    for n in [0, 2, 4] {
        let key = format!("key-{n}");
        assert_eq!(next.read(&world, &key).await, Some(n));
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotation_in_one_write_with_other_changes_is_no_first_sight_for_them() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (first, a) = world.open(&browser).await;
    let (second, b) = world.open(&browser).await;
    let (updating, c) = world.open(&browser).await;
    let (rotating, d) = world.open(&browser).await;
    for session in [&a, &b] {
        session.update("n", |n: &mut u64| *n += 1).unwrap();
    }
    d.rotate().unwrap();
    first.finish().await;
    // The second meets a conflict and begins a queue, whose load takes a moment. The other two
    // wait behind it and go out as one write: the update, then the rotation.
    let slow = Fault::Delay(Duration::from_millis(50));
    world.faults.fail_next(Operation::Load, slow);
    let updated = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        c.update_now("n", |n: &mut u64| *n += 1).await.unwrap();
        updating.finish().await
    };
    let rotated = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        rotating.finish().await
    };
    // All responses are lost, and nobody has ever come with the next token.
    tokio::join!(second.finish(), updated, rotated);
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(browser.read::<u64>(&world, "n").await, Some(3));
}
