//! The rules of the contract, held against MySQL.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
};

use cloakroom_store::Store;
use cloakroom_testkit::Conformance;
use common::{Way, builder, url};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        let store = way.store(&url, "conformance_plain").await;
        let cases = Conformance::new(move || std::future::ready(store.clone()));
        println!("{}", cases.run().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_type_erased() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        let store = way.store(&url, "conformance_erased").await.into_any();
        let cases = Conformance::new(move || std::future::ready(store.clone()));
        cases.run().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stores_opened_apart_on_one_table_are_one() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        let mut stores = vec![way.store(&url, "conformance_several").await];
        for _ in 0..2 {
            let table = way.table("conformance_several");
            let builder = way.builder(&url).table(&table);
            stores.push(builder.connect().await.unwrap());
        }
        let next = AtomicUsize::new(0);
        let open = move || {
            let next = next.fetch_add(1, Ordering::Relaxed);
            std::future::ready(stores[next % stores.len()].clone())
        };
        Conformance::new(open).instances(3).run().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_with_a_limit_and_one_connection() {
    let Some(url) = url() else { return };
    let builder = builder(&url, "conformance_limited").await;
    let builder = builder.connections(NonZeroUsize::MIN);
    let store = builder.max_data_size(64 * 1024).connect().await.unwrap();
    let cases = Conformance::new(move || std::future::ready(store.clone()));
    cases.max_data(64 * 1024).run().await;
}
