use std::{error::Error, fmt};

/// What became of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The store keeps the rule.
    Passed,
    /// The case does not apply to this store, and why.
    Skipped(&'static str),
}

/// What became of all cases. `Display` lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// What [`Conformance::seed`](crate::Conformance::seed) takes to run the same again.
    pub seed: u64,
    /// The cases of the rules that the store keeps.
    pub passed: Vec<&'static str>,
    /// The cases that do not apply.
    pub skipped: Vec<Skipped>,
    /// The rules that the store breaks.
    pub broken: Vec<BrokenRule>,
}

/// A case that was not run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// The name of the case.
    pub name: &'static str,
    /// Why it was not run.
    pub reason: &'static str,
}

/// A rule that the store breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokenRule {
    /// The name of the case.
    pub name: &'static str,
    /// The rule in words.
    pub rule: &'static str,
    /// What the store did instead.
    pub what: String,
    /// The seed of the run.
    pub seed: u64,
}

impl Report {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            seed,
            passed: Vec::new(),
            skipped: Vec::new(),
            broken: Vec::new(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in &self.passed {
            writeln!(f, "kept     {name}")?;
        }
        for Skipped { name, reason } in &self.skipped {
            writeln!(f, "skipped  {name}: {reason}")?;
        }
        for broken in &self.broken {
            writeln!(f, "BROKEN   {broken}")?;
        }
        let (kept, skipped) = (self.passed.len(), self.skipped.len());
        let (broken, seed) = (self.broken.len(), self.seed);
        write!(
            f,
            "{kept} rules kept, {broken} broken, {skipped} skipped; seed {seed}"
        )
    }
}

impl fmt::Display for BrokenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            rule,
            what,
            seed,
        } = self;
        write!(f, "{name}: {rule}; but {what} (seed {seed})")
    }
}

impl Error for BrokenRule {}
