//! Sessions that are in their cookies.

use std::time::Duration;

use cloakroom_core::{EventKind, KeyRing, Limits, Namespace, SecretKey, days, hours, minutes};

use crate::support::{ACCOUNT, Browser, COOKIE, Request, World};

pub(crate) fn keys() -> KeyRing {
    KeyRing::new(SecretKey::generate().unwrap())
}

pub(crate) fn with(keys: &KeyRing, configure: impl FnOnce(Namespace) -> Namespace) -> World {
    let namespace = configure(Namespace::in_cookie(ACCOUNT, keys));
    World::build(|builder, _| builder.namespace(namespace))
}

/// The same time for another application.
fn same_time(world: &World, other: &mut World) {
    other.clock = world.clock.clone();
}

#[tokio::test]
async fn an_encrypted_session_comes_back_and_shows_nothing() {
    let world = with(&keys(), |n| n);
    let mut browser = Browser::new();
    browser
        .visit(&world, |s| s.insert("secret", "hunter2"))
        .await;
    let sealed = browser.cookie(COOKIE).unwrap();
    assert!(!unsealed(sealed).windows(7).any(|w| w == b"hunter2"));
    let value = browser.read::<String>(&world, "secret").await;
    assert_eq!(value.as_deref(), Some("hunter2"));
    assert_eq!(world.calls(), []);
}

#[tokio::test]
async fn a_signed_session_comes_back_and_can_be_read_but_not_changed() {
    let world = with(&keys(), Namespace::signed);
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.insert("theme", "dark")).await;
    let sealed = browser.cookie(COOKIE).unwrap().to_owned();
    assert!(unsealed(&sealed).windows(4).any(|w| w == b"dark"));
    let value = browser.read::<String>(&world, "theme").await;
    assert_eq!(value.as_deref(), Some("dark"));
    let mut bytes = unsealed(&sealed);
    let place = bytes.windows(4).position(|w| w == b"dark").unwrap();
    bytes[place] = b'D';
    let mut forger = Browser::with_cookie(COOKIE, &sealed_text(&bytes));
    assert_eq!(forger.read::<String>(&world, "theme").await, None);
}

fn unsealed(text: &str) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn sealed_text(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn cve_2025_47275_every_changed_or_shortened_cookie_is_a_new_session() {
    for signed in [false, true] {
        let world = with(&keys(), |n| if signed { n.signed() } else { n });
        let mut browser = Browser::new();
        browser.visit(&world, |s| s.insert("k", 1)).await;
        let bytes = unsealed(browser.cookie(COOKIE).unwrap());
        let flipped = (0..bytes.len() * 8).map(|bit| {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        });
        let shortened = (0..bytes.len()).map(|length| bytes[..length].to_vec());
        for forged in flipped.chain(shortened) {
            let forger = Browser::with_cookie(COOKIE, &sealed_text(&forged));
            let (flight, session) = world.open(&forger).await;
            assert!(session.is_new());
            assert!(flight.finish().await.cookies().is_empty());
        }
        assert!(world.events.has(EventKind::MalformedToken));
    }
}

#[tokio::test]
async fn reading_sends_no_cookie_and_a_change_does() {
    let world = with(&keys(), |n| n);
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.insert("k", 1)).await;
    let response = browser.visit(&world, |s| s.insert("k", 1)).await;
    assert!(response.cookies().is_empty(), "nothing has changed");
    let before = browser.id_in_cookie(&world).await;
    let response = browser.visit(&world, |s| s.insert("k", 2)).await;
    assert_eq!(response.cookies().len(), 1);
    assert_eq!(browser.id_in_cookie(&world).await, before);
    assert_eq!(browser.read(&world, "k").await, Some(2));
}

impl Browser {
    async fn id_in_cookie(&self, world: &World) -> Option<cloakroom_store::SessionId> {
        let (_flight, session) = world.open(self).await;
        session.id()
    }
}

#[tokio::test]
async fn cve_2025_46344_expiry_is_judged_by_the_server() {
    let limits = Limits::idle(minutes(30)).absolute(hours(2));
    let world = with(&keys(), |n| n.limits(limits));
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.insert("k", 1)).await;
    let kept = browser.clone();
    world.clock.advance(minutes(30));
    assert_eq!(kept.clone().read::<u32>(&world, "k").await, None);
    assert!(world.events.has(EventKind::Expired));
    browser.visit(&world, |s| s.insert("k", 1)).await;
    for _ in 0..8 {
        world.clock.advance(minutes(14));
        assert_eq!(browser.read(&world, "k").await, Some(1));
    }
    world.clock.advance(minutes(8));
    assert_eq!(browser.read::<u32>(&world, "k").await, None, "absolute");
}

#[tokio::test]
async fn a_use_is_noted_by_sending_the_cookie_again() {
    let world = with(&keys(), |n| n.limits(Limits::idle(minutes(10))));
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.insert("k", 1)).await;
    world.clock.advance(Duration::from_secs(59));
    let response = browser.visit(&world, |_| Ok(())).await;
    assert!(response.cookies().is_empty());
    world.clock.advance(Duration::from_secs(1));
    let response = browser.visit(&world, |_| Ok(())).await;
    assert_eq!(response.cookies().len(), 1);
    assert!(world.events.has(EventKind::Touched));
    world.clock.advance(minutes(10) - Duration::from_millis(1));
    assert_eq!(browser.read(&world, "k").await, Some(1));
}

#[tokio::test]
async fn a_persistent_one_has_a_max_age() {
    let world = with(&keys(), |n| n.persistent(days(30)));
    let mut browser = Browser::new();
    let response = browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(response.max_age(), Some(30 * 86_400));
}

#[tokio::test]
async fn cve_2020_15128_a_value_sealed_for_one_cookie_is_worthless_in_another() {
    let keys = keys();
    for signed in [false, true] {
        let protect = |n: Namespace| if signed { n.signed() } else { n };
        let world = with(&keys, protect);
        let mut browser = Browser::new();
        browser.visit(&world, |s| s.insert("k", 1)).await;
        let sealed = browser.cookie(COOKIE).unwrap();
        let other_name = Namespace::in_cookie("other", &keys);
        let other_cookie =
            Namespace::in_cookie(ACCOUNT, &keys).cookie(cloakroom_core::Cookie::named("id"));
        let same = Namespace::in_cookie(ACCOUNT, &keys);
        let other_protection = match signed {
            true => Namespace::in_cookie(ACCOUNT, &keys),
            false => Namespace::in_cookie(ACCOUNT, &keys).signed(),
        };
        for (application, name, cookie, namespace) in [
            ("cloakroom", "other", "__Host-other", protect(other_name)),
            ("cloakroom", ACCOUNT, "__Host-id", protect(other_cookie)),
            ("another", ACCOUNT, COOKIE, protect(same)),
            ("cloakroom", ACCOUNT, COOKIE, other_protection),
        ] {
            let mut other =
                World::build(|builder, _| builder.application(application).namespace(namespace));
            same_time(&world, &mut other);
            let head = Request::cookie(format!("{cookie}={sealed}"));
            let session = other.begin_with(head).open(name).await;
            assert!(session.is_new(), "{application} {name} {cookie}");
        }
        assert_eq!(browser.read(&world, "k").await, Some(1));
    }
}

#[tokio::test]
async fn cve_2025_47278_the_current_key_seals_and_older_ones_open() {
    let key = |n: u8| SecretKey::from_base64(&generated()[usize::from(n)]).unwrap();
    let old = with(&KeyRing::new(key(0)), |n| n);
    let both = with(&KeyRing::new(key(1)).with_older(key(0)), |n| n);
    let new = with(&KeyRing::new(key(1)), |n| n);
    let mut browser = Browser::new();
    browser.visit(&old, |s| s.insert("k", 1)).await;
    assert_eq!(browser.clone().read::<u32>(&new, "k").await, None);
    assert_eq!(browser.read(&both, "k").await, Some(1));
    browser.visit(&both, |s| s.insert("k", 2)).await;
    assert_eq!(browser.clone().read::<u32>(&old, "k").await, None);
    assert_eq!(browser.read(&new, "k").await, Some(2));
}

/// Two keys that stay the same for the process.
fn generated() -> &'static [String; 2] {
    static KEYS: std::sync::OnceLock<[String; 2]> = std::sync::OnceLock::new();
    KEYS.get_or_init(|| {
        let key = || SecretKey::generate().unwrap().to_base64().to_string();
        [key(), key()]
    })
}

#[tokio::test]
async fn two_equal_sessions_seal_to_unrelated_cookies() {
    let world = with(&keys(), |n| n);
    let mut cookies = std::collections::HashSet::new();
    for _ in 0..50 {
        let mut browser = Browser::new();
        browser.visit(&world, |s| s.insert("k", 1)).await;
        assert!(cookies.insert(browser.cookie(COOKIE).unwrap()[20..60].to_owned()));
    }
}
