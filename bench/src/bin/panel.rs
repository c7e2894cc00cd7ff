//! What the debug toolbar costs, compiled in and off, and on: whole requests, in process.
//!
//! ```sh
//! cargo run --release --manifest-path bench/Cargo.toml --features panel --bin panel
//! ```
//!
//! With `off` or `on`, a workload and a count it sends so many requests to one of them and says
//! nothing: for a profiler. The difference between two counts is what a request costs.
//!
//! ```sh
//! for n in 2000 4000; do valgrind --tool=callgrind bench/target/release/panel on W2 $n; done
//! ```
//!
//! What it costs to compile it in is counted, not timed: build the program `one` with and without the
//! feature `panel`, and compare the instructions (the head of `one.rs` says how).

use cloakroom_bench::report::{header, median, row};
use cloakroom_bench::{Client, Variant, Workload};
use cloakroom_panel::Panel;
use cloakroom_tower::PanelLayer;
use std::process::ExitCode;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};

const ROUNDS: usize = 60;
const REQUESTS: u64 = 2_000;

/// How a request is served.
const NAMES: [&str; 3] = ["bare axum", "off", "on"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => compare(),
        [name, workload, count] => {
            let workload = Workload::ALL.into_iter().find(|w| w.name() == workload);
            let (Some(workload), Ok(count)) = (workload, count.parse()) else {
                return usage();
            };
            runtime().block_on(async {
                let mut client = match name.as_str() {
                    "off" => off(workload).await,
                    "on" => on(workload).await,
                    _ => return usage(),
                };
                client.send(count).await;
                client.check().await;
                ExitCode::SUCCESS
            })
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("panel [off|on W0..W6 COUNT]");
    ExitCode::FAILURE
}

fn compare() -> ExitCode {
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
    ExitCode::SUCCESS
}

fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

async fn off(workload: Workload) -> Client {
    Variant::Ours.client(workload).await
}

async fn on(workload: Workload) -> Client {
    let panel = Panel::builder().show_session_contents_in_release_builds();
    let panel = panel.build().expect("it is allowed in this build");
    let router = Variant::Ours.router().await.layer(PanelLayer::new(panel));
    Client::new("with the panel", router, true, workload).await
}

/// Nanoseconds per request: by name, by round. The three take turns.
fn measure(workload: Workload) -> Vec<Vec<f64>> {
    runtime().block_on(async {
        let mut clients = [
            Variant::Bare.client(workload).await,
            off(workload).await,
            on(workload).await,
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
