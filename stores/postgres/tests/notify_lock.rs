//! The lock under which all of a server notify, held by somebody else.
#![cfg(unix)]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)] // helpers are no #[test]

mod common;

use std::time::{Duration, Instant};

use cloakroom_postgres::PostgresStore;
use cloakroom_store::Store;
use cloakroom_testkit::servers::Server;
use common::{client, create, numbered, proxy::Proxy, record};
use tokio::{task::JoinSet, time::sleep};

/// Somebody who notifies holds it for as long as its commit takes, which waits here for a replica
/// that there is not. Whoever waits for it is not split into many that wait for it each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_it_stays_together() {
    const SESSIONS: u64 = 40;
    let Some(server) = Server::postgres().await else {
        return;
    };
    let url = server.url();
    let person = client(&url).await;
    for setting in [
        "ALTER DATABASE postgres SET synchronous_commit = local",
        "ALTER SYSTEM SET synchronous_standby_names = 'nobody'",
        "SELECT pg_reload_conf()",
    ] {
        person.batch_execute(setting).await.unwrap();
    }
    let proxy = Proxy::before(&url).await;
    let store = PostgresStore::builder(&server.url_at(([127, 0, 0, 1], proxy.port()).into()));
    let store = store.timeout(Duration::from_secs(4)).tell_changes(true);
    let store = store
        .connect_timeout(Duration::from_secs(5))
        .connect()
        .await
        .unwrap();
    for number in 0..SESSIONS {
        create(&store, &numbered(number), &record("a")).await;
    }

    let holder = client(&url).await;
    let holding = tokio::spawn(async move {
        let wait = "SET synchronous_commit = on";
        holder.batch_execute(wait).await.unwrap();
        let write = "BEGIN; CREATE TABLE held (); NOTIFY others; COMMIT";
        holder.batch_execute(write).await.unwrap();
    });
    let held = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let begin = Instant::now();
    while person.query_one(held, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(begin.elapsed() < Duration::from_secs(10));
        sleep(Duration::from_millis(10)).await;
    }
    let before = proxy.executed();
    let mut deletes = JoinSet::new();
    for number in 0..SESSIONS {
        let store = store.clone();
        deletes.spawn(async move { store.delete(&numbered(number)).await });
    }
    // A lock is waited for for a second.
    sleep(Duration::from_millis(1_500)).await;
    let release =
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    person.batch_execute(release).await.unwrap();
    for deleted in deletes.join_all().await {
        assert!(deleted.unwrap());
    }
    holding.await.unwrap();
    let statements = proxy.executed() - before;
    println!("{statements} statements for {SESSIONS} deletes");
    assert!(statements < 16, "{statements}");
}
