//! Neither secrets nor values are ever shown.

use std::fmt::Write;

use cloakroom_core::{Namespace, ResponseHeader, Token, Transport};
use cloakroom_testkit::Fault;

use crate::support::{ACCOUNT, Browser, COOKIE, Captured, Request, World};

const VALUE: &str = "hunter2-is-the-value";

/// Everything that must not be seen: values, and tokens with their secret halves.
fn assert_hidden(text: &str, tokens: &[String]) {
    assert!(!text.contains(VALUE), "a value in {text}");
    for token in tokens {
        assert!(!text.contains(token.as_str()), "a token in {text}");
        assert!(!text.contains(&token[22..]), "a secret in {text}");
    }
}

#[tokio::test]
async fn cve_2023_20866_a_whole_run_shows_neither_secrets_nor_values() {
    let captured = Captured::begin();
    let world = World::new();
    let mut browser = Browser::new();
    let mut tokens = Vec::new();
    let mut shown = String::new();
    let mut old = browser.clone();
    for round in 0..6 {
        let (flight, session) = world.open(&browser).await;
        let (slow, other) = world.open(&browser).await;
        session
            .insert("password", format!("{VALUE}-{round}"))
            .unwrap();
        other.insert("password", VALUE).unwrap();
        session
            .update("log", |log: &mut Vec<String>| log.push(VALUE.to_owned()))
            .unwrap();
        match round {
            1 => drop(session.rotate().unwrap()),
            2 => session.login("alice").unwrap(),
            3 => session.rotate().unwrap().revoke(),
            4 => world
                .faults
                .fail_next(cloakroom_store::Operation::Replace, Fault::AfterEffect),
            _ => {}
        }
        let wrong_type = session.get::<u32>("password").unwrap_err();
        write!(shown, "{wrong_type} {wrong_type:?}").unwrap();
        write!(
            shown,
            "{session:?} {:?} {:?}",
            flight.sessions,
            flight.commit()
        )
        .unwrap();
        browser.receive(&flight.finish().await);
        slow.finish().await;
        tokens.push(browser.token().to_owned());
        let token = Token::parse(browser.token().as_bytes()).unwrap();
        write!(shown, "{session:?} {token:?} {:?}", world.manager).unwrap();
        let record = world.record(browser.id()).await.unwrap();
        write!(shown, "{record:?}").unwrap();
        old.visit(&world, |_| Ok(())).await;
        old = browser.clone();
    }
    browser.visit(&world, |s| s.end()).await;
    let mut forged = Browser::with_cookie(COOKIE, &format!("{VALUE}{}", tokens[0]));
    forged.visit(&world, |_| Ok(())).await;
    assert_hidden(&captured.text(), &tokens);
    assert_hidden(&shown, &tokens);
    let text = captured.text();
    for level in ["ERROR", "INFO", "DEBUG", "TRACE"] {
        assert!(text.contains(level), "nothing was captured at {level}");
    }
    assert!(text.contains("namespace=\"account\""), "{text}");
}

#[tokio::test]
async fn a_run_in_headers_shows_no_token() {
    let captured = Captured::begin();
    let world = World::with(|n| n.transports([Transport::bearer(), Transport::header("x-s")]));
    let (mut tokens, mut shown) = (Vec::new(), String::new());
    let mut request = Request::default();
    for round in 0..5 {
        let flight = world.begin_with(request.clone());
        let session = flight.open(ACCOUNT).await;
        session.insert("password", VALUE).unwrap();
        match round {
            1 => session.login("alice").unwrap(),
            2 => session.rotate().unwrap().revoke(),
            3 => world
                .faults
                .fail_next(cloakroom_store::Operation::Replace, Fault::Timeout),
            _ => {}
        }
        write!(shown, "{session:?} {:?}", flight.sessions).unwrap();
        let response = flight.finish().await;
        for token in response.all(ResponseHeader::Other("x-session-token")) {
            request = Request::default().header("authorization", format!("Bearer {token}"));
            tokens.push(token.to_owned());
        }
    }
    assert_eq!(tokens.len(), 3);
    assert_hidden(&captured.text(), &tokens);
    assert_hidden(&shown, &tokens);
}

#[tokio::test]
async fn debug_of_every_public_type_shows_no_key_material() {
    let world = World::with(|n| n.only_if(|_| true));
    let mut shown = String::new();
    write!(shown, "{:?}", world.manager).unwrap();
    let namespace = Namespace::new(ACCOUNT, world.store.clone());
    write!(shown, "{namespace:?}").unwrap();
    for info in world.manager.namespaces() {
        write!(shown, "{info:?}").unwrap();
    }
    #[cfg(feature = "client-side")]
    {
        use cloakroom_core::{KeyRing, SecretKey};
        let key = SecretKey::generate().unwrap();
        let text = key.to_base64().to_string();
        let ring = KeyRing::new(key);
        let sealed = Namespace::in_cookie("prefs", &ring);
        write!(shown, "{ring:?} {sealed:?}").unwrap();
        let other = World::build(|builder, _| builder.namespace(sealed));
        write!(shown, "{:?}", other.manager).unwrap();
        let browser = Browser::new();
        let flight = other.begin(&browser);
        let session = flight.open("prefs").await;
        session.insert("k", VALUE).unwrap();
        write!(shown, "{session:?} {:?}", flight.sessions).unwrap();
        assert!(!shown.contains(&text[..20]));
    }
    assert_hidden(&shown, &[]);
    assert!(shown.contains(ACCOUNT));
}

#[tokio::test]
async fn the_answer_to_a_failure_tells_nothing() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    for (fault, operation) in [
        (Fault::BeforeEffect, cloakroom_store::Operation::Replace),
        (Fault::Timeout, cloakroom_store::Operation::Replace),
    ] {
        let (flight, session) = world.open(&browser).await;
        session.insert("k", VALUE).unwrap();
        world.faults.fail_next(operation, fault);
        let verdict = flight.commit().await;
        assert_eq!(verdict.status(), Some(503));
        assert_hidden(verdict.message(), &[browser.token().to_owned()]);
        assert!(!verdict.message().contains(ACCOUNT));
    }
}
