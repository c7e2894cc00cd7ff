//! The same requests through actix-web: a bare application, cloakroom and actix-session.
//!
//! `cargo run --release --manifest-path bench/Cargo.toml --bin actix` prints the tables. With `--features stores`,
//! under `scripts/services run`, the rows of Redis are there too.

mod client;
#[path = "../../options.rs"]
mod options;
mod timing;
mod variant;

use cloakroom_bench::Workload;
use cloakroom_bench::report::{at_most, header, row};
use options::Options;
use std::process::ExitCode;
use timing::Timing;
use variant::Variant;

/// Time above a bare application, as a share of actix-session's: at most this, where there is a budget.
const BUDGET: [(Workload, f64); 3] = [
    (Workload::Untouched, 0.4),
    (Workload::Read, 0.4),
    (Workload::Change, 0.5),
];

fn main() -> ExitCode {
    let options = match Options::from_args(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::FAILURE;
        }
    };
    println!(
        "{} rounds of {} requests after one to warm up, one worker, no sockets",
        options.rounds, options.requests
    );
    memory(&options);
    redis(&options);
    ExitCode::SUCCESS
}

fn memory(options: &Options) {
    let variants = [Variant::Bare, Variant::Ours, Variant::PeerCookie];
    let timing = Timing::measure(&variants, options);
    times(&timing, &variants);
    shares(&timing, Variant::Ours, Variant::PeerCookie);
}

#[cfg(feature = "stores")]
fn redis(options: &Options) {
    if std::env::var_os(variant::REDIS_URL).is_none() {
        println!("\n{} is not set: no rows of Redis", variant::REDIS_URL);
        return;
    }
    // A request waits for the server, so that fewer are enough.
    let options = Options {
        requests: options.requests.div_ceil(10),
        ..*options
    };
    let variants = [Variant::Bare, Variant::OursRedis, Variant::PeerRedis];
    let timing = Timing::measure(&variants, &options);
    times(&timing, &variants);
    shares(&timing, Variant::OursRedis, Variant::PeerRedis);
}

#[cfg(not(feature = "stores"))]
fn redis(_: &Options) {}

fn times(timing: &Timing, variants: &[Variant]) {
    header(
        "ns per request; the rows below the first are above bare actix-web, medians over the rounds",
    );
    let bare = Workload::ALL.map(|workload| timing.of(Variant::Bare, workload));
    row(Variant::Bare.name(), bare.map(cell));
    for &variant in &variants[1..] {
        let above = Workload::ALL.map(|workload| timing.above_bare(variant, workload));
        row(variant.name(), above.map(cell));
    }
}

fn cell(ns: Option<f64>) -> String {
    ns.map_or_else(String::new, |ns| format!("{ns:.0}"))
}

fn shares(timing: &Timing, ours: Variant, peer: Variant) {
    let share = |workload| {
        let (ours, peer) = (
            timing.above_bare(ours, workload),
            timing.above_bare(peer, workload),
        );
        Some(ours? / peer?)
    };
    println!("\ntime above bare actix-web, as a share of {}", peer.name());
    row("", Workload::ALL.map(Workload::name));
    let shares = Workload::ALL.map(share);
    row(
        ours.name(),
        shares.map(|share| share.map_or_else(String::new, |share| format!("{share:.2}"))),
    );
    for (workload, limit) in BUDGET {
        if let Some(share) = share(workload) {
            println!(
                "{} {share:.2}, at most {limit}: {}",
                workload.name(),
                at_most(share, limit)
            );
        }
    }
}
