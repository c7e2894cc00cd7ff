//! What many writes at the same time cost the server, by its own count. It counts what others do, too, so the test
//! has one to itself.
//! `cargo test -p cloakroom-postgres --test counted -- --nocapture` prints it.
#![cfg(unix)]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)] // helpers are no #[test]

mod common;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use cloakroom_postgres::PostgresStore;
use cloakroom_store::{Record, Store};
use cloakroom_testkit::servers::Server;
use common::{builder, client, create, load, numbered, record, version};
use tokio::task::JoinSet;
use tokio_postgres::Client;

const WIDTH: u64 = 64;
const ROUNDS: u64 = 25;
const WRITES: u32 = 1_600;

/// What the server has done so far, or did.
#[derive(Debug, Clone, Copy)]
struct Counts {
    commits: i64,
    flushes: i64,
    records: i64,
    bytes: i64,
}

impl Counts {
    /// `None` where the server does not count flushes here: before version 14, and from 18 on.
    async fn now(client: &Client) -> Option<Self> {
        // A session reports the last of what it did when it ends.
        let others = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'counted'";
        let begin = Instant::now();
        while client
            .query_one(others, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            > 0
        {
            assert!(begin.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let sql = "SELECT (SELECT xact_commit FROM pg_stat_database \
                   WHERE datname = current_database()), \
                   wal_sync, wal_records, wal_bytes::bigint FROM pg_stat_wal";
        let row = client.query_one(sql, &[]).await.ok()?;
        Some(Self {
            commits: row.get(0),
            flushes: row.get(1),
            records: row.get(2),
            bytes: row.get(3),
        })
    }

    fn since(self, then: Self) -> Self {
        Self {
            commits: self.commits - then.commits,
            flushes: self.flushes - then.flushes,
            records: self.records - then.records,
            bytes: self.bytes - then.bytes,
        }
    }
}

/// For each write.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = |count: i64| f64::from(i32::try_from(count).unwrap()) / f64::from(WRITES);
        write!(
            f,
            "{:.3} commits, {:.3} flushes of the log, {:.1} records and {:.0} bytes in it",
            each(self.commits),
            each(self.flushes),
            each(self.records),
            each(self.bytes)
        )
    }
}

/// 300 bytes, and another time in the index than any other.
fn next_record() -> Record {
    let mut next = record(&"x".repeat(300));
    let moved = Duration::from_millis(next.version.to_bits() & 0xffff);
    next.expires = next.expires.saturating_add(moved);
    next
}

/// Which session a task changes in a round: each time another one, or always its own.
fn target(task: u64, round: u64, is_own: bool) -> u64 {
    if is_own { task } else { task + round * WIDTH }
}

async fn fill(store: &PostgresStore) {
    let mut creates = JoinSet::new();
    for task in 0..WIDTH {
        let store = store.clone();
        creates.spawn(async move {
            for round in 0..ROUNDS {
                create(
                    &store,
                    &numbered(target(task, round, false)),
                    &next_record(),
                )
                .await;
            }
        });
    }
    creates.join_all().await;
}

async fn replaces(url: &str, is_own: bool) {
    let builder = PostgresStore::builder(url).table("counted");
    let builder = builder.timeout(Duration::from_secs(5));
    let store = builder.connect().await.unwrap();
    let mut calls = JoinSet::new();
    for task in 0..WIDTH {
        let store = store.clone();
        calls.spawn(async move {
            for round in 0..ROUNDS {
                let key = numbered(target(task, round, is_own));
                let loaded = load(&store, &key).await.unwrap().unwrap();
                store.replace(&key, &next_record(), &loaded).await.unwrap();
            }
        });
    }
    calls.join_all().await;
}

/// The same writes by the driver alone, on one connection.
async fn raw_updates(url: &str, is_own: bool) {
    let raw = Arc::new(client(url).await);
    let update = "UPDATE counted SET version = $3, expires = $3, data = $4 \
                  WHERE id = $1 AND namespace = $2";
    let update = raw.prepare(update).await.unwrap();
    let mut calls = JoinSet::new();
    for task in 0..WIDTH {
        let (raw, update) = (Arc::clone(&raw), update.clone());
        calls.spawn(async move {
            for round in 0..ROUNDS {
                let key = numbered(target(task, round, is_own));
                let (id, name) = (&key.id.as_bytes()[..], &b"cart"[..]);
                let version = version().to_bits().cast_signed();
                let data = &[b'y'; 300][..];
                let values: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
                    &[&id, &name, &version, &data];
                assert_eq!(raw.execute(&update, values).await.unwrap(), 1);
            }
        });
    }
    calls.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_at_the_same_time_share_commits() {
    let Some(server) = Server::postgres().await else {
        return;
    };
    let client = client(&server.url()).await;
    let url = format!("{}?application_name=counted", server.url());
    let store = builder(&url, "counted").await.connect().await.unwrap();
    fill(&store).await;
    drop(store);
    for (what, is_own) in [("each time another session", false), ("64 sessions", true)] {
        let Some(before) = Counts::now(&client).await else {
            println!("skipped: the server does not count what it writes in `pg_stat_wal`");
            return;
        };
        let begin = Instant::now();
        raw_updates(&url, is_own).await;
        let took = begin.elapsed();
        let between = Counts::now(&client).await.unwrap();
        println!(
            "{what}, UPDATE alone: {took:.2?}; {}",
            between.since(before)
        );
        let begin = Instant::now();
        replaces(&url, is_own).await;
        let took = begin.elapsed();
        let ours = Counts::now(&client).await.unwrap().since(between);
        println!("{what}, load and replace: {took:.2?}; {ours}");
        // A load commits too, without a flush. What connects does some more.
        assert!(ours.commits < i64::from(WRITES) * 3 / 2, "{ours}");
        assert!(ours.flushes < i64::from(WRITES) / 4, "{ours}");
    }
}
