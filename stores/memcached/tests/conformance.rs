//! The rules of the contract.
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

use std::time::Duration;

use cloakroom_memcached::MemcachedStore;
use cloakroom_store::Store;
use cloakroom_testkit::Conformance;
use common::{connect, fresh, url};

fn conformance<S: Store>(
    url: String,
    wrap: impl Fn(MemcachedStore) -> S + Clone + Send + Sync + 'static,
) -> Conformance<S> {
    let prefix = fresh("contract");
    let make = move || {
        let (url, prefix, wrap) = (url.clone(), prefix.clone(), wrap.clone());
        async move { wrap(connect(&url, &prefix).await) }
    };
    Conformance::new(make)
        .without_by_subject()
        .without_scan()
        .expires_itself()
        .max_data(1_000_000)
        .time_limit(Duration::from_secs(120))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_store_keeps_the_contract() {
    if let Some(url) = url() {
        println!("{}", conformance(url, |store| store).run().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_stores_keep_the_contract() {
    if let Some(url) = url() {
        conformance(url, |store| store).instances(3).run().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_type_erased_store_keeps_the_contract() {
    if let Some(url) = url() {
        conformance(url, Store::into_any).instances(3).run().await;
    }
}
