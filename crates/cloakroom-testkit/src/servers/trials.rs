//! Requests that meet a trouble, and what they have to see of it.

use std::time::Duration;

use cloakroom_core::SessionManager;
use cloakroom_store::Store;
use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep_until},
};

use super::{
    outage::Refuses,
    report::{OutageReport, OutageTrial},
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
/// How many of the sessions are asked for.
const MOST: usize = 40;
/// How often a trouble that comes and goes begins.
const FLICKER: Duration = Duration::from_millis(60);

/// Something that goes wrong for a while.
pub(super) trait Trouble {
    fn name(&self) -> &'static str;
    fn effect(&self) -> Effect;
    async fn begin(&mut self);
    async fn end(&mut self);
}

/// What a trouble does to requests.
#[derive(Debug, Clone, Copy)]
pub(super) enum Effect {
    /// Nobody answers.
    Outage {
        /// Whether what was acknowledged is gone afterwards.
        loses_all: bool,
    },
    /// The server answers, and does not do everything.
    Refusal(Refuses),
    /// It begins again and again. What is under way then fails, or does not.
    Flicker,
}

/// Requests before, during and after a trouble, and what they were promised.
pub(super) struct Trials {
    manager: SessionManager,
    /// Sessions that were acknowledged, and what they hold.
    sessions: Vec<(String, u64)>,
    last_value: u64,
    pub(super) report: OutageReport,
}

impl Trials {
    pub(super) fn new(store: impl Store) -> Self {
        let manager = application(store);
        Self {
            manager: manager.unwrap_or_else(|| fail("no manager could be built")),
            sessions: Vec::new(),
            last_value: 0,
            report: OutageReport::default(),
        }
    }

    /// Lets a trouble begin and end, and asks all the while.
    pub(super) async fn run(&mut self, trouble: &mut impl Trouble) {
        let (name, effect) = (trouble.name(), trouble.effect());
        self.work("before").await;
        let acknowledged = self.sessions.len();
        trouble.begin().await;
        let untouched = self.ask_for_nothing(name).await;
        let (slowest, median) = match effect {
            Effect::Outage { .. } => self.ask_in_vain(name).await,
            Effect::Refusal(refuses) => self.ask_for_all(name, refuses).await,
            Effect::Flicker => self.ask_in_between(name, trouble).await,
        };
        trouble.end().await;
        let (first, last_error) = self.come_back(name).await;
        let loses_all = matches!(effect, Effect::Outage { loses_all: true });
        let kept = self.look(name, acknowledged, loses_all).await;
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

    /// Begins sessions and changes some; all must go well.
    async fn work(&mut self, when: &str) {
        let begun: Vec<Errand> = (0..SESSIONS).map(|_| Errand::Begin(self.value())).collect();
        self.serve_well(when, begun).await;
        let changes = self
            .tokens()
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
        let slowest = slowest(&burst).max(slowest(&later));
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

    /// Requests of all kinds, one after the other. Gives the slowest time and the median.
    async fn ask_for_all(&mut self, name: &str, refuses: Refuses) -> (Duration, Duration) {
        let mut answers = Vec::new();
        for errand in self.errands_of_all_kinds() {
            let answer = serve(self.manager.clone(), errand.clone()).await;
            let is_refused = match (refuses, &errand) {
                (Refuses::Nothing, _) => false,
                (Refuses::Writes | Refuses::SomeWrites, Errand::Read(_)) => false,
                (Refuses::SomeWrites, _) => answer.status != 200,
                (Refuses::Writes | Refuses::All, _) => true,
            };
            let expected = if is_refused { 503 } else { 200 };
            require(answer.status == expected && answer.took <= DEADLINE, || {
                format!("{name}: not {expected} within {DEADLINE:?}: {errand:?}: {answer:?}")
            });
            if !is_refused {
                self.check_held(name, &errand, &answer);
                self.remember(errand, &answer);
            }
            answers.push(answer);
        }
        let is_refused = answers.iter().any(|answer| answer.status == 503);
        require(is_refused || refuses == Refuses::Nothing, || {
            format!("{name}: nothing was refused")
        });
        (slowest(&answers), median(&answers))
    }

    /// The same a request each 25 ms, while the trouble begins again and again.
    async fn ask_in_between(
        &mut self,
        name: &str,
        trouble: &mut impl Trouble,
    ) -> (Duration, Duration) {
        let errands = self.errands_of_all_kinds();
        let mut requests = self.send(errands, Duration::from_millis(25));
        let (mut all, mut beat) = (Vec::new(), interval(FLICKER));
        while !requests.is_empty() {
            tokio::select! {
                Some(served) = requests.join_next() => {
                    let Ok((_, errand, answer)) = served else {
                        fail("a request has panicked");
                    };
                    let is_good = answer.status == 200;
                    let is_answer = is_good || answer.status == 503;
                    require(is_answer && answer.took <= DEADLINE, || {
                        format!("{name}: neither 200 nor 503 within {DEADLINE:?}: {answer:?}")
                    });
                    if is_good {
                        self.check_held(name, &errand, &answer);
                        self.remember(errand, &answer);
                    } else if let Errand::Change(token, _) = errand {
                        // It may have been carried out all the same.
                        self.sessions.retain(|session| session.0 != token);
                    }
                    all.push(answer);
                }
                _ = beat.tick() => trouble.begin().await,
            }
        }
        (slowest(&all), median(&all))
    }

    /// Reads, changes and begins sessions, each session once.
    fn errands_of_all_kinds(&mut self) -> Vec<Errand> {
        let all = self.tokens().into_iter().enumerate();
        let of_one = |(number, token): (usize, String)| match number % 2 {
            0 => [Errand::Read(token), Errand::Begin(self.value())],
            _ => [
                Errand::Change(token, self.value()),
                Errand::Begin(self.value()),
            ],
        };
        all.flat_map(of_one).collect()
    }

    /// Of the newest sessions.
    fn tokens(&self) -> Vec<String> {
        let newest = self.sessions.iter().rev().take(MOST);
        newest.map(|(token, _)| token.clone()).collect()
    }

    /// That a session holds what was acknowledged last.
    fn check_held(&self, name: &str, errand: &Errand, answer: &Answer) {
        if let Errand::Read(token) | Errand::Change(token, _) = errand {
            let known = self.sessions.iter().find(|session| session.0 == *token);
            let known = known.map(|session| session.1);
            require(answer.held == known, || {
                format!("{name}: {known:?} was acknowledged; now: {answer:?}")
            });
        }
    }

    /// Sends a request each 50 ms, without waiting for the one before.
    async fn come_back(&mut self, name: &str) -> (Duration, Duration) {
        let errands = self.errands(30);
        let requests = self.send(errands, Duration::from_millis(50));
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

    /// Sends a request after another, without waiting for the one before. They give when they were
    /// sent, too.
    fn send(&self, errands: Vec<Errand>, every: Duration) -> JoinSet<(Duration, Errand, Answer)> {
        let began = Instant::now();
        let mut requests = JoinSet::new();
        for (number, errand) in (0..).zip(errands) {
            let manager = self.manager.clone();
            let at = began + every * number;
            requests.spawn(async move {
                sleep_until(at).await;
                let answer = serve(manager, errand.clone()).await;
                (at - began, errand, answer)
            });
        }
        requests
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
        let mut reads = self.tokens().into_iter().cycle().map(Errand::Read);
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

fn slowest(answers: &[Answer]) -> Duration {
    let times = answers.iter().map(|answer| answer.took);
    times.max().unwrap_or_default()
}

fn median(answers: &[Answer]) -> Duration {
    let mut times: Vec<Duration> = answers.iter().map(|answer| answer.took).collect();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

pub(super) fn require(holds: bool, otherwise: impl FnOnce() -> String) {
    if !holds {
        fail(&otherwise());
    }
}

#[expect(clippy::panic, reason = "how a test fails")]
fn fail(what: &str) -> ! {
    panic!("{what}");
}
