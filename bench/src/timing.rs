//! One worker, one request after the other.

use cloakroom_bench::report::median;
use cloakroom_bench::{Variant, Workload};
use std::time::Instant;
use tokio::runtime::Builder;

use crate::options::Options;

/// What a request costs, in nanoseconds.
pub(crate) struct Timing(Vec<Cost>);

struct Cost {
    variant: Variant,
    workload: Workload,
    ns: f64,
    above_bare: f64,
}

impl Timing {
    pub(crate) fn measure(options: &Options) -> Self {
        // The second peer keeps a session for every visitor: 160,000 of them in W0 leave a heap and caches
        // that cost its neighbours up to half as much again. So it runs apart from the others.
        let (apart, together): (Vec<Variant>, Vec<Variant>) = Variant::ALL
            .iter()
            .partition(|&&variant| variant == Variant::AxumSession);
        let apart: Vec<Variant> = [Variant::Bare].into_iter().chain(apart).collect();

        let mut costs = Vec::new();
        for variants in [together, apart] {
            for workload in Workload::ALL {
                costs.extend(group(&variants, workload, options));
            }
        }
        Self(costs)
    }

    /// The median over the rounds.
    pub(crate) fn of(&self, variant: Variant, workload: Workload) -> f64 {
        self.cost(variant, workload).ns
    }

    /// The median of the differences to bare axum in the same round.
    pub(crate) fn above_bare(&self, variant: Variant, workload: Workload) -> f64 {
        self.cost(variant, workload).above_bare
    }

    fn cost(&self, variant: Variant, workload: Workload) -> &Cost {
        self.0
            .iter()
            .find(|cost| cost.variant == variant && cost.workload == workload)
            .expect("every variant runs every workload")
    }
}

/// The variants take turns, so that what else the machine does hits all of them. `variants` starts with
/// [`Variant::Bare`].
fn group(variants: &[Variant], workload: Workload, options: &Options) -> Vec<Cost> {
    let rounds = rounds(variants, workload, options);
    let bare = &rounds[0];
    variants
        .iter()
        .zip(&rounds)
        .map(|(&variant, times)| Cost {
            variant,
            workload,
            ns: median(times.clone()),
            above_bare: median(times.iter().zip(bare).map(|(ns, bare)| ns - bare).collect()),
        })
        .collect()
}

/// Nanoseconds per request: by variant, by round.
fn rounds(variants: &[Variant], workload: Workload, options: &Options) -> Vec<Vec<f64>> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut clients = Vec::new();
        for &variant in variants {
            clients.push(variant.client(workload).await);
        }
        let mut times = vec![Vec::new(); clients.len()];
        for round in 0..=options.rounds {
            for turn in 0..clients.len() {
                // Another one begins each round, so that nobody always follows the same neighbour.
                let index = (round + turn) % clients.len();
                let start = Instant::now();
                clients[index].send(options.requests).await;
                let ns = start.elapsed().as_nanos() as f64 / options.requests as f64;
                if round > 0 {
                    times[index].push(ns);
                }
            }
        }
        for client in &mut clients {
            client.check().await;
        }
        times
    })
}
