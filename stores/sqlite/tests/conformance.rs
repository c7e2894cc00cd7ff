//! The rules of the contract, held against the SQLite store.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use cloakroom_sqlite::{SqliteStore, SqliteStoreBuilder, Synchronous};
use cloakroom_store::Store;
use cloakroom_testkit::{Conformance, RaceReport, Races};
use common::{connection, path};
use tempfile::TempDir;

fn builder(dir: &TempDir) -> SqliteStoreBuilder {
    SqliteStore::builder(path(dir)).synchronous(Synchronous::Off)
}

async fn keeps_the_contract(store: impl Store + Clone) {
    let cases = Conformance::new(move || std::future::ready(store.clone()));
    println!("{}", cases.run().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_plain() {
    let dir = tempfile::tempdir().unwrap();
    keeps_the_contract(SqliteStore::open(path(&dir)).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_type_erased() {
    let dir = tempfile::tempdir().unwrap();
    keeps_the_contract(builder(&dir).open().unwrap().into_any()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_with_other_settings() {
    let dir = tempfile::tempdir().unwrap();
    // Another program's file, whose texts are UTF-16.
    let other = connection(&dir);
    other
        .execute_batch("PRAGMA encoding = 'UTF-16'; CREATE TABLE a (b TEXT);")
        .unwrap();
    let builder = builder(&dir).table("order").max_data_size(64 * 1024);
    let store = builder.inline_loads(0).open().unwrap();
    let cases = Conformance::new(move || std::future::ready(store.clone()));
    cases.max_data(64 * 1024).run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handles_of_one_store_are_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = builder(&dir).open().unwrap();
    let cases = Conformance::new(move || std::future::ready(store.clone()));
    cases.instances(3).run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stores_opened_apart_on_one_file_are_one() {
    let dir = tempfile::tempdir().unwrap();
    let builder = builder(&dir);
    let open = move || std::future::ready(builder.clone().open().unwrap());
    Conformance::new(open).instances(3).run().await;
}

/// Each worker has a database of its own.
fn races(dir: &TempDir) -> Races<SqliteStore> {
    let folder = dir.path().to_owned();
    let next = AtomicUsize::new(0);
    let races = Races::new(move || {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let builder = SqliteStore::builder(folder.join(number.to_string()));
        std::future::ready(builder.synchronous(Synchronous::Off).open().unwrap())
    });
    races.workers(2)
}

#[track_caller]
fn judge(report: &RaceReport) {
    println!("{report}");
    report.assert_kept();
}

#[test]
fn random_races_keep_the_promises() {
    let dir = tempfile::tempdir().unwrap();
    judge(&races(&dir).interleavings(200).run().unwrap());
}

#[test]
fn triples_of_requests_keep_the_promises() {
    let dir = tempfile::tempdir().unwrap();
    judge(&races(&dir).schedules(2).triples().unwrap());
}

#[test]
fn a_hundred_increments_make_a_hundred() {
    let dir = tempfile::tempdir().unwrap();
    judge(&races(&dir).storm(100).unwrap());
}
