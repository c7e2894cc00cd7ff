//! Requests at the same time: what can happen next, and making it happen.

use std::time::Duration;

use cloakroom_core::Sweeper;

use super::{
    super::{
        gate::{Order, Stage, Waits},
        history::{ACTOR, Actor, RequestNo},
        lockout::is_on_its_way,
        note::Note,
        plan::{GRACE_OVER, Planned, TOUCH_DUE, Wave},
        promise::{Broken, Promise},
    },
    Case,
};

/// No case needs more decisions.
const MOST_STEPS: usize = 2_000;

/// Something that can happen next.
#[derive(Debug, Clone, Copy)]
enum Next {
    Send(usize),
    Gate(Waits),
    CarryOutLate(usize),
    Deliver(RequestNo),
    Leave(RequestNo),
    PassTime,
    MoveClock,
}

impl Case<'_> {
    pub(super) async fn wave(&mut self, wave: &Wave) -> Result<(), Broken> {
        let mut unsent: Vec<&Planned> = wave.requests.iter().collect();
        if wave.sweeps
            && let Some(manager) = self.managers.first()
        {
            let sweeper = Sweeper::new(manager);
            let sweep = async move { sweeper.sweep().await };
            self.sweeper = Some(tokio::spawn(ACTOR.scope(Actor::Sweeper, sweep)));
        }
        if !self.plan.is_fine {
            for planned in unsent.drain(..) {
                self.send(planned)?;
            }
        }
        let mut is_drained = false;
        let mut clock_moves = if self.plan.clock_moves { 1 } else { 0_u32 };
        loop {
            self.settle().await;
            self.reap().await;
            self.steps += 1;
            if self.steps > MOST_STEPS {
                let what = "after 2000 steps there are requests that have not ended";
                return Err(Broken::new(Promise::EveryRequestEnds, what));
            }
            let mut options = self.options(unsent.len());
            if clock_moves > 0 && !options.is_empty() && self.choices.happens(10) {
                options.push(Next::MoveClock);
            }
            let chosen = self.choices.pick(options.len());
            match options.get(chosen).copied() {
                Some(Next::Send(n)) => {
                    let planned = unsent.remove(n);
                    self.send(planned)?;
                }
                Some(Next::Gate(waits)) => {
                    is_drained = false;
                    self.pass(waits);
                }
                Some(Next::CarryOutLate(n)) => self.carry_out_late(n).await,
                Some(Next::Deliver(number)) => match self.choices.happens(5) {
                    true => self.lose(number),
                    false => self.deliver(number),
                },
                Some(Next::Leave(number)) => self.leave(number).await,
                Some(Next::PassTime) => self.pass_time(250).await,
                Some(Next::MoveClock) => {
                    clock_moves -= 1;
                    let pauses = [Duration::from_secs(30), GRACE_OVER, TOUCH_DUE];
                    let chosen = self.choices.pick(pauses.len());
                    self.move_clock(pauses.get(chosen).copied().unwrap_or(GRACE_OVER));
                }
                None if !self.running.is_empty() || self.is_sweeping() => {
                    // Somebody sleeps or waits for a deadline: short at first.
                    let pause = if self.hanging > 0 { 250 } else { 25 };
                    self.pass_time(pause).await;
                }
                None if !is_drained => {
                    // Tasks of the engine may still wait for a call that hangs.
                    is_drained = true;
                    self.pass_time(2_000).await;
                }
                None => break,
            }
        }
        self.hanging = 0;
        self.sweeper = None;
        if self.plan.is_fine {
            self.arrive_or_get_lost(true);
        }
        Ok(())
    }

    fn options(&mut self, unsent: usize) -> Vec<Next> {
        let mut options: Vec<Next> = (0..unsent).map(Next::Send).collect();
        options.extend(self.gates.waiting().into_iter().map(Next::Gate));
        let late = self.gates.late().len();
        options.extend((0..late).map(Next::CarryOutLate));
        if self.plan.is_fine {
            let history = self.history.lock();
            let requests = history.requests.iter().enumerate();
            let on_their_way = requests.filter(|(_, request)| is_on_its_way(request));
            options.extend(on_their_way.map(|(number, _)| Next::Deliver(number)));
        }
        let may_pass = self.hanging > 0 || (self.faults_left > 0 && self.choices.happens(30));
        if may_pass && !options.is_empty() && !self.running.is_empty() {
            options.push(Next::PassTime);
        }
        if self.plan.clients_leave && self.choices.happens(25) {
            options.extend(self.running.iter().map(|(number, _)| Next::Leave(*number)));
        }
        options
    }

    /// Lets something that waits at a gate go on, or fail.
    fn pass(&mut self, waits: Waits) {
        let mut order = Order::Go;
        if self.faults_left > 0 && self.choices.happens(8) {
            let orders: &[Order] = match waits.stage {
                Stage::Before(_) => &[Order::Fail, Order::Hang, Order::Late],
                Stage::After(_) => &[Order::Fail, Order::Hang],
                Stage::Handler => &[],
            };
            let chosen = self.choices.pick(orders.len());
            order = orders.get(chosen).copied().unwrap_or(Order::Go);
        }
        self.faults_left -= usize::from(order != Order::Go);
        self.hanging += usize::from(matches!(order, Order::Hang | Order::Late));
        self.note(Note::Passed(waits.actor, waits.stage, order));
        self.gates.give(waits.number, order);
    }

    async fn carry_out_late(&mut self, n: usize) {
        if let Some((actor, operation)) = self.gates.late().get(n).copied() {
            self.note(Note::CarriedOutLate(actor, operation));
        }
        if let Some(effect) = self.gates.take_late(n) {
            // Nobody is there to hear of an error.
            let _ = self.real_time(effect).await;
        }
    }

    async fn leave(&mut self, number: RequestNo) {
        let task = self.running.iter().find(|(other, _)| *other == number);
        if let Some((_, task)) = task {
            task.abort();
        }
        self.note(Note::ClientLeft(number));
        self.settle().await;
    }

    async fn pass_time(&mut self, millis: u64) {
        self.note(Note::TimePasses(millis));
        tokio::time::advance(Duration::from_millis(millis)).await;
    }

    fn is_sweeping(&self) -> bool {
        self.sweeper
            .as_ref()
            .is_some_and(|task| !task.is_finished())
    }
}
