//! The stores of tower-sessions, for `bench --bin stores`, which starts this program and tells it in lines what
//! to do:
//!
//! | line | answer |
//! |---|---|
//! | `open STORE SETTINGS URL WIDTH own` or `.. shared` | `ok`, once twice WIDTH clients have sessions |
//! | `round NUMBER WIDTH MILLISECONDS` | a [`Round`](cloakroom_load::Round) |
//! | `kept NUMBER` | how many changes were made, and how many are there |
//! | `close` | `ok`; all are closed |
//!
//! The readers of the first store to be opened are number 0, its changers number 1, and so on.

#[path = "../../src/variant/tower_sessions.rs"]
mod routes;
mod stores;

use cloakroom_load::{Client, Crew, Workload, session, untouched};
use std::io::{BufRead, stdin};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

fn main() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let mut crews: Vec<Vec<Client>> = Vec::new();
    for line in stdin().lock().lines() {
        let line = line.expect("whoever has started this speaks in lines of text");
        println!("{}", runtime.block_on(carry_out(&line, &mut crews)));
    }
    end(runtime, crews);
}

async fn carry_out(line: &str, crews: &mut Vec<Vec<Client>>) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["open", store, settings, url, width, sharing] => {
            let router = stores::router(store, settings, url).await;
            for workload in [Workload::Read, Workload::Change] {
                let name = "tower-sessions 0.14";
                let client = Client::new(name, router.clone(), true, workload).await;
                crews.push(client.crew(number(width), sharing == "shared").await);
            }
            "ok".to_owned()
        }
        ["round", crew, width, milliseconds] => {
            let time = Duration::from_millis(number(milliseconds) as u64);
            let round = crews[number(crew)].round(number(width), time).await;
            round.to_string()
        }
        ["kept", crew] => match Crew::kept(&mut crews[number(crew)]).await {
            Some(kept) => format!("{} {}", kept.changes, kept.kept),
            None => "none".to_owned(),
        },
        ["close"] => {
            crews.clear();
            "ok".to_owned()
        }
        _ => panic!("what is this: {line}"),
    }
}

fn number(word: &str) -> usize {
    word.parse().expect("a number")
}

/// Connections end within the runtime that they began in.
fn end(runtime: Runtime, crews: Vec<Vec<Client>>) {
    let _within = runtime.enter();
    drop(crews);
}
