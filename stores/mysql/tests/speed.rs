//! What one call costs.
//! `cargo test -p cloakroom-mysql --release --test speed -- --ignored --nocapture`
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)] // helpers are no #[test]

mod common;

use std::time::{Duration, Instant};

use cloakroom_store::{Loaded, Record, Store};
use common::{client, create, load, numbered, record, run, store, url};
use mysql_async::{Row, prelude::Queryable};
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

/// The driver alone, on one connection.
async fn measure_driver(url: &str) {
    let mut raw = client(url).await;
    let select = "SELECT version, created, last_seen, expires, subject, data FROM speed \
                  WHERE id = ? AND namespace = ?";
    let select = raw.prep(select).await.unwrap();
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let begin = Instant::now();
        for number in 0..2_000 {
            let id = numbered(number).id.as_bytes().to_vec();
            let found: Option<Row> = raw.exec_first(&select, (id, "cart")).await.unwrap();
            assert!(found.is_some());
        }
        best = best.min(begin.elapsed().as_secs_f64() / 2e3);
    }
    println!("  raw SELECT, 1 at a time: {:.1} us each", best * 1e6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn calls() {
    let Some(url) = url() else { return };
    let store = store(&url, "speed").await;
    let mut admin = client(&url).await;
    run(
        &mut admin,
        &["SET GLOBAL innodb_flush_log_at_trx_commit = 2"],
    )
    .await;
    let mut creates = JoinSet::new();
    for task in 0..20 {
        let store = store.clone();
        creates.spawn(async move {
            for number in 0..SESSIONS / 20 {
                let key = numbered(task * SESSIONS / 20 + number);
                create(&store, &key, &of_300_bytes()).await;
            }
        });
    }
    creates.join_all().await;
    measure_driver(&url).await;
    for commit in [1, 2] {
        println!("innodb_flush_log_at_trx_commit = {commit}");
        let set = format!("SET GLOBAL innodb_flush_log_at_trx_commit = {commit}");
        run(&mut admin, &[&set]).await;
        for width in [1, 64] {
            measure("load", width, |number| {
                let store = store.clone();
                async move {
                    load(&store, &numbered(number)).await.unwrap().unwrap();
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
                    let (key, other) = (numbered(number), Loaded::new(of_300_bytes()));
                    assert!(!store.touch(&key, &other.record, &other).await.unwrap());
                }
            })
            .await;
        }
    }
    run(
        &mut admin,
        &["SET GLOBAL innodb_flush_log_at_trx_commit = 1"],
    )
    .await;
}
