//! What one call costs, beside the same command without the store.
//! `cargo test -p cloakroom-redis --release --test speed -- --ignored --nocapture`
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

use std::time::{Duration, Instant};

use cloakroom_store::{Freshness, Key, Loaded, Store};
use cloakroom_testkit::servers::Server;
use common::{a_key, a_record, connect_as_usual, raw};
use redis::AsyncCommands;

const TASKS: [usize; 2] = [1, 64];
const CALLS: usize = 20_000;
const ROUNDS: usize = 5;

/// Runs the calls in so many tasks, and gives the time for one.
async fn time<F>(tasks: usize, call: impl Fn(usize) -> F + Clone + Send + 'static) -> Duration
where
    F: Future<Output = ()> + Send,
{
    let each = CALLS / 8 / if tasks == 1 { 1 } else { tasks / 8 };
    let begin = Instant::now();
    let tasks = (0..tasks).map(|task| {
        let call = call.clone();
        tokio::spawn(async move {
            for _ in 0..each {
                call(task).await;
            }
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let calls = tasks.len() * each;
    for task in tasks {
        task.await.unwrap();
    }
    begin.elapsed() / u32::try_from(calls).unwrap()
}

/// The median of the times of interleaved rounds, in microseconds and in calls per second.
fn tell(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let time = times[times.len() / 2];
    let micros = time.as_secs_f64() * 1e6;
    println!("  {name:<22} {micros:>8.1} us {:>8.1} k/s", 1e3 / micros);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn calls_beside_bare_commands() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let store = connect_as_usual(&server.url(), "speed").await;
    let beside = raw(&server.url()).await;
    let mut record = a_record(None);
    record.data = vec![7; 300].into();
    let mut sessions: Vec<(Key, Loaded)> = Vec::new();
    for _ in 0..64 {
        let key = a_key();
        store.create(&key, &record).await.unwrap();
        sessions.push((key, Loaded::new(record.clone())));
    }
    let names = sessions.iter().map(|(key, _)| format!("speed:s:{key}"));
    let names: &'static [String] = names.collect::<Vec<_>>().leak();
    let sessions: &'static [(Key, Loaded)] = sessions.leak();
    for tasks in TASKS {
        let mut times: [Vec<Duration>; 5] = Default::default();
        for _ in 0..ROUNDS {
            let bare = beside.clone();
            let get = time(tasks, move |task| {
                let mut bare = bare.clone();
                async move { drop::<Vec<u8>>(bare.get(&names[task]).await.unwrap()) }
            });
            times[0].push(get.await);
            let own = store.clone();
            let load = time(tasks, move |task| {
                let own = own.clone();
                async move {
                    let loaded = own.load(&sessions[task].0, Freshness::Any).await;
                    assert!(loaded.unwrap().is_some());
                }
            });
            times[1].push(load.await);
            let bare = beside.clone();
            let set = time(tasks, move |task| {
                let mut bare = bare.clone();
                async move {
                    bare.set_ex(format!("x{task}"), vec![7; 350], 60)
                        .await
                        .unwrap()
                }
            });
            times[2].push(set.await);
            let own = store.clone();
            let replace = time(tasks, move |task| {
                let own = own.clone();
                let (key, expected) = &sessions[task];
                async move {
                    // The same version again, so that the next one finds what it expects.
                    own.replace(key, &expected.record, expected)
                        .await
                        .map(drop)
                        .unwrap();
                }
            });
            times[3].push(replace.await);
            let own = store.clone();
            let create = time(tasks, move |task| {
                let own = own.clone();
                let record = &sessions[task].1.record;
                async move { own.create(&a_key(), record).await.map(drop).unwrap() }
            });
            times[4].push(create.await);
        }
        println!("{tasks} at a time, 300 bytes of data, median of {ROUNDS} rounds");
        let [get, load, set, replace, create] = times;
        tell("GET, bare", get);
        tell("load", load);
        tell("SET EX, bare", set);
        tell("replace", replace);
        tell("create", create);
    }
}
