use std::{fmt, time::Duration};

/// What was measured. `Display` has one line for each trial.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct OutageReport {
    /// In the order in which they took place.
    pub trials: Vec<OutageTrial>,
}

/// What was measured in one trial.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutageTrial {
    /// What was wrong, such as `frozen`.
    pub trouble: &'static str,
    /// The slowest answer to a request that opened a session meanwhile.
    pub slowest: Duration,
    /// The median of such answers after the first ten.
    pub median: Duration,
    /// The median of the answers to requests that opened none.
    pub untouched: Duration,
    /// From the server's return to the first good answer.
    pub first: Duration,
    /// From the server's return to the beginning of the last request that was answered with an
    /// error; zero when there was none.
    pub last_error: Duration,
    /// How many sessions were acknowledged before and are there.
    pub kept: usize,
}

impl fmt::Display for OutageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trials
            .iter()
            .try_for_each(|trial| writeln!(f, "{trial}"))
    }
}

impl fmt::Display for OutageTrial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: slowest answer {:.1?}, then median {:.1?}, without a session {:.1?}; \
             back after {:.1?}, last error begun at {:.1?}; {} sessions kept",
            self.trouble,
            self.slowest,
            self.median,
            self.untouched,
            self.first,
            self.last_error,
            self.kept
        )
    }
}
