//! What requests see of a server that does not answer, and of its return.

use std::time::Duration;

use cloakroom_core::SessionManager;
use cloakroom_store::Store;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    link::Link,
    report::{OutageReport, OutageTrial},
    server::Server,
    visitor::{Answer, Errand, application, serve},
};

/// The engine gives a request a second to open its sessions and one to commit them.
const DEADLINE: Duration = Duration::from_millis(1_200);
/// What a request may take that the breaker refuses, or that asks for nothing. The median: the
/// machine has other things to do.
const AT_ONCE: Duration = Duration::from_millis(5);
/// When everything works again.
const BACK: Duration = Duration::from_secs(1);
const SESSIONS: u64 = 20;

/// Freezes the server under a store, lets it go on, kills it and starts it again, and holds the
/// answers to requests, served through the engine, against what a store with a server promises:
///
/// - a request that opens a session is answered with 503 within 1.2 s;
/// - after ten of them half are answered within 5 ms: the store has a breaker;
/// - a request that opens none is answered as ever;
/// - one second after the server's return every request is answered well, without a restart;
/// - what was acknowledged is there, unless the server [is volatile](Server::is_volatile) and was
///   killed.
///
/// The store is connected to the server already and keeps its own settings; the same one is used
/// throughout. Run it on a runtime with several threads.
///
/// # Panics
/// When the store breaks a promise. The message says which, and what was measured.
///
/// # Examples
/// ```no_run
/// use cloakroom_testkit::servers::{Server, outage};
/// # use cloakroom_memory::MemoryStore;
/// # struct MyStore;
/// # impl MyStore { async fn connect(_url: &str) -> MemoryStore { MemoryStore::new() } }
///
/// // #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
/// async fn survives_an_outage() {
///     let Some(mut server) = Server::redis().await else {
///         return;
///     };
///     let store = MyStore::connect(&server.url()).await;
///     println!("{}", outage(&mut server, store).await);
/// }
/// ```
pub async fn outage(server: &mut Server, store: impl Store) -> OutageReport {
    let mut trials = Trials::new(store);
    trials.run(Trouble::Frozen(server)).await;
    trials.run(Trouble::Killed(server)).await;
    trials.report
}

/// The same for a link: it swallows everything, is restored, refuses connections and is restored.
/// Nothing that was acknowledged may be lost.
///
/// The store is connected to the link's [`address`](Link::address).
///
/// # Panics
/// When the store breaks a promise.
pub async fn broken_link(link: &Link, store: impl Store) -> OutageReport {
    let mut trials = Trials::new(store);
    trials.run(Trouble::Silent(link)).await;
    trials.run(Trouble::Refused(link)).await;
    trials.report
}

/// What is wrong.
enum Trouble<'a> {
    Frozen(&'a mut Server),
    Killed(&'a mut Server),
    Silent(&'a Link),
    Refused(&'a Link),
}

impl Trouble<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Frozen(_) => "frozen",
            Self::Killed(_) => "killed",
            Self::Silent(_) => "link silent",
            Self::Refused(_) => "link refused",
        }
    }

    fn loses_all(&self) -> bool {
        matches!(self, Self::Killed(server) if server.is_volatile())
    }

    async fn begin(&mut self) {
        match self {
            Self::Frozen(server) => server.freeze(),
            Self::Killed(server) => server.kill(),
            Self::Silent(link) => link.black_hole(),
            Self::Refused(link) => link.refuse().await,
        }
    }

    async fn end(&mut self) {
        match self {
            Self::Frozen(server) => server.thaw(),
            Self::Killed(server) => server.restart().await,
            Self::Silent(link) | Self::Refused(link) => {
                let restored = link.restore().await;
                require(restored.is_ok(), || format!("the link: {restored:?}"));
            }
        }
    }
}

struct Trials {
    manager: SessionManager,
    /// Sessions that were acknowledged, and what they hold.
    sessions: Vec<(String, u64)>,
    last_value: u64,
    report: OutageReport,
}

impl Trials {
    fn new(store: impl Store) -> Self {
        let manager = application(store);
        Self {
            manager: manager.unwrap_or_else(|| fail("no manager could be built")),
            sessions: Vec::new(),
            last_value: 0,
            report: OutageReport::default(),
        }
    }

    async fn run(&mut self, mut trouble: Trouble<'_>) {
        let name = trouble.name();
        self.work("before").await;
        let acknowledged = self.sessions.len();
        trouble.begin().await;
        let untouched = self.ask_for_nothing(name).await;
        let (slowest, median) = self.ask_in_vain(name).await;
        trouble.end().await;
        let (first, last_error) = self.come_back(name).await;
        let kept = self.look(name, acknowledged, trouble.loses_all()).await;
        self.work(name).await;
        self.report.trials.push(OutageTrial {
            trouble: name,
            slowest,
            median,
            untouched,
            first,
            last_error,
            kept,
        });
    }

    /// Begins sessions and changes them; all must go well.
    async fn work(&mut self, when: &str) {
        let begun: Vec<Errand> = (0..SESSIONS).map(|_| Errand::Begin(self.value())).collect();
        self.serve_well(when, begun).await;
        let tokens: Vec<String> = self
            .sessions
            .iter()
            .map(|(token, _)| token.clone())
            .collect();
        let changes = tokens
            .into_iter()
            .map(|token| Errand::Change(token, self.value()))
            .collect();
        self.serve_well(when, changes).await;
    }

    async fn serve_well(&mut self, when: &str, errands: Vec<Errand>) {
        let answers = self.serve_all(errands.clone()).await;
        for (errand, answer) in errands.into_iter().zip(answers) {
            require(answer.status == 200, || {
                format!("{when}: {errand:?} was answered with {answer:?}")
            });
            self.remember(errand, &answer);
        }
    }

    /// What a good answer has promised.
    fn remember(&mut self, errand: Errand, answer: &Answer) {
        match (errand, &answer.token) {
            (Errand::Begin(value), Some(token)) => self.sessions.push((token.clone(), value)),
            (Errand::Begin(_), None) => fail("a new session got no cookie"),
            (Errand::Change(token, value), _) => {
                let mut sessions = self.sessions.iter_mut();
                if let Some(session) = sessions.find(|session| session.0 == token) {
                    session.1 = value;
                }
            }
            (Errand::Nothing | Errand::Read(_), _) => {}
        }
    }

    async fn ask_for_nothing(&self, name: &str) -> Duration {
        let mut answers = Vec::new();
        for _ in 0..51 {
            answers.push(serve(self.manager.clone(), Errand::Nothing).await);
        }
        let median = median(&answers);
        let is_good = answers.iter().all(|answer| answer.status == 200);
        require(is_good && median <= AT_ONCE, || {
            format!("{name}: requests without a session are affected: median {median:?}")
        });
        median
    }

    /// Ten requests at the same time, then others one after the other. Gives the time of the slowest
    /// and the median of the others.
    async fn ask_in_vain(&mut self, name: &str) -> (Duration, Duration) {
        let errands = self.errands(10);
        let burst = self.serve_all(errands).await;
        let later = self.serve_in_turn(50).await;
        let median = median(&later);
        let all = || burst.iter().chain(&later);
        let slowest = all().map(|answer| answer.took).max().unwrap_or_default();
        let check = |holds: bool, what: &str| {
            require(holds, || {
                let say = |answer: &Answer| format!("{} in {:.1?}", answer.status, answer.took);
                let answers: Vec<String> = all().map(say).collect();
                format!("{name}: {what}: {answers:?}")
            });
        };
        let are_errors = all().all(|answer| answer.status == 503);
        check(are_errors, "not all are answered with 503");
        check(slowest <= DEADLINE, "an answer took longer than 1.2 s");
        check(
            median <= AT_ONCE,
            "no breaker: after the first ten the median is above 5 ms",
        );
        (slowest, median)
    }

    /// Sends a request each 50 ms, without waiting for the one before.
    async fn come_back(&mut self, name: &str) -> (Duration, Duration) {
        let returned = Instant::now();
        let mut requests = JoinSet::new();
        for (number, errand) in (0..30).zip(self.errands(30)) {
            let manager = self.manager.clone();
            let at = returned + Duration::from_millis(50) * number;
            requests.spawn(async move {
                sleep_until(at).await;
                let answer = serve(manager, errand.clone()).await;
                (at - returned, errand, answer)
            });
        }
        let answers = requests.join_all().await;
        let is_good = |answer: &Answer| answer.status == 200;
        let good = answers.iter().filter(|(_, _, answer)| is_good(answer));
        let first = good.map(|(at, _, answer)| *at + answer.took).min();
        let bad = answers.iter().filter(|(_, _, answer)| !is_good(answer));
        let last_error = bad.map(|(at, _, _)| *at).max().unwrap_or_default();
        let first = first.unwrap_or(Duration::MAX);
        require(first <= BACK && last_error < BACK, || {
            let say = |(at, _, answer): &(Duration, _, Answer)| {
                format!("at {at:?} {} in {:.1?}", answer.status, answer.took)
            };
            let mut all: Vec<_> = answers.iter().collect();
            all.sort_by_key(|(at, _, _)| *at);
            let all: Vec<String> = all.into_iter().map(say).collect();
            format!("{name}: it does not work again within {BACK:?} of the return: {all:?}")
        });
        for (_, errand, answer) in answers {
            if is_good(&answer) {
                self.remember(errand, &answer);
            }
        }
        (first, last_error)
    }

    /// Looks for what was acknowledged. The first so many of the sessions are from before the
    /// trouble; says how many of them are there.
    async fn look(&mut self, name: &str, before: usize, may_be_lost: bool) -> usize {
        let mut kept = 0;
        let sessions = std::mem::take(&mut self.sessions);
        for (number, (token, value)) in sessions.into_iter().enumerate() {
            let answer = serve(self.manager.clone(), Errand::Read(token.clone())).await;
            let is_there = answer.status == 200 && answer.held == Some(value);
            let is_gone = answer.status == 200 && answer.held.is_none();
            let may_be_gone = may_be_lost && number < before;
            require(is_there || (is_gone && may_be_gone), || {
                format!("{name}: a session that holds {value} was acknowledged; now: {answer:?}")
            });
            if is_there {
                self.sessions.push((token, value));
                kept += usize::from(number < before);
            }
        }
        kept
    }

    /// Requests that open a session: every other one reads, the others begin one.
    fn errands(&mut self, count: usize) -> Vec<Errand> {
        let tokens: Vec<String> = self
            .sessions
            .iter()
            .map(|(token, _)| token.clone())
            .collect();
        let mut reads = tokens.into_iter().cycle().map(Errand::Read);
        let errand = |number: usize| match number % 2 {
            0 => reads.next(),
            _ => Some(Errand::Begin(self.value())),
        };
        (0..count).filter_map(errand).collect()
    }

    /// Serves one after the other, and stops when that takes too long.
    async fn serve_in_turn(&mut self, count: usize) -> Vec<Answer> {
        let began = Instant::now();
        let mut answers = Vec::new();
        for errand in self.errands(count) {
            if began.elapsed() < Duration::from_secs(5) {
                answers.push(serve(self.manager.clone(), errand).await);
            }
        }
        answers
    }

    async fn serve_all(&self, errands: Vec<Errand>) -> Vec<Answer> {
        let under_way: Vec<_> = errands
            .into_iter()
            .map(|errand| tokio::spawn(serve(self.manager.clone(), errand)))
            .collect();
        let mut answers = Vec::new();
        for request in under_way {
            match request.await {
                Ok(answer) => answers.push(answer),
                Err(error) => fail(&format!("a request has panicked: {error}")),
            }
        }
        answers
    }

    const fn value(&mut self) -> u64 {
        self.last_value += 1;
        self.last_value
    }
}

fn median(answers: &[Answer]) -> Duration {
    let mut times: Vec<Duration> = answers.iter().map(|answer| answer.took).collect();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn require(holds: bool, otherwise: impl FnOnce() -> String) {
    if !holds {
        fail(&otherwise());
    }
}

#[expect(clippy::panic, reason = "how a test fails")]
fn fail(what: &str) -> ! {
    panic!("{what}");
}
