//! Messages for the next page.

use cloakroom_core::{Flash, Key, Level, SessionError, SessionHandle};
use cloakroom_store::Operation::{Create, Load, Replace};
use serde::{Deserialize, Serialize};

use crate::support::{Browser, World};

async fn with_message(world: &World) -> Browser {
    let mut browser = Browser::known_to(world).await;
    browser.visit(world, |s| s.flash(Level::Info, "one")).await;
    world.calls();
    browser
}

fn texts(messages: &[Flash]) -> Vec<(Level, &str)> {
    messages
        .iter()
        .map(|flash| (flash.level, flash.message.as_str()))
        .collect()
}

async fn shown(session: &SessionHandle) -> Vec<Flash> {
    session.flashes().await.unwrap()
}

#[tokio::test]
async fn messages_are_shown_once_in_their_order_with_their_levels() {
    let world = World::new();
    let mut browser = Browser::new();
    let say = |s: &SessionHandle| {
        s.flash(Level::Success, "saved")?;
        s.flash(Level::Error, "but not sent")
    };
    browser.visit(&world, say).await;
    let (flight, session) = world.open(&browser).await;
    let messages = shown(&session).await;
    assert_eq!(
        texts(&messages),
        [(Level::Success, "saved"), (Level::Error, "but not sent")]
    );
    assert!(shown(&session).await.is_empty());
    flight.finish().await;
    let (_flight, session) = world.open(&browser).await;
    assert!(shown(&session).await.is_empty());
}

#[tokio::test]
async fn messages_of_the_same_request_are_shown_too() {
    let world = World::new();
    let browser = Browser::new();
    let (_flight, session) = world.open(&browser).await;
    session.flash(Level::Warning, "now").unwrap();
    assert_eq!(texts(&shown(&session).await), [(Level::Warning, "now")]);
}

#[tokio::test]
async fn an_empty_queue_changes_nothing_and_stores_nothing() {
    let world = World::new();
    let mut browser = Browser::new();
    let (flight, session) = world.open(&browser).await;
    assert!(shown(&session).await.is_empty());
    assert!(
        session
            .flash_queue("a")
            .peek::<String>()
            .unwrap()
            .is_empty()
    );
    session.flash_queue("a").keep::<String>(Vec::new()).unwrap();
    assert!(flight.finish().await.cookies().is_empty());
    assert_eq!(world.calls(), []);

    browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(world.calls(), [Create]);
    let (flight, session) = world.open(&browser).await;
    assert!(shown(&session).await.is_empty());
    flight.finish().await;
    assert_eq!(world.calls(), [Load]);
}

#[tokio::test]
async fn messages_are_claimed_before_they_are_given() {
    let world = World::new();
    let browser = with_message(&world).await;
    let (_flight, session) = world.open(&browser).await;
    assert_eq!(shown(&session).await.len(), 1);
    assert_eq!(world.calls(), [Load, Replace]);
}

#[tokio::test]
async fn of_parallel_pages_one_shows_a_message() {
    let world = World::new();
    let browser = with_message(&world).await;
    let mut pages = Vec::new();
    for _ in 0..20 {
        let (flight, session) = world.open(&browser).await;
        pages.push(tokio::spawn(async move {
            let messages: Vec<Flash> = session.flashes().await.unwrap();
            flight.finish().await;
            messages.len()
        }));
    }
    let mut times_shown = 0;
    for page in pages {
        times_shown += page.await.unwrap();
    }
    assert_eq!(times_shown, 1);
}

#[tokio::test]
async fn messages_of_parallel_requests_all_arrive() {
    let world = World::new();
    let browser = with_message(&world).await;
    let mut requests = Vec::new();
    for number in 0..20 {
        let (flight, session) = world.open(&browser).await;
        session.flash(Level::Info, number.to_string()).unwrap();
        requests.push(flight);
    }
    for flight in requests {
        flight.finish().await;
    }
    let (_flight, session) = world.open(&browser).await;
    assert_eq!(shown(&session).await.len(), 21);
}

#[tokio::test]
async fn a_message_that_comes_while_others_are_shown_is_for_the_next_page() {
    let world = World::new();
    let mut browser = with_message(&world).await;
    let (flight, session) = world.open(&browser).await;
    assert_eq!(texts(&shown(&session).await), [(Level::Info, "one")]);
    browser.visit(&world, |s| s.flash(Level::Info, "two")).await;
    flight.finish().await;
    let (_flight, session) = world.open(&browser).await;
    assert_eq!(texts(&shown(&session).await), [(Level::Info, "two")]);
}

#[tokio::test]
async fn queues_are_apart() {
    let world = World::new();
    let mut browser = Browser::new();
    let say = |s: &SessionHandle| {
        s.flash_queue("cart").push(Level::Info, "cart")?;
        s.flash(Level::Info, "page")
    };
    browser.visit(&world, say).await;
    let (_flight, session) = world.open(&browser).await;
    assert_eq!(texts(&shown(&session).await), [(Level::Info, "page")]);
    let cart: Vec<Flash> = session.flash_queue("cart").take().await.unwrap();
    assert_eq!(texts(&cart), [(Level::Info, "cart")]);
}

#[tokio::test]
async fn peeking_leaves_the_messages() {
    let world = World::new();
    let browser = with_message(&world).await;
    for _ in 0..2 {
        let (flight, session) = world.open(&browser).await;
        let messages: Vec<Flash> = session.flash_queue("").peek().unwrap();
        assert_eq!(texts(&messages), [(Level::Info, "one")]);
        flight.finish().await;
        assert_eq!(world.calls(), [Load]);
    }
}

#[tokio::test]
async fn what_is_kept_comes_before_what_has_come_since() {
    let world = World::new();
    let mut browser = with_message(&world).await;
    let (flight, session) = world.open(&browser).await;
    let messages = shown(&session).await;
    browser.visit(&world, |s| s.flash(Level::Info, "two")).await;
    session.flash_queue("").keep(messages).unwrap();
    flight.finish().await;
    let (_flight, session) = world.open(&browser).await;
    let expected = [(Level::Info, "one"), (Level::Info, "two")];
    assert_eq!(texts(&shown(&session).await), expected);
}

#[tokio::test]
async fn a_message_that_is_there_already_gets_the_new_level() {
    let world = World::new();
    let mut browser = with_message(&world).await;
    let say = |s: &SessionHandle| {
        s.flash(Level::Info, "two")?;
        s.flash_queue("").push_once(Level::Error, "one".to_owned())
    };
    browser.visit(&world, say).await;
    let (_flight, session) = world.open(&browser).await;
    let expected = [(Level::Error, "one"), (Level::Info, "two")];
    assert_eq!(texts(&shown(&session).await), expected);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Notice {
    text: String,
    link: Option<String>,
}

#[tokio::test]
async fn messages_are_of_any_type_and_of_another_type_they_stay() {
    let notice = Notice {
        text: "Saved".to_owned(),
        link: None,
    };
    let codecs = [
        cloakroom_core::Codec::MessagePack,
        #[cfg(feature = "json")]
        cloakroom_core::Codec::Json,
    ];
    for codec in codecs {
        let world = World::with(|namespace| namespace.codec(codec));
        let mut browser = Browser::new();
        let (flight, session) = world.open(&browser).await;
        session.flash(Level::Info, &notice).unwrap();
        session.flash(Level::Info, &notice).unwrap();
        browser.receive(&flight.finish().await);
        let (_flight, session) = world.open(&browser).await;
        let wrong = session.flashes::<u64>().await.unwrap_err();
        assert!(matches!(&wrong, SessionError::Decode { key, .. } if key == "_flash"));
        let messages = session.flashes::<Notice>().await.unwrap();
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].message, notice);
    }
}

#[tokio::test]
async fn a_value_that_is_no_queue_is_an_error_and_stays() {
    let world = World::new();
    let browser = Browser::new();
    let (_flight, session) = world.open(&browser).await;
    session.insert("_flash", "mine").unwrap();
    let error = session.flash(Level::Info, "one").unwrap_err();
    assert!(matches!(error, SessionError::Decode { .. }));
    assert_eq!(session.get("_flash").unwrap(), Some("mine".to_owned()));
}

#[cfg(feature = "client-side")]
#[tokio::test]
async fn in_a_client_side_session_messages_go_with_the_response() {
    use cloakroom_core::{KeyRing, Namespace, SecretKey, SessionManager};
    let keys = KeyRing::new(SecretKey::generate().unwrap());
    let namespace = Namespace::in_cookie(crate::support::ACCOUNT, &keys);
    let manager: SessionManager = SessionManager::builder()
        .namespace(namespace)
        .build()
        .unwrap();
    let world = World {
        manager,
        ..World::new()
    };
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.flash(Level::Info, "one")).await;
    let (flight, session) = world.open(&browser).await;
    assert_eq!(texts(&shown(&session).await), [(Level::Info, "one")]);
    browser.receive(&flight.finish().await);
    let (_flight, session) = world.open(&browser).await;
    assert!(shown(&session).await.is_empty());
}

const HITS: Key<u32> = Key::new("hits");

#[tokio::test]
async fn a_typed_key_is_the_key_of_its_name() {
    let world = World::new();
    let mut browser = Browser::new();
    let count = |s: &SessionHandle| s.update(HITS, |hits| *hits += 1);
    browser.visit(&world, count).await;
    let (_flight, session) = world.open(&browser).await;
    assert!(session.contains(HITS));
    assert_eq!(session.get(HITS).unwrap(), Some(1));
    assert_eq!(session.get::<u32>("hits").unwrap(), Some(1));
    let next = |hits: &mut u32| {
        *hits += 1;
        *hits
    };
    assert_eq!(session.update_now(HITS, next).await.unwrap(), 2);
    assert_eq!(session.take_once(HITS).await.unwrap(), Some(2));
    session.insert(HITS, 7).unwrap();
    assert_eq!(session.take(HITS).unwrap(), Some(7));
    assert_eq!(session.get_or_default(HITS).unwrap(), 0);
    assert!(!session.remove(HITS).unwrap());
    assert_eq!(format!("{HITS:?}"), r#"Key("hits")"#);
}

#[tokio::test]
async fn a_value_of_another_type_is_an_error_that_names_its_key() {
    let world = World::new();
    let browser = Browser::new();
    let (_flight, session) = world.open(&browser).await;
    session.insert("hits", "many").unwrap();
    let error = session.get(HITS).unwrap_err();
    assert!(error.to_string().contains("\"hits\""), "{error}");
}
