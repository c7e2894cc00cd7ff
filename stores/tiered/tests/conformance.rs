//! The rules of the contract, held against several pairs of stores.

mod common;

use std::{future::ready, time::Duration};

use cloakroom_file::{FileStore, Fsync};
use cloakroom_memory::MemoryStore;
use cloakroom_store::Store;
use cloakroom_testkit::{Conformance, FaultyStore};
use cloakroom_tiered::TieredStore;
use common::ToldStore;

fn memory_over_memory() -> TieredStore<MemoryStore, MemoryStore> {
    TieredStore::new(MemoryStore::new(), MemoryStore::new())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract() {
    let report = Conformance::new(|| ready(memory_over_memory())).run().await;
    println!("{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_type_erased() {
    Conformance::new(|| ready(memory_over_memory().into_any()))
        .run()
        .await;
}

/// Processes with fronts of their own; copies are never too old here.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_share_the_back() {
    let back = MemoryStore::new();
    Conformance::new(move || {
        let tiered = TieredStore::builder(MemoryStore::new(), back.clone());
        ready(tiered.max_age(Duration::from_secs(3_600)).build())
    })
    .instances(3)
    .run()
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_listen_share_the_back() {
    let back = ToldStore::new(MemoryStore::new());
    Conformance::new(move || {
        let tiered = TieredStore::builder(MemoryStore::new(), back.clone());
        ready(tiered.watch().build())
    })
    .instances(3)
    .run()
    .await;
}

/// A front that waits for a disk, in front of a store with tags of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn files_over_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, next) = (
        dir.path().to_owned(),
        std::sync::atomic::AtomicUsize::new(0),
    );
    Conformance::new(move || {
        let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let front = FileStore::builder(folder.join(number.to_string()));
        let front = front.fsync(Fsync::Never).open().unwrap();
        ready(TieredStore::new(front, MemoryStore::new()))
    })
    .run()
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_front_that_fails_now_and_then_breaks_no_rule() {
    Conformance::new(|| {
        use cloakroom_testkit::Fault::{AfterEffect, BeforeEffect, Hang, Timeout};
        let front = FaultyStore::new(MemoryStore::new());
        front
            .faults()
            .sometimes(20, &[BeforeEffect, AfterEffect, Timeout, Hang]);
        let tiered = TieredStore::builder(front, MemoryStore::new());
        ready(tiered.front_timeout(Duration::from_millis(1)).build())
    })
    .run()
    .await;
}
