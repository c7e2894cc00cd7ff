//! Each store beside tower-sessions' store for the same server and beside the client alone.
//!
//! `scripts/services run cargo run --release --manifest-path bench/Cargo.toml --features stores --bin stores` prints the
//! tables. `-- --help` shows the options.

mod counter;
mod goals;
mod groups;
mod measure;
mod options;
mod peers;
mod raw;
mod subject;
mod table;

use groups::Setup;
use options::Options;
use peers::Peers;
use std::process::ExitCode;
use subject::Subject;
use tokio::runtime::Builder;

fn main() -> ExitCode {
    let options = match Options::from_args(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::FAILURE;
        }
    };
    eprintln!("building the program of the peers");
    let peers = Peers::start();
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    println!(
        "{} rounds of {} ms after one to warm up, two workers, {} and databases in {}; times in µs{}",
        options.rounds,
        options.time.as_millis(),
        load(),
        folder.path().parent().unwrap_or(folder.path()).display(),
        if options.is_shared {
            "; one session for all clients"
        } else {
            ""
        }
    );
    let setup = Setup {
        peers: &peers,
        folder: folder.path(),
        width: options.widest(),
        is_shared: options.is_shared,
    };
    runtime.block_on(async {
        for store in &options.stores {
            match setup.open(store).await {
                Ok(mut group) => {
                    let wanted = |subject: &Subject| subject.name.contains(&options.rows);
                    group.subjects.retain(|subject| wanted(subject));
                    let measured = measure::measure(group, &options).await;
                    peers.close();
                    table::print(store, &measured, &options);
                    goals::print(store, &measured);
                }
                Err(missing) => println!("\n### {store}\n\nnot measured: {missing}"),
            }
        }
    });
    ExitCode::SUCCESS
}

/// What the machine was busy with in the last minute, which spoils the figures.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!("load {load} before")
}
