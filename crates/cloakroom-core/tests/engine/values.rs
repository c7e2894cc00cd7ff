//! The session as a dictionary.

use cloakroom_core::{Codec, DecodePolicy, EventKind, SessionError, SessionHandle};
use serde::{Deserialize, Serialize};

use crate::support::{Browser, World};

#[derive(Serialize, Deserialize, Debug, PartialEq, Default)]
struct Profile {
    name: String,
    #[serde(default)]
    tags: Vec<String>,
}

/// The same at an earlier deploy, which does not know the tags.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct OldProfile {
    name: String,
}

fn codecs() -> Vec<Codec> {
    vec![
        Codec::MessagePack,
        #[cfg(feature = "json")]
        Codec::Json,
    ]
}

#[tokio::test]
async fn values_of_any_serde_type_come_back() {
    for codec in codecs() {
        let world = World::with(|n| n.codec(codec));
        let mut browser = Browser::new();
        let profile = || Profile {
            name: "é\0=&;\n".to_owned(),
            tags: vec![String::new(), "x".repeat(1_000)],
        };
        let fill = |s: &cloakroom_core::SessionHandle| {
            s.insert("profile", profile())?;
            s.insert("none", None::<u32>)?;
            s.insert("number", u64::MAX)?;
            s.insert("unit", ())
        };
        browser.visit(&world, fill).await;
        assert_eq!(browser.read(&world, "profile").await, Some(profile()));
        assert_eq!(browser.read(&world, "number").await, Some(u64::MAX));
        assert_eq!(browser.read(&world, "none").await, Some(None::<u32>));
        assert_eq!(browser.read(&world, "unit").await, Some(()));
    }
}

#[tokio::test]
async fn keys_are_any_text_and_none_injects_another() {
    let world = World::new();
    let mut browser = Browser::new();
    let keys = [
        "",
        "\0",
        "a=b&c",
        "é",
        "a\0user",
        "user\r\n",
        " ",
        "__proto__",
    ];
    let fill = |s: &cloakroom_core::SessionHandle| {
        (0..).zip(keys).try_for_each(|(n, key)| s.insert(key, n))
    };
    browser.visit(&world, fill).await;
    let (_flight, session) = world.open(&browser).await;
    assert_eq!(session.len(), keys.len());
    for (n, key) in (0..).zip(keys) {
        assert_eq!(session.get(key).unwrap(), Some(n), "{key:?}");
    }
    assert_eq!(session.get::<u32>("user").unwrap(), None);
}

#[tokio::test]
async fn it_is_like_a_dictionary() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (_flight, s) = world.open(&browser).await;
    assert_eq!((s.len(), s.is_empty()), (1, false));
    s.insert("a", 1).unwrap();
    s.insert("b", 2).unwrap();
    let mut keys = s.keys();
    keys.sort();
    assert_eq!(keys, ["a", "b", "known"]);
    assert!(s.remove("known").unwrap());
    assert!(!s.remove("known").unwrap());
    let mut entries: Vec<(String, u32)> = s.entries().unwrap();
    entries.sort();
    assert_eq!(entries, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    assert_eq!(s.take::<u32>("a").unwrap(), Some(1));
    assert_eq!(s.take::<u32>("a").unwrap(), None);
    assert_eq!(s.get_or_default::<u32>("a").unwrap(), 0);
    s.clear().unwrap();
    assert!(s.is_empty() && !s.contains("b"));
    assert_eq!(s.entries::<u32>().unwrap(), []);
}

#[tokio::test]
async fn an_untouched_value_survives_a_deploy_that_does_not_know_it() {
    let world = World::new();
    let mut browser = Browser::new();
    let profile = Profile {
        name: "Ada".to_owned(),
        tags: vec!["new".to_owned()],
    };
    browser
        .visit(&world, |s| s.insert("profile", &profile))
        .await;
    let (flight, session) = world.open(&browser).await;
    let old: Option<OldProfile> = session.get("profile").unwrap();
    assert_eq!(old.unwrap().name, "Ada");
    session.insert("other", 1).unwrap();
    flight.finish().await;
    assert_eq!(browser.read(&world, "profile").await, Some(profile));
}

#[tokio::test]
async fn one_bad_value_does_not_hide_the_others() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.insert("text", "x")).await;
    let (_flight, session) = world.open(&browser).await;
    let error = session.get::<u32>("text").unwrap_err();
    assert!(matches!(error, SessionError::Decode { .. }));
    assert!(error.to_string().contains("text"));
    let error = session.take::<u32>("text").unwrap_err();
    assert!(matches!(error, SessionError::Decode { .. }));
    assert!(session.contains("text"), "nothing is removed");
    assert_eq!(session.get("known").unwrap(), Some(true));
}

#[tokio::test]
async fn a_value_that_can_not_be_encoded_changes_nothing() {
    struct Stubborn;
    impl Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    let error = session.insert("known", Stubborn).unwrap_err();
    assert!(matches!(error, SessionError::Encode { ref key, .. } if key == "known"));
    assert_eq!(session.get("known").unwrap(), Some(true));
    flight.finish().await;
    assert_eq!(world.calls(), [cloakroom_store::Operation::Load]);
}

#[tokio::test]
async fn the_size_limit_is_exact_and_an_insert_beyond_it_changes_nothing() {
    let world = World::with(|n| n.max_size(1_000));
    let (flight, session) = world.open(&Browser::new()).await;
    let mut longest = 0;
    for length in 950..1_050 {
        if session.insert("k", "x".repeat(length)).is_err() {
            break;
        }
        longest = length;
    }
    // Six bytes of lengths, one of the key, three of the string's head.
    assert_eq!(longest, 990);
    let error = session.insert("l", 1).unwrap_err();
    let SessionError::TooLarge { size, limit, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!((size, limit), (1_008, 1_000));
    let update = session.update("k", |text: &mut String| text.push('x'));
    assert!(matches!(update, Err(SessionError::TooLarge { .. })));
    assert_eq!(session.get::<String>("k").unwrap().unwrap().len(), 990);
    session.insert("k", 1).unwrap();
    session.insert("l", 1).unwrap();
    assert_eq!(flight.finish().await.status, 200);
}

#[tokio::test]
async fn a_key_longer_than_65535_bytes_is_refused() {
    let world = World::with(|n| n.max_size(1 << 20));
    let (flight, session) = world.open(&Browser::new()).await;
    let error = session.insert(&"k".repeat(65_536), 1).unwrap_err();
    assert!(matches!(
        error,
        SessionError::TooLarge { limit: 65_535, .. }
    ));
    session.insert(&"k".repeat(65_535), 1).unwrap();
    assert_eq!(flight.finish().await.status, 200);
}

#[tokio::test]
async fn a_failed_insert_leaves_a_first_visit_without_a_record() {
    let world = World::with(|n| n.max_size(10));
    let mut browser = Browser::new();
    let (flight, session) = world.open(&browser).await;
    session.insert("large", "x".repeat(100)).unwrap_err();
    browser.receive(&flight.finish().await);
    assert_eq!(world.calls(), []);
}

#[tokio::test]
async fn a_value_of_another_type_counts_as_none_where_that_is_asked_for() {
    let world = World::with(|namespace| namespace.on_undecodable(DecodePolicy::Discard));
    let mut browser = Browser::new();
    let old = |s: &SessionHandle| {
        s.insert("items", "3 apples")?;
        s.insert("hits", 3)
    };
    browser.visit(&world, old).await;
    let (_flight, session) = world.open(&browser).await;
    assert_eq!(session.get::<Vec<String>>("items").unwrap(), None);
    assert_eq!(world.events.count(EventKind::Discarded), 1);
    assert_eq!(session.entries::<u32>().unwrap(), [("hits".to_owned(), 3)]);
    // Reading it has not changed it.
    let text = browser.read::<String>(&world, "items").await;
    assert_eq!(text.as_deref(), Some("3 apples"));
    let push = |s: &SessionHandle| s.update("items", |items: &mut Vec<u32>| items.push(7));
    browser.visit(&world, push).await;
    assert_eq!(browser.read(&world, "items").await, Some(vec![7]));
}

#[tokio::test]
async fn a_discarded_value_that_comes_while_an_update_is_under_way_is_replayed_on() {
    let world = World::with(|namespace| namespace.on_undecodable(DecodePolicy::Discard));
    let mut browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    let push = |items: &mut Vec<u32>| items.push(7);
    session.update("items", push).unwrap();
    browser.visit(&world, |s| s.insert("items", "text")).await;
    flight.finish().await;
    assert_eq!(browser.read(&world, "items").await, Some(vec![7]));
    assert!(world.events.has(EventKind::Discarded));
}
