//! The promises of a store that tells what changes, held against Redis.
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

use std::{sync::Arc, time::Duration};

use cloakroom_testkit::{
    LinkState, WatchConformance,
    servers::{Link, Server},
};
use common::{connect, connect_as_usual};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_its_promises() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let link = Arc::new(Link::to(server.address()).await.unwrap());
    let (url, through_link) = (server.url(), server.url_at(link.address()));
    let kit = WatchConformance::new(move || {
        let url = through_link.clone();
        async move { connect_as_usual(&url, "kit").await }
    })
    .writers(move || {
        let url = url.clone();
        async move { connect(&url, "kit").await }
    })
    .within(Duration::from_millis(500))
    .most_kept(1_024)
    .link(move |state| {
        let link = Arc::clone(&link);
        async move {
            match state {
                LinkState::Cut => link.refuse().await,
                LinkState::Silent => link.black_hole(),
                _ => link.restore().await.unwrap(),
            }
        }
    });
    println!("{}", kit.run().await);
}
