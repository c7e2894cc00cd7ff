//! One worker, one request after the other; the variants take turns.

use cloakroom_bench::Workload;
use cloakroom_bench::report::median;
use std::time::Instant;

use crate::client::Client;
use crate::options::Options;
use crate::variant::Variant;

/// What a request costs, in nanoseconds: by variant and workload, by round.
pub(crate) struct Timing(Vec<(Variant, Workload, Vec<f64>)>);

impl Timing {
    /// `variants` starts with [`Variant::Bare`].
    pub(crate) fn measure(variants: &[Variant], options: &Options) -> Self {
        actix_web::rt::System::new().block_on(async {
            let mut all = Vec::new();
            for workload in Workload::ALL {
                all.extend(rounds(variants, workload, options).await);
            }
            Self(all)
        })
    }

    /// The median over the rounds; `None` for what the variant can't do.
    pub(crate) fn of(&self, variant: Variant, workload: Workload) -> Option<f64> {
        Some(median(self.rounds(variant, workload)?.to_vec()))
    }

    /// The median of the differences to the bare application in the same round.
    pub(crate) fn above_bare(&self, variant: Variant, workload: Workload) -> Option<f64> {
        let bare = self.rounds(Variant::Bare, workload)?;
        let rounds = self.rounds(variant, workload)?;
        Some(median(
            rounds
                .iter()
                .zip(bare)
                .map(|(ns, bare)| ns - bare)
                .collect(),
        ))
    }

    fn rounds(&self, variant: Variant, workload: Workload) -> Option<&[f64]> {
        let mut all = self.0.iter();
        let found = all.find(|(of, doing, _)| (*of, *doing) == (variant, workload))?;
        Some(&found.2)
    }
}

async fn rounds(
    variants: &[Variant],
    workload: Workload,
    options: &Options,
) -> Vec<(Variant, Workload, Vec<f64>)> {
    let mut clients = Vec::new();
    for &variant in variants {
        if variant.can(workload) {
            let client = Client::new(variant, workload).await;
            clients.push((client, (variant, workload, Vec::new())));
        }
    }
    for round in 0..=options.rounds {
        for turn in 0..clients.len() {
            // Another one begins each round, so that nobody always follows the same neighbour.
            let index = (round + turn) % clients.len();
            let (client, (_, _, times)) = &mut clients[index];
            let start = Instant::now();
            client.send(options.requests).await;
            let ns = start.elapsed().as_nanos() as f64 / options.requests as f64;
            if round > 0 {
                times.push(ns);
            }
        }
    }
    let mut all = Vec::new();
    for (mut client, times) in clients {
        client.check().await;
        all.push(times);
    }
    all
}
