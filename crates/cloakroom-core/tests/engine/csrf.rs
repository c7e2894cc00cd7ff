//! CSRF tokens: whose they are, when a session is stored for them, and what is told of them.

use cloakroom_core::{CsrfRefusal, EventKind, Namespace, SessionError, SessionHandle};
use cloakroom_store::Operation::{Create, Load};
use cloakroom_testkit::Fault;

use crate::support::{ACCOUNT, Broken, Browser, World};

/// A token of the browser's session, asked for in a request of its own.
pub(crate) async fn token(world: &World, browser: &mut Browser) -> String {
    let mut token = String::new();
    browser
        .visit(world, |s| {
            token = s.csrf().token()?;
            Ok(())
        })
        .await;
    token
}

/// What a request of the browser makes of a token.
pub(crate) async fn check(
    world: &World,
    browser: &Browser,
    token: &str,
) -> Result<(), CsrfRefusal> {
    let (flight, session) = world.open(browser).await;
    let verified = verify(&session, token);
    flight.finish().await;
    verified
}

pub(crate) fn verify(session: &SessionHandle, token: &str) -> Result<(), CsrfRefusal> {
    match session.csrf().verify(token) {
        Ok(()) => Ok(()),
        Err(SessionError::Csrf { namespace, refusal }) => {
            assert_eq!(namespace, session.namespace());
            Err(refusal)
        }
        Err(other) => panic!("{other}"),
    }
}

pub(crate) const WRONG: Result<(), CsrfRefusal> = Err(CsrfRefusal::WrongToken);
pub(crate) const NO_SESSION: Result<(), CsrfRefusal> = Err(CsrfRefusal::NoSession);

#[tokio::test]
async fn asking_for_a_token_in_a_new_session_stores_it_and_sends_its_cookie() {
    let world = World::new();
    let mut browser = Browser::new();
    let token = token(&world, &mut browser).await;
    assert_eq!(world.calls(), [Create]);
    assert!(browser.cookie(crate::support::COOKIE).is_some());
    assert_eq!(check(&world, &browser, &token).await, Ok(()));
    assert_eq!(world.calls(), [Load]);
}

#[tokio::test]
async fn in_a_session_that_is_there_it_changes_nothing() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let response = browser
        .visit(&world, |s| s.csrf().hidden_field().map(drop))
        .await;
    assert_eq!(world.calls(), [Load]);
    assert!(response.cookies().is_empty());
}

#[tokio::test]
async fn checking_a_token_in_a_new_session_stores_nothing() {
    let world = World::new();
    let mut browser = Browser::new();
    let known = token(&world, &mut browser).await;
    world.calls();
    world.events.take();
    assert_eq!(check(&world, &Browser::new(), &known).await, NO_SESSION);
    assert!(world.calls().is_empty());
    let refused = EventKind::CsrfRefused(CsrfRefusal::NoSession);
    assert!(world.events.has_of(ACCOUNT, refused));
}

#[tokio::test]
async fn two_renders_differ_and_both_are_good() {
    let world = World::new();
    let (_flight, session) = world.open(&Browser::known_to(&world).await).await;
    let (one, other) = (
        session.csrf().token().unwrap(),
        session.csrf().token().unwrap(),
    );
    assert_ne!(one, other);
    let same = one.bytes().zip(other.bytes()).filter(|(a, b)| a == b);
    assert!(same.count() < 20, "{one} {other}");
    assert_eq!(
        (verify(&session, &one), verify(&session, &other)),
        (Ok(()), Ok(()))
    );
}

#[tokio::test]
async fn cve_2020_8166_a_token_of_another_session_or_action_fails() {
    let world = World::new();
    let (mut alice, mut bob) = (Browser::new(), Browser::new());
    let of_alice = token(&world, &mut alice).await;
    let of_bob = token(&world, &mut bob).await;
    assert_eq!(check(&world, &bob, &of_alice).await, WRONG);
    assert_eq!(check(&world, &alice, &of_bob).await, WRONG);
    let (_flight, session) = world.open(&alice).await;
    let to_pay = session.csrf().action("pay").token().unwrap();
    assert!(session.csrf().action("pay").verify(&to_pay).is_ok());
    for action in ["", "Pay", "pay ", "payments"] {
        assert!(
            session.csrf().action(action).verify(&to_pay).is_err(),
            "{action:?}"
        );
    }
    // Neither is one for all good for one action, nor the other way round.
    assert_eq!(verify(&session, &to_pay), WRONG);
    assert!(session.csrf().action("pay").verify(&of_alice).is_err());
}

#[tokio::test]
async fn a_token_of_another_namespace_fails() {
    let world = World::build(|builder, store| {
        builder
            .namespace(Namespace::new("cart", store.clone()))
            .namespace(Namespace::new("prefs", store.clone()))
    });
    let flight = world.begin(&Browser::new());
    let (cart, prefs) = (flight.open("cart").await, flight.open("prefs").await);
    let (of_cart, of_prefs) = (cart.csrf().token().unwrap(), prefs.csrf().token().unwrap());
    assert_eq!(
        (verify(&cart, &of_cart), verify(&cart, &of_prefs)),
        (Ok(()), WRONG)
    );
    assert_eq!(
        (verify(&prefs, &of_prefs), verify(&prefs, &of_cart)),
        (Ok(()), WRONG)
    );
}

#[tokio::test]
async fn a_token_given_out_before_and_after_an_early_save_is_the_same_sessions() {
    let world = World::new();
    let mut browser = Browser::new();
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    let before = session.csrf().token().unwrap();
    session.save().await.unwrap();
    let after = session.csrf().token().unwrap();
    world.calls();
    browser.receive(&flight.finish().await);
    assert!(world.calls().is_empty(), "nothing is left to be written");
    for token in [before, after] {
        assert_eq!(check(&world, &browser, &token).await, Ok(()));
    }
}

#[tokio::test]
async fn a_create_that_fails_is_tried_again_with_the_same_seed() {
    for fault in [Fault::BeforeEffect, Fault::AfterEffect] {
        let world = World::new();
        let mut browser = Browser::new();
        let (flight, session) = world.open(&browser).await;
        let given = session.csrf().token().unwrap();
        world.faults.fail_next(Create, fault);
        let _ = session.save().await;
        browser.receive(&flight.finish().await);
        assert_eq!(check(&world, &browser, &given).await, Ok(()), "{fault:?}");
        assert_eq!(world.records(), 1);
    }
}

#[tokio::test]
async fn a_new_session_in_a_stream_has_no_cookie_for_its_token() {
    let world = World::new();
    let (flight, session) = world.open(&Browser::new()).await;
    flight.finish().await;
    for result in [session.csrf().token().map(drop), session.csrf().renew()] {
        assert!(
            matches!(result, Err(SessionError::HeadSent { .. })),
            "{result:?}"
        );
    }
    // One that is stored needs none.
    let browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    flight.finish().await;
    let given = session.csrf().token().unwrap();
    assert_eq!(check(&world, &browser, &given).await, Ok(()));
    session.csrf().renew().unwrap();
    let renewed = session.csrf().token().unwrap();
    session.save().await.unwrap();
    assert_eq!(check(&world, &browser, &given).await, WRONG);
    assert_eq!(check(&world, &browser, &renewed).await, Ok(()));
}

#[tokio::test]
async fn a_response_that_is_an_error_stores_no_token() {
    let world = World::new();
    let (flight, session) = world.open(&Browser::new()).await;
    session.csrf().token().unwrap();
    let response = flight.finish_with(500).await;
    assert!(response.cookies().is_empty());
    assert_eq!(world.records(), 0);
}

#[tokio::test]
async fn without_random_bytes_there_is_no_token_and_no_weaker_one() {
    let random = Broken::default();
    let world = World::build(|builder, store| {
        let account = Namespace::new(ACCOUNT, store.clone());
        builder.namespace(account).random(random.clone())
    });
    let browser = Browser::known_to(&world).await;
    let (_flight, session) = world.open(&browser).await;
    let given = session.csrf().token().unwrap();
    random.set(true);
    let error = session.csrf().token().unwrap_err();
    assert_eq!(error.status(), 503);
    assert!(session.csrf().renew().is_err());
    // Nothing has changed, and checking needs none.
    assert_eq!(verify(&session, &given), Ok(()));
}

#[tokio::test]
async fn two_first_visits_of_one_request_give_tokens_of_one_session() {
    let world = World::new();
    let mut browser = Browser::new();
    let flight = world.begin(&browser);
    let (one, other) = (flight.open(ACCOUNT).await, flight.open(ACCOUNT).await);
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let session = if n % 2 == 0 {
                one.clone()
            } else {
                other.clone()
            };
            std::thread::spawn(move || session.csrf().token().unwrap())
        })
        .collect();
    let tokens: Vec<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
    browser.receive(&flight.finish().await);
    for token in tokens {
        assert_eq!(check(&world, &browser, &token).await, Ok(()));
    }
}

#[tokio::test]
async fn refusals_are_events_that_say_why() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    let mut good = session.csrf().token().unwrap();
    assert_eq!(verify(&session, "x"), Err(CsrfRefusal::MalformedToken));
    good.replace_range(0..1, if good.starts_with('A') { "B" } else { "A" });
    assert_eq!(verify(&session, &good), WRONG);
    let error = session.csrf().refuse(CsrfRefusal::NoToken);
    assert_eq!(error.status(), 403);
    flight.sessions.note_refusal(CsrfRefusal::CrossOrigin);
    for refusal in [
        CsrfRefusal::MalformedToken,
        CsrfRefusal::WrongToken,
        CsrfRefusal::NoToken,
    ] {
        assert!(
            world
                .events
                .has_of(ACCOUNT, EventKind::CsrfRefused(refusal))
        );
    }
    let refused = EventKind::CsrfRefused(CsrfRefusal::CrossOrigin);
    assert!(world.events.has_of("", refused));
}

#[tokio::test]
async fn neither_seed_nor_token_is_shown() {
    let captured = crate::support::Captured::begin();
    let world = World::new();
    let (flight, session) = world.open(&Browser::new()).await;
    let token = session.csrf().token().unwrap();
    let mut wrong = token.clone();
    wrong.replace_range(
        40..41,
        if wrong.as_bytes()[40] == b'A' {
            "B"
        } else {
            "A"
        },
    );
    let error = session.csrf().verify(&wrong).unwrap_err();
    let csrf = session.csrf();
    let shown = format!(
        "{session:?} {csrf:?} {error:?} {error} {:?}",
        flight.sessions
    );
    flight.finish().await;
    for text in [shown, captured.text()] {
        assert!(
            !text.contains(&token[..20]) && !text.contains(&token[50..]),
            "{text}"
        );
    }
    assert!(
        captured.text().contains("CSRF token"),
        "{}",
        captured.text()
    );
}

#[cfg(feature = "client-side")]
mod client_side {
    use cloakroom_core::{KeyRing, SecretKey};

    use super::*;

    fn world() -> World {
        let keys = KeyRing::new(SecretKey::generate().unwrap());
        World::build(|builder, _| {
            builder.namespace(Namespace::in_cookie(ACCOUNT, &keys).accept_replay())
        })
    }

    #[tokio::test]
    async fn tokens_of_a_client_side_session_are_good_until_a_login() {
        let world = world();
        let mut browser = Browser::new();
        let before = token(&world, &mut browser).await;
        assert_eq!(check(&world, &browser, &before).await, Ok(()));
        let mut given = String::new();
        browser
            .visit(&world, |s| {
                s.login("alice")?;
                given = s.csrf().token()?;
                Ok(())
            })
            .await;
        assert_eq!(check(&world, &browser, &before).await, WRONG);
        assert_eq!(check(&world, &browser, &given).await, Ok(()));
    }

    #[tokio::test]
    async fn renewing_sends_the_cookie_again() {
        let world = world();
        let mut browser = Browser::new();
        let before = token(&world, &mut browser).await;
        let response = browser.visit(&world, |s| s.csrf().token().map(drop)).await;
        assert!(response.cookies().is_empty());
        let response = browser.visit(&world, |s| s.csrf().renew()).await;
        assert_eq!(response.cookies().len(), 1);
        assert_eq!(check(&world, &browser, &before).await, WRONG);
    }

    #[tokio::test]
    async fn after_the_head_a_renewal_has_no_cookie() {
        let world = world();
        let mut browser = Browser::new();
        let before = token(&world, &mut browser).await;
        let (flight, session) = world.open(&browser).await;
        flight.finish().await;
        let renewed = session.csrf().renew();
        assert!(matches!(renewed, Err(SessionError::HeadSent { .. })));
        assert_eq!(verify(&session, &before), Ok(()));
    }
}
