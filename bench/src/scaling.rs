//! What a second worker adds: 64 tasks with a session each, one store.

use cloakroom_bench::report::{SCALING_BUDGET, at_least, median, row};
use cloakroom_bench::{Client, Variant, Workload};
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};

use crate::options::Options;

const TASKS: u64 = 64;
/// What bare axum gains from a second worker when nothing else runs.
const IDLE: f64 = 1.8;
const WORKLOADS: [Workload; 2] = [Workload::Read, Workload::Change];

pub(crate) fn run(options: &Options) {
    let variants = [Variant::Bare, Variant::TowerSessions, Variant::Ours];

    println!("\nthousand requests per second, {TASKS} tasks with a session each, one store");
    let columns = WORKLOADS.map(|w| ["1", "2"].map(|workers| format!("{} x{workers}", w.name())));
    row("", columns.as_flattened());
    let mut gains = Vec::new();
    for variant in variants {
        let [read, change] = WORKLOADS.map(|workload| throughput(variant, workload, options));
        let cells = [read, change].concat();
        row(variant.name(), cells.iter().map(|k| format!("{k:.0}")));
        gains.push((variant, [read, change].map(|[one, two]| two / one)));
    }

    println!("\ntwo workers do so many times the work of one; cloakroom at least {SCALING_BUDGET}");
    row("", WORKLOADS.map(Workload::name));
    // The first of them is bare axum.
    let busy = gains[0].1.iter().any(|&gain| gain < IDLE);
    for (variant, gains) in gains {
        row(variant.name(), gains.map(|gain| format!("{gain:.2}")));
        if variant == Variant::Ours {
            row("", gains.map(|gain| at_least(gain, SCALING_BUDGET)));
        }
    }
    if busy {
        println!("bare axum itself gains less than {IDLE}: the machine is busy, measure again");
    }
}

/// With one worker and with two, which take turns.
fn throughput(variant: Variant, workload: Workload, options: &Options) -> [f64; 2] {
    let mut setups = [1, 2].map(|workers| {
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()
            .expect("a runtime");
        let clients = runtime.block_on(clients(variant, workload));
        (runtime, clients, Vec::new())
    });
    for round in 0..=options.rounds {
        for (runtime, clients, rates) in &mut setups {
            let rate = one_round(runtime, clients, options.requests.div_ceil(TASKS));
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    setups.map(|(runtime, mut clients, rates)| {
        for client in &mut clients {
            runtime.block_on(client.check());
        }
        median(rates)
    })
}

async fn clients(variant: Variant, workload: Workload) -> Vec<Client> {
    let mut clients = vec![variant.client(workload).await];
    for _ in 1..TASKS {
        clients.push(clients[0].another().await);
    }
    clients
}

/// Each client sends `count` requests; the result is in thousand requests per second.
fn one_round(runtime: &Runtime, clients: &mut Vec<Client>, count: u64) -> f64 {
    let start = Instant::now();
    let tasks: Vec<_> = clients
        .drain(..)
        .map(|mut client| {
            runtime.spawn(async move {
                client.send(count).await;
                client
            })
        })
        .collect();
    for task in tasks {
        clients.push(runtime.block_on(task).expect("the task ends"));
    }
    (TASKS * count) as f64 / start.elapsed().as_secs_f64() / 1000.0
}
