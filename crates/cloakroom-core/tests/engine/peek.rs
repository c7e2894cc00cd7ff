//! Looking at a session without leaving a trace of it.

use cloakroom_core::{EventKind, Limits, SessionError, TokenVerdict, minutes};
use cloakroom_store::Operation;
use cloakroom_testkit::Fault;

use crate::support::{ACCOUNT, Browser, COOKIE, Request, World, shown};

/// What a peek shows, and what the tokens are worth.
async fn peek(world: &World, head: &Request) -> (Option<String>, Vec<TokenVerdict>) {
    let peeked = world.manager.peek(ACCOUNT, head).unwrap();
    let peeked = peeked.look().await.unwrap();
    let verdicts = peeked.verdicts().iter().map(|(_, verdict)| *verdict);
    (peeked.data().map(shown), verdicts.collect())
}

#[tokio::test]
async fn a_peek_reads_once_and_touches_nothing() {
    let world = World::with(|namespace| namespace.limits(Limits::idle(minutes(30))));
    let browser = Browser::known_to(&world).await;
    world.clock.advance(minutes(29));
    let found = peek(&world, &browser.request()).await;
    assert_eq!(
        found,
        (Some("known=true".to_owned()), vec![TokenVerdict::Current])
    );
    assert_eq!(world.calls(), [Operation::Load]);
    assert_eq!(world.events.take(), []);
    // The use was not noted: two minutes later it has expired.
    world.clock.advance(minutes(2));
    let expired = peek(&world, &browser.request()).await;
    assert_eq!(expired, (None, vec![TokenVerdict::Expired]));
}

#[tokio::test]
async fn a_peek_opens_nothing_that_the_token_would_not_open() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let good = browser.token().to_owned();
    let wrong = format!(
        "{}{}",
        &good[..60],
        if good.ends_with('A') { "BBBB" } else { "AAAA" }
    );
    for (value, verdict) in [
        (wrong, TokenVerdict::Wrong),
        ("A".repeat(64), TokenVerdict::Unknown),
    ] {
        let head = Request::cookie(format!("{COOKIE}={value}"));
        assert_eq!(peek(&world, &head).await, (None, vec![verdict]));
    }
    assert_eq!(peek(&world, &Request::default()).await, (None, vec![]));
    let other = Browser::known_to(&world).await;
    let both = Request::cookie(format!("{COOKIE}={good}; {COOKIE}={}", other.token()));
    let (found, verdicts) = peek(&world, &both).await;
    assert_eq!((found, verdicts.len()), (None, 2), "two sessions are none");

    let before = browser.clone();
    browser.visit(&world, |s| s.login("alice")).await;
    let late = peek(&world, &before.request()).await;
    assert_eq!(late, (None, vec![TokenVerdict::Late]));
    browser.visit(&world, |s| s.end()).await;
    world.events.take();
    assert!(!world.events.has(EventKind::Late));
}

#[tokio::test]
async fn a_closed_namespace_is_not_loaded() {
    let world = World::with(|namespace| namespace.only_if(|request| request.is_https()));
    let unpeeked = world.manager.peek(ACCOUNT, &Request::default()).unwrap();
    let peeked = unpeeked.look().await.unwrap();
    assert!(peeked.is_closed() && peeked.data().is_none());
    assert_eq!(world.calls(), []);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_an_error_within_the_deadline() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    world.faults.always(Fault::Hang);
    let unpeeked = world.manager.peek(ACCOUNT, &browser.request()).unwrap();
    let error = unpeeked.look().await.unwrap_err();
    assert!(matches!(error, SessionError::Store(_)));
    let unknown = world.manager.peek("acount", &browser.request());
    assert!(matches!(
        unknown,
        Err(SessionError::UnknownNamespace { .. })
    ));
}

#[cfg(feature = "client-side")]
#[tokio::test]
async fn a_client_side_session_is_peeked_at_in_its_cookie() {
    let keys = crate::client_side::keys();
    let world = crate::client_side::with(&keys, |namespace| namespace);
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.insert("theme", "dark")).await;
    let found = peek(&world, &browser.request()).await;
    let dark = Some("theme=\"dark\"".to_owned());
    assert_eq!(found, (dark, vec![TokenVerdict::Current]));
    let forged = peek(&world, &Request::cookie(format!("{COOKIE}=AAAA"))).await;
    assert_eq!(forged, (None, vec![TokenVerdict::Unreadable]));
}
