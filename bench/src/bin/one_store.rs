//! Sends one workload to cloakroom with its Redis store, or to the client alone, and says nothing: for a
//! profiler.
//!
//! `one_store cloakroom W2 400 64 1` sends 400 requests from each of 64 clients at the same time, with one worker
//! thread, `one_store alone ..` as many GETs. The difference between two counts is what a request costs:
//!
//! ```sh
//! cargo build --release --manifest-path bench/Cargo.toml --features stores --bin one_store
//! scripts/services run sh -c 'for n in 100 200; do
//!     valgrind --tool=callgrind bench/target/release/one_store cloakroom W2 $n 64 1; done'
//! ```

use std::process::ExitCode;

use cloakroom_bench::{Client, Workload, ours};
use cloakroom_redis::RedisStore;
use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [who, workload, count, width, workers] = &arguments[..] else {
        return usage();
    };
    let workload = Workload::ALL.into_iter().find(|w| w.name() == workload);
    let numbers = (count.parse(), width.parse(), workers.parse());
    let (Some(workload), (Ok(count), Ok(width), Ok(workers))) = (workload, numbers) else {
        return usage();
    };
    let url = std::env::var("CLOAKROOM_TEST_REDIS_URL").expect("scripts/services run");
    let runtime = match workers {
        1 => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build(),
    };
    runtime.expect("a runtime").block_on(async {
        match who.as_str() {
            "cloakroom" => cloakroom(&url, workload, count, width).await,
            _ => alone(&url, count, width).await,
        }
    });
    ExitCode::SUCCESS
}

async fn cloakroom(url: &str, workload: Workload, count: u64, width: usize) {
    let store = RedisStore::connect(url).await.expect("connected");
    let client = Client::new("cloakroom", ours::router(store), true, workload).await;
    let mut tasks = JoinSet::new();
    for mut client in client.crew(width, false).await {
        tasks.spawn(async move {
            client.send(count).await;
            client.check().await;
        });
    }
    tasks.join_all().await;
}

async fn alone(url: &str, count: u64, width: usize) {
    let client = redis::Client::open(url).expect("an address");
    let connection = client.get_multiplexed_async_connection().await;
    let mut connection = connection.expect("connected");
    let set = connection.set("alone", [7_u8; 300].as_slice());
    let () = set.await.expect("stored");
    let mut tasks = JoinSet::new();
    for _ in 0..width {
        tasks.spawn(get(connection.clone(), count));
    }
    tasks.join_all().await;
}

async fn get(mut connection: MultiplexedConnection, count: u64) {
    for _ in 0..count {
        let value: Vec<u8> = connection.get("alone").await.expect("loaded");
        assert_eq!(value.len(), 300);
    }
}

fn usage() -> ExitCode {
    eprintln!("one_store cloakroom|alone W0..W6 COUNT WIDTH WORKERS");
    ExitCode::FAILURE
}
