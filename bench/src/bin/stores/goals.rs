//! What is to be reached, as ratios within one run.

use cloakroom_bench::Workload;
use cloakroom_bench::report::{at_least, at_most};
use cloakroom_load::Round;

use crate::measure::{Measured, spread};
use crate::subject::{BARE, BEST, DEFAULT, MEMORY, OURS, RAW};

/// The concurrency that the goals are for.
const WIDTH: usize = 64;

struct Goal {
    store: &'static str,
    workload: Workload,
    /// Whom the rate is compared to.
    other: &'static str,
    at_least: f64,
}

const fn goal(store: &'static str, workload: Workload, other: &'static str, at_least: f64) -> Goal {
    Goal {
        store,
        workload,
        other,
        at_least,
    }
}

const GOALS: [Goal; 12] = [
    goal("redis", Workload::Read, RAW, 0.6),
    goal("redis", Workload::Read, DEFAULT, 1.2),
    goal("redis", Workload::Read, BEST, 1.2),
    goal("redis", Workload::Change, DEFAULT, 1.2),
    goal("redis", Workload::Change, BEST, 1.2),
    goal("postgres", Workload::Read, DEFAULT, 1.5),
    goal("postgres", Workload::Read, BEST, 1.5),
    goal("postgres", Workload::Change, DEFAULT, 2.5),
    goal("postgres", Workload::Change, BEST, 2.5),
    goal("sqlite", Workload::Read, BEST, 1.5),
    goal("sqlite", Workload::Change, BEST, 2.0),
    goal("sqlite", Workload::Change, DEFAULT, 20.0),
];

/// A hit costs at most so many times what the memory store costs, both above bare axum.
const TIERED: f64 = 2.0;

/// Prints the goals of a store.
pub(crate) fn print(store: &str, measured: &Measured) {
    for goal in GOALS.iter().filter(|goal| goal.store == store) {
        let rounds = |name| measured.rounds(name, WIDTH, goal.workload);
        if let (Some(ours), Some(other)) = (rounds(OURS), rounds(goal.other)) {
            let ratios = ours
                .iter()
                .zip(other)
                .map(|(ours, other)| ours.rate / other.rate);
            let [ratio, least, most] = spread(ratios);
            let (verb, limit) = (verb(goal.workload), goal.at_least);
            println!(
                "{verb}: {ratio:.2} times {} ({least:.2} to {most:.2}), at least {limit}: {}",
                goal.other,
                at_least(ratio, limit)
            );
        }
    }
    if store == "tiered" {
        tiered(measured);
    }
}

fn tiered(measured: &Measured) {
    let rounds = |name| measured.rounds(name, WIDTH, Workload::Read);
    let (Some(bare), Some(memory), Some(ours)) = (rounds(BARE), rounds(MEMORY), rounds(OURS))
    else {
        return;
    };
    let above = |own: &Round, bare: &Round| 1.0 / own.rate - 1.0 / bare.rate;
    let ratios = bare.iter().zip(memory).zip(ours);
    let ratios = ratios.map(|((bare, memory), ours)| above(ours, bare) / above(memory, bare));
    let [ratio, least, most] = spread(ratios);
    println!(
        "read: {ratio:.2} times what the memory store adds to bare axum ({least:.2} to {most:.2}), \
         at most {TIERED}: {}",
        at_most(ratio, TIERED)
    );
}

fn verb(workload: Workload) -> &'static str {
    match workload {
        Workload::Read => "read",
        _ => "change",
    }
}
