use std::{collections::BTreeMap, fmt};

use super::{lockout::Inherent, promise::BrokenPromise};

/// What came of many cases. `Display` lists it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RaceReport {
    /// The seed of the first random case.
    pub seed: u64,
    /// How many cases were played.
    pub cases: usize,
    /// How many requests there were in them.
    pub requests: usize,
    /// How many cases had more possible explanations than were looked at.
    pub given_up: usize,
    /// How many triples have more schedules than were played.
    pub cut_short: usize,
    /// What no server can help, and how often it came about.
    pub inherent: BTreeMap<Inherent, usize>,
    /// The promises that were broken, the first few of them.
    pub broken: Vec<BrokenPromise>,
    /// How many cases broke one.
    pub broken_cases: usize,
}

impl RaceReport {
    /// Adds what came of other cases.
    pub(super) fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.requests += other.requests;
        self.given_up += other.given_up;
        self.cut_short += other.cut_short;
        self.broken_cases += other.broken_cases;
        self.broken.extend(other.broken);
        for (inherent, count) in other.inherent {
            *self.inherent.entry(inherent).or_default() += count;
        }
    }

    /// Panics with the broken promises, if there are any.
    ///
    /// # Panics
    /// When a promise was broken.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::Races;
    /// # fn main() -> std::io::Result<()> {
    /// let report = Races::new(|| async { MemoryStore::new() }).interleavings(5).run()?;
    /// report.assert_kept();
    /// assert_eq!(report.broken_cases, 0);
    /// # Ok(())
    /// # }
    /// ```
    #[expect(clippy::panic, reason = "it is the assertion of a test kit")]
    #[track_caller]
    pub fn assert_kept(&self) {
        if self.broken_cases > 0 {
            panic!("{self}");
        }
    }
}

impl fmt::Display for RaceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for broken in &self.broken {
            writeln!(f, "{broken}")?;
        }
        for (inherent, count) in self.inherent.iter().filter(|(_, count)| **count > 0) {
            writeln!(f, "inherent  {inherent:?}: {count}")?;
        }
        if self.given_up > 0 {
            writeln!(
                f,
                "given up  {} cases, too many explanations",
                self.given_up
            )?;
        }
        if self.cut_short > 0 {
            writeln!(
                f,
                "cut short {} triples, too many schedules",
                self.cut_short
            )?;
        }
        let (cases, requests, broken) = (self.cases, self.requests, self.broken_cases);
        let seed = self.seed;
        write!(
            f,
            "{cases} cases, {requests} requests, {broken} broken; seed {seed}"
        )
    }
}
