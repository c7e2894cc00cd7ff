//! What must be claimed before the page is made: `take_once` and `update_now`.

use std::time::Duration;

use cloakroom_core::{SessionError, VoidReason};
use cloakroom_store::Operation::{Create, Load, Replace};
use cloakroom_testkit::Fault;

use crate::support::{Browser, World};

async fn with_ticket(world: &World) -> Browser {
    let mut browser = Browser::known_to(world).await;
    browser.visit(world, |s| s.insert("ticket", "one")).await;
    world.calls();
    browser
}

#[tokio::test]
async fn take_once_gives_the_value_and_commits_at_once() {
    let world = World::new();
    let mut browser = with_ticket(&world).await;
    let (_flight, session) = world.open(&browser).await;
    let taken: Option<String> = session.take_once("ticket").await.unwrap();
    assert_eq!(taken.as_deref(), Some("one"));
    assert_eq!(world.calls(), [Load, Replace]);
    assert!(!session.contains("ticket"));
    assert_eq!(browser.read::<String>(&world, "ticket").await, None);
}

#[tokio::test]
async fn of_parallel_takers_at_most_one_gets_the_value() {
    let world = World::new();
    let browser = with_ticket(&world).await;
    let mut takers = Vec::new();
    for _ in 0..20 {
        let (flight, session) = world.open(&browser).await;
        takers.push(tokio::spawn(async move {
            let taken = session.take_once::<String>("ticket").await.unwrap();
            flight.finish().await;
            usize::from(taken.is_some())
        }));
    }
    let mut winners = 0;
    for taker in takers {
        winners += taker.await.unwrap();
    }
    assert_eq!(winners, 1);
}

#[tokio::test]
async fn taking_what_is_not_there_writes_nothing() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (_flight, session) = world.open(&browser).await;
    let taken = session.take_once::<String>("ticket").await.unwrap();
    assert_eq!(taken, None);
    assert_eq!(world.calls(), [Load]);
}

#[tokio::test]
async fn a_value_put_there_meanwhile_is_the_one_that_is_taken() {
    let world = World::new();
    let mut browser = with_ticket(&world).await;
    let (_flight, session) = world.open(&browser).await;
    browser.visit(&world, |s| s.insert("ticket", "two")).await;
    let taken: Option<String> = session.take_once("ticket").await.unwrap();
    assert_eq!(taken.as_deref(), Some("two"));
    assert_eq!(browser.read::<String>(&world, "ticket").await, None);
}

#[tokio::test]
async fn a_take_of_unknown_outcome_that_was_done_gives_the_value() {
    let world = World::new();
    let browser = with_ticket(&world).await;
    let (_flight, session) = world.open(&browser).await;
    world.faults.fail_next(Replace, Fault::AfterEffect);
    let taken: Option<String> = session.take_once("ticket").await.unwrap();
    assert_eq!(taken.as_deref(), Some("one"));
}

#[tokio::test]
async fn a_take_that_could_not_be_stored_gives_no_value() {
    let world = World::new();
    let mut browser = with_ticket(&world).await;
    let (_flight, session) = world.open(&browser).await;
    world.faults.fail_next(Replace, Fault::BeforeEffect);
    let error = session.take_once::<String>("ticket").await.unwrap_err();
    assert!(matches!(error, SessionError::Store(_)));
    assert!(browser.read::<String>(&world, "ticket").await.is_some());
}

#[tokio::test]
async fn a_take_that_could_not_be_stored_takes_nothing() {
    for is_own in [false, true] {
        for fault in [Fault::BeforeEffect, Fault::Timeout] {
            let world = World::new();
            let mut browser = with_ticket(&world).await;
            let (flight, session) = world.open(&browser).await;
            if is_own {
                session.insert("ticket", "two").unwrap();
            }
            session.insert("k", 1).unwrap();
            world.faults.fail_next(Replace, fault);
            session.take_once::<String>("ticket").await.unwrap_err();
            let value = Some(if is_own { "two" } else { "one" }.to_owned());
            assert_eq!(session.get::<String>("ticket").unwrap(), value);
            // The handler goes on, and its other changes are saved.
            assert_eq!(flight.finish().await.status, 200);
            assert_eq!(browser.read::<u32>(&world, "k").await, Some(1));
            assert_eq!(browser.read::<String>(&world, "ticket").await, value);
            let (_flight, session) = world.open(&browser).await;
            let again = session.take_once::<String>("ticket").await.unwrap();
            assert_eq!(again, value);
        }
    }
}

#[tokio::test]
async fn a_take_that_could_not_be_stored_can_be_tried_again() {
    for (fault, taken) in [
        (Fault::BeforeEffect, Some("one")),
        (Fault::HangAfterEffect, None),
    ] {
        let world = World::new();
        let browser = with_ticket(&world).await;
        let (_flight, session) = world.open(&browser).await;
        world.faults.fail_next(Replace, fault);
        if taken.is_none() {
            // Whether it was done can't be found out.
            world.faults.fail_next(Load, Fault::BeforeEffect);
        }
        session.take_once::<String>("ticket").await.unwrap_err();
        let again = session.take_once::<String>("ticket").await.unwrap();
        assert_eq!(again.as_deref(), taken, "at most once");
    }
}

#[tokio::test]
async fn taking_from_a_session_that_was_ended_is_an_error() {
    let world = World::new();
    let mut browser = with_ticket(&world).await;
    let (_flight, session) = world.open(&browser).await;
    browser.visit(&world, |s| s.end()).await;
    let error = session.take_once::<String>("ticket").await.unwrap_err();
    assert!(matches!(error, SessionError::Ended { .. }));
    let void = cloakroom_core::EventKind::Void(VoidReason::Gone);
    assert!(world.events.has(void));
}

#[tokio::test]
async fn a_take_commits_the_other_changes_of_the_request_too() {
    let world = World::new();
    let mut browser = with_ticket(&world).await;
    let (_flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    session.take_once::<String>("ticket").await.unwrap();
    assert_eq!(browser.read(&world, "k").await, Some(1));
}

#[tokio::test]
async fn update_now_gives_what_the_closure_returned_for_the_stored_value() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (_slow, session) = world.open(&browser).await;
    browser.visit(&world, |s| s.insert("n", 41)).await;
    let next = |n: &mut u32| {
        *n += 1;
        *n
    };
    assert_eq!(session.update_now("n", next).await.unwrap(), 42);
    assert_eq!(browser.read(&world, "n").await, Some(42));
}

#[tokio::test]
async fn parallel_update_now_never_give_the_same_number_twice() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut tasks = Vec::new();
    for _ in 0..30 {
        let (flight, session) = world.open(&browser).await;
        tasks.push(tokio::spawn(async move {
            let next = |n: &mut u32| {
                *n += 1;
                *n
            };
            let number = session.update_now("n", next).await.unwrap();
            flight.finish().await;
            number
        }));
    }
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.push(task.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=30).collect::<Vec<_>>());
    assert_eq!(browser.read(&world, "n").await, Some(30));
}

#[tokio::test]
async fn update_now_on_a_first_visit_makes_a_session_whose_cookie_goes_with_the_head() {
    let world = World::new();
    let mut browser = Browser::new();
    let (flight, session) = world.open(&browser).await;
    session.update_now("n", |n: &mut u32| *n = 7).await.unwrap();
    assert_eq!(world.calls(), [Create]);
    browser.receive(&flight.finish().await);
    assert_eq!(browser.read(&world, "n").await, Some(7));
}

/// Two tasks of a request wait while a third one is saving, and the session is ended elsewhere.
#[tokio::test(start_paused = true)]
async fn what_another_task_has_committed_in_vain_is_not_claimed() {
    for takes in [true, false] {
        let world = World::new();
        let mut browser = with_ticket(&world).await;
        let (_flight, session) = world.open(&browser).await;
        let slow = Fault::Delay(Duration::from_millis(100));
        world.faults.fail_next(Replace, slow);
        let save = |key: &'static str| {
            let session = session.clone();
            async move {
                session.insert(key, 1).unwrap();
                session.save().await
            }
        };
        let claim = async {
            match takes {
                true => session.take_once::<String>("ticket").await.map(drop),
                false => session.update_now("n", |n: &mut u32| *n += 1).await,
            }
        };
        let end = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            browser.visit(&world, |s| s.end()).await;
        };
        let (first, second, claimed, ()) = tokio::join!(save("a"), save("b"), claim, end);
        for result in [first, second, claimed] {
            let error = result.unwrap_err();
            assert!(matches!(error, SessionError::Ended { .. }), "{error:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_task_has_committed_is_claimed() {
    let world = World::new();
    let mut browser = with_ticket(&world).await;
    let (_flight, session) = world.open(&browser).await;
    let slow = Fault::Delay(Duration::from_millis(100));
    world.faults.always_on(Replace, slow);
    let save = |key: &'static str| {
        let session = session.clone();
        async move {
            session.insert(key, 1).unwrap();
            session.save().await.unwrap();
        }
    };
    let take = async { session.take_once::<String>("ticket").await.unwrap() };
    let next = async {
        let next = |n: &mut u32| {
            *n += 1;
            *n
        };
        session.update_now("n", next).await.unwrap()
    };
    let (_, _, taken, number) = tokio::join!(save("a"), save("b"), take, next);
    assert_eq!((taken.as_deref(), number), (Some("one"), 1));
    // What changes nothing is claimed as well.
    world.faults.clear();
    session.update_now("n", |n: &mut u32| *n = 1).await.unwrap();
    assert_eq!(browser.read(&world, "n").await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn what_was_changed_in_a_session_that_another_task_has_ended_is_not_claimed() {
    let world = World::new();
    let browser = with_ticket(&world).await;
    let (_flight, session) = world.open(&browser).await;
    let slow = Fault::Delay(Duration::from_millis(100));
    world.faults.fail_next(Replace, slow);
    let save = async {
        session.insert("a", 1).unwrap();
        session.save().await.unwrap();
    };
    let claim = async { session.take_once::<String>("ticket").await };
    let end = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        session.end().unwrap();
    };
    let ((), claimed, ()) = tokio::join!(save, claim, end);
    assert!(
        matches!(claimed, Err(SessionError::Ended { .. })),
        "{claimed:?}"
    );
}
