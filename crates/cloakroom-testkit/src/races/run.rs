use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use cloakroom_store::{AnyStore, Store};
use tokio::runtime::{Builder, Runtime};

use super::{
    case::{Played, play},
    choice::{Choices, Path},
    history::History,
    note::Schedule,
    plan::Plan,
    promise::{Broken, BrokenPromise},
    report::RaceReport,
    serial::Fit,
    storm::storm,
    triple::Triple,
};
use crate::random::fresh_seed;

/// So many broken promises are told in full.
const MOST_TOLD: usize = 5;

/// Threads of a storm.
const THREADS: usize = 4;

/// Plays races: requests at the same time, through the engine, on a store of yours, in orders that
/// a search or a seed comes upon. What they see and leave behind is held against a model of the
/// sessions and of the browsers.
///
/// Every call of the store waits until a scheduler lets it happen, and once more until its answer
/// goes back; responses arrive when the scheduler says so, in any order or never. Time stands
/// still and moves when nothing else can. So a case is the same for the same seed, on stores of
/// every speed.
///
/// The function given to [`Races::new`] makes a store for each worker. Each case deletes the
/// records it has created. Cases sweep, and sweeping knows no namespaces, so no two workers, and
/// nobody else, may use one store at the same time. A store that answers from copies shows things
/// that no serial order explains; it needs a wrapper that forbids that.
///
/// ```
/// # use cloakroom_memory::MemoryStore as MyStore;
/// use cloakroom_testkit::Races;
///
/// # fn main() -> std::io::Result<()> {
/// let races = Races::new(|| async { MyStore::new() }).interleavings(20);
/// let report = races.run()?;
/// println!("{report}");
/// report.assert_kept();
/// # Ok(())
/// # }
/// ```
pub struct Races<S> {
    make: Maker<S>,
    seed: u64,
    interleavings: u64,
    schedules: usize,
    workers: usize,
}

type Maker<S> = Box<dyn Fn() -> Pin<Box<dyn Future<Output = S> + Send>> + Send + Sync>;

impl<S: Store> Races<S> {
    /// Races on the stores that `make` makes, one per worker.
    pub fn new<F, M>(make: M) -> Self
    where
        F: Future<Output = S> + Send + 'static,
        M: Fn() -> F + Send + Sync + 'static,
    {
        Self {
            make: Box::new(move || Box::pin(make())),
            seed: fresh_seed(),
            interleavings: 2_000,
            schedules: 200,
            workers: 1,
        }
    }

    /// Sets the seed of the first random case; the others have those after it. By default it
    /// differs from run to run.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::Races;
    /// # fn main() -> std::io::Result<()> {
    /// let races = Races::new(|| async { MemoryStore::new() }).interleavings(5).seed(7);
    /// let report = races.run()?;
    /// assert_eq!(report.seed, 7);
    /// assert_eq!(report.requests, races.run()?.requests); // the same races again
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Sets how many random cases [`run`](Self::run) plays. Default 2000.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::Races;
    /// # fn main() -> std::io::Result<()> {
    /// let report = Races::new(|| async { MemoryStore::new() }).interleavings(5).run()?;
    /// assert_eq!(report.cases, 5);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn interleavings(self, count: u64) -> Self {
        Self {
            interleavings: count,
            ..self
        }
    }

    /// Sets how many schedules [`triples`](Self::triples) plays of each triple at most.
    /// Default 200.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::Races;
    /// # fn main() -> std::io::Result<()> {
    /// let report = Races::new(|| async { MemoryStore::new() }).schedules(1).triples()?;
    /// assert!(report.cut_short > 0); // most triples have more schedules than one
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn schedules(self, most: usize) -> Self {
        Self {
            schedules: most,
            ..self
        }
    }

    /// Sets how many threads play cases, each on a store of its own. Default 1.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::Races;
    /// # fn main() -> std::io::Result<()> {
    /// let report = Races::new(|| async { MemoryStore::new() }).interleavings(6).workers(2).run()?;
    /// assert_eq!(report.cases, 6); // three for each
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn workers(self, count: usize) -> Self {
        Self {
            workers: count.max(1),
            ..self
        }
    }

    /// Plays random cases: two to six requests at the same time, in up to three waves, of several
    /// browsers and processes, with faults of the store, responses that are late or lost, and
    /// clients that go away.
    ///
    /// # Errors
    /// When there is no runtime to be had.
    pub fn run(&self) -> io::Result<RaceReport> {
        let next = AtomicU64::new(0);
        self.with_workers(|runtime, store, report| {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= self.interleavings {
                    return;
                }
                play_seed(runtime, store, self.seed.wrapping_add(n), report);
            }
        })
    }

    /// Plays all triples of {increment, set, remove, clear, rotate, login, logout, touch, read,
    /// flash, flashes, take_once} on one session, by one process and by two, in every order of the effects on the store as far
    /// as [`schedules`](Self::schedules) goes, and judges all orders in which the responses can
    /// arrive or get lost.
    ///
    /// # Errors
    /// When there is no runtime to be had.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::Races;
    /// # fn main() -> std::io::Result<()> {
    /// let report = Races::new(|| async { MemoryStore::new() }).schedules(1).triples()?;
    /// report.assert_kept();
    /// assert!(report.cases >= 364);
    /// # Ok(())
    /// # }
    /// ```
    pub fn triples(&self) -> io::Result<RaceReport> {
        let triples = Triple::all();
        let next = AtomicUsize::new(0);
        self.with_workers(|runtime, store, report| {
            while let Some(triple) = triples.get(next.fetch_add(1, Ordering::Relaxed)) {
                play_triple(runtime, store, triple, self.schedules, report);
            }
        })
    }

    /// Has many requests increment one counter and set keys of their own at the same time, on real
    /// threads and in real time.
    ///
    /// # Errors
    /// When there is no runtime to be had.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::Races;
    /// # fn main() -> std::io::Result<()> {
    /// let report = Races::new(|| async { MemoryStore::new() }).storm(50)?;
    /// report.assert_kept();
    /// assert_eq!(report.requests, 50);
    /// # Ok(())
    /// # }
    /// ```
    pub fn storm(&self, requests: u64) -> io::Result<RaceReport> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_all()
            .build()?;
        let result = runtime.block_on(async {
            let store = (self.make)().await.into_any();
            storm(&store, requests).await
        });
        let mut report = RaceReport {
            cases: 1,
            requests: usize::try_from(requests).unwrap_or(usize::MAX),
            ..RaceReport::default()
        };
        if let Err(broken) = result {
            add_broken(&mut report, broken, "storm".to_owned(), &History::default());
        }
        Ok(report)
    }

    /// Plays the case of a broken promise again: [`BrokenPromise::case`], or the seed of a random
    /// case.
    ///
    /// # Errors
    /// When there is no such case, or no runtime to be had.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::Races;
    /// # fn main() -> std::io::Result<()> {
    /// let races = Races::new(|| async { MemoryStore::new() });
    /// races.replay("17")?.assert_kept(); // a random case, by its seed
    /// assert!(races.replay("no such case").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn replay(&self, case: &str) -> io::Result<RaceReport> {
        let runtime = runtime()?;
        let store = runtime.block_on((self.make)()).into_any();
        let mut report = RaceReport::default();
        if let Ok(seed) = case.parse() {
            play_seed(&runtime, &store, seed, &mut report);
            return Ok(report);
        }
        let triple = case
            .split_once(':')
            .and_then(|(triple, path)| Some((Triple::parse(triple)?, Path::parse(path)?)));
        let Some((triple, path)) = triple else {
            let error = "a case is a number or a name such as 048-010-1:0.2.1";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
        };
        let mut choices = Choices::Enumerated(path);
        let played = runtime.block_on(play(&store, 1, &triple.plan(), &mut choices));
        add(&mut report, played, || case.to_owned());
        Ok(report)
    }

    fn with_workers(
        &self,
        work: impl Fn(&Runtime, &AnyStore, &mut RaceReport) + Sync,
    ) -> io::Result<RaceReport> {
        let work = &work;
        let run = || -> io::Result<RaceReport> {
            let runtime = runtime()?;
            let store = runtime.block_on((self.make)()).into_any();
            let mut report = RaceReport::default();
            work(&runtime, &store, &mut report);
            Ok(report)
        };
        let mut report = RaceReport {
            seed: self.seed,
            ..RaceReport::default()
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.workers).map(|_| scope.spawn(run)).collect();
            for worker in workers {
                match worker.join() {
                    Ok(result) => report.add(result?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok(report)
        })
    }
}

impl<S> fmt::Debug for Races<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Races")
            .field("seed", &self.seed)
            .field("interleavings", &self.interleavings)
            .field("schedules", &self.schedules)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
}

fn play_seed(runtime: &Runtime, store: &AnyStore, seed: u64, report: &mut RaceReport) {
    let mut choices = Choices::seeded(seed);
    let plan = Plan::random(&mut choices);
    let played = runtime.block_on(play(store, seed, &plan, &mut choices));
    add(report, played, || seed.to_string());
}

fn play_triple(
    runtime: &Runtime,
    store: &AnyStore,
    triple: &Triple,
    most: usize,
    report: &mut RaceReport,
) {
    let plan = triple.plan();
    let mut path = Path::default();
    for _ in 0..most {
        let mut choices = Choices::Enumerated(path);
        let played = runtime.block_on(play(store, 1, &plan, &mut choices));
        let Choices::Enumerated(taken) = choices else {
            return;
        };
        path = taken;
        add(report, played, || format!("{triple}:{path}"));
        if !path.advance() {
            return;
        }
    }
    report.cut_short += 1;
}

fn add(report: &mut RaceReport, played: Played, case: impl FnOnce() -> String) {
    report.cases += 1;
    report.requests += played.history.requests.len();
    for (inherent, count) in played.inherent {
        *report.inherent.entry(inherent).or_default() += count;
    }
    match played.result {
        Ok(Fit::Fits) => {}
        Ok(Fit::GivenUp) => report.given_up += 1,
        Err(broken) => add_broken(report, broken, case(), &played.history),
    }
}

fn add_broken(report: &mut RaceReport, broken: Broken, case: String, history: &History) {
    report.broken_cases += 1;
    if report.broken.len() < MOST_TOLD {
        report.broken.push(BrokenPromise {
            promise: broken.promise,
            what: broken.what,
            case,
            schedule: Schedule(history).to_string(),
        });
    }
}
