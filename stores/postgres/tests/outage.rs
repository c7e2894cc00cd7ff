//! What the visitors of an application see while PostgreSQL is away, slow or refuses.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers are no #[test]"
)]

use std::time::Duration;

use cloakroom_postgres::PostgresStore;
use cloakroom_testkit::servers::{Link, Refuses, Server, broken_link, outage, refusal};
use tokio::time::sleep;
use tokio_postgres::NoTls;

async fn connect(url: &str) -> PostgresStore {
    PostgresStore::connect(url).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_survive_a_frozen_a_killed_and_a_restarted_server() {
    let Some(mut server) = Server::postgres().await else {
        return;
    };
    let store = connect(&server.url()).await;
    println!("{}", outage(&mut server, store).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_survive_a_broken_and_a_slow_link() {
    let Some(server) = Server::postgres().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let store = connect(&server.url_at(link.address())).await;
    println!("{}", broken_link(&link, store).await);
}

/// As a replica does that has not become the primary yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_survive_a_server_that_is_only_read() {
    let Some(server) = Server::postgres().await else {
        return;
    };
    let store = connect(&server.url()).await;
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
    let (begin, end) = (async || set("on").await, async || set("off").await);
    println!(
        "{}",
        refusal("read-only", Refuses::Writes, store, begin, end).await
    );
}
