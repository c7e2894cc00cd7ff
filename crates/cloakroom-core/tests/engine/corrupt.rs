//! What the store holds is no session: an error with a policy, never a panic.

use cloakroom_core::{CorruptPolicy, EventKind, SessionError};
use cloakroom_store::{Operation, StoreErrorKind};
use serde::Deserialize;

use crate::support::{ACCOUNT, Browser, World};

/// The length of the envelope of a session that was never rotated, as docs/format.md has it.
const ENVELOPE: usize = 46 + 48;

/// A way to break a record's data.
type Damage = (&'static str, fn(&mut Vec<u8>));

fn damages() -> Vec<Damage> {
    vec![
        ("nothing", |data| data.clear()),
        ("garbage", |data| *data = b"no session at all".to_vec()),
        ("zeros", |data| data.fill(0)),
        ("ones", |data| data.fill(0xff)),
        ("half an envelope", |data| data.truncate(ENVELOPE / 2)),
        ("an envelope short of one byte", |data| {
            data.truncate(ENVELOPE - 1)
        }),
        ("half a frame", |data| data.truncate(ENVELOPE + 3)),
        ("a byte too few", |data| data.truncate(data.len() - 1)),
        ("a byte too many", |data| data.push(0)),
        ("another format version", |data| data[0] = 2),
        ("an unknown flag", |data| data[1] |= 0x80),
        ("a key of 65,535 bytes that are not there", |data| {
            data[ENVELOPE..ENVELOPE + 2].fill(0xff);
        }),
        ("a value of 4 GiB that is not there", |data| {
            data[ENVELOPE + 2..ENVELOPE + 6].fill(0xff);
        }),
    ]
}

#[tokio::test]
async fn reset_gives_the_visitor_a_new_session_and_is_an_event() {
    for (damage, garble) in damages() {
        let world = World::new();
        let mut browser = Browser::known_to(&world).await;
        let old = browser.id();
        world.garble(old, garble).await;
        let (_flight, session) = world.open(&browser).await;
        assert!(session.is_new(), "{damage}");
        assert!(session.is_empty(), "{damage}");
        assert!(world.events.has(EventKind::Corrupt), "{damage}");
        browser.visit(&world, |s| s.insert("k", 1)).await;
        assert_ne!(browser.id(), old, "{damage}");
        assert_eq!(browser.read(&world, "k").await, Some(1), "{damage}");
    }
}

#[tokio::test]
async fn fail_is_an_error_when_opening() {
    for (damage, garble) in damages() {
        let world = World::with(|n| n.on_corrupt(CorruptPolicy::Fail));
        let browser = Browser::known_to(&world).await;
        world.garble(browser.id(), garble).await;
        let error = world.begin(&browser).try_open(ACCOUNT).await.unwrap_err();
        assert!(matches!(error, SessionError::Corrupt { .. }), "{damage}");
        assert_eq!(error.status(), 500);
        assert!(world.events.has(EventKind::Corrupt), "{damage}");
        assert_eq!(world.records(), 1, "it is kept for whoever looks into it");
    }
}

#[tokio::test]
async fn every_truncation_and_every_flipped_byte_is_read_without_a_panic() {
    let world = World::new();
    let mut browser = Browser::new();
    let fill = |s: &cloakroom_core::SessionHandle| {
        s.insert("a", vec![1, 2, 3])?;
        s.insert("b", "text")
    };
    browser.visit(&world, fill).await;
    let whole = world.record(browser.id()).await.unwrap().data.to_vec();
    let cut = (0..whole.len()).map(|length| whole[..length].to_vec());
    let flipped = (0..whole.len()).map(|place| {
        let mut data = whole.clone();
        data[place] ^= 0xff;
        data
    });
    for data in cut.chain(flipped) {
        world.garble(browser.id(), |old| *old = data).await;
        let (_flight, session) = world.open(&browser).await;
        let _ = session.keys();
        let _ = session.get::<Vec<u32>>("a");
        let _ = session.get::<String>("b");
    }
}

#[tokio::test]
async fn a_conflict_that_leads_to_a_corrupt_record_is_a_503_and_overwrites_nothing() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (slow, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    world.garble(browser.id(), |data| data.fill(9)).await;
    assert_eq!(slow.finish().await.status, 503);
    let failed = EventKind::StoreFailed(Operation::Load, StoreErrorKind::Corrupt);
    assert!(world.events.has(failed));
    let record = world.record(browser.id()).await.unwrap();
    assert!(record.data.iter().all(|byte| *byte == 9));
}

/// Puts raw bytes into the place of the one value of a session.
async fn with_value(world: &World, browser: &Browser, value: &[u8]) {
    let key = b"known";
    let mut frame = Vec::new();
    frame.extend(u16::try_from(key.len()).unwrap().to_le_bytes());
    frame.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
    frame.extend(key);
    frame.extend(value);
    let replace = |data: &mut Vec<u8>| {
        data.truncate(ENVELOPE);
        data.extend(frame);
    };
    world.garble(browser.id(), replace).await;
}

#[derive(Deserialize, Debug)]
#[expect(dead_code, reason = "only its depth matters")]
struct Nested(Vec<Nested>);

#[tokio::test]
async fn deep_nesting_is_an_error_of_the_key_that_is_asked_for() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    with_value(&world, &browser, &[0x91; 100_000]).await;
    let (_flight, session) = world.open(&browser).await;
    let error = session.get::<Nested>("known").unwrap_err();
    assert!(matches!(error, SessionError::Decode { ref key, .. } if key == "known"));
    assert!(session.entries::<Nested>().is_err());
    assert!(session.contains("known"));
    browser.visit(&world, |s| s.remove("known").map(drop)).await;
    browser.visit(&world, |s| s.insert("known", 1)).await;
    assert_eq!(browser.read(&world, "known").await, Some(1));
}

#[tokio::test]
async fn a_length_inside_a_value_that_lies_is_an_error() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    // An array, a string and bytes of 4 GiB.
    for lying in [
        [0xdd, 0xff, 0xff, 0xff, 0xff, 1],
        [0xdb, 0xff, 0xff, 0xff, 0xff, 1],
        [0xc6, 0xff, 0xff, 0xff, 0xff, 1],
    ] {
        with_value(&world, &browser, &lying).await;
        let (_flight, session) = world.open(&browser).await;
        assert!(session.get::<Vec<u64>>("known").is_err());
        assert!(session.get::<String>("known").is_err());
    }
}

#[tokio::test]
async fn a_session_larger_than_a_limit_set_later_can_still_be_made_smaller() {
    let world = World::with(|n| n.max_size(150));
    let mut browser = Browser::known_to(&world).await;
    let large = |data: &mut Vec<u8>| {
        for key in [b'a', b'b'] {
            data.extend([1, 0, 200, 0, 0, 0, key]);
            data.extend([0xa0; 200]);
        }
    };
    world.garble(browser.id(), large).await;
    let (_flight, session) = world.open(&browser).await;
    let error = session.insert("more", 1).unwrap_err();
    assert!(matches!(error, SessionError::TooLarge { limit: 150, .. }));
    for key in ["a", "b"] {
        let response = browser.visit(&world, |s| s.remove(key).map(drop)).await;
        assert_eq!(response.status, 200);
    }
    browser.visit(&world, |s| s.insert("more", 1)).await;
    assert_eq!(browser.read(&world, "more").await, Some(1));
}

#[tokio::test]
async fn a_session_of_many_times_its_limit_is_corrupt() {
    let world = World::with(|namespace| namespace.max_size(15));
    let mut browser = Browser::known_to(&world).await;
    let mut frame = vec![1, 0, 0xff, 0, 0, 0, b'x'];
    frame.resize(frame.len() + 0xff, 0);
    world
        .tamper(browser.id(), move |record| {
            let mut data = record.data.to_vec();
            data.extend_from_slice(&frame);
            record.data = data.into();
        })
        .await;
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
    assert!(world.events.has(EventKind::Corrupt));
}
