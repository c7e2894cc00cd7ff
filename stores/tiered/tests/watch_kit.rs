//! The store that other tests put behind keeps the promises of one that tells what changes.

mod common;

use std::{future::ready, time::Duration};

use cloakroom_memory::MemoryStore;
use cloakroom_testkit::{LinkState, WatchConformance};
use common::ToldStore;

#[tokio::test(start_paused = true)]
async fn the_store_of_these_tests_keeps_its_promises() {
    let store = ToldStore::new(MemoryStore::new());
    let link = store.clone();
    let kit = WatchConformance::new(move || ready(store.clone()))
        .within(Duration::from_millis(100))
        .most_kept(64)
        .link(move |state| {
            match state {
                LinkState::Cut => link.cut(),
                LinkState::Silent => link.freeze(),
                _ => link.mend(),
            }
            ready(())
        });
    println!("{}", kit.run().await);
}
