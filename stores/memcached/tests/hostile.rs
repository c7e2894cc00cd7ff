//! Servers that should not be used, and what nobody should believe.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers are no #[test]"
)]

mod common;

use std::{error::Error as _, time::Duration};

use cloakroom_memcached::{MemcachedStore, OpenError};
use cloakroom_store::{Freshness, Loaded, Store, StoreErrorKind};
use common::{
    Raw, a_key, a_record, after, connect, connect_as_usual, fresh, load,
    node::{Fake, GREETING, Node},
    url,
};
use tokio::time::Instant;

#[tokio::test]
async fn what_is_no_record_is_corrupt() {
    let Some(url) = url() else { return };
    let prefix = fresh("corrupt");
    let store = connect(&url, &prefix).await;
    let mut raw = Raw::to(&url);
    let record = a_record();
    let blob = record.encode().unwrap();
    let [cut, longer] = [&blob[..blob.len() - 1], &[&blob[..], b"x"].concat()];
    let values: [&[u8]; 7] = [b"", b"5", b"END\r\n", &[0; 40], &[0xff; 5000], cut, longer];
    for value in values {
        let key = a_key();
        let name = format!("{prefix}:{key}");
        raw.set(&name, value);
        let expected = Loaded::new(record.clone());
        let loaded = store.load(&key, Freshness::Any).await.map(drop);
        let replaced = store
            .replace(&key, &after(&expected), &expected)
            .await
            .map(drop);
        let touched = store.touch(&key, &record, &expected).await.map(drop);
        for result in [loaded, replaced, touched] {
            assert_eq!(result.unwrap_err().kind(), StoreErrorKind::Corrupt);
        }
        let created = store.create(&key, &record).await;
        assert_eq!(created.unwrap_err().kind(), StoreErrorKind::AlreadyExists);
        assert_eq!(raw.get(&name).as_deref(), Some(value));
        assert!(store.delete(&key).await.unwrap());
    }
}

#[tokio::test]
async fn what_is_kept_is_the_documented_format_under_the_documented_name() {
    let Some(url) = url() else { return };
    let prefix = fresh("format");
    let store = connect(&url, &prefix).await;
    let (key, record) = (a_key(), a_record());
    let name = format!("{prefix}:account:{}", key.id);
    store.create(&key, &record).await.unwrap();
    assert_eq!(Raw::to(&url).get(&name).unwrap(), record.encode().unwrap());
    let other = connect(&url, &format!("{prefix}:account")).await;
    assert_eq!(load(&other, &key).await, None);
    store.delete(&key).await.unwrap();
}

/// What a reply makes of a load and of a create.
async fn after_reply(reply: &[u8]) -> [Option<StoreErrorKind>; 2] {
    let fake = Fake::start(GREETING, Some(reply)).await;
    let store = connect_as_usual(&fake.url, "hostile").await;
    let began = Instant::now();
    let loaded = store.load(&a_key(), Freshness::Any).await;
    let created = store.create(&a_key(), &a_record()).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{reply:?}");
    [
        loaded.err().map(|error| error.kind()),
        created.err().map(|error| error.kind()),
    ]
}

#[tokio::test]
async fn replies_are_not_believed() {
    use StoreErrorKind::{Corrupt, Other, Unavailable};
    let broken = [Some(Unavailable); 2];
    let endless = [b'x'; 100_000];
    let large = [&b"VA 18446744073709551615 c1 O#\r\n"[..], &endless].concat();
    let all: [(&[u8], [Option<StoreErrorKind>; 2]); 13] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", broken),
        (b"\r\n", broken),
        (&endless, broken),
        (b"VA x c1 O#\r\n", broken),
        (&large, broken),
        (b"VA 3 c1 O#\r\nabcde\r\n", broken),
        (b"VA 3 c1 O7\r\nabc\r\n", broken),
        (b"HD c1 O7\r\n", broken),
        (b"EN O7\r\n", broken),
        // Numbered as it should be, and no answer to what was asked.
        (b"VA 3 c1 O#\r\nabc\r\n", [Some(Corrupt), Some(Other)]),
        (b"VA 3 c0 O#\r\nabc\r\n", [Some(Other), Some(Other)]),
        (b"VA 3 O#\r\nabc\r\n", [Some(Other), Some(Other)]),
        (b"ERROR\r\n", [Some(Other), Some(Other)]),
    ];
    for (reply, expected) in all {
        let start = String::from_utf8_lossy(&reply[..reply.len().min(40)]).into_owned();
        assert_eq!(after_reply(reply).await, expected, "{start:?}");
    }
}

#[tokio::test]
async fn a_long_value_is_passed_by() {
    // A gibibyte that comes and comes: none of it is kept.
    let reply = [&b"VA 1073741824 c1 O#\r\n"[..], &[b'x'; 1 << 20]].concat();
    let fake = Fake::start(GREETING, Some(&reply)).await;
    let store = connect_as_usual(&fake.url, "hostile").await;
    let error = store.load(&a_key(), Freshness::Any).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TimedOut);
}

async fn refused(url: &str) -> String {
    let refused: OpenError = MemcachedStore::connect(url).await.unwrap_err();
    let fault = refused.source().unwrap();
    format!("{refused}: {fault}: {}", fault.source().unwrap())
}

#[tokio::test]
async fn who_is_no_server_that_will_do_is_told_no_secrets() {
    for (greeting, why) in [
        ("VERSION 1.5.22\r\nEND\r\n", "1.6.10 is the oldest"),
        ("VERSION 1.6.9\r\nEND\r\n", "1.6.10 is the oldest"),
        ("-ERR unknown command 'version'\r\n", "not memcached"),
        ("HTTP/1.1 400 Bad Request\r\n", "not memcached"),
    ] {
        let mut fake = Fake::start(greeting, None).await;
        let said = refused(&fake.url).await;
        assert!(said.contains(why), "{said}");
        let store = MemcachedStore::builder(&fake.url).build().unwrap();
        let error = store.create(&a_key(), &a_record()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        // A server that does not know `ms` takes the block of one for commands.
        while let Ok(line) = fake.heard.try_recv() {
            assert!(
                ["version\r\n", "stats settings\r\n"].contains(&&*line),
                "{line}"
            );
        }
    }
}

#[tokio::test]
async fn an_endless_greeting_is_cut_short() {
    const ENDLESS: &str = match std::str::from_utf8(&[b'x'; 100_000]) {
        Ok(text) => text,
        Err(_) => panic!(),
    };
    let fake = Fake::start(ENDLESS, None).await;
    let said = refused(&fake.url).await;
    assert!(said.contains("not memcached"), "{said}");
}

#[tokio::test]
async fn a_server_without_compare_and_swap_is_refused() {
    let Some(node) = Node::start("-C") else {
        return;
    };
    let said = refused(&node.url()).await;
    assert!(said.contains("without its option -C"), "{said}");
}

#[tokio::test]
async fn a_server_that_wants_a_login_is_refused() {
    let file = std::env::temp_dir().join(format!("cloakroom-{:x}", common::random()));
    std::fs::write(&file, "user:password\n").unwrap();
    let node = Node::start(&format!("-Y {}", file.display()));
    std::fs::remove_file(&file).unwrap();
    let Some(node) = node else { return };
    let said = refused(&node.url()).await;
    assert!(said.contains("wants a login"), "{said}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_may_listen_on_a_socket_of_the_system() {
    let Some(node) = Node::start("-s FOLDER/socket") else {
        return;
    };
    let url = format!("memcache+unix://{}", node.file("socket").display());
    let store = connect(&url, "socket").await;
    let (key, record) = (a_key(), a_record());
    store.create(&key, &record).await.unwrap();
    assert_eq!(load(&store, &key).await.unwrap().record, record);
}
