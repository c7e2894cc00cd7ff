//! The second moment of a request: at which it changes all that it changes.

use cloakroom_store::Timestamp;

use super::{
    super::{
        history::{Answer, CookieChange, Event, Request, RequestNo, Values},
        intent::Intent,
        operation::Operation,
        world::Base,
    },
    State, Step,
};

impl Step<'_> {
    /// Changes what a request changes, if it can be now.
    pub(super) fn settle(
        &self,
        state: &State,
        number: RequestNo,
        base: Base,
        found: &mut Vec<State>,
    ) {
        let Some(request) = self.history.request(number) else {
            return;
        };
        let answer = request.answer.unwrap_or(Answer::Left);
        let is_certain = answer == Answer::Done;
        if !is_certain && !matches!(answer, Answer::Failed | Answer::Left) {
            return;
        }
        let intent = intent(request, number, base);
        for began in self.moments(number, &intent) {
            self.settle_at(state, number, base, &intent, began, found);
        }
    }

    /// The times that an epoch begun by this request may have: it is noted when the engine plans
    /// the write, and the clock may move before the write happens.
    fn moments(&self, number: RequestNo, intent: &Intent) -> Vec<Timestamp> {
        let mut moments = vec![self.now];
        if intent.begins_epoch() {
            let events = self.history.events.iter().take(self.number);
            for (time, event) in events.rev() {
                if !moments.contains(time) {
                    moments.push(*time);
                }
                if *event == Event::Opened(number) {
                    break;
                }
            }
        }
        moments
    }

    fn settle_at(
        &self,
        state: &State,
        number: RequestNo,
        base: Base,
        intent: &Intent,
        began: Timestamp,
        found: &mut Vec<State>,
    ) {
        let Some(request) = self.history.request(number) else {
            return;
        };
        let is_certain = request.answer == Some(Answer::Done);
        let mut world = state.world.clone();
        let made_one = match base {
            Base::Of { born, .. } if intent.ends => {
                world.end(born);
                if !is_certain {
                    self.push(state, number, world.clone(), found);
                }
                intent.creates()
            }
            Base::Of { born, epoch } => {
                // What changes nothing that was seen is written all the same if a rotation is.
                let rides_along = intent.rotates && !intent.writes.is_empty();
                let is_written = intent.changes() || rides_along;
                if !is_written {
                    return;
                }
                if world.is_void(born, epoch) {
                    if intent.login.is_none() {
                        return;
                    }
                    true
                } else {
                    let Some((before, after)) = world.change(born, number, intent, began) else {
                        return;
                    };
                    if is_certain && !is_as_returned(request, before, after) {
                        return;
                    }
                    false
                }
            }
            Base::New => {
                if !intent.creates() {
                    return;
                }
                if is_certain
                    && !is_as_returned(
                        request,
                        Values::default(),
                        Values {
                            n: Some(1),
                            ..Values::default()
                        },
                    )
                {
                    return;
                }
                true
            }
            Base::Late if intent.login.is_some() => true,
            Base::Late => return,
        };
        if made_one {
            world.create(number, intent, began);
        }
        if is_certain && !self.cookie_fits(number, base, intent, made_one) {
            return;
        }
        self.push(state, number, world, found);
    }

    /// Whether the cookie of a request whose changes are stored is as it must be.
    fn cookie_fits(&self, number: RequestNo, base: Base, intent: &Intent, made_one: bool) -> bool {
        let cookie = self
            .history
            .request(number)
            .and_then(|request| request.cookie);
        let token = match cookie {
            Some(CookieChange::Set(token)) => self.history.token(token),
            _ => None,
        };
        match (base, token) {
            _ if made_one => token.is_some_and(|token| token.born == number),
            _ if intent.ends => cookie == Some(CookieChange::Remove),
            (Base::Of { born, epoch }, Some(token)) => {
                let epoch = if intent.begins_epoch() { number } else { epoch };
                token.born == born && token.epoch == epoch
            }
            _ => cookie.is_none() && !intent.begins_epoch(),
        }
    }

    /// Whether a request may be told that its changes are void.
    pub(super) fn is_void(
        &self,
        state: &State,
        request: &Request,
        number: RequestNo,
        base: Base,
    ) -> bool {
        let intent = intent(request, number, base);
        match base {
            _ if intent.login.is_some() || intent.ends => false,
            Base::Of { born, epoch } => {
                (intent.changes() || intent.rotates) && state.world.is_void(born, epoch)
            }
            Base::Late => intent.is_refused || intent.asks_for_anything(),
            Base::New => false,
        }
    }

    /// Whether a request has nothing to change, and its answer says so.
    pub(super) fn is_idle(&self, request: &Request, number: RequestNo, base: Base) -> bool {
        if !request.shown.is_empty() {
            return false;
        }
        let intent = intent(request, number, base);
        let token = match request.cookie {
            Some(CookieChange::Set(token)) => self.history.token(token),
            _ => None,
        };
        match base {
            Base::Of { born, epoch } => {
                let cookie_fits = match token {
                    Some(token) => token.born == born && token.epoch == epoch,
                    None => request.cookie.is_none(),
                };
                !intent.changes() && !intent.ends && cookie_fits && request.returned.is_none()
            }
            Base::New => !intent.creates() && request.cookie.is_none(),
            Base::Late => {
                !intent.is_refused && !intent.asks_for_anything() && request.cookie.is_none()
            }
        }
    }
}

fn intent(request: &Request, number: RequestNo, base: Base) -> Intent {
    let seen = match base {
        Base::Of { .. } => request.seen.map(|seen| (seen.values, seen.subject)),
        _ => None,
    };
    Intent::of(&request.operations, number, base, seen)
}

/// Whether what `take_once`, `flashes` or `update_now` gave is what was stored.
fn is_as_returned(request: &Request, before: Values, after: Values) -> bool {
    match request.operations.first() {
        Some(Operation::TakeOnce) => request.returned == before.once,
        Some(Operation::Flashes) => request.shown == before.messages,
        Some(Operation::UpdateNow) => request.returned == after.n,
        _ => true,
    }
}
