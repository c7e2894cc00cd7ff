//! The rules of the contract, held against one server and a cluster.
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

use cloakroom_store::Store;
use cloakroom_testkit::Conformance;
use common::{cluster_url, connect, fresh, url};

async fn keeps_the_contract(url: String, name: &str) {
    let prefix = fresh(name);
    let make = move || {
        let (url, prefix) = (url.clone(), prefix.clone());
        async move { connect(&url, &prefix).await }
    };
    let report = Conformance::new(make.clone()).expires_itself().run().await;
    println!("{report}");
    let erased = move || {
        let made = make();
        async move { made.await.into_any() }
    };
    let erased = Conformance::new(erased).expires_itself();
    erased.instances(3).run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_server_keeps_the_contract() {
    if let Some(url) = url() {
        keeps_the_contract(url, "contract").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_keeps_the_contract() {
    if let Some(url) = cluster_url() {
        keeps_the_contract(url, "contract").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_stores_are_one() {
    let Some(url) = url() else { return };
    let prefix = fresh("several");
    let make = move || {
        let (url, prefix) = (url.clone(), prefix.clone());
        async move { connect(&url, &prefix).await }
    };
    let conformance = Conformance::new(make).expires_itself().instances(3);
    conformance.run().await;
}
