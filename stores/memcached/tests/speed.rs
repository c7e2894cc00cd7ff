//! What calls cost. `cargo test -p cloakroom-memcached --release --test speed -- --ignored --nocapture`
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
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use cloakroom_memcached::MemcachedStore;
use cloakroom_store::{Key, Loaded, Record, Store, Version};
use cloakroom_testkit::servers::Server;
use common::{Raw, a_key, a_record_of, connect, load};

const SIZE: usize = 300;
const CALLS: usize = 100_000;

struct Session {
    key: Key,
    expected: Mutex<Loaded>,
}

impl Session {
    fn next(&self) -> (Record, Loaded) {
        let expected = self.expected.lock().unwrap().clone();
        let mut next = expected.record.clone();
        next.version = Version::from_bits(next.version.to_bits().wrapping_add(1));
        (next, expected)
    }
}

async fn sessions(store: &MemcachedStore, count: usize) -> Arc<Vec<Session>> {
    let mut sessions = Vec::new();
    for _ in 0..count {
        let (key, record) = (a_key(), a_record_of(SIZE));
        store.create(&key, &record).await.unwrap();
        let expected = Mutex::new(load(store, &key).await.unwrap());
        sessions.push(Session { key, expected });
    }
    Arc::new(sessions)
}

/// So many calls were made, by so many tasks at the same time.
fn say(name: &str, tasks: usize, took: Duration) {
    let per_second = CALLS / usize::try_from(took.as_millis()).unwrap();
    let nanos = took.as_nanos() * u128::try_from(tasks).unwrap() / u128::try_from(CALLS).unwrap();
    let micros = nanos / 1000;
    println!("  {name}, {tasks} at a time: {micros} us a call, {per_second} k/s");
}

/// Runs as many tasks as there are sessions, each on its own.
async fn measure<C>(name: &str, sessions: &Arc<Vec<Session>>, call: C)
where
    C: AsyncCall,
{
    let tasks = sessions.len();
    let began = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|number| {
            let (call, sessions) = (call.clone(), Arc::clone(sessions));
            tokio::spawn(async move {
                for _ in 0..CALLS / tasks {
                    call.call(&sessions[number]).await;
                }
            })
        })
        .collect();
    for task in running {
        task.await.unwrap();
    }
    say(name, tasks, began.elapsed());
}

trait AsyncCall: Clone + Send + Sync + 'static {
    fn call(&self, session: &Session) -> impl Future<Output = ()> + Send;
}

#[derive(Clone)]
struct Loading(MemcachedStore);

impl AsyncCall for Loading {
    async fn call(&self, session: &Session) {
        assert!(load(&self.0, &session.key).await.is_some());
    }
}

#[derive(Clone)]
struct Replacing(MemcachedStore);

impl AsyncCall for Replacing {
    async fn call(&self, session: &Session) {
        let (next, expected) = session.next();
        let tag = self
            .0
            .replace(&session.key, &next, &expected)
            .await
            .unwrap();
        *session.expected.lock().unwrap() = Loaded::with_tag(next, tag);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn calls() {
    let Some(server) = Server::memcached().await else {
        return;
    };
    println!("{CALLS} calls, {SIZE} bytes of data");
    let store = connect(&server.url(), "speed").await;
    for tasks in [1, 64] {
        let sessions = sessions(&store, tasks).await;
        measure("load", &sessions, Loading(store.clone())).await;
        measure("replace", &sessions, Replacing(store.clone())).await;
    }
    // The same command on a connection of a thread's own, as fast as the server and the system are.
    let (key, record) = (a_key(), a_record_of(SIZE));
    store.create(&key, &record).await.unwrap();
    for threads in [1, 64] {
        let began = Instant::now();
        let threads: Vec<_> = (0..threads)
            .map(|_| {
                let (url, name) = (server.url(), format!("speed:{key}"));
                std::thread::spawn(move || {
                    let mut raw = Raw::to(&url);
                    for _ in 0..CALLS / threads {
                        assert!(raw.get(&name).is_some());
                    }
                })
            })
            .collect();
        let count = threads.len();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        say("get, raw", count, began.elapsed());
    }
}
