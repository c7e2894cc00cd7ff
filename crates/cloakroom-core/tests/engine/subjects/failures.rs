//! Stores that fail, and those that can't list.

use cloakroom_core::{EventKind, Namespace, SessionManager, store::SessionId};
use cloakroom_memory::MemoryStore;
use cloakroom_store::{
    Operation::{BySubject, Delete, Load},
    StoreErrorKind,
};
use cloakroom_testkit::Fault;
use tokio::time::Instant;

use super::{SECOND, TICK, alice, logged_in, several, store_error, subjects};
use crate::support::{ACCOUNT, Browser, CopyStore, OddStore, World};

#[tokio::test(start_paused = true)]
async fn logins_without_end_do_not_keep_it_going_for_ever() {
    let account = Namespace::new(ACCOUNT, OddStore::Endless(MemoryStore::new()));
    let manager = SessionManager::builder()
        .namespace(account)
        .build()
        .unwrap();
    let began = Instant::now();
    let subjects = manager.subjects(ACCOUNT).unwrap();
    let error = subjects.end_all(&alice()).await.unwrap_err();
    assert_eq!(store_error(error), StoreErrorKind::TimedOut);
    assert!(began.elapsed() <= 21 * SECOND, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_an_error_in_time_and_an_event() {
    for (operation, everything) in [
        (BySubject, false),
        (Load, false),
        (Delete, false),
        (Load, true),
    ] {
        let world = World::new();
        let browser = logged_in(&world, "alice").await;
        match everything {
            true => world.faults.always(Fault::Hang),
            false => world.faults.always_on(operation, Fault::Hang),
        }
        let (subjects, alice) = (subjects(&world), alice());
        let began = Instant::now();
        let error = match operation {
            BySubject => subjects.sessions_of(&alice, None, 10).await.unwrap_err(),
            _ => subjects.end(&alice, browser.id()).await.unwrap_err(),
        };
        assert_eq!(error.status(), 503);
        assert_eq!(store_error(error), StoreErrorKind::TimedOut);
        assert!(began.elapsed() <= SECOND + TICK, "{operation}");
        let failed = EventKind::StoreFailed(operation, StoreErrorKind::TimedOut);
        assert_eq!(world.events.take()[0], failed);

        let began = Instant::now();
        if operation != Load || everything {
            subjects.end_all(&alice).await.unwrap_err();
            assert!(began.elapsed() <= SECOND + TICK, "{operation}");
        }
        world.faults.clear();
        assert_eq!(subjects.end_all(&alice).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_delete_whose_answer_is_lost_has_ended_the_session_and_one_that_was_not_done_has_not() {
    for all in [false, true] {
        for (fault, is_ended) in [
            (Fault::AfterEffect, true),
            (Fault::TimeoutAfterEffect, true),
            (Fault::BeforeEffect, false),
            (Fault::Timeout, false),
        ] {
            let world = World::new();
            let browser = logged_in(&world, "alice").await;
            world.faults.fail_next(Delete, fault);
            let result = match all {
                true => subjects(&world).end_all(&alice()).await.map(|n| n == 1),
                false => subjects(&world).end(&alice(), browser.id()).await,
            };
            assert_eq!(result.is_ok_and(|ended| ended), is_ended, "{fault:?}");
            assert_eq!(world.events.has(EventKind::Ended), is_ended, "{fault:?}");
            assert_eq!(world.records(), usize::from(!is_ended));
            let first = if all { BySubject } else { Load };
            assert_eq!(world.calls(), [first, Delete, Load]);
        }
    }
}

#[tokio::test]
async fn when_the_load_after_a_lost_answer_fails_too_it_is_an_error() {
    let world = World::new();
    let browser = logged_in(&world, "alice").await;
    world.faults.spare_next(Load);
    world.faults.fail_next(Load, Fault::BeforeEffect);
    world.faults.fail_next(Delete, Fault::AfterEffect);
    let ended = subjects(&world).end(&alice(), browser.id()).await;
    assert_eq!(store_error(ended.unwrap_err()), StoreErrorKind::Unavailable);
    // Saying it again does no harm.
    assert!(!subjects(&world).end(&alice(), browser.id()).await.unwrap());
}

#[tokio::test]
async fn one_session_that_can_not_be_ended_does_not_spare_the_others() {
    let world = World::new();
    several(&world, 50).await;
    for _ in 0..2 {
        world.faults.fail_next(Delete, Fault::BeforeEffect);
    }
    let error = subjects(&world).end_all(&alice()).await.unwrap_err();
    assert_eq!(store_error(error), StoreErrorKind::Unavailable);
    assert_eq!(world.records(), 2);
    assert_eq!(world.events.count(EventKind::Ended), 48);
    assert_eq!(subjects(&world).end_all(&alice()).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn when_none_can_be_ended_it_gives_up_after_one_page() {
    let world = World::new();
    several(&world, 200).await;
    world.faults.always_on(Delete, Fault::Hang);
    let began = Instant::now();
    subjects(&world).end_all(&alice()).await.unwrap_err();
    assert!(began.elapsed() <= SECOND + TICK, "{:?}", began.elapsed());
    assert_eq!(world.store.count(BySubject), 1);
}

#[tokio::test]
async fn a_listing_that_fails_halfway_is_an_error_and_what_was_ended_stays_ended() {
    let world = World::new();
    several(&world, 50).await;
    world.faults.spare_next(BySubject);
    world.faults.fail_next(BySubject, Fault::BeforeEffect);
    subjects(&world).end_all(&alice()).await.unwrap_err();
    assert_eq!(world.records(), 18);
    assert_eq!(subjects(&world).end_all(&alice()).await.unwrap(), 18);
}

#[tokio::test]
async fn a_store_that_can_not_list_can_end_one_session_and_says_so_of_the_rest() {
    let account = Namespace::new(ACCOUNT, CopyStore::default());
    let manager = SessionManager::builder()
        .namespace(account)
        .build()
        .unwrap();
    let subjects = manager.subjects(ACCOUNT).unwrap();
    let keep = SessionId::from_bytes([7; 16]);
    assert!(!subjects.end(&alice(), keep).await.unwrap());
    let errors = [
        (
            "sessions_of",
            subjects.sessions_of(&alice(), None, 10).await.unwrap_err(),
        ),
        ("end_all", subjects.end_all(&alice()).await.unwrap_err()),
        (
            "end_others",
            subjects.end_others(&alice(), keep).await.unwrap_err(),
        ),
    ];
    for (operation, error) in errors {
        let text = error.to_string();
        let begin = format!("{operation} on session \"account\" is not possible: its store can't");
        assert!(text.starts_with(&begin), "{text}");
        assert!(text.contains("memcached"), "{text}");
    }
}

#[cfg(feature = "client-side")]
#[tokio::test]
async fn sessions_in_their_cookies_can_not_be_listed() {
    use cloakroom_core::{KeyRing, SecretKey};
    let keys = KeyRing::new(SecretKey::generate().unwrap());
    let world = World::build(|builder, store| {
        builder
            .namespace(Namespace::in_cookie(ACCOUNT, &keys))
            .namespace(Namespace::new("cart", store.clone()))
    });
    let error = world.manager.subjects(ACCOUNT).unwrap_err().to_string();
    assert!(error.contains("\"account\"") && error.contains("use a namespace with a store"));
    let (_flight, session) = world.open(&Browser::new()).await;
    session.subjects().unwrap_err();
    session.end_others().await.unwrap_err();
}

#[tokio::test]
async fn an_unknown_namespace_is_named_beside_those_that_there_are() {
    let error = World::new().manager.subjects("admin").unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("\"admin\"") && text.contains("\"account\""),
        "{text}"
    );
}

#[tokio::test]
async fn what_a_store_lists_too_much_is_neither_shown_nor_ended() {
    let world = World::build(|builder, store| {
        builder
            .namespace(Namespace::new(ACCOUNT, store.clone()))
            .namespace(Namespace::new("admin", store.clone()))
    });
    let mut browser = logged_in(&world, "alice").await;
    logged_in(&world, "bob").await;
    Browser::known_to(&world).await;
    let flight = world.begin(&browser);
    flight.open("admin").await.login("alice").unwrap();
    browser.receive(&flight.finish().await);
    assert_eq!(world.records(), 4);

    let odd = OddStore::Everybody(world.memory().clone());
    let manager = SessionManager::builder()
        .namespace(Namespace::new(ACCOUNT, odd))
        .clock(world.clock.clone())
        .build()
        .unwrap();
    let subjects = manager.subjects(ACCOUNT).unwrap();
    let page = subjects.sessions_of(&alice(), None, 10).await.unwrap();
    let shown: Vec<_> = page.sessions.iter().map(|session| session.id).collect();
    assert_eq!(shown, [browser.id()]);
    assert_eq!(subjects.end_all(&alice()).await.unwrap(), 1);
    assert_eq!(world.records(), 3);
}
