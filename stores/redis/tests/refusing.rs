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

use std::{
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    time::Duration,
};

use cloakroom_testkit::{
    child_task,
    servers::{Refuses, Server, on_a_small_disk, refusal},
};
use common::{connect_as_usual, node::Node, raw, tell, until};
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

/// One that writes a log of its changes. It notices after a change that it could not write it down,
/// and tells so of the next.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "a child of a_full_disk_loses_nothing"]
async fn child_on_a_small_disk() {
    let Some(disk) = child_task().map(PathBuf::from) else {
        return;
    };
    let Some(node) = Node::start("appendonly yes\nappendfsync everysec\n").await else {
        return;
    };
    let store = connect_as_usual(&node.url(), "full").await;
    let beside = Mutex::new(raw(&node.url()).await);
    let is_full = async || {
        let mut set = redis::cmd("SET");
        set.arg("ballast").arg(vec![b'x'; 10_000]);
        let set = set.query_async::<()>(&mut *beside.lock().await).await;
        set.is_err_and(|error| error.code() == Some("MISCONF"))
    };
    let ballast = disk.join("ballast");
    let begin = async || {
        let mut ballast = File::create(&ballast).unwrap();
        while ballast.write_all(&[0; 4096]).is_ok() {}
        until("the server notices", is_full).await;
    };
    let end = async || {
        fs::remove_file(&ballast).unwrap();
        until("the server notices", async || !is_full().await).await;
    };
    let report = refusal("disk full", Refuses::Writes, store, begin, end).await;
    println!("{report}kept all");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing() {
    match on_a_small_disk("child_on_a_small_disk", "size=16m") {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            let erred = String::from_utf8_lossy(&output.stderr);
            println!("{said}");
            assert!(output.status.success(), "{said} {erred}");
            assert!(
                said.contains("kept all") || erred.contains("skipped"),
                "{said} {erred}"
            );
        }
        Err(why) => println!("skipped: nobody may have a disk of its own here: {why}"),
    }
}
