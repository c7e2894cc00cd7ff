//! The promises of [`Watch`] as cases that run against any store that makes them.
//!
//! [`WatchConformance`] is the entry point.

mod fixture;
mod link;
mod listener;
mod slow;
mod told;

use std::{fmt, future::Future, pin::Pin, time::Duration};

use cloakroom_store::{Feed, Watch};

use self::fixture::{Finding, Fixture};
use crate::{
    BrokenRule, Outcome, Report, Skipped,
    random::{fresh_seed, seed_for},
};

/// Runs the promises of [`Watch`] and [`Feed`] against a store.
///
/// Each case gets two stores from the function given to [`WatchConformance::new`], one that
/// listens and one that writes, so **they have to be handles to the same data**, as two processes
/// have. It uses a namespace and ids that nobody else uses, and deletes what it has created. What
/// others write meanwhile does no harm, if it is not very much.
///
/// Run it on a tokio runtime with several threads and its timers.
///
/// # Examples
/// The link is what stands between the stores and their server in a test, as
/// `cloakroom_testkit::servers::Link` does.
///
/// ```no_run
/// use std::{future::ready, sync::Arc, time::Duration};
/// use cloakroom_store::Watch;
/// use cloakroom_testkit::{LinkState, WatchConformance};
/// # struct Link;
/// # impl Link {
/// #     async fn refuse(&self) {}
/// #     async fn black_hole(&self) {}
/// #     async fn restore(&self) {}
/// # }
///
/// // #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
/// async fn keeps_its_promises<S: Watch>(
///     through_link: impl Fn() -> S + Send + Sync + 'static,
///     beside_it: impl Fn() -> S + Send + Sync + 'static,
///     link: Arc<Link>,
/// ) {
///     WatchConformance::new(move || ready(through_link()))
///         .writers(move || ready(beside_it()))
///         .link(move |state| {
///             let link = Arc::clone(&link);
///             async move {
///                 match state {
///                     LinkState::Cut => link.refuse().await,
///                     LinkState::Silent => link.black_hole().await,
///                     _ => link.restore().await,
///                 }
///             }
///         })
///         .within(Duration::from_millis(500))
///         .run()
///         .await;
/// }
/// ```
pub struct WatchConformance<S> {
    listeners: Maker<S>,
    writers: Option<Maker<S>>,
    settings: Settings,
    seed: u64,
    time_limit: Duration,
}

type Maker<S> = Box<dyn Fn() -> Pin<Box<dyn Future<Output = S> + Send>> + Send + Sync>;

#[derive(Clone, Default)]
struct Settings {
    link: Option<fixture::Link>,
    within: Option<Duration>,
    most_kept: Option<usize>,
}

/// What a test makes of the network between a feed and its server, for [`WatchConformance::link`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkState {
    /// Everything passes, new connections too. So it is before the first case and after each.
    Whole,
    /// Connections have ended, and new ones are refused.
    Cut,
    /// Nothing passes, and nothing says so.
    Silent,
}

/// A promise, and what tells whether a store keeps it.
struct Case<S: Watch> {
    name: &'static str,
    rule: &'static str,
    needs_link: bool,
    run: fn(Fixture<S>) -> CaseFuture,
}

type CaseFuture = Pin<Box<dyn Future<Output = CaseResult> + Send>>;
type CaseResult<T = ()> = Result<T, Finding>;

impl<S: Watch> WatchConformance<S> {
    /// How many keys a feed keeps at most for who listens slowly, if nothing else is said: 4096.
    pub const DEFAULT_MOST_KEPT: usize = 4096;

    /// The cases for the stores that `make` makes, which are handles to the same data.
    pub fn new<F, M>(make: M) -> Self
    where
        F: Future<Output = S> + Send + 'static,
        M: Fn() -> F + Send + Sync + 'static,
    {
        Self {
            listeners: Box::new(move || Box::pin(make())),
            writers: None,
            settings: Settings::default(),
            seed: fresh_seed(),
            time_limit: Duration::from_secs(60),
        }
    }

    /// Makes the stores that write by another function: with other settings, by another way than
    /// the [`link`](Self::link), or of a wrapper without a cache.
    #[must_use]
    pub fn writers<F, M>(mut self, make: M) -> Self
    where
        F: Future<Output = S> + Send + 'static,
        M: Fn() -> F + Send + Sync + 'static,
    {
        self.writers = Some(Box::new(move || Box::pin(make())));
        self
    }

    /// Declares how the network between listeners and their server is broken and mended; the cases
    /// that need it are skipped without. It must not concern the [`writers`](Self::writers).
    #[must_use]
    pub fn link<F, C>(mut self, change: C) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        C: Fn(LinkState) -> F + Send + Sync + 'static,
    {
        self.settings.link = Some(fixture::Link::new(change));
        self
    }

    /// Declares how soon a change is told that was acknowledged, while the link is up: the bound
    /// that the store states. Without this: [`Feed::SILENCE`].
    #[must_use]
    pub fn within(mut self, bound: Duration) -> Self {
        self.settings.within = Some(bound);
        self
    }

    /// Declares how many keys a feed keeps at most for who listens slowly:
    /// [`DEFAULT_MOST_KEPT`](Self::DEFAULT_MOST_KEPT) if nothing is said. A case writes some more.
    #[must_use]
    pub fn most_kept(mut self, keys: usize) -> Self {
        self.settings.most_kept = Some(keys);
        self
    }

    /// Replays the random choices of an earlier run, whose seed is in its report.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How long a case may take before it counts as broken: 60 seconds by default.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// The names of all cases, in the order in which [`WatchConformance::run`] runs them.
    #[must_use]
    pub fn cases(&self) -> Vec<&'static str> {
        all::<S>().iter().map(|case| case.name).collect()
    }

    /// Runs all cases.
    ///
    /// # Panics
    /// When the store breaks a promise. The message names all broken promises and the seed.
    pub async fn run(&self) -> Report {
        let report = self.report().await;
        if !report.broken.is_empty() {
            fail(&report.to_string());
        }
        report
    }

    /// Runs all cases and reports which promises the store breaks, without a panic.
    pub async fn report(&self) -> Report {
        let mut report = Report {
            seed: self.seed,
            passed: Vec::new(),
            skipped: Vec::new(),
            broken: Vec::new(),
        };
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
    /// [`BrokenRule`] when the store breaks the promise.
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
        if case.needs_link && self.settings.link.is_none() {
            return Ok(Outcome::Skipped("no link is declared that can be broken"));
        }
        let listener = (self.listeners)().await;
        let writer = self.writers.as_ref().unwrap_or(&self.listeners)().await;
        let seed = seed_for(self.seed, case.name);
        let fixture = Fixture::new(listener, writer, self.settings.clone(), seed);
        let result = self.finish((case.run)(fixture.clone())).await;
        if case.needs_link {
            fixture.link(LinkState::Whole).await;
        }
        fixture.clean_up().await;
        result.map(|()| Outcome::Passed).map_err(|what| BrokenRule {
            name: case.name,
            rule: case.rule,
            what: what.into_text(),
            seed: self.seed,
        })
    }

    /// Runs a case in a task of its own, so that a panic of the store is a finding too.
    async fn finish(&self, case: CaseFuture) -> CaseResult {
        let task = tokio::spawn(case);
        let abort = task.abort_handle();
        match tokio::time::timeout(self.time_limit, task).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(format!("its task has ended: {error}").into()),
            Err(_) => {
                abort.abort();
                let limit = self.time_limit;
                Err(format!("it has not finished within {limit:?}").into())
            }
        }
    }
}

impl<S> fmt::Debug for WatchConformance<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchConformance")
            .field("has_link", &self.settings.link.is_some())
            .field("within", &self.settings.within)
            .field("most_kept", &self.settings.most_kept)
            .field("seed", &self.seed)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

/// The longest that a feed of this store may say nothing.
const fn silence<S: Watch>() -> Duration {
    <S::Feed as Feed>::SILENCE
}

fn all<S: Watch>() -> Vec<Case<S>> {
    let groups = [told::cases(), slow::cases(), link::cases()];
    groups.into_iter().flatten().collect()
}

#[track_caller]
#[expect(clippy::panic, reason = "a test fails by a panic")]
fn fail(message: &str) -> ! {
    panic!("{message}")
}
