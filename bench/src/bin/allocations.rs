//! Counts heap allocations per request. Exact: the same number on every machine.
//!
//! A binary of its own, because a counting allocator would slow down what the other one times.
//! Ends with an error if cloakroom is over a budget.

use cloakroom_bench::report::{ALLOCATION_BUDGET, at_most, header, row};
use cloakroom_bench::{Variant, Workload};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::process::ExitCode;
use tokio::runtime::Builder;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const REQUESTS: u64 = 1000;

fn main() -> ExitCode {
    let counts: Vec<(Variant, [f64; 7])> = Variant::ALL
        .iter()
        .map(|&variant| (variant, Workload::ALL.map(|w| allocations(variant, w))))
        .collect();

    header("allocations per request; the rows below the first are above bare axum");
    let (_, bare) = counts[0];
    row(Variant::Bare.name(), bare.map(show));
    let mut within = true;
    for (variant, count) in &counts[1..] {
        let above: Vec<f64> = count.iter().zip(bare).map(|(n, bare)| n - bare).collect();
        row(variant.name(), above.iter().map(|&n| show(n)));
        if *variant == Variant::Ours {
            // The map in a store grows now and then, which is no cost of a request.
            let verdicts = above.iter().zip(ALLOCATION_BUDGET);
            let verdicts: Vec<_> = verdicts.map(|(&n, max)| at_most(n.round(), max)).collect();
            within = verdicts.iter().all(|&verdict| verdict == "ok");
            row("", verdicts);
        }
    }
    row("budget", ALLOCATION_BUDGET.map(show));
    if within {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn allocations(variant: Variant, workload: Workload) -> f64 {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut client = variant.client(workload).await;
        client.send(REQUESTS).await;
        let before = ALLOCATOR.stats();
        client.send(REQUESTS).await;
        let during = ALLOCATOR.stats() - before;
        client.check().await;
        (during.allocations + during.reallocations) as f64 / REQUESTS as f64
    })
}

fn show(count: f64) -> String {
    format!("{count:.0}")
}
