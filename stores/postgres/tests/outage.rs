//! What the visitors of an application see while PostgreSQL is away, slow or refuses.
#![cfg(unix)]
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "helpers are no #[test]"
)]

mod common;

use std::time::{Duration, Instant};

use cloakroom_postgres::PostgresStore;
use cloakroom_store::{
    Freshness, Key, Loaded, NamespaceId, SessionId, Store as _, StoreError, StoreErrorKind,
};
use cloakroom_testkit::servers::{Link, Refuses, Server, broken_link, outage, refusal};
use common::Way;
use tokio::time::sleep;
use tokio_postgres::NoTls;

async fn connect(url: &str, way: Way) -> PostgresStore {
    println!("{way}");
    way.builder(url).connect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_survive_a_frozen_a_killed_and_a_restarted_server() {
    let Some(mut server) = Server::postgres().await else {
        return;
    };
    for way in Way::ALL {
        let store = connect(&server.url(), *way).await;
        println!("{}", outage(&mut server, store).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_survive_a_broken_and_a_slow_link() {
    let Some(server) = Server::postgres().await else {
        return;
    };
    for way in Way::ALL {
        let link = Link::to(server.address()).await.unwrap();
        let store = connect(&server.url_at(link.address()), *way).await;
        println!("{}", broken_link(&link, store).await);
    }
}

/// Making a connection takes longer than half a second when the server is far away.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_distant_server_is_found_again() {
    let Some(server) = Server::postgres().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let far = Duration::from_millis(300);
    link.slow(far);
    let builder = PostgresStore::builder(&server.url_at(link.address()));
    let builder = builder.timeout(Duration::from_secs(3));
    let store = builder.connect_timeout(Duration::from_secs(5)).connect();
    let store = store.await.unwrap();
    link.refuse().await;
    for _ in 0..5 {
        let error = look(&store).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
    link.restore().await.unwrap();
    link.slow(far);
    let back = Instant::now();
    while let Err(error) = look(&store).await {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(back.elapsed() < Duration::from_secs(15), "it is not found");
        sleep(Duration::from_millis(50)).await;
    }
}

/// A connection that was begun while the server was away may never be made.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_begun_during_an_outage_is_not_waited_for() {
    let Some(server) = Server::postgres().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let builder = PostgresStore::builder(&server.url_at(link.address()));
    let patient = builder.connect_timeout(Duration::from_secs(60));
    let store = patient.connect().await.unwrap();
    link.lose();
    // So long that all connections are begun that are made at once.
    let away = Instant::now();
    while away.elapsed() < Duration::from_secs(3) {
        look(&store).await.unwrap_err();
        sleep(Duration::from_millis(50)).await;
    }
    link.restore().await.unwrap();
    let back = Instant::now();
    while look(&store).await.is_err() {
        sleep(Duration::from_millis(5)).await;
    }
    let took = back.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
}

async fn look(store: &PostgresStore) -> Result<Option<Loaded>, StoreError> {
    let id = SessionId::from_bytes([1; 16]);
    let key = Key::new(NamespaceId::new("cart").unwrap(), id);
    store.load(&key, Freshness::Latest).await
}

/// As a replica does that has not become the primary yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_survive_a_server_that_is_only_read() {
    let Some(server) = Server::postgres().await else {
        return;
    };
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    // Of this connection's own, whatever the server says.
    let own = "SET default_transaction_read_only = off";
    client.batch_execute(own).await.unwrap();
    let set = async |value: &str| {
        let sql = format!(
            "ALTER SYSTEM SET default_transaction_read_only = {value}; SELECT pg_reload_conf()"
        );
        for part in sql.split("; ") {
            client.batch_execute(part).await.unwrap();
        }
        // Until all processes of the server have heard of it.
        sleep(Duration::from_millis(300)).await;
    };
    for way in Way::ALL {
        let store = connect(&server.url(), *way).await;
        let (begin, end) = (async || set("on").await, async || set("off").await);
        println!(
            "{}",
            refusal("read-only", Refuses::Writes, store, begin, end).await
        );
    }
}
