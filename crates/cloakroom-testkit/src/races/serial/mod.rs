//! Whether what was seen from outside is what some serial order would have shown.
//!
//! It goes through the history once and keeps all states of the model that fit what was seen so
//! far. A request has two moments: one, between its beginning and its opening, at which it looks;
//! and one, between its opening and its answer, at which all that it changes is changed at once.
//! One whose outcome the client does not know may have its second moment later, or never.

mod settle;

use std::collections::HashSet;

use cloakroom_store::{SessionId, Timestamp};

use super::{
    history::{Answer, Event, History, RequestNo, Seen, TokenNo},
    world::{Base, Life, View, World},
};

/// More states than this are given up on.
const TOO_MANY: usize = 20_000;

/// A state of the model, and how far each request is in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    world: World,
    /// Requests that have begun and are not settled.
    phases: Vec<(RequestNo, Phase)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    /// Not opened: what it may have seen by now.
    Looking(Vec<View>),
    /// Opened, and nothing changed yet.
    Opened(Base),
    /// What it changes is changed.
    Settled,
}

/// How a search ended without a contradiction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Fits,
    /// There were too many possibilities to look at.
    GivenUp,
}

/// Searches for a serial order.
///
/// # Errors
/// The number of the first event that fits none.
pub(super) fn search(history: &History) -> Result<Fit, usize> {
    let mut states = vec![State {
        world: World::default(),
        phases: Vec::new(),
    }];
    for (number, (now, event)) in history.events.iter().enumerate() {
        let step = Step {
            history,
            number,
            now: *now,
        };
        if !matches!(event, Event::Began(_)) {
            states = step.closure(states);
        }
        states = step.take(states, *event);
        if states.is_empty() {
            return Err(number);
        }
        if states.len() > TOO_MANY {
            return Ok(Fit::GivenUp);
        }
    }
    Ok(Fit::Fits)
}

struct Step<'a> {
    history: &'a History,
    number: usize,
    now: Timestamp,
}

impl Step<'_> {
    /// All states that requests under way can lead to.
    fn closure(&self, states: Vec<State>) -> Vec<State> {
        let mut known: HashSet<State> = states.iter().cloned().collect();
        let mut all = states;
        let mut at = 0;
        while at < all.len() && all.len() <= TOO_MANY {
            let mut found = Vec::new();
            if let Some(state) = all.get(at) {
                for (number, phase) in &state.phases {
                    if let Phase::Opened(base) = phase {
                        self.settle(state, *number, *base, &mut found);
                    }
                }
            }
            for state in found {
                if known.insert(state.clone()) {
                    all.push(state);
                }
            }
            at += 1;
        }
        all
    }

    fn push(&self, state: &State, number: RequestNo, world: World, found: &mut Vec<State>) {
        let mut state = State {
            world,
            phases: state.phases.clone(),
        };
        state.set(number, Phase::Settled);
        self.look_again(&mut state);
        found.push(state);
    }

    /// Requests that are opening may see what there is now, judged by the time of their beginning
    /// or of now.
    fn look_again(&self, state: &mut State) {
        for (number, phase) in &mut state.phases {
            let (Phase::Looking(seen), Some(request)) = (phase, self.history.request(*number))
            else {
                continue;
            };
            let began = self
                .history
                .events
                .get(request.began)
                .map(|(began, _)| *began);
            let times = [Some(self.now), began.filter(|began| *began != self.now)];
            for now in times.into_iter().flatten() {
                for view in state
                    .world
                    .views(request.token, self.history, now, self.number)
                {
                    if !seen.contains(&view) {
                        seen.push(view);
                        seen.sort();
                    }
                }
            }
        }
    }

    /// The states in which an event can happen, after it.
    fn take(&self, states: Vec<State>, event: Event) -> Vec<State> {
        let mut after = HashSet::new();
        for mut state in states {
            match event {
                Event::Began(number) => {
                    state.phases.push((number, Phase::Looking(Vec::new())));
                    self.look_again(&mut state);
                    after.insert(state);
                }
                Event::Opened(number) => self.opened(&state, number, &mut after),
                Event::Ended(number) => {
                    if let Some(state) = self.ended(state, number) {
                        after.insert(state);
                    }
                }
                Event::ClockMoved { ends_all, .. } => {
                    if ends_all {
                        state.world.expire();
                    }
                    self.look_again(&mut state);
                    after.insert(state);
                }
                Event::Probed(token, seen) => {
                    if self.shows(&state, token, seen) {
                        after.insert(state);
                    }
                }
                Event::Looked(id, is_there) => {
                    if self.has(&state, id, is_there) {
                        after.insert(state);
                    }
                }
            }
        }
        after.into_iter().collect()
    }

    fn opened(&self, state: &State, number: RequestNo, after: &mut HashSet<State>) {
        let Some(Phase::Looking(views)) = state.phase(number) else {
            return;
        };
        let seen = self
            .history
            .request(number)
            .and_then(|request| request.seen);
        for view in views.iter().filter(|view| self.is_seen(view, seen)) {
            let mut state = state.clone();
            state.set(number, Phase::Opened(view.base));
            after.insert(state);
        }
    }

    fn is_seen(&self, view: &View, seen: Option<Seen>) -> bool {
        let seen = seen.map(|seen| (self.history.born(seen.id), seen.values, seen.subject));
        let view = view
            .seen
            .map(|(born, values, subject)| (Some(born), values, subject));
        seen == view
    }

    fn ended(&self, mut state: State, number: RequestNo) -> Option<State> {
        let request = self.history.request(number)?;
        let phase = state.phase(number)?.clone();
        let fits = match (request.answer?, &phase) {
            (Answer::NotOpened, Phase::Looking(_)) | (Answer::Done, Phase::Settled) => true,
            (Answer::Left, Phase::Looking(_)) => true,
            (Answer::Failed | Answer::Left, _) => return Some(state),
            (Answer::Void, Phase::Opened(base)) => {
                self.is_void(&state, request, number, *base) && request.cookie.is_none()
            }
            (Answer::Done, Phase::Opened(base)) => self.is_idle(request, number, *base),
            _ => false,
        };
        state.forget(number);
        fits.then_some(state)
    }

    fn shows(&self, state: &State, token: TokenNo, seen: Option<Seen>) -> bool {
        let views = state
            .world
            .views(Some(token), self.history, self.now, self.number);
        views.iter().any(|view| self.is_seen(view, seen))
    }

    fn has(&self, state: &State, id: SessionId, is_there: bool) -> bool {
        let session = self
            .history
            .born(id)
            .and_then(|born| state.world.session(born));
        match session.map(|session| session.life) {
            Some(Life::Alive) => is_there,
            Some(Life::Ended) => !is_there,
            Some(Life::Expired) | None => true,
        }
    }
}

impl State {
    fn phase(&self, number: RequestNo) -> Option<&Phase> {
        let mut phases = self.phases.iter();
        phases
            .find(|(other, _)| *other == number)
            .map(|(_, phase)| phase)
    }

    fn set(&mut self, number: RequestNo, to: Phase) {
        if let Some((_, phase)) = self.phases.iter_mut().find(|(other, _)| *other == number) {
            *phase = to;
        }
    }

    /// Forgets a request of which nothing more will be heard.
    fn forget(&mut self, number: RequestNo) {
        self.phases.retain(|(other, _)| *other != number);
    }
}
