//! What telling changes costs those who write.
//! `cargo test -p cloakroom-postgres --release --test telling_speed -- --ignored --nocapture`
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)] // helpers are no #[test]

mod common;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cloakroom_postgres::PostgresStore;
use cloakroom_store::{Store, Watch};
use common::{builder, client, create, load, numbered, record, url, version};
use tokio::task::JoinSet;

const WIDTH: u64 = 64;
const SESSIONS: u64 = 6_400;

/// A store's worth of writers, as several processes have.
async fn stores(url: &str, table: &str, count: usize) -> Vec<PostgresStore> {
    let mut stores = Vec::new();
    for _ in 0..count {
        let builder = PostgresStore::builder(url).table(table);
        let builder = builder.timeout(Duration::from_secs(20));
        stores.push(builder.connect().await.unwrap());
    }
    stores
}

/// Writes in a second by so many processes, 64 at a time in all.
async fn replaces(url: &str, table: &str, processes: usize) -> f64 {
    let stores = stores(url, table, processes).await;
    let (begin, mut calls) = (Instant::now(), JoinSet::new());
    let until = begin + Duration::from_secs(3);
    for task in 0..WIDTH {
        let store = stores[usize::try_from(task).unwrap() % stores.len()].clone();
        calls.spawn(async move {
            let mut done = 0_u64;
            while Instant::now() < until {
                let key = numbered(task + WIDTH * (done % (SESSIONS / WIDTH)));
                let loaded = load(&store, &key).await.unwrap().unwrap();
                let mut next = record(&"y".repeat(300));
                next.expires = next.expires.saturating_add(Duration::from_secs(done));
                store.replace(&key, &next, &loaded).await.unwrap();
                done += 1;
            }
            done
        });
    }
    let done: u64 = calls.join_all().await.into_iter().sum();
    f64::from(u32::try_from(done).unwrap()) / begin.elapsed().as_secs_f64()
}

/// Commits in a second of 64 connections that write one row each.
async fn commits(url: &str, table: &str) -> f64 {
    let until = Instant::now() + Duration::from_secs(3);
    let (begin, mut calls) = (Instant::now(), JoinSet::new());
    for task in 0..WIDTH {
        let client = Arc::new(client(url).await);
        let sql = format!(
            "UPDATE {table} SET version = $2, expires = $2 WHERE id = $1 AND namespace = 'cart'"
        );
        let update = client.prepare(&sql).await.unwrap();
        calls.spawn(async move {
            let mut done = 0_u64;
            while Instant::now() < until {
                let key = numbered(task + WIDTH * (done % (SESSIONS / WIDTH)));
                let version = version().to_bits().cast_signed();
                let id = &key.id.as_bytes()[..];
                assert_eq!(client.execute(&update, &[&id, &version]).await.unwrap(), 1);
                done += 1;
            }
            done
        });
    }
    let done: u64 = calls.join_all().await.into_iter().sum();
    f64::from(u32::try_from(done).unwrap()) / begin.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn writes_with_and_without() {
    let Some(url) = url() else { return };
    let table = "telling_speed";
    let store = builder(&url, table).await.connect().await.unwrap();
    let mut creates = JoinSet::new();
    for task in 0..WIDTH {
        let store = store.clone();
        creates.spawn(async move {
            for round in 0..SESSIONS / WIDTH {
                let key = numbered(task + WIDTH * round);
                create(&store, &key, &record(&"x".repeat(300))).await;
            }
        });
    }
    creates.join_all().await;
    let person = client(&url).await;
    let sql = PostgresStore::migrations_to_tell(None, table).unwrap();
    for _ in 0..2 {
        for (name, listeners) in [
            ("not told", 0),
            ("told, nobody listens", 0),
            ("told, 4 listen", 4),
        ] {
            if name == "not told" {
                let drop_all = format!("DROP FUNCTION IF EXISTS {table}_tell CASCADE");
                person.batch_execute(&drop_all).await.unwrap();
            } else {
                person.batch_execute(&sql).await.unwrap();
            }
            let mut feeds = JoinSet::new();
            for _ in 0..listeners {
                let mut feed = store.watch().await.unwrap();
                feeds.spawn(async move {
                    while cloakroom_store::Feed::next(&mut feed).await.is_ok() {}
                });
            }
            person
                .batch_execute(&format!("VACUUM {table}"))
                .await
                .unwrap();
            let (one, four) = (
                replaces(&url, table, 1).await,
                replaces(&url, table, 4).await,
            );
            let commits = commits(&url, table).await;
            println!(
                "{name}: load and replace, 64 at a time: {one:.0}/s by one process, {four:.0}/s by \
                 four; one row a commit, 64 connections: {commits:.0}/s"
            );
        }
    }
}
