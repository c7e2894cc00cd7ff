//! Races of requests through the engine, on the stores at hand.
//!
//! `CLOAKROOM_RACES=long` plays as many as the promise of the kit says; without it, or with
//! `short`, they take some seconds. `CLOAKROOM_RACE_SEED` names a case to replay, or where the
//! random ones begin.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what fails here fails a test, and the reports are for reading"
)]

mod broken;

use std::{
    env,
    sync::atomic::{AtomicUsize, Ordering},
    thread::available_parallelism,
};

use cloakroom_file::{FileStore, Fsync};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::{RaceReport, Races};
use tempfile::TempDir;

fn is_long() -> bool {
    env::var("CLOAKROOM_RACES").is_ok_and(|length| length == "long")
}

fn workers() -> usize {
    available_parallelism().map_or(1, usize::from)
}

fn on_memory() -> Races<MemoryStore> {
    Races::new(|| async { MemoryStore::new() })
}

/// Each worker has a folder of its own.
fn on_files(dir: &TempDir) -> Races<FileStore> {
    let next = AtomicUsize::new(0);
    let dir = dir.path().to_owned();
    Races::new(move || {
        let folder = dir.join(next.fetch_add(1, Ordering::Relaxed).to_string());
        let store = FileStore::builder(folder).fsync(Fsync::Never).open();
        async move { store.unwrap() }
    })
}

/// Begins where the environment says, if it does.
fn seeded<S: cloakroom_store::Store>(races: Races<S>) -> Races<S> {
    match env::var("CLOAKROOM_RACE_SEED").map(|seed| seed.parse()) {
        Ok(Ok(seed)) => races.seed(seed),
        _ => races,
    }
}

#[track_caller]
fn judge(report: &RaceReport) {
    println!("{report}");
    for broken in &report.broken {
        let case = &broken.case;
        println!(
            "replay: CLOAKROOM_RACE_SEED={case} \
             cargo test -p cloakroom-testkit --test races replay -- --nocapture"
        );
    }
    report.assert_kept();
}

#[test]
fn triples_on_memory() {
    let schedules = if is_long() { 2_000 } else { 3 };
    let races = on_memory().schedules(schedules).workers(workers());
    judge(&races.triples().unwrap());
}

#[test]
fn random_on_memory() {
    let cases = if is_long() { 100_000 } else { 2_000 };
    let races = seeded(on_memory()).interleavings(cases).workers(workers());
    judge(&races.run().unwrap());
}

#[test]
fn random_on_files() {
    let dir = tempfile::tempdir().unwrap();
    let cases = if is_long() { 10_000 } else { 200 };
    let races = seeded(on_files(&dir)).interleavings(cases);
    judge(&races.workers(workers()).run().unwrap());
}

#[test]
fn a_hundred_increments_make_a_hundred() {
    let dir = tempfile::tempdir().unwrap();
    judge(&on_memory().storm(100).unwrap());
    judge(&on_files(&dir).storm(100).unwrap());
}

/// Plays the case that `CLOAKROOM_RACE_SEED` names again.
#[test]
fn replay() {
    let Ok(case) = env::var("CLOAKROOM_RACE_SEED") else {
        return;
    };
    judge(&on_memory().replay(&case).unwrap());
}

#[test]
fn a_case_is_the_same_for_the_same_seed() {
    let show = |seed: u64| {
        let races = Races::new(|| async { broken::DeleteKeeps::new() });
        races.replay(&seed.to_string()).unwrap().to_string()
    };
    for seed in 0..50 {
        assert_eq!(show(seed), show(seed));
    }
}
