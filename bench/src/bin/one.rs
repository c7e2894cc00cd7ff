//! Sends one workload to one variant and says nothing: for a profiler.
//!
//! `one cloakroom W2 4000` sends 4,000 requests. The difference between two counts is what a request
//! costs, and the difference of that to another workload what this one adds:
//!
//! ```sh
//! cargo build --release --manifest-path bench/Cargo.toml --bin one
//! for n in 2000 4000; do valgrind --tool=callgrind bench/target/release/one cloakroom W2 $n; done
//! ```

use cloakroom_bench::{Variant, Workload};
use std::process::ExitCode;
use tokio::runtime::Builder;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [variant, workload, count] = &arguments[..] else {
        return usage();
    };
    let named = |name: &str| name.split(' ').next() == Some(variant);
    let variant = Variant::ALL.iter().find(|variant| named(variant.name()));
    let workload = Workload::ALL.into_iter().find(|w| w.name() == workload);
    let (Some(&variant), Some(workload), Ok(count)) = (variant, workload, count.parse()) else {
        return usage();
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let mut client = variant.client(workload).await;
        client.send(count).await;
        client.check().await;
    });
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("one bare|identity|tower-sessions|axum_session|cloakroom W0..W6 COUNT");
    ExitCode::FAILURE
}
