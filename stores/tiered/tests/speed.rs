//! What a hit costs beside a load of the front alone. The clock is a slower one than outside of
//! tests.
//! `cargo test -p cloakroom-tiered --release --test speed -- --ignored --nocapture`
#![allow(clippy::unwrap_used, reason = "helpers are no tests")]

mod common;

use std::{hint::black_box, time::Duration};

use cloakroom_memory::MemoryStore;
use cloakroom_store::{AnyStore, Freshness, Key, Record, SessionId, Store};
use cloakroom_testkit::SplitMix64;
use cloakroom_tiered::TieredStore;
use common::{Process, ToldStore, record};

const SESSIONS: usize = 10_000;
const LOADS: u32 = 1_000_000;
const ROUNDS: usize = 7;

fn kibibyte() -> Record {
    let mut record = record(1);
    record.data = vec![b'x'; 1024].into();
    record
}

fn keys() -> Vec<Key> {
    let mut random = SplitMix64::new(1);
    let mut id = || {
        let mut id = [0; 16];
        id.copy_from_slice(&random.bytes(16));
        SessionId::from_bytes(id)
    };
    let namespace = common::key(0).namespace;
    (0..SESSIONS).map(|_| Key::new(namespace, id())).collect()
}

/// Nanoseconds per load.
async fn measure(store: &AnyStore, keys: &[Key]) -> f64 {
    let began = std::time::Instant::now();
    for (key, _) in keys.iter().cycle().zip(0..LOADS) {
        black_box(store.load(*key, Freshness::Any).await.unwrap().unwrap());
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(LOADS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn hits() {
    let keys = keys();
    let memory = MemoryStore::new();
    let aged = TieredStore::builder(MemoryStore::new(), MemoryStore::new());
    let aged = aged.max_age(Duration::from_secs(3_600)).build();
    let told = TieredStore::builder(MemoryStore::new(), ToldStore::new(MemoryStore::new()));
    let told = told.max_age(Duration::from_secs(3_600)).watch().build();
    tokio::time::sleep(Duration::from_millis(100)).await;
    for key in &keys {
        memory.create(key, &kibibyte()).await.unwrap();
        aged.create(key, &kibibyte()).await.unwrap();
        told.create(key, &kibibyte()).await.unwrap();
    }
    let stores = [
        ("memory", memory.into_any()),
        ("tiered, max_age", aged.clone().into_any()),
        ("tiered, watch", told.clone().into_any()),
    ];
    let mut rounds: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for ((_, store), rounds) in stores.iter().zip(&mut rounds) {
            rounds.push(measure(store, &keys).await);
        }
    }
    for ((name, _), rounds) in stores.iter().zip(&mut rounds) {
        rounds.sort_by(f64::total_cmp);
        println!("{name}: {:.0} ns a load", rounds[ROUNDS / 2]);
    }
    println!("{:?}, {:?}", aged.stats(), told.stats());
}

/// A request that reads its session, through the engine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn requests() {
    const REQUESTS: u32 = 100_000;
    let aged = TieredStore::builder(MemoryStore::new(), MemoryStore::new());
    let aged = aged.max_age(Duration::from_secs(3_600)).build();
    let processes = [
        ("memory", Process::new(MemoryStore::new())),
        ("tiered", Process::new(aged)),
    ];
    let mut jars = [None, None];
    let mut rounds: [Vec<f64>; 2] = Default::default();
    for _ in 0..ROUNDS {
        for (((_, process), jar), rounds) in processes.iter().zip(&mut jars).zip(&mut rounds) {
            process.visit(jar).await;
            let began = std::time::Instant::now();
            for _ in 0..REQUESTS {
                let visited = process.serve(jar, |session| session.get::<bool>("visited"));
                assert!(black_box(visited.await).unwrap().is_some());
            }
            rounds.push(began.elapsed().as_secs_f64() * 1e9 / f64::from(REQUESTS));
        }
    }
    for ((name, _), rounds) in processes.iter().zip(&mut rounds) {
        rounds.sort_by(f64::total_cmp);
        println!("{name}: {:.0} ns a request", rounds[ROUNDS / 2]);
    }
}
