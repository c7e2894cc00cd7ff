//! What one call costs.
//! `cargo test -p cloakroom-postgres --release --test speed -- --ignored --nocapture`
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

use cloakroom_store::{Key, Loaded, Record, Store};
use common::{client, create, load, numbered, record, store, url, version};
use tokio::task::JoinSet;

const SESSIONS: u64 = 10_000;

fn of_300_bytes() -> Record {
    record(&"x".repeat(300))
}

/// Calls for about a second, `width` at a time; each task has numbers of its own.
async fn measure<F>(name: &str, width: u64, call: impl Fn(u64) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let begin = Instant::now();
        let mut done = 0_u32;
        while begin.elapsed() < Duration::from_millis(400) {
            let mut calls = JoinSet::new();
            let rounds = if width == 1 { 200 } else { 20 };
            for task in 0..width {
                let mut own = Vec::new();
                for round in 0..rounds {
                    own.push(call((task + width * round) % SESSIONS));
                }
                done += u32::try_from(own.len()).unwrap();
                calls.spawn(async move {
                    for call in own {
                        call.await;
                    }
                });
            }
            calls.join_all().await;
        }
        best = best.min(begin.elapsed().as_secs_f64() / f64::from(done));
    }
    println!(
        "  {name}, {width} at a time: {:.1} us each, {:.1} k/s",
        best * 1e6,
        1e-3 / best
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn calls() {
    let Some(url) = url() else { return };
    let store = store(&url, "speed").await;
    let mut creates = JoinSet::new();
    for task in 0..20 {
        let store = store.clone();
        creates.spawn(async move {
            for number in 0..SESSIONS / 20 {
                create(
                    &store,
                    &numbered(task * SESSIONS / 20 + number),
                    &of_300_bytes(),
                )
                .await;
            }
        });
    }
    creates.join_all().await;
    let raw = Arc::new(client(&url).await);
    raw.batch_execute("VACUUM ANALYZE speed").await.unwrap();
    let select = "SELECT version, created, last_seen, expires, subject, data FROM speed \
                  WHERE id = $1 AND namespace = $2";
    let select = raw.prepare(select).await.unwrap();
    let update = "UPDATE speed SET version = $3, last_seen = $4, expires = $4, data = $5 \
                  WHERE id = $1 AND namespace = $2";
    let update = raw.prepare(update).await.unwrap();
    let database = raw.query_one("SELECT current_database()", &[]).await;
    let database: String = database.unwrap().get(0);
    for commit in ["on", "off"] {
        let set = format!("ALTER DATABASE {database} SET synchronous_commit = {commit}");
        println!("synchronous_commit = {commit}");
        raw.batch_execute(&set).await.unwrap();
        raw.batch_execute(&format!("SET synchronous_commit = {commit}"))
            .await
            .unwrap();
        let builder = cloakroom_postgres::PostgresStore::builder(&url).table("speed");
        let store = builder
            .timeout(Duration::from_secs(5))
            .connect()
            .await
            .unwrap();
        for width in [1, 64] {
            let (client, statement) = (Arc::clone(&raw), select.clone());
            measure("raw SELECT", width, |number| {
                let (client, statement) = (Arc::clone(&client), statement.clone());
                async move {
                    let key = numbered(number);
                    let (id, name) = (&key.id.as_bytes()[..], &b"cart"[..]);
                    client
                        .query_opt(&statement, &[&id, &name])
                        .await
                        .unwrap()
                        .unwrap();
                }
            })
            .await;
            measure("load", width, |number| {
                let store = store.clone();
                async move {
                    load(&store, &numbered(number)).await.unwrap().unwrap();
                }
            })
            .await;
            let (client, statement) = (Arc::clone(&raw), update.clone());
            measure("raw UPDATE", width, |number| {
                let (client, statement) = (Arc::clone(&client), statement.clone());
                async move {
                    let key = numbered(number);
                    let (id, name) = (&key.id.as_bytes()[..], &b"cart"[..]);
                    let version = version().to_bits().cast_signed();
                    let data = [b'y'; 300];
                    let data = &data[..];
                    let parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
                        &[&id, &name, &version, &version, &data];
                    client.execute(&statement, parameters).await.unwrap();
                }
            })
            .await;
            measure("load and replace", width, |number| {
                let store = store.clone();
                async move {
                    let key = numbered(number);
                    let loaded = load(&store, &key).await.unwrap().unwrap();
                    store.replace(&key, &of_300_bytes(), &loaded).await.unwrap();
                }
            })
            .await;
            measure("touch of another version", width, |number| {
                let store = store.clone();
                async move {
                    let other = Loaded::new(of_300_bytes());
                    let key: Key = numbered(number);
                    assert!(!store.touch(&key, &other.record, &other).await.unwrap());
                }
            })
            .await;
        }
    }
    let reset = format!("ALTER DATABASE {database} RESET synchronous_commit");
    raw.batch_execute(&reset).await.unwrap();
}
