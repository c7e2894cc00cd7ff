//! Plays a case: sends the requests of a plan and decides on the order of everything.

mod look;
mod wave;

use std::{collections::BTreeMap, future::Future, time::Duration};

use cloakroom_core::{Clock, EndedPolicy, Limits, Namespace, SessionManager, minutes};
use cloakroom_store::{AnyStore, Store};
use tokio::task::{JoinHandle, yield_now};

use super::{
    check,
    choice::Choices,
    gate::{GatedStore, Gates, Kinds, Order},
    history::{
        ACTOR, Actor, Answer, CookieChange, End, Event, History, Request, RequestNo, Shared,
        TokenNo, Way,
    },
    lockout::{Inherent, is_on_its_way, two_first_visits},
    messages::Messages,
    note::Note,
    plan::{ALL_EXPIRED, GRACE_OVER, Plan, Planned},
    promise::{Broken, Promise},
    serial::Fit,
    serve::{NAMESPACE, Server, serve},
};
use crate::{TestClock, TestRandom};

/// How often something could not be helped.
pub(super) type Counts = BTreeMap<Inherent, usize>;

/// A case that was played.
pub(super) struct Played {
    pub(super) history: History,
    pub(super) result: Result<Fit, Broken>,
    pub(super) inherent: Counts,
}

/// What a browser holds, and which response has set it.
type Jar = Option<(TokenNo, RequestNo)>;

struct Case<'a> {
    store: &'a AnyStore,
    plan: &'a Plan,
    choices: &'a mut Choices,
    gates: Gates,
    clock: TestClock,
    managers: Vec<SessionManager>,
    history: Shared,
    jars: Vec<Jar>,
    running: Vec<(RequestNo, JoinHandle<()>)>,
    sweeper: Option<JoinHandle<usize>>,
    faults_left: usize,
    hanging: usize,
    steps: usize,
    inherent: Counts,
}

/// Plays a case on a store, within a runtime of one thread whose time stands still, and holds the
/// promises against what happened. Deletes what it has created.
pub(super) async fn play(
    store: &AnyStore,
    seed: u64,
    plan: &Plan,
    choices: &mut Choices,
) -> Played {
    let gates = Gates::default();
    gates.set_kinds(Kinds {
        replies: plan.is_fine,
        handlers: plan.is_fine,
    });
    let clock = TestClock::default();
    let history = Shared::default();
    history.lock().rotates_itself = plan.rotates_itself;
    let gated = GatedStore::new(store.clone(), gates.clone()).into_any();
    let manager =
        |process: u64| manager(&gated, &clock, seed ^ (process << 56), plan.rotates_itself);
    let mut case = Case {
        store,
        plan,
        choices,
        gates,
        managers: [manager(1), manager(2)].into_iter().flatten().collect(),
        clock,
        history,
        jars: vec![None; plan.browsers()],
        running: Vec::new(),
        sweeper: None,
        faults_left: plan.faults,
        hanging: 0,
        steps: 0,
        inherent: Counts::new(),
    };
    let played = case.play().await;
    case.clean_up().await;
    let inherent = std::mem::take(&mut case.inherent);
    let history = case.history.take();
    let may_fail = plan.faults > 0 || plan.clients_leave;
    let result = match played {
        Ok(()) => check::check(&history, may_fail),
        Err(broken) => Err(broken),
    };
    Played {
        history,
        result,
        inherent,
    }
}

fn manager(
    store: &AnyStore,
    clock: &TestClock,
    seed: u64,
    rotates_itself: bool,
) -> Option<SessionManager> {
    let mut namespace = Namespace::new(NAMESPACE, store.clone())
        .limits(Limits::idle(minutes(30)))
        .on_ended(EndedPolicy::Respond409);
    if rotates_itself {
        namespace = namespace.rotate_every(minutes(2));
    }
    SessionManager::builder()
        .namespace(namespace)
        .clock(clock.clone())
        .random(TestRandom::new(seed))
        .build()
        .ok()
}

impl Case<'_> {
    async fn play(&mut self) -> Result<(), Broken> {
        for planned in &self.plan.setup {
            let number = self.send(planned)?;
            self.settle().await;
            self.reap().await;
            self.deliver(number);
        }
        for (from, to) in &self.plan.copies {
            let copied = self.jars.get(*from).copied().flatten();
            if let Some(jar) = self.jars.get_mut(*to) {
                *jar = copied;
            }
            self.note(Note::Copied(*from, *to));
        }
        for wave in &self.plan.waves {
            self.move_clock(wave.pause);
            self.gates.set_closed(true);
            self.wave(wave).await?;
            self.gates.set_closed(false);
            self.look_at_jars().await?;
        }
        if self.plan.is_fine {
            self.arrive_or_get_lost(false);
        }
        self.look_at_all().await?;
        self.move_clock(GRACE_OVER);
        self.look_at_all().await?;
        let count = two_first_visits(&self.history.lock());
        *self.inherent.entry(Inherent::TwoFirstVisits).or_default() += count;
        Ok(())
    }

    /// Sends a request with what the browser's jar holds.
    fn send(&mut self, planned: &Planned) -> Result<RequestNo, Broken> {
        let jar = self.jars.get(planned.browser).copied().flatten();
        let form = self.history.lock().page(planned.browser);
        let request = Request {
            browser: planned.browser,
            process: planned.process,
            operations: planned.operations.clone(),
            token: jar.map(|(token, _)| token),
            began: 0,
            ended: usize::MAX,
            seen: None,
            answer: None,
            cookie: None,
            returned: None,
            shown: Messages::default(),
            form,
            csrf: None,
            is_vouched_for: None,
            took: Duration::ZERO,
            way: Way::Open,
        };
        let number = self.history.lock().begin(self.clock.now(), request);
        let Some(manager) = self.managers.get(planned.process) else {
            let what = "the manager of the race kit could not be built";
            return Err(Broken::new(Promise::EveryRequestEnds, what));
        };
        let server = Server {
            manager: manager.clone(),
            gates: self.gates.clone(),
            history: self.history.clone(),
            clock: self.clock.clone(),
        };
        let serving = ACTOR.scope(Actor::Request(number), serve(server, number));
        self.running.push((number, tokio::spawn(serving)));
        Ok(number)
    }

    fn move_clock(&mut self, by: Duration) {
        self.clock.advance(by);
        let now = self.clock.now();
        let ends_all = by >= ALL_EXPIRED;
        let mut history = self.history.lock();
        history.event(now, Event::ClockMoved { to: now, ends_all });
        history.note(Note::ClockMoved(now));
    }

    /// Runs every task until all wait for something, and every effect to its end.
    async fn settle(&self) {
        let mut tries = 0_u32;
        loop {
            yield_now().await;
            if !self.gates.is_busy() {
                break;
            }
            tries += 1;
            if tries > 50 {
                // Time stands still, so a timer would be no pause.
                std::thread::sleep(Duration::from_micros(20));
            }
        }
        yield_now().await;
    }

    /// Waits for a store without letting the time that stands still jump.
    async fn real_time<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let task = tokio::spawn(future);
        while !task.is_finished() {
            yield_now().await;
            if !task.is_finished() {
                std::thread::sleep(Duration::from_micros(20));
            }
        }
        task.await.ok()
    }

    /// Looks which requests have ended.
    async fn reap(&mut self) {
        let mut still = Vec::new();
        for (number, task) in self.running.drain(..) {
            if !task.is_finished() {
                still.push((number, task));
                continue;
            }
            let answer = match task.await {
                Ok(()) => continue,
                Err(error) if error.is_panic() => Answer::Panicked,
                Err(_) => Answer::Left,
            };
            let end = End {
                answer,
                cookie: None,
                returned: None,
                shown: Messages::default(),
                took: Duration::ZERO,
            };
            self.history.lock().end(self.clock.now(), number, end);
        }
        self.running = still;
    }

    fn deliver(&mut self, number: RequestNo) {
        let mut history = self.history.lock();
        let Some(request) = history.requests.get_mut(number) else {
            return;
        };
        request.way = Way::Delivered;
        let (browser, cookie) = (request.browser, request.cookie);
        history.delivered.push(number);
        history.note(Note::Delivered(number));
        drop(history);
        if let Some(jar) = self.jars.get_mut(browser) {
            match cookie {
                Some(CookieChange::Set(token)) => *jar = Some((token, number)),
                Some(CookieChange::Remove) => *jar = None,
                None => {}
            }
        }
    }

    fn lose(&mut self, number: RequestNo) {
        let mut history = self.history.lock();
        if let Some(request) = history.requests.get_mut(number) {
            request.way = Way::Lost;
        }
        history.note(Note::Lost(number));
    }

    /// Ends the way of all responses; some stay on it if they may.
    fn arrive_or_get_lost(&mut self, may_stay: bool) {
        loop {
            let on_their_way: Vec<RequestNo> = {
                let history = self.history.lock();
                let requests = history.requests.iter().enumerate();
                let on_their_way = requests.filter(|(_, request)| is_on_its_way(request));
                on_their_way.map(|(number, _)| number).collect()
            };
            if on_their_way.is_empty() || (may_stay && self.choices.happens(10)) {
                return;
            }
            let chosen = self.choices.pick(on_their_way.len());
            if let Some(number) = on_their_way.get(chosen) {
                match self.choices.happens(4) {
                    true => self.lose(*number),
                    false => self.deliver(*number),
                }
            }
        }
    }

    fn note(&self, note: Note) {
        self.history.lock().note(note);
    }

    async fn clean_up(&mut self) {
        self.gates.set_closed(false);
        for (_, task) in self.running.drain(..) {
            task.abort();
        }
        for waits in self.gates.waiting() {
            self.gates.give(waits.number, Order::Go);
        }
        self.settle().await;
        tokio::time::advance(Duration::from_secs(5)).await;
        self.settle().await;
        for key in self.gates.keys() {
            // What can't be deleted is left behind; the next case has ids of its own.
            let _ = self.real_time(self.store.delete(key)).await;
        }
    }
}
