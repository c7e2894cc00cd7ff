//! CSRF tokens: what they outlive, and what they do not.

use cloakroom_core::{EventKind, Limits, VoidReason, minutes};
use cloakroom_store::Operation::{Load, Replace};

use crate::{
    csrf::{NO_SESSION, WRONG, check, token, verify},
    support::{Browser, World, revoke},
};

#[tokio::test]
async fn cve_2022_24895_a_token_from_before_a_login_fails() {
    let world = World::new();
    let mut browser = Browser::new();
    let before = token(&world, &mut browser).await;
    browser.visit(&world, |s| s.login("alice")).await;
    assert_eq!(check(&world, &browser, &before).await, WRONG);
    // The same subject once more, as after asking for the password again.
    let between = token(&world, &mut browser).await;
    assert_eq!(check(&world, &browser, &between).await, Ok(()));
    browser.visit(&world, |s| s.login("alice")).await;
    assert_eq!(check(&world, &browser, &between).await, WRONG);
    // And as somebody else.
    let of_alice = token(&world, &mut browser).await;
    browser.visit(&world, |s| s.login("bob")).await;
    assert_eq!(check(&world, &browser, &of_alice).await, WRONG);
}

#[tokio::test]
async fn a_token_from_before_a_rotation_holds() {
    let world = World::with(|n| n.rotate_every(minutes(5)));
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.login("alice")).await;
    let before = token(&world, &mut browser).await;
    let first = browser.token().to_owned();
    world.clock.advance(minutes(6));
    browser.visit(&world, |_| Ok(())).await; // it is due
    let second = browser.token().to_owned();
    assert_ne!(first, second);
    assert_eq!(check(&world, &browser, &before).await, Ok(()));
    browser.visit(&world, revoke).await;
    assert_ne!(browser.token(), second);
    assert_eq!(check(&world, &browser, &before).await, Ok(()));
}

#[tokio::test]
async fn whoever_still_has_the_previous_secret_has_the_same_tokens() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut parallel = browser.clone();
    let before = token(&world, &mut browser).await;
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    assert_eq!(check(&world, &parallel, &before).await, Ok(()));
    let of_parallel = token(&world, &mut parallel).await;
    assert_eq!(check(&world, &browser, &of_parallel).await, Ok(()));
}

#[tokio::test]
async fn a_token_given_out_together_with_a_login_is_good_after_it() {
    for is_known in [false, true] {
        let world = World::new();
        let mut browser = match is_known {
            true => Browser::known_to(&world).await,
            false => Browser::new(),
        };
        let (mut early, mut late) = (String::new(), String::new());
        browser
            .visit(&world, |s| {
                early = s.csrf().token()?;
                s.login("alice")?;
                late = s.csrf().token()?;
                s.csrf().verify(&late)
            })
            .await;
        assert_eq!(check(&world, &browser, &late).await, Ok(()), "{is_known}");
        // In a session that is not stored yet there is nothing that the login replaces.
        let expected = if is_known { WRONG } else { Ok(()) };
        assert_eq!(
            check(&world, &browser, &early).await,
            expected,
            "{is_known}"
        );
    }
}

#[tokio::test]
async fn a_token_that_is_checked_after_the_login_of_its_request_fails() {
    let world = World::new();
    let mut browser = Browser::new();
    let before = token(&world, &mut browser).await;
    let (_flight, session) = world.open(&browser).await;
    session.login("alice").unwrap();
    assert_eq!(verify(&session, &before), WRONG);
}

#[tokio::test]
async fn a_token_given_out_together_with_a_change_of_user_is_good_after_it() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.login("alice")).await;
    let mut of_bob = String::new();
    browser
        .visit(&world, |s| {
            s.login("bob")?;
            of_bob = s.csrf().token()?;
            Ok(())
        })
        .await;
    assert_eq!(check(&world, &browser, &of_bob).await, Ok(()));
}

#[tokio::test]
async fn renewing_voids_what_was_given_out_before() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let before = token(&world, &mut browser).await;
    world.calls();
    world.events.take();
    let mut after = String::new();
    let response = browser
        .visit(&world, |s| {
            s.csrf().renew()?;
            after = s.csrf().token()?;
            Ok(())
        })
        .await;
    assert_eq!(world.calls(), [Load, Replace]);
    assert!(response.cookies().is_empty(), "the session's token stays");
    assert!(world.events.has(EventKind::Saved));
    assert_eq!(check(&world, &browser, &before).await, WRONG);
    assert_eq!(check(&world, &browser, &after).await, Ok(()));
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn renewing_outlives_conflicts_and_the_changes_of_others() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (renewing, a) = world.open(&browser).await;
    let (inserting, b) = world.open(&browser).await;
    a.csrf().renew().unwrap();
    let after = a.csrf().token().unwrap();
    let from_before = b.csrf().token().unwrap();
    b.insert("k", 1).unwrap();
    inserting.finish().await;
    renewing.finish().await; // replayed on what the other has written
    assert!(world.events.has(EventKind::Conflict));
    assert_eq!(check(&world, &browser, &after).await, Ok(()));
    assert_eq!(check(&world, &browser, &from_before).await, WRONG);
    assert_eq!(browser.clone().read(&world, "k").await, Some(1));
    // And an insert that is replayed on a renewal leaves the renewal alone.
    let (renewing, a) = world.open(&browser).await;
    let (inserting, b) = world.open(&browser).await;
    a.csrf().renew().unwrap();
    let newest = a.csrf().token().unwrap();
    b.insert("k", 2).unwrap();
    renewing.finish().await;
    inserting.finish().await;
    assert_eq!(check(&world, &browser, &newest).await, Ok(()));
    assert_eq!(browser.clone().read(&world, "k").await, Some(2));
}

#[tokio::test]
async fn a_login_that_meets_a_conflict_keeps_the_token_that_it_gave_out() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (login, a) = world.open(&browser).await;
    let (inserting, b) = world.open(&browser).await;
    a.login("alice").unwrap();
    let given = a.csrf().token().unwrap();
    b.insert("k", 1).unwrap();
    inserting.finish().await;
    browser.receive(&login.finish().await);
    assert!(world.events.has(EventKind::Conflict));
    assert_eq!(check(&world, &browser, &given).await, Ok(()));
}

#[tokio::test]
async fn a_login_whose_session_is_gone_keeps_the_token_that_it_gave_out() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (login, a) = world.open(&browser).await;
    a.login("alice").unwrap();
    let given = a.csrf().token().unwrap();
    browser.clone().visit(&world, |s| s.end()).await;
    browser.receive(&login.finish().await);
    assert_eq!(check(&world, &browser, &given).await, Ok(()));
}

#[tokio::test]
async fn a_login_of_a_late_request_keeps_the_token_that_it_gave_out() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut late = browser.clone();
    browser.visit(&world, |s| s.login("alice")).await;
    let mut given = String::new();
    late.visit(&world, |s| {
        s.login("alice")?;
        given = s.csrf().token()?;
        Ok(())
    })
    .await;
    assert_eq!(check(&world, &late, &given).await, Ok(()));
}

#[tokio::test]
async fn a_late_request_has_no_token_that_is_good_and_stores_none() {
    let world = World::new();
    let mut browser = Browser::new();
    let before = token(&world, &mut browser).await;
    let mut late = browser.clone();
    browser.visit(&world, |s| s.login("alice")).await;
    world.calls();
    assert_eq!(check(&world, &late, &before).await, NO_SESSION);
    let mut given = String::new();
    let response = late
        .visit(&world, |s| {
            given = s.csrf().token()?;
            Ok(())
        })
        .await;
    assert!(response.cookies().is_empty());
    assert_eq!(world.calls(), [Load, Load]);
    assert!(world.events.has(EventKind::Void(VoidReason::Late)));
    assert_eq!(check(&world, &browser, &given).await, WRONG);
}

#[tokio::test]
async fn a_token_of_a_session_that_was_ended_is_good_for_none() {
    let world = World::new();
    let mut browser = Browser::new();
    let before = token(&world, &mut browser).await;
    let (mut dropped, mut kept) = (String::new(), String::new());
    browser
        .visit(&world, |s| {
            dropped = s.csrf().token()?;
            s.end()?;
            assert_eq!(verify(s, &before), NO_SESSION);
            kept = s.csrf().token()?; // begins a new session
            Ok(())
        })
        .await;
    assert_eq!(world.records(), 1);
    assert_eq!(check(&world, &browser, &before).await, WRONG);
    assert_eq!(check(&world, &browser, &dropped).await, WRONG);
    assert_eq!(check(&world, &browser, &kept).await, Ok(()));
}

#[tokio::test]
async fn an_expired_session_has_no_tokens() {
    let world = World::with(|n| n.limits(Limits::idle(minutes(10))));
    let mut browser = Browser::new();
    let before = token(&world, &mut browser).await;
    world.clock.advance(minutes(10));
    assert_eq!(check(&world, &browser, &before).await, NO_SESSION);
    let after = token(&world, &mut browser).await;
    assert_eq!(check(&world, &browser, &before).await, WRONG);
    assert_eq!(check(&world, &browser, &after).await, Ok(()));
}
