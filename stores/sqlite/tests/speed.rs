//! What one call costs, and what SQLite alone takes for the same.
//! `cargo test -p cloakroom-sqlite --release --test speed -- --ignored --nocapture`
#![allow(clippy::print_stdout, clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use cloakroom_sqlite::{SqliteStore, Synchronous};
use cloakroom_store::{Key, Loaded, Store};
use common::{load, numbered, path, sized};
use rusqlite::{Connection, params};

const SESSIONS: u32 = 20_000;
const CALLERS: u32 = 64;

async fn filled(path: &Path, synchronous: Synchronous, inline: usize) -> SqliteStore {
    let builder = SqliteStore::builder(path).synchronous(synchronous);
    let store = builder.inline_loads(inline).open().unwrap();
    let tasks = (0..CALLERS).map(|caller| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in (caller..SESSIONS).step_by(64) {
                store
                    .create(&numbered(number), &sized(1, 1024))
                    .await
                    .unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    store
}

fn key(number: u32) -> Key {
    numbered(number.wrapping_mul(7_919) % SESSIONS)
}

fn tell(name: &str, calls: u32, elapsed: Duration) {
    let micros = elapsed.as_secs_f64() * 1e6 / f64::from(calls);
    println!(
        "  {name}: {micros:.1} us each, {:.1} thousand/s",
        1e3 / micros
    );
}

/// Calls from as many tasks at the same time.
async fn at_once<F>(name: &str, calls: u32, call: impl Fn(u32) -> F + Send + Copy + 'static)
where
    F: Future<Output = ()> + Send,
{
    let began = Instant::now();
    let tasks = (0..CALLERS).map(|caller| {
        tokio::spawn(async move {
            for number in (caller..calls).step_by(64) {
                call(number).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    tell(name, calls, began.elapsed());
}

async fn one_by_one(name: &str, calls: u32, call: impl AsyncFn(u32)) {
    let began = Instant::now();
    for number in 0..calls {
        call(number).await;
    }
    tell(name, calls, began.elapsed());
}

/// Replaces half of the sessions one by one, and the others at the same time.
async fn replaces(store: &SqliteStore) {
    let store: &'static SqliteStore = Box::leak(Box::new(store.clone()));
    let replace = move |number: u32| async move {
        let expected = Loaded::new(sized(1, 0));
        let next = sized(2, 1024);
        store
            .replace(&numbered(number), &next, &expected)
            .await
            .unwrap();
    };
    one_by_one("replace, one by one", 2_000, replace).await;
    let before = store.stats();
    let others = move |number| replace(SESSIONS / 2 + number);
    at_once("replace, 64 at once", SESSIONS / 2, others).await;
    let after = store.stats();
    println!(
        "    {} changes in {} commits, up to {} in one",
        after.changes - before.changes,
        after.commits - before.commits,
        after.largest_commit
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn loads() {
    for inline in [0, 1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let store = filled(&path(&dir), Synchronous::Off, inline).await;
        println!("{SESSIONS} sessions of 1 KiB, {inline} loads inline");
        let store: &'static SqliteStore = Box::leak(Box::new(store));
        let call = move |number: u32| async move {
            load(store, &key(number)).await.unwrap().unwrap();
        };
        one_by_one("load, one by one", SESSIONS, call).await;
        one_by_one("load, one by one, again", SESSIONS, call).await;
        at_once("load, 64 at once", SESSIONS * 4, call).await;
        let stats = store.stats();
        println!(
            "    {} inline, {} on the thread",
            stats.loads_inline, stats.reads_on_thread
        );
    }
    let dir = tempfile::tempdir().unwrap();
    drop(filled(&path(&dir), Synchronous::Off, 1).await);
    let raw = raw(&path(&dir));
    for _ in 0..2 {
        let began = Instant::now();
        for number in 0..SESSIONS {
            let mut statement = raw
                .prepare_cached(
                    "SELECT data FROM cloakroom_sessions WHERE namespace = ?1 AND id = ?2",
                )
                .unwrap();
            let id = key(number).id;
            let parameters = params!["cart", id.as_bytes().as_slice()];
            let data: Vec<u8> = statement.query_row(parameters, |row| row.get(0)).unwrap();
            assert_eq!(data.len(), 1024);
        }
        tell("rusqlite alone, load", SESSIONS, began.elapsed());
    }
}

fn raw(path: &Path) -> Connection {
    let raw = Connection::open(path).unwrap();
    raw.execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;")
        .unwrap();
    raw
}

fn raw_replace(raw: &Connection, number: u32) {
    let mut statement = raw
        .prepare_cached(
            "UPDATE cloakroom_sessions SET version = ?3, created = 1, last_seen = ?3, \
             expires = ?3, subject = NULL, data = ?4 WHERE namespace = ?1 AND id = ?2",
        )
        .unwrap();
    let id = numbered(number).id;
    let data = vec![b'y'; 1024];
    let parameters = params!["cart", id.as_bytes().as_slice(), number + 100, data];
    assert_eq!(statement.execute(parameters).unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn durable_replaces() {
    let dir = tempfile::tempdir().unwrap();
    for synchronous in [Synchronous::Full, Synchronous::Normal] {
        let path = dir.path().join(format!("{synchronous:?}"));
        drop(filled(&path, Synchronous::Off, 1).await);
        let store = SqliteStore::builder(&path)
            .synchronous(synchronous)
            .open()
            .unwrap();
        println!("{SESSIONS} sessions of 1 KiB, {synchronous:?}");
        replaces(&store).await;
        if synchronous == Synchronous::Full {
            let raw = raw(&path);
            let began = Instant::now();
            (0..2_000).for_each(|number| raw_replace(&raw, number));
            tell("rusqlite alone, a commit each", 2_000, began.elapsed());
            let began = Instant::now();
            for batch in 0..100 {
                raw.execute_batch("BEGIN IMMEDIATE").unwrap();
                (0..64).for_each(|number| raw_replace(&raw, batch * 64 + number));
                raw.execute_batch("COMMIT").unwrap();
            }
            tell("rusqlite alone, a commit for 64", 6_400, began.elapsed());
        }
    }
}

/// How often the threads of this process have given up their core, or lost it; and the time that
/// they have run, in ticks of 10 ms.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy)]
struct Work {
    given_up: u64,
    lost: u64,
    ticks: u64,
}

#[cfg(target_os = "linux")]
impl Work {
    fn so_far() -> Self {
        let of_thread = |name: &str| -> u64 {
            let tasks = std::fs::read_dir("/proc/self/task").unwrap();
            let statuses = tasks.map(|task| task.unwrap().path().join("status"));
            let text = |path| std::fs::read_to_string(path).unwrap_or_default();
            let count = |text: String| -> u64 {
                let line = text.lines().find_map(|line| line.strip_prefix(name));
                line.map_or(0, |count| count.trim().parse().unwrap())
            };
            statuses.map(text).map(count).sum()
        };
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks = fields.split(' ').skip(11).take(2);
        Self {
            given_up: of_thread("voluntary_ctxt_switches:"),
            lost: of_thread("nonvoluntary_ctxt_switches:"),
            ticks: ticks.map(|count| count.parse::<u64>().unwrap()).sum(),
        }
    }

    fn tell_since(self, name: &str, loads: u32) {
        let now = Self::so_far();
        let each = |now: u64, before: u64| {
            let count = u32::try_from(now - before).unwrap();
            f64::from(count) / f64::from(loads)
        };
        println!(
            "  {name}: {:.3} times given up, {:.3} lost, {:.1} us of all cores, a load",
            each(now.given_up, self.given_up),
            each(now.lost, self.lost),
            each(now.ticks, self.ticks) * 1e4,
        );
    }
}

/// What a load costs the machine, counted, inline and on the store's thread.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn switches() {
    for inline in [1, 0] {
        let dir = tempfile::tempdir().unwrap();
        let store = filled(&path(&dir), Synchronous::Off, inline).await;
        println!("{SESSIONS} sessions of 1 KiB, {inline} loads inline");
        let store: &'static SqliteStore = Box::leak(Box::new(store));
        let call = move |number: u32| async move {
            load(store, &key(number)).await.unwrap().unwrap();
        };
        // As a request has it: on a worker of the runtime.
        for (name, tasks) in [("one by one", 1), ("four at once", 4), ("64 at once", 64)] {
            let before = Work::so_far();
            let began = Instant::now();
            let tasks = (0..tasks).map(|first| {
                tokio::spawn(async move {
                    for number in (first..SESSIONS * 2).step_by(usize::try_from(tasks).unwrap()) {
                        call(number).await;
                        tokio::task::yield_now().await;
                    }
                })
            });
            for task in tasks.collect::<Vec<_>>() {
                task.await.unwrap();
            }
            tell(name, SESSIONS * 2, began.elapsed());
            before.tell_since(name, SESSIONS * 2);
        }
        // A tenth of the requests change something.
        let before = Work::so_far();
        let tasks = (0..16).map(|first| {
            tokio::spawn(async move {
                for number in (first..SESSIONS).step_by(16) {
                    call(number).await;
                    if number % 10 == 0 {
                        let expected = Loaded::new(sized(1, 0));
                        let next = sized(1, 1024);
                        let replaced = store.replace(&key(number), &next, &expected).await;
                        replaced.unwrap();
                    }
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        before.tell_since("16 at once, a tenth of them changes", SESSIONS);
    }
}
