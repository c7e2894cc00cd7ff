//! Looking what there is after a wave, and in the end.

use cloakroom_core::Clock;
use cloakroom_store::Freshness;

use super::{
    super::{
        history::{Event, RequestNo, TokenNo},
        lockout::{Held, is_on_its_way},
        note::Note,
        promise::{Broken, Promise},
        serve::probe,
    },
    Case,
};

impl Case<'_> {
    /// Looks what a token opens.
    async fn look(&mut self, token: TokenNo) -> Result<bool, Broken> {
        let text = self
            .history
            .lock()
            .token(token)
            .map(|token| token.text.clone());
        let (Some(text), Some(manager)) = (text, self.managers.first().cloned()) else {
            return Ok(false);
        };
        let looked = self
            .real_time(async move { probe(&manager, &text).await })
            .await;
        let Some(Ok(seen)) = looked else {
            let what = format!("looking what t{token} opens failed without a fault of the store");
            return Err(Broken::new(Promise::EveryRequestEnds, what));
        };
        let mut history = self.history.lock();
        history.event(self.clock.now(), Event::Probed(token, seen));
        history.note(Note::Probed(token, seen));
        Ok(seen.is_some())
    }

    /// Looks what the browsers hold, those to which no response is on its way.
    pub(super) async fn look_at_jars(&mut self) -> Result<(), Broken> {
        if !self.plan.is_fine {
            return Ok(());
        }
        for browser in 0..self.jars.len() {
            let is_quiet = {
                let history = self.history.lock();
                let mut requests = history.requests.iter();
                !requests.any(|request| request.browser == browser && is_on_its_way(request))
            };
            let jar = self.jars.get(browser).copied().flatten();
            if let (true, Some((token, set_by))) = (is_quiet, jar)
                && !self.look(token).await?
            {
                let held = {
                    let history = self.history.lock();
                    let of_browser = |number: &RequestNo| {
                        let request = history.request(*number);
                        request.is_some_and(|request| request.browser == browser)
                    };
                    let delivered = history.delivered.iter().copied().filter(of_browser);
                    Held {
                        browser,
                        token,
                        set_by,
                        delivered: delivered.collect(),
                    }
                };
                self.locked_out(&held)?;
            }
        }
        Ok(())
    }

    fn locked_out(&mut self, held: &Held) -> Result<(), Broken> {
        let history = self.history.lock();
        let has_expired = history.events.iter().enumerate().any(|(at, (_, event))| {
            let set = history.request(held.set_by).map(|request| request.ended);
            matches!(event, Event::ClockMoved { ends_all: true, .. })
                && set.is_some_and(|set| set < at)
        });
        if has_expired {
            return Ok(());
        }
        let inherent = held.explain(&history)?;
        drop(history);
        *self.inherent.entry(inherent).or_default() += 1;
        Ok(())
    }

    /// Looks what every token opens, and which records there are.
    pub(super) async fn look_at_all(&mut self) -> Result<(), Broken> {
        let count = self.history.lock().tokens.len();
        let mut opens = Vec::with_capacity(count);
        for token in 0..count {
            opens.push(self.look(token).await?);
        }
        for key in self.gates.keys() {
            let found = self
                .real_time(self.store.load(key, Freshness::Latest))
                .await;
            let is_there = matches!(found, Some(Ok(Some(_))));
            let event = Event::Looked(key.id, is_there);
            self.history.lock().event(self.clock.now(), event);
        }
        self.look_at_jars().await?;
        if !self.plan.is_fine {
            self.try_all_arrivals(&opens)?;
        }
        Ok(())
    }

    /// Judges all orders in which the responses of the one wave can arrive, some of them lost.
    fn try_all_arrivals(&mut self, opens: &[bool]) -> Result<(), Broken> {
        let (before, responses) = {
            let history = self.history.lock();
            let requests = history.requests.iter().enumerate();
            let responses = requests.filter(|(_, request)| is_on_its_way(request));
            let responses: Vec<RequestNo> = responses.map(|(number, _)| number).collect();
            (history.delivered.clone(), responses)
        };
        for order in arrivals(&responses) {
            let delivered = before.iter().copied().chain(order).collect();
            let held = Held::after(&self.history.lock(), 0, None, delivered);
            if let Some(held) = held
                && opens.get(held.token) == Some(&false)
            {
                let order = format!("{:?}", held.delivered);
                self.locked_out(&held).map_err(|mut broken| {
                    broken.what.push_str(" when these responses arrive: ");
                    broken.what.push_str(&order);
                    broken
                })?;
            }
        }
        Ok(())
    }
}

/// All orders of all subsets.
fn arrivals(of: &[RequestNo]) -> Vec<Vec<RequestNo>> {
    let mut all = vec![Vec::new()];
    let mut at = 0;
    while let Some(order) = all.get(at).cloned() {
        for number in of {
            if !order.contains(number) {
                let mut longer = order.clone();
                longer.push(*number);
                all.push(longer);
            }
        }
        at += 1;
    }
    all
}
