//! What sessions in cookies can't do, and how large they can be.

use cloakroom_core::{Namespace, SessionError, SessionHandle};

use crate::{
    client_side::{keys, with},
    support::{ACCOUNT, Browser, COOKIE},
};

#[tokio::test]
async fn what_a_copy_undoes_is_refused_without_accept_replay() {
    let world = with(&keys(), |n| n);
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.insert("k", 1)).await;
    let (flight, s) = world.open(&browser).await;
    let refusals = [
        ("login", s.login("alice").unwrap_err()),
        ("end", s.end().unwrap_err()),
        ("end", s.logout().unwrap_err()),
        ("rotate", s.rotate().unwrap_err()),
        ("take_once", s.take_once::<u32>("k").await.unwrap_err()),
        (
            "update_now",
            s.update_now("k", |_: &mut u32| ()).await.unwrap_err(),
        ),
    ];
    for (operation, error) in refusals {
        assert!(matches!(error, SessionError::Unsupported { .. }));
        let text = error.to_string();
        assert!(text.contains(operation), "{text}");
        assert!(text.contains(ACCOUNT), "{text}");
        assert!(text.contains("accept_replay()"), "{text}");
    }
    assert!(flight.finish().await.cookies().is_empty());
    let failures = flight.sessions.judge_all(&flight.head).end_all().await;
    assert_eq!(failures.len(), 1);
}

#[tokio::test]
async fn after_accept_replay_it_logs_in_and_ends() {
    let world = with(&keys(), Namespace::accept_replay);
    let mut browser = Browser::new();
    let login = |s: &SessionHandle| {
        s.insert("k", 1)?;
        s.login("alice")
    };
    browser.visit(&world, login).await;
    let (_flight, session) = world.open(&browser).await;
    assert_eq!(session.subject().unwrap().as_str(), "alice");
    let id = session.id();
    browser.visit(&world, |s| s.login("bob")).await;
    let (_flight, session) = world.open(&browser).await;
    assert_ne!(session.id(), id);
    assert!(session.is_empty(), "of another subject, so it starts empty");
    let response = browser.visit(&world, |s| s.end()).await;
    assert!(response.only_cookie().ends_with("Max-Age=0"));
    assert!(browser.cookie(COOKIE).is_none());
}

#[tokio::test]
async fn too_large_is_an_error_with_the_numbers_at_the_insert() {
    let world = with(&keys(), |n| n);
    let mut browser = Browser::new();
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    let error = session.insert("large", "x".repeat(4_000)).unwrap_err();
    let SessionError::TooLarge { size, limit, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(limit, 4_096);
    assert!(size > 4_096);
    let text = error.to_string();
    assert!(text.contains("4096") && text.contains(&size.to_string()));
    browser.receive(&flight.finish().await);
    assert_eq!(
        browser.read(&world, "k").await,
        Some(1),
        "nothing else is lost"
    );
}

#[tokio::test]
async fn the_limit_counts_name_and_value() {
    let world = with(&keys(), |n| n);
    let fits = |length: usize| {
        let world = &world;
        async move {
            let (flight, session) = world.open(&Browser::new()).await;
            session.insert("k", "x".repeat(length)).ok()?;
            let response = flight.finish().await;
            assert_eq!(response.status, 200, "{length}");
            let pair = response.only_cookie().split(';').next().unwrap();
            Some(pair.len() - 1)
        }
    };
    let mut longest = 0;
    for length in 2_700..3_100 {
        match fits(length).await {
            Some(size) => longest = size,
            None => break,
        }
    }
    // Room is kept for a lifetime set by `persist`, and three bytes become four characters.
    assert!((4_080..=4_096).contains(&longest), "{longest}");
}

#[tokio::test]
async fn a_login_that_makes_the_cookie_too_large_is_an_error_and_sends_none() {
    let world = with(&keys(), Namespace::accept_replay);
    let (flight, session) = world.open(&Browser::new()).await;
    session.insert("k", "x".repeat(2_800)).unwrap();
    session.login("u".repeat(255)).unwrap();
    let response = flight.finish().await;
    assert_eq!(response.status, 413);
    assert!(response.cookies().is_empty());
}

#[tokio::test]
async fn what_needs_a_cookie_after_the_head_is_an_error() {
    let world = with(&keys(), |n| n);
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.insert("k", 1)).await;
    for browser in [&browser, &Browser::new()] {
        let (flight, session) = world.open(browser).await;
        flight.finish().await;
        let is_head_sent = |error| matches!(error, SessionError::HeadSent { .. });
        assert!(is_head_sent(session.insert("k", 2).unwrap_err()));
        let update = session.update("k", |k: &mut u32| *k += 1);
        assert!(is_head_sent(update.unwrap_err()));
        session.save().await.unwrap();
    }
}
