//! The rules of the contract, held against the memory store.

use cloakroom_memory::MemoryStore;
use cloakroom_store::Store;
use cloakroom_testkit::Conformance;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract() {
    let report = Conformance::new(|| async { MemoryStore::new() })
        .run()
        .await;
    println!("{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_type_erased() {
    Conformance::new(|| async { MemoryStore::new().into_any() })
        .run()
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clones_are_the_same_store() {
    let store = MemoryStore::new();
    Conformance::new(move || std::future::ready(store.clone()))
        .instances(3)
        .run()
        .await;
}
