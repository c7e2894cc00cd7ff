//! Feeds: what they tell, and how soon.
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

use std::time::{Duration, Instant};

use cloakroom_redis::{RedisFeed, RedisStore};
use cloakroom_store::{Change, Feed, Loaded, Store, StoreErrorKind, Watch};
use cloakroom_testkit::servers::Server;
use common::{
    a_key, a_record, after, connect_as_usual,
    feeds::{all, change, writes_are_told},
    load,
    node::Node,
    raw, tell, until,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_write_is_told_at_once_and_nothing_else() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let listener = connect_as_usual(&server.url(), "watch").await;
    let writer = connect_as_usual(&server.url(), "watch").await;
    let mut feed = listener.watch().await.unwrap();
    let slowest = writes_are_told(&writer, &mut feed, 50).await;
    println!("the slowest of 200 changes was told after {slowest:?}");
    assert!(slowest < Duration::from_millis(100), "{slowest:?}");

    // Reads, writes that change nothing, other prefixes, and what is no record.
    let key = a_key();
    let record = a_record(Some("ann"));
    writer.create(&key, &record).await.unwrap();
    assert_eq!(change(&mut feed).await.0, Change::Key(key));
    let loaded = load(&writer, &key).await.unwrap();
    assert_eq!(common::sessions(&writer, "ann", 10).await, [key]);
    assert!(writer.create(&key, &record).await.is_err());
    let stranger = Loaded::new(after(&loaded));
    assert!(writer.replace(&key, &record, &stranger).await.is_err());
    assert!(!writer.delete(&a_key()).await.unwrap());
    let other = connect_as_usual(&server.url(), "watch2").await;
    other.create(&a_key(), &a_record(None)).await.unwrap();
    let mut beside = raw(&server.url()).await;
    tell(&mut beside, "SET watch:s:cart:hostile x").await;
    tell(&mut beside, "SET watch:s: x").await;
    assert_eq!(all(&mut feed).await, []);

    for flush in ["FLUSHDB", "FLUSHALL ASYNC"] {
        tell(&mut beside, flush).await;
        assert_eq!(change(&mut feed).await.0, Change::All, "{flush}");
    }
    writes_are_told(&writer, &mut feed, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_nothing_happens_the_server_is_asked() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let store = connect_as_usual(&server.url(), "quiet").await;
    let mut feed = store.watch().await.unwrap();
    let mut beside = raw(&server.url()).await;
    common::commands(&mut beside).await;
    let began = Instant::now();
    let mut told = 0;
    while began.elapsed() < 3 * RedisFeed::SILENCE {
        assert_eq!(feed.next().await.unwrap(), Change::Nothing);
        told += 1;
    }
    assert!((6..=14).contains(&told), "{told} in three seconds");
    let asked = common::commands(&mut beside).await["role"];
    // The first answer is from before the counting.
    assert!(told <= asked + 1 && asked <= 14, "{asked} questions");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_feed_that_is_dropped_leaves_nothing() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let store = connect_as_usual(&server.url(), "drop").await;
    let mut beside = raw(&server.url()).await;
    let mut listeners = async || {
        let info = tell(&mut beside, "INFO clients").await;
        let info: String = redis::from_redis_value(info).unwrap();
        info.contains("tracking_clients:1")
    };
    let feed = store.watch().await.unwrap();
    assert!(listeners().await);
    drop(feed);
    until("nobody listens", async || !listeners().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_listens_slowly_is_told_all() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let store = connect_as_usual(&server.url(), "slow").await;
    let mut feed = store.watch().await.unwrap();
    for _ in 0..3_000 {
        store.create(&a_key(), &a_record(None)).await.unwrap();
    }
    let told = all(&mut feed).await;
    assert!(told.contains(&Change::All));
    assert!(told.len() <= 1_025, "{}", told.len());
    writes_are_told(&store, &mut feed, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_may_not_listen_is_told_so() {
    let Some(node) = Node::start("").await else {
        return;
    };
    let rights = "on >pw ~shop:* +getrange +set +del +evalsha +eval";
    node.tell(&format!("ACL SETUSER shop {rights}")).await;
    let url = format!("redis://shop:pw@127.0.0.1:{}", node.port);
    let store = connect_as_usual(&url, "shop").await;
    for right in ["+client|tracking", "+role"] {
        let error = store.watch().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{right}");
        assert!(!error.can_retry());
        node.tell(&format!("ACL SETUSER shop {right}")).await;
    }
    let mut feed = store.watch().await.unwrap();
    let key = a_key();
    store.create(&key, &a_record(None)).await.unwrap();
    assert_eq!(change(&mut feed).await.0, Change::Key(key));

    // Without a name there is only the password.
    node.tell("CONFIG SET requirepass secret").await;
    let url = format!("redis://:secret@127.0.0.1:{}", node.port);
    let store = connect_as_usual(&url, "shop").await;
    assert!(store.watch().await.is_ok());

    let url = format!("redis://shop:hunter2@127.0.0.1:{}", node.port);
    let store = RedisStore::builder(&url).prefix("shop").build().unwrap();
    let error = store.watch().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(!error.can_retry());
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_is_told_in_few_bytes() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let store = connect_as_usual(&server.url(), "cloakroom").await;
    let mut listener = TcpStream::connect(server.address()).await.unwrap();
    let mut said = vec![0; 1 << 16];
    listener.write_all(b"HELLO 3\r\n").await.unwrap();
    assert_ne!(listener.read(&mut said).await.unwrap(), 0);
    let track = b"CLIENT TRACKING ON BCAST PREFIX cloakroom:s:\r\n";
    listener.write_all(track).await.unwrap();
    assert_eq!(listener.read(&mut said).await.unwrap(), "+OK\r\n".len());
    let key = a_key();
    store.create(&key, &a_record(None)).await.unwrap();
    let length = listener.read(&mut said).await.unwrap();
    println!("{}", String::from_utf8_lossy(&said[..length]));
    println!(
        "{length} bytes, of which {} are the key's name",
        12 + key.to_string().len()
    );
    assert!(length < 100, "{length}");
}
