//! Servers that are down, and networks that are.
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

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cloakroom_redis::RedisStore;
use cloakroom_store::{Freshness, Loaded, Store, StoreErrorKind};
use cloakroom_testkit::servers::{Link, Server, broken_link, outage};
use common::{
    a_key, a_record, after, commands, connect_as_usual, load,
    node::{Node, all_slots, free_port},
    raw, tell,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_survive_an_outage() {
    let Some(mut server) = Server::redis().await else {
        return;
    };
    let store = connect_as_usual(&server.url(), "outage").await;
    println!("{}", outage(&mut server, store).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_on_the_disk_survives_an_outage() {
    let Some(mut server) = Server::redis_with_log().await else {
        return;
    };
    let store = connect_as_usual(&server.url(), "outage").await;
    println!("{}", outage(&mut server, store).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_survive_a_broken_network() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let store = connect_as_usual(&server.url_at(link.address()), "outage").await;
    println!("{}", broken_link(&link, store).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_program_may_start_while_the_server_is_down() {
    let Some(mut server) = Server::redis().await else {
        return;
    };
    server.kill();
    let refused = RedisStore::connect(&server.url()).await;
    assert!(refused.unwrap_err().to_string().contains("does not answer"));
    let store = RedisStore::builder(&server.url()).build().unwrap();
    let (key, record) = (a_key(), a_record(None));
    for _ in 0..5 {
        let error = store.create(&key, &record).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
    server.restart().await;
    let back = Instant::now();
    while store.create(&key, &record).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(
        back.elapsed() < Duration::from_secs(1),
        "{:?}",
        back.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_that_is_reset_is_replaced() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let store = connect_as_usual(&server.url_at(link.address()), "reset").await;
    let (key, record) = (a_key(), a_record(None));
    store.create(&key, &record).await.unwrap();
    for _ in 0..10 {
        link.cut().await;
        // The first call may find out; the second has a new connection.
        let _ = store.load(&key, Freshness::Latest).await;
        assert!(store.load(&key, Freshness::Latest).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_attempt_that_failed_when_nobody_waited_is_nobodys_error() {
    let Some(mut server) = Server::redis().await else {
        return;
    };
    let builder = RedisStore::builder(&server.url())
        .timeout(Duration::from_millis(50))
        .connect_timeout(Duration::from_millis(150));
    let store = builder.build().unwrap();
    server.freeze();
    let error = store.load(&a_key(), Freshness::Any).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TimedOut);
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.thaw();
    // What was wrong then is no answer now.
    let loaded = store.load(&a_key(), Freshness::Any).await;
    assert!(loaded.is_ok(), "{loaded:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_timeout_without_end_is_one() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let endless = RedisStore::builder(&server.url())
        .timeout(Duration::MAX)
        .connect_timeout(Duration::MAX);
    let store = endless.connect().await.unwrap();
    let (key, record) = (a_key(), a_record(None));
    store.create(&key, &record).await.unwrap();
    assert_eq!(store.scan(None, 9).await.unwrap().sessions.len(), 1);
}

/// A network that loses answers when it is told to.
struct Lossy {
    port: u16,
    loses: Arc<AtomicBool>,
}

impl Lossy {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let lossy = Self {
            port: listener.local_addr().unwrap().port(),
            loses: Arc::default(),
        };
        let loses = Arc::clone(&lossy.loses);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&loses)));
            }
        });
        lossy
    }
}

/// Carries everything there. The first answer that is lost takes the connection with it.
async fn pass(client: TcpStream, server: TcpStream, loses: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
        if loses.load(Ordering::SeqCst) || to_client.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    there.abort();
}

/// Loses the answers to writes, and looks how often the server has carried them out.
async fn is_sent_once(store: RedisStore, lossy: &Lossy, server: &str) {
    let (key, first) = (a_key(), a_record(None));
    store.create(&key, &first).await.unwrap();
    let loaded = load(&store, &key).await.unwrap();
    let second = after(&loaded);
    store.replace(&key, &second, &loaded).await.unwrap();
    let mut beside = raw(server).await;
    for _ in 0..3 {
        let (loaded, other) = (load(&store, &key).await.unwrap(), a_key());
        commands(&mut beside).await;
        lossy.loses.store(true, Ordering::SeqCst);
        let next = after(&loaded);
        let error = store.replace(&key, &next, &loaded).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(error.is_outcome_unknown());
        lossy.loses.store(false, Ordering::SeqCst);
        let sent = commands(&mut beside).await;
        assert_eq!(
            (sent["evalsha"], sent.get("set")),
            (1, Some(&1)),
            "{sent:?}"
        );
        assert_eq!(load(&store, &key).await.unwrap(), Loaded::new(next));

        commands(&mut beside).await;
        lossy.loses.store(true, Ordering::SeqCst);
        let error = store.create(&other, &first).await.unwrap_err();
        assert!(error.is_outcome_unknown());
        lossy.loses.store(false, Ordering::SeqCst);
        let sent = commands(&mut beside).await;
        assert_eq!(sent["set"], 1, "{sent:?}");
        assert!(load(&store, &other).await.is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_of_unknown_outcome_is_sent_once() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let lossy = Lossy::to(server.address().port()).await;
    let store = connect_as_usual(&format!("redis://127.0.0.1:{}", lossy.port), "once").await;
    is_sent_once(store, &lossy, &server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_of_unknown_outcome_is_sent_once_in_a_cluster() {
    let port = free_port();
    let lossy = Lossy::to(port).await;
    // Redis 6.2 does not take it later.
    let announced = format!("cluster-announce-port {}\n", lossy.port);
    let Some(node) = Node::start_at(port, &format!("cluster-enabled yes\n{announced}")).await
    else {
        return;
    };
    node.tell(&all_slots()).await;
    common::until("the cluster is whole", async || {
        let info = node.tell("CLUSTER INFO").await;
        format!("{info:?}").contains("cluster_state:ok")
    })
    .await;
    let store =
        connect_as_usual(&format!("redis-cluster://127.0.0.1:{}", lossy.port), "once").await;
    is_sent_once(store, &lossy, &node.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_frozen_server_is_not_waited_for_longer_than_said() {
    let Some(mut server) = Server::redis().await else {
        return;
    };
    let builder = RedisStore::builder(&server.url()).timeout(Duration::from_millis(150));
    let store = builder.connect().await.unwrap();
    let key = a_key();
    server.freeze();
    for _ in 0..3 {
        let began = Instant::now();
        let error = store.load(&key, Freshness::Latest).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::TimedOut);
        let took = began.elapsed();
        assert!(
            took >= Duration::from_millis(140) && took < Duration::from_millis(400),
            "{took:?}"
        );
    }
    // The breaker: nobody waits any more.
    let began = Instant::now();
    let error = store.load(&key, Freshness::Latest).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(
        began.elapsed() < Duration::from_millis(20),
        "{:?}",
        began.elapsed()
    );
    server.thaw();
    let back = Instant::now();
    while store.load(&key, Freshness::Latest).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(
        back.elapsed() < Duration::from_secs(1),
        "{:?}",
        back.elapsed()
    );
}

/// Making a connection takes longer than half a second when the server is far away.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_distant_server_is_found_again() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let far = Duration::from_millis(300);
    link.slow(far);
    let builder = RedisStore::builder(&server.url_at(link.address()));
    let builder = builder.timeout(Duration::from_secs(3));
    let store = builder.connect_timeout(Duration::from_secs(5)).connect();
    let (store, key) = (store.await.unwrap(), a_key());
    store.create(&key, &a_record(None)).await.unwrap();
    link.refuse().await;
    for _ in 0..5 {
        let error = store.load(&key, Freshness::Latest).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
    link.restore().await.unwrap();
    link.slow(far);
    let back = Instant::now();
    while let Err(error) = store.load(&key, Freshness::Latest).await {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(back.elapsed() < Duration::from_secs(10), "it is not found");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A connection that was begun while the server was away may never be made.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_begun_during_an_outage_is_not_waited_for() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let builder = RedisStore::builder(&server.url_at(link.address()));
    let patient = builder.connect_timeout(Duration::from_secs(60));
    let (store, key) = (patient.connect().await.unwrap(), a_key());
    link.lose();
    // So long that all connections are begun that are made at once.
    let away = Instant::now();
    while away.elapsed() < Duration::from_secs(3) {
        store.load(&key, Freshness::Latest).await.unwrap_err();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    link.restore().await.unwrap();
    let back = Instant::now();
    while store.load(&key, Freshness::Latest).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = back.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_outlives_the_runtime_that_connected_it() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let store = RedisStore::builder(&server.url()).build().unwrap();
    for _ in 0..3 {
        let store = store.clone();
        let other = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = runtime.unwrap();
            let (key, record) = (a_key(), a_record(None));
            runtime.block_on(async {
                // The connection of the runtime before has ended with it.
                if store.create(&key, &record).await.is_err() {
                    store.create(&key, &record).await.unwrap();
                }
                assert!(load(&store, &key).await.is_some());
            });
        });
        other.join().unwrap();
    }
}

#[test]
fn without_a_runtime_a_call_is_an_error() {
    use std::task::{Context, Poll, Waker};
    for url in [
        "redis://127.0.0.1:1",
        "redis-cluster://127.0.0.1:1",
        "redis-sentinel://127.0.0.1:1?master=m",
    ] {
        let store = RedisStore::builder(url).build().unwrap();
        let key = a_key();
        let mut call = std::pin::pin!(store.load(&key, Freshness::Any));
        let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Err(error)) = polled else {
            panic!("{url}: not an error at once: {polled:?}");
        };
        assert_eq!(error.kind(), StoreErrorKind::Other, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_becomes_a_replica_is_left_alone_until_it_is_none() {
    let (Some(server), Some(primary)) = (Server::redis().await, Server::redis().await) else {
        return;
    };
    let store = connect_as_usual(&server.url(), "replica").await;
    let (key, record) = (a_key(), a_record(None));
    let mut beside = raw(&server.url()).await;
    let port = primary.address().port();
    tell(&mut beside, &format!("REPLICAOF 127.0.0.1 {port}")).await;
    for _ in 0..5 {
        let error = store.create(&key, &record).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(error.can_retry());
    }
    tell(&mut beside, "REPLICAOF NO ONE").await;
    store.create(&key, &record).await.unwrap();
}
