//! Rounds, in which all take turns.

use cloakroom_bench::Workload;
use cloakroom_bench::report::median;
use cloakroom_load::{Crew, Kept, Round};

use crate::options::Options;
use crate::subject::{Group, Subject};

/// What was measured of a group.
pub(crate) struct Measured {
    pub(crate) rows: Vec<Row>,
    pub(crate) counts: Vec<Counted>,
}

/// Somebody at one concurrency.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) width: usize,
    /// Reading, changing.
    pub(crate) rounds: [Vec<Round>; 2],
}

/// What the server counts for each request, and what became of the changes.
pub(crate) struct Counted {
    pub(crate) name: &'static str,
    pub(crate) each: [String; 2],
    pub(crate) kept: Option<Kept>,
}

pub(crate) const WORKLOADS: [Workload; 2] = [Workload::Read, Workload::Change];

/// # Panics
///
/// If changes are lost, unless the clients share a session.
pub(crate) async fn measure(mut group: Group, options: &Options) -> Measured {
    let mut rows = Vec::new();
    for &width in &options.widths {
        let read = rounds(&mut group.subjects, Workload::Read, width, options).await;
        let change = rounds(&mut group.subjects, Workload::Change, width, options).await;
        for ((subject, read), change) in group.subjects.iter().zip(read).zip(change) {
            rows.push(Row {
                name: subject.name,
                width,
                rounds: [read, change],
            });
        }
    }
    let Group { subjects, counter } = &mut group;
    counter.begin(subjects, options.widest()).await;
    let mut counts = Vec::new();
    for subject in subjects {
        let mut each = [String::new(), String::new()];
        for (workload, each) in WORKLOADS.into_iter().zip(&mut each) {
            let crew = crew(subject, workload);
            *each = counter.count(crew, options.widest()).await;
        }
        let kept = subject.change.kept().await;
        if let Some(kept) = kept.filter(|_| !options.is_shared) {
            assert_eq!(kept.changes, kept.kept, "{} lost changes", subject.name);
        }
        counts.push(Counted {
            name: subject.name,
            each,
            kept,
        });
    }
    Measured { rows, counts }
}

/// By subject, by round. Another one begins each round, so that nobody always follows the same
/// neighbour.
async fn rounds(
    subjects: &mut [Subject],
    workload: Workload,
    width: usize,
    options: &Options,
) -> Vec<Vec<Round>> {
    let mut all: Vec<Vec<Round>> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 0..=options.rounds {
        for turn in 0..subjects.len() {
            let index = (round + turn) % subjects.len();
            let crew = crew(&mut subjects[index], workload);
            let measured = crew.round(width, options.time).await;
            if round > 0 {
                all[index].push(measured);
            }
        }
    }
    all
}

fn crew(subject: &mut Subject, workload: Workload) -> &mut dyn Crew {
    match workload {
        Workload::Read => &mut *subject.read,
        _ => &mut *subject.change,
    }
}

/// The median over the rounds, and the least and the most.
pub(crate) fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let values: Vec<f64> = values.collect();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    [median(values), least, most]
}

impl Measured {
    pub(crate) fn rounds(&self, name: &str, width: usize, workload: Workload) -> Option<&[Round]> {
        let mut rows = self.rows.iter();
        let row = rows.find(|row| row.name == name && row.width == width)?;
        let [read, change] = &row.rounds;
        Some(match workload {
            Workload::Read => read,
            _ => change,
        })
    }
}
