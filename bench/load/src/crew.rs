//! Many workers at the same time, for a while.

use std::fmt;
use std::fs::read_to_string;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::Client;

/// Somebody who does the same thing again and again.
pub trait Work: Send + 'static {
    /// Does it once.
    ///
    /// # Panics
    ///
    /// If it fails.
    fn work(&mut self) -> impl Future<Output = ()> + Send;

    /// For workers that change sessions.
    fn kept(_crew: &mut [Self]) -> impl Future<Output = Option<Kept>>
    where
        Self: Sized,
    {
        std::future::ready(None)
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Workers of any kind.
pub trait Crew {
    /// Has the first `width` of them work for so long.
    fn round(&mut self, width: usize, time: Duration) -> Boxed<'_, Round>;

    /// What has become of the changes, if they can be counted.
    fn kept(&mut self) -> Boxed<'_, Option<Kept>>;
}

/// How many changes were made, and how many of them are there.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    pub changes: u64,
    pub kept: u64,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// How many requests there were.
    pub requests: u64,
    /// Requests per second.
    pub rate: f64,
    /// The latency that half of the requests did not exceed, in microseconds.
    pub median: f64,
    /// The latency that 99 of 100 requests did not exceed, in microseconds.
    pub p99: f64,
    /// What this process has computed per request, in microseconds.
    pub cpu: f64,
}

impl<W: Work> Crew for Vec<W> {
    fn round(&mut self, width: usize, time: Duration) -> Boxed<'_, Round> {
        Box::pin(async move {
            let cpu = cpu_time();
            let start = Instant::now();
            let tasks: Vec<_> = self
                .drain(..width)
                .map(|worker| tokio::spawn(until(worker, start + time)))
                .collect();
            let mut latencies = Vec::new();
            for task in tasks {
                let (worker, own) = task.await.expect("no worker fails");
                self.push(worker);
                latencies.extend(own);
            }
            let seconds = start.elapsed().as_secs_f64();
            let cpu = cpu_time() - cpu;
            let requests = latencies.len() as f64;
            Round {
                requests: latencies.len() as u64,
                rate: requests / seconds,
                median: at(&mut latencies, 0.5),
                p99: at(&mut latencies, 0.99),
                cpu: cpu * 1e6 / requests,
            }
        })
    }

    fn kept(&mut self) -> Boxed<'_, Option<Kept>> {
        Box::pin(W::kept(self))
    }
}

impl Kept {
    /// Of clients that may share a session.
    pub(crate) async fn of(clients: &mut [Client]) -> Self {
        let changes = clients.iter().map(Client::sent).sum();
        let mut kept = 0;
        let mut cookies = Vec::new();
        for client in clients {
            if !cookies.contains(&client.cookie().cloned()) {
                kept += client.counted().await;
                cookies.push(client.cookie().cloned());
            }
        }
        Self { changes, kept }
    }
}

/// Works until then, at least once, and gives the latencies in nanoseconds.
async fn until<W: Work>(mut worker: W, end: Instant) -> (W, Vec<u64>) {
    let mut latencies = Vec::new();
    let mut before = Instant::now();
    loop {
        worker.work().await;
        let now = Instant::now();
        latencies.push((now - before).as_nanos() as u64);
        if now >= end {
            return (worker, latencies);
        }
        before = now;
        // A worker that waits for nothing would keep the others from their turns.
        tokio::task::coop::consume_budget().await;
    }
}

/// The latency in microseconds that this share did not exceed.
fn at(latencies: &mut [u64], share: f64) -> f64 {
    let index = (latencies.len() as f64 * share) as usize;
    let index = index.min(latencies.len() - 1);
    let (_, latency, _) = latencies.select_nth_unstable(index);
    *latency as f64 / 1000.0
}

/// Seconds of all threads of this process, in the kernel too. Where there is no `/proc`, 0.
fn cpu_time() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    // The first field behind the name is the third of all; these are the 14th and the 15th.
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    ticks as f64 / TICKS_PER_SECOND
}

/// For a pipe.
impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            requests,
            rate,
            median,
            p99,
            cpu,
        } = self;
        write!(f, "{requests} {rate} {median} {p99} {cpu}")
    }
}

impl FromStr for Round {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<f64>, _> = text.split(' ').map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[requests, rate, median, p99, cpu]) => Ok(Self {
                requests: requests as u64,
                rate,
                median,
                p99,
                cpu,
            }),
            _ => Err(format!("this is not what a round gives: {text}")),
        }
    }
}
