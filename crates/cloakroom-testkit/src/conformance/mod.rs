//! The rules of [`Store`] as cases that run against any store.
//!
//! [`Conformance`] is the entry point. The cases lie in one file per method of the contract.

mod case;
mod concurrency;
mod create;
mod delete;
mod dropped;
mod fixture;
mod format;
mod index;
mod listing;
mod load;
mod paging;
mod parallel;
mod replace;
mod report;
mod sweep;
mod touch;

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use cloakroom_store::Store;

pub use self::report::{BrokenRule, Outcome, Report, Skipped};
use self::{
    case::{Case, CaseResult},
    fixture::Fixture,
};
use crate::random::{fresh_seed, seed_for};

/// Runs the rules of the contract against a store.
///
/// Each case gets a store of its own from the function given to [`Conformance::new`], uses
/// namespaces and ids that nobody else uses, and deletes what it has created. So the function may
/// give a new empty store each time or a handle to one server, which must be used by one test
/// process at a time: sweeping knows no namespaces.
///
/// Run it on a tokio runtime with several threads, or races can't be seen, and with its timers.
/// What a store can't do is declared and then held against it: a store declared to be
/// without a listing must answer `Unsupported`.
///
/// # One test for all
/// ```
/// # use cloakroom_memory::MemoryStore;
/// use cloakroom_testkit::Conformance;
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// // In a test: #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
/// let report = Conformance::new(|| async { MemoryStore::new() }).run().await;
/// println!("{report}");
/// # });
/// ```
///
/// # One test per case
/// ```
/// # use cloakroom_memory::MemoryStore;
/// # use cloakroom_testkit::Conformance;
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let conformance = Conformance::new(|| async { MemoryStore::new() });
/// assert!(conformance.cases().contains(&"create/never_overwrites"));
/// conformance.run_case("create/never_overwrites").await.unwrap();
/// # });
/// ```
pub struct Conformance<S> {
    make: Maker<S>,
    capabilities: Capabilities,
    seed: u64,
    time_limit: Duration,
}

type Maker<S> = Box<dyn Fn() -> Pin<Box<dyn Future<Output = S> + Send>> + Send + Sync>;

/// What a store is declared to be able to do.
#[derive(Debug, Clone, Copy)]
struct Capabilities {
    by_subject: bool,
    scan: bool,
    expires_itself: bool,
    max_data: Option<usize>,
    instances: usize,
}

impl<S: Store> Conformance<S> {
    /// The cases for the stores that `make` makes, one per case.
    pub fn new<F, M>(make: M) -> Self
    where
        F: Future<Output = S> + Send + 'static,
        M: Fn() -> F + Send + Sync + 'static,
    {
        Self {
            make: Box::new(move || Box::pin(make())),
            capabilities: Capabilities {
                by_subject: true,
                scan: true,
                expires_itself: false,
                max_data: None,
                instances: 1,
            },
            seed: fresh_seed(),
            time_limit: Duration::from_secs(60),
        }
    }

    /// Declares that the store can't list the sessions of a subject.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::{Conformance, Outcome};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let conformance = Conformance::new(|| async { MemoryStore::new() }).without_by_subject();
    /// // MemoryStore can, so the declaration does not hold.
    /// assert!(conformance.run_case("by_subject/unsupported").await.is_err());
    /// # });
    /// ```
    #[must_use]
    pub fn without_by_subject(mut self) -> Self {
        self.capabilities.by_subject = false;
        self
    }

    /// Declares that the store can't list everything.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::{Conformance, Outcome};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let conformance = Conformance::new(|| async { MemoryStore::new() }).without_scan();
    /// // MemoryStore can, so the declaration does not hold.
    /// assert!(conformance.run_case("scan/unsupported").await.is_err());
    /// # });
    /// ```
    #[must_use]
    pub fn without_scan(mut self) -> Self {
        self.capabilities.scan = false;
        self
    }

    /// Declares that the store removes expired records by its own clock and sweeps nothing.
    /// Its clock has to be right to within half a minute.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::{Conformance, Outcome};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let conformance = Conformance::new(|| async { MemoryStore::new() }).expires_itself();
    /// // MemoryStore does not, so the declaration does not hold.
    /// assert!(conformance.run_case("sweep/is_not_needed").await.is_err());
    /// # });
    /// ```
    #[must_use]
    pub fn expires_itself(mut self) -> Self {
        self.capabilities.expires_itself = true;
        self
    }

    /// Declares that the store takes data of `bytes` bytes, and refuses data of twice as many
    /// with `TooLarge`. A store without such a limit has to take 1 MiB.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::{Conformance, Outcome};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let make = || async { MemoryStore::builder().max_bytes(70_000).build() };
    /// let conformance = Conformance::new(make).max_data(64 * 1024);
    /// let outcome = conformance.run_case("format/too_large_is_refused").await;
    /// assert_eq!(outcome, Ok(Outcome::Passed));
    /// # });
    /// ```
    #[must_use]
    pub fn max_data(mut self, bytes: usize) -> Self {
        self.capabilities.max_data = Some(bytes);
        self
    }

    /// Declares that all stores that `make` makes are handles to the same data, as in several
    /// processes, and lets the cases use `count` of them at the same time: 1 by default.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::{Conformance, Outcome};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = MemoryStore::new();
    /// let conformance = Conformance::new(move || {
    ///     let store = store.clone(); // a connection of its own, for other stores
    ///     async move { store }
    /// });
    /// let outcome = conformance.instances(4).run_case("create/never_overwrites").await;
    /// assert_eq!(outcome, Ok(Outcome::Passed));
    /// # });
    /// ```
    #[must_use]
    pub fn instances(mut self, count: usize) -> Self {
        self.capabilities.instances = count.max(1);
        self
    }

    /// Replays the random choices of an earlier run, whose seed is in its report. Without this
    /// every run draws another seed.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::{Conformance, Outcome};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let conformance = Conformance::new(|| async { MemoryStore::new() }).seed(7);
    /// assert_eq!(conformance.report().await.seed, 7);
    /// # });
    /// ```
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How long a case may take before it counts as broken: 60 seconds by default.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::{Conformance, Outcome};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use std::time::Duration;
    /// let conformance = Conformance::new(|| async { MemoryStore::new() })
    ///     .time_limit(Duration::from_secs(5));
    /// assert!(conformance.run_case("create/never_overwrites").await.is_ok());
    /// # });
    /// ```
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// The names of all cases, in the order in which [`Conformance::run`] runs them.
    #[must_use]
    pub fn cases(&self) -> Vec<&'static str> {
        all::<S>().iter().map(|case| case.name).collect()
    }

    /// Runs all cases.
    ///
    /// # Panics
    /// When the store breaks a rule. The message names all broken rules and the seed.
    pub async fn run(&self) -> Report {
        let report = self.report().await;
        if !report.broken.is_empty() {
            fail(&report.to_string());
        }
        report
    }

    /// Runs all cases and reports which rules the store breaks, without a panic.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::{Conformance, Outcome};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let conformance = Conformance::new(|| async { MemoryStore::new() }).without_scan();
    /// let report = conformance.report().await;
    /// assert!(!report.passed.is_empty());
    /// assert_eq!(report.broken[0].name, "scan/unsupported"); // MemoryStore can scan
    /// # });
    /// ```
    pub async fn report(&self) -> Report {
        let mut report = Report::new(self.seed);
        for case in all() {
            match self.outcome(&case).await {
                Ok(Outcome::Passed) => report.passed.push(case.name),
                Ok(Outcome::Skipped(reason)) => report.skipped.push(Skipped {
                    name: case.name,
                    reason,
                }),
                Err(broken) => report.broken.push(broken),
            }
        }
        report
    }

    /// Runs the case of this name.
    ///
    /// # Errors
    /// [`BrokenRule`] when the store breaks the rule.
    ///
    /// # Panics
    /// When there is no such case.
    pub async fn run_case(&self, name: &str) -> Result<Outcome, BrokenRule> {
        let case = all().into_iter().find(|case| case.name == name);
        match case {
            Some(case) => self.outcome(&case).await,
            None => fail(&format!("there is no case named {name:?}")),
        }
    }

    async fn outcome(&self, case: &Case<S>) -> Result<Outcome, BrokenRule> {
        let store = Arc::new((self.make)().await);
        let mut others = Vec::new();
        for _ in 1..self.capabilities.instances {
            others.push(Arc::new((self.make)().await));
        }
        let copies = store.answers_from_copies();
        let missing = |need: &&case::Need| !need.is_met(&self.capabilities, copies);
        if let Some(need) = case.needs.iter().find(missing) {
            return Ok(Outcome::Skipped(need.reason()));
        }
        let seed = seed_for(self.seed, case.name);
        let fixture = Fixture::new(store, others, self.capabilities, seed);
        let result = self.finish((case.run)(fixture.clone())).await;
        let limit = self.time_limit;
        // In a task too: the panic of a delete has been found by the cases already.
        let _ = tokio::spawn(async move { fixture.clean_up(limit).await }).await;
        result.map(|()| Outcome::Passed).map_err(|what| BrokenRule {
            name: case.name,
            rule: case.rule,
            what: what.into_text(),
            seed: self.seed,
        })
    }

    /// Runs a case in a task of its own, so that a panic of the store is a finding too.
    async fn finish(&self, case: case::CaseFuture) -> CaseResult {
        let task = tokio::spawn(case);
        let abort = task.abort_handle();
        match tokio::time::timeout(self.time_limit, task).await {
            Ok(joined) => joined?,
            Err(_) => {
                abort.abort();
                let limit = self.time_limit;
                Err(format!("it has not finished within {limit:?}").into())
            }
        }
    }
}

impl<S> fmt::Debug for Conformance<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conformance")
            .field("capabilities", &self.capabilities)
            .field("seed", &self.seed)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

fn all<S: Store>() -> Vec<Case<S>> {
    let groups = [
        load::cases(),
        create::cases(),
        replace::cases(),
        touch::cases(),
        delete::cases(),
        sweep::cases(),
        format::cases(),
        listing::cases(),
        paging::cases(),
        concurrency::cases(),
        index::cases(),
        dropped::cases(),
    ];
    groups.into_iter().flatten().collect()
}

#[track_caller]
#[expect(clippy::panic, reason = "a test fails by a panic")]
fn fail(message: &str) -> ! {
    panic!("{message}")
}
