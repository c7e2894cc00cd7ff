//! What requests see of a server that answers and refuses.
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

use std::time::Duration;

use cloakroom_testkit::servers::{Refuses, Server, refusal};
use common::{connect_as_usual, raw, tell, until};
use redis::aio::MultiplexedConnection;
use tokio::sync::Mutex;

/// Has an administrator begin and end something with commands, each in one line.
async fn refuses(name: &'static str, refuses: Refuses, begin: &[&str], end: &[&str]) {
    let Some(server) = Server::redis().await else {
        return;
    };
    let store = connect_as_usual(&server.url(), "refusal").await;
    let beside = Mutex::new(raw(&server.url()).await);
    let all = async |lines: &[&str]| {
        for line in lines {
            tell(&mut *beside.lock().await, line).await;
        }
        // Until the store has seen that a connection has ended.
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let (begin, end) = (async || all(begin).await, async || all(end).await);
    println!("{}", refusal(name, refuses, store, begin, end).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_memory() {
    let begin = [
        "CONFIG SET maxmemory-policy noeviction",
        "CONFIG SET maxmemory 1",
    ];
    let end = ["CONFIG SET maxmemory 0"];
    refuses("memory full", Refuses::Writes, &begin, &end).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn too_few_replicas() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let info = tell(&mut raw(&server.url()).await, "INFO server").await;
    if format!("{info:?}").contains("redis_version:6.") {
        println!("skipped: Redis 6 lets a script write without replicas");
        return;
    }
    let begin = ["CONFIG SET min-replicas-to-write 1"];
    let end = ["CONFIG SET min-replicas-to-write 0"];
    refuses("no replicas", Refuses::Writes, &begin, &end).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn scripts_that_are_forgotten() {
    refuses("scripts flushed", Refuses::Nothing, &["SCRIPT FLUSH"], &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_are_killed() {
    // As the server's setting `timeout` does to those that are idle.
    let kill = ["CLIENT KILL TYPE normal SKIPME yes"];
    refuses("connections killed", Refuses::Nothing, &kill, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pause() {
    // As long as a fail-over holds writes up, and shorter than a call may take.
    let begin = ["CLIENT PAUSE 200 WRITE"];
    refuses("paused", Refuses::Nothing, &begin, &["CLIENT UNPAUSE"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wrong_password() {
    let begin = [
        "CONFIG SET requirepass another",
        "CLIENT KILL TYPE normal SKIPME yes",
    ];
    let end = ["ACL SETUSER default nopass"];
    refuses("password wrong", Refuses::All, &begin, &end).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_user_who_may_not_any_more() {
    let begin = ["ACL SETUSER default -@all +acl"];
    let end = ["ACL SETUSER default +@all"];
    refuses("rights taken", Refuses::All, &begin, &end).await;
}

/// Makes a server follow another, and waits until it has everything.
async fn follow(server: &mut MultiplexedConnection, primary: u16) {
    tell(server, &format!("REPLICAOF 127.0.0.1 {primary}")).await;
    until("the replica is in step", async || {
        let mut info = redis::cmd("INFO");
        let info: String = info.arg("replication").query_async(server).await.unwrap();
        info.contains("master_link_status:up")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_has_become_a_replica() {
    let (Some(server), Some(other)) = (Server::redis().await, Server::redis().await) else {
        return;
    };
    let store = connect_as_usual(&server.url(), "replica").await;
    let ours = Mutex::new(raw(&server.url()).await);
    let theirs = Mutex::new(raw(&other.url()).await);
    let begin = async || {
        let (mut ours, mut theirs) = (ours.lock().await, theirs.lock().await);
        follow(&mut theirs, server.address().port()).await;
        tell(&mut theirs, "REPLICAOF NO ONE").await;
        follow(&mut ours, other.address().port()).await;
    };
    let end = async || {
        tell(&mut *ours.lock().await, "REPLICAOF NO ONE").await;
    };
    let report = refusal("read-only", Refuses::Writes, store, begin, end).await;
    println!("{report}");
}
