//! Times every variant and prints the tables. `--help` shows the options.

mod options;
mod scaling;
mod timing;

use cloakroom_bench::report::{LARGE_BUDGET, TIME_BUDGET, at_most, header, row};
use cloakroom_bench::{Variant, Workload};
use options::Options;
use std::process::{Command, ExitCode};
use timing::Timing;

fn main() -> ExitCode {
    let options = match Options::from_args(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::FAILURE;
        }
    };
    println!(
        "{} rounds of {} requests after one to warm up, current-thread runtime, no sockets",
        options.rounds, options.requests
    );
    let timing = Timing::measure(&options);
    times(&timing);
    ratios(&timing);
    scaling::run(&options);
    allocations()
}

fn times(timing: &Timing) {
    header("ns per request; the rows below the first are above bare axum, medians over the rounds");
    let bare = Workload::ALL.map(|workload| timing.of(Variant::Bare, workload));
    row(Variant::Bare.name(), bare.map(|ns| format!("{ns:.0}")));
    for &variant in &Variant::ALL[1..] {
        let above = Workload::ALL.map(|workload| timing.above_bare(variant, workload));
        row(variant.name(), above.map(|ns| format!("{ns:.0}")));
    }
}

fn ratios(timing: &Timing) {
    header("time above bare axum, as a share of tower-sessions'");
    let peer = |workload| timing.above_bare(Variant::TowerSessions, workload);
    for &variant in &Variant::ALL[1..] {
        let shares = Workload::ALL.map(|w| timing.above_bare(variant, w) / peer(w));
        row(variant.name(), shares.map(|share| format!("{share:.2}")));
    }
    row("budget", TIME_BUDGET.map(|limit| format!("{limit:.2}")));
    let ours = Variant::Ours;
    let verdicts = Workload::ALL
        .into_iter()
        .zip(TIME_BUDGET)
        .map(|(w, limit)| at_most(timing.above_bare(ours, w) / peer(w), limit));
    row("", verdicts);
    for (large, small, limit) in LARGE_BUDGET {
        let share = timing.above_bare(ours, large) / timing.above_bare(ours, small);
        println!(
            "our {} is {share:.2} times our {}, at most {limit}: {}",
            large.name(),
            small.name(),
            at_most(share, limit)
        );
    }
}

/// Counting slows every allocation down, so another binary does it.
fn allocations() -> ExitCode {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--release", "--quiet", "--bin", "allocations"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    println!("\nbuilding the binary that counts allocations");
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo does not start: {error}");
            ExitCode::FAILURE
        }
    }
}
