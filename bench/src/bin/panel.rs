//! What the debug toolbar costs, compiled in and off, and on: whole requests, in process.
//!
//! ```sh
//! cargo run --release --manifest-path bench/Cargo.toml --features panel --bin panel
//! ```
//!
//! What it costs to compile it in is counted, not timed: build the program `one` with and without the
//! feature `panel`, and compare the instructions (the head of `one.rs` says how).

use cloakroom_bench::report::{header, median, row};
use cloakroom_bench::{Client, Variant, Workload};
use cloakroom_panel::Panel;
use cloakroom_tower::PanelLayer;
use std::time::Instant;
use tokio::runtime::Builder;

const ROUNDS: usize = 60;
const REQUESTS: u64 = 2_000;

/// How a request is served.
const NAMES: [&str; 3] = ["bare axum", "off", "on"];

fn main() {
    println!("{ROUNDS} rounds of {REQUESTS} requests after one to warm up, no sockets");
    let costs = [0, 1, 2, 3].map(|number| measure(Workload::ALL[number]));
    header("ns per request, medians over the rounds; W0 to W3");
    for (index, name) in NAMES.into_iter().enumerate() {
        row(
            name,
            costs
                .each_ref()
                .map(|times| format!("{:.0}", median(times[index].clone()))),
        );
    }
    row(
        "on / off",
        costs.each_ref().map(|times| {
            let pairs = times[2].iter().zip(&times[1]);
            format!("{:.2}", median(pairs.map(|(on, off)| on / off).collect()))
        }),
    );
    println!("on / off is the median over the rounds, at most 2");
}

/// Nanoseconds per request: by name, by round. The three take turns.
fn measure(workload: Workload) -> Vec<Vec<f64>> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let panel = Panel::builder().show_session_contents_in_release_builds();
        let panel = panel.build().expect("it is allowed in this build");
        let on = Variant::Ours.router().await.layer(PanelLayer::new(panel));
        let mut clients = [
            Variant::Bare.client(workload).await,
            Variant::Ours.client(workload).await,
            Client::new("with the panel", on, true, workload).await,
        ];
        let mut times = vec![Vec::new(); clients.len()];
        for round in 0..=ROUNDS {
            for turn in 0..clients.len() {
                let index = (round + turn) % clients.len();
                let start = Instant::now();
                clients[index].send(REQUESTS).await;
                let ns = start.elapsed().as_nanos() as f64 / REQUESTS as f64;
                if round > 0 {
                    times[index].push(ns);
                }
            }
        }
        times
    })
}
