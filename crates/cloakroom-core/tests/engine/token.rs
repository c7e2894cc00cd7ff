//! What is a token, and what none.

use cloakroom_core::{EventKind, Namespace, SessionError};
use cloakroom_store::{Operation, Store};

use crate::support::{ACCOUNT, Broken, Browser, COOKIE, FirstIds, OneId, Request, World};

/// Well formed, and of no session.
fn unknown_token() -> String {
    "Ab_-".repeat(16)
}

#[tokio::test]
async fn cve_2024_38513_an_unknown_id_is_never_adopted() {
    let world = World::new();
    let mut browser = Browser::with_cookie(COOKIE, &unknown_token());
    let planted = browser.id();
    browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_ne!(browser.id(), planted);
    assert_eq!(world.records(), 1);
    assert!(world.record(planted).await.is_none());
    assert!(world.events.has(EventKind::UnknownToken));
}

#[tokio::test]
async fn cve_2015_3982_malformed_tokens_cause_no_store_call() {
    let good = unknown_token();
    let malformed = [
        String::new(),
        " ".to_owned(),
        "\t ".to_owned(),
        good[1..].to_owned(),
        format!("{good}A"),
        format!("{}=", &good[1..]),
        format!("{} ", &good[1..]),
        format!("{}+", &good[1..]),
        format!("{}\r\n", &good[2..]),
        format!("{}\r\nSet-Cookie: a=b", &good[..46]),
        format!("\"{}\"", &good[2..]),
        "A".repeat(300),
        "../../../../../../../../../../../../../../../../../../etc/passwd".to_owned(),
        "\0".repeat(64),
        "é".repeat(32),
    ];
    for token in malformed {
        let world = World::new();
        let flight = world.begin_with(Request::cookie(format!("{COOKIE}={token}")));
        let session = flight.open(ACCOUNT).await;
        assert!(session.is_new(), "{token:?}");
        let response = flight.finish().await;
        assert_eq!(world.store.calls(), [], "{token:?}");
        assert!(world.events.has(EventKind::MalformedToken), "{token:?}");
        assert!(response.cookies().is_empty(), "{token:?}");
    }
}

#[tokio::test]
async fn a_bad_token_alone_never_makes_us_send_a_removal_cookie() {
    let world = World::new();
    let mut browser = Browser::with_cookie(COOKIE, &unknown_token());
    let response = browser.visit(&world, |_| Ok(())).await;
    assert!(response.cookies().is_empty());
}

fn two_namespaces() -> World {
    World::build(|builder, store| {
        builder
            .namespace(Namespace::new(ACCOUNT, store.clone()))
            .namespace(Namespace::new("cart", store.clone()))
    })
}

#[tokio::test]
async fn a_token_of_one_namespace_opens_nothing_in_another() {
    let world = two_namespaces();
    let browser = Browser::known_to(&world).await;
    let replayed = Browser::with_cookie("__Host-cart", browser.token());
    let flight = world.begin(&replayed);
    assert!(flight.open("cart").await.is_new());
    assert!(world.events.has_of("cart", EventKind::UnknownToken));
}

#[tokio::test]
async fn a_record_copied_to_another_namespace_opens_for_nobody() {
    let world = two_namespaces();
    let browser = Browser::known_to(&world).await;
    let record = world.record(browser.id()).await.unwrap();
    let copy = World::key("cart", browser.id());
    world.memory().create(&copy, &record).await.unwrap();
    let replayed = Browser::with_cookie("__Host-cart", browser.token());
    assert!(world.begin(&replayed).open("cart").await.is_new());
    assert!(world.events.has_of("cart", EventKind::WrongSecret));
}

#[tokio::test]
async fn a_wrong_secret_opens_nothing() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let token = browser.token().to_owned();
    let flipped = match token.ends_with('A') {
        true => format!("{}B", &token[..63]),
        false => format!("{}A", &token[..63]),
    };
    let (_flight, session) = world.open(&Browser::with_cookie(COOKIE, &flipped)).await;
    assert!(session.is_new());
    assert!(world.events.has(EventKind::WrongSecret));
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn cve_2015_5143_random_cookies_and_anonymous_logouts_leave_no_record() {
    let world = World::new();
    for n in 0..1_000 {
        let token = format!("{n:064}");
        let mut browser = Browser::with_cookie(COOKIE, &token);
        browser.visit(&world, |s| s.logout()).await;
    }
    assert_eq!(world.records(), 0);
    assert_eq!(world.store.count(Operation::Create), 0);
    assert_eq!(world.store.count(Operation::Delete), 0);
}

#[tokio::test]
async fn cve_2025_66565_without_random_bytes_there_is_no_session() {
    let random = Broken::default();
    let world = World::build(|builder, store| {
        let account = Namespace::new(ACCOUNT, store.clone());
        builder.namespace(account).random(random.clone())
    });
    random.set(true);
    let (flight, session) = world.open(&Browser::new()).await;
    session.insert("k", 1).unwrap();
    let response = flight.finish().await;
    assert_eq!(response.status, 503);
    assert!(response.cookies().is_empty());
    assert_eq!(world.records(), 0);
}

#[tokio::test]
async fn without_random_bytes_a_login_changes_nothing() {
    for saves in [false, true] {
        let random = Broken::default();
        let world = World::build(|builder, store| {
            let account = Namespace::new(ACCOUNT, store.clone());
            builder.namespace(account).random(random.clone())
        });
        let mut browser = Browser::known_to(&world).await;
        random.set(true);
        let (flight, session) = world.open(&browser).await;
        session.login("alice").unwrap();
        if saves {
            let error = session.save().await.unwrap_err();
            assert!(matches!(error, SessionError::Random(_)), "{error:?}");
            assert_eq!(error.status(), 503);
        }
        let response = flight.finish().await;
        assert!(saves || response.status == 503);
        assert!(response.cookies().is_empty());
        assert!(world.record(browser.id()).await.unwrap().subject.is_none());
        assert_eq!(browser.read(&world, "known").await, Some(true));
    }
}

#[tokio::test]
async fn an_id_that_is_taken_is_drawn_again() {
    // The first session takes the repeated id, the second one draws it twice more.
    let world = World::build(|builder, store| {
        let random = FirstIds::repeating(5);
        let account = Namespace::new(ACCOUNT, store.clone());
        builder.namespace(account).random(random)
    });
    let first = Browser::known_to(&world).await;
    let second = Browser::known_to(&world).await;
    assert_ne!(first.id(), second.id());
    assert_eq!(world.records(), 2);
    for mut browser in [first, second] {
        assert_eq!(browser.read(&world, "known").await, Some(true));
    }
}

#[tokio::test]
async fn a_generator_that_only_repeats_itself_is_an_error_within_the_deadline() {
    let random = OneId::for_some_seconds();
    let gives_up = random.until;
    let world = World::build(|builder, store| {
        let account = Namespace::new(ACCOUNT, store.clone());
        let deadline = std::time::Duration::from_millis(100);
        builder
            .namespace(account)
            .random(random)
            .commit_deadline(deadline)
    });
    Browser::known_to(&world).await;
    let (flight, session) = world.open(&Browser::new()).await;
    session.insert("k", 1).unwrap();
    assert_eq!(flight.finish().await.status, 503);
    assert!(
        std::time::Instant::now() < gives_up,
        "it drew ids until the generator failed"
    );
}

#[tokio::test]
async fn cve_2019_16782_the_secret_never_reaches_the_store() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    for rotate in [false, true, true] {
        if rotate {
            browser.visit(&world, |s| s.rotate().map(drop)).await;
        }
        let record = world.record(browser.id()).await.unwrap();
        let secret = &decoded(browser.token())[16..];
        let holds = |data: &[u8]| data.windows(32).any(|window| window == secret);
        assert!(!holds(&record.data));
        assert!(!holds(&record.encode().unwrap()));
    }
}

fn decoded(token: &str) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.decode(token).unwrap()
}
