//! Who is locked out, and whether that could be helped.

use super::{
    history::{Answer, CookieChange, History, Request, RequestNo, TokenNo, Way},
    operation::Operation,
    promise::{Broken, Promise},
};

/// What no server can help. A lock-out that is none of these is a broken promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Inherent {
    /// A browser without a cookie got two sessions from two requests, and keeps the one whose
    /// response came last.
    TwoFirstVisits,
    /// The response of a login or revocation was lost, and the new token with it.
    LoginLost,
    /// The response of a request from before a login arrived after that of the login, and its
    /// cookie took the place of the new one.
    ResponsesOvertakeAfterLogin,
    /// The response of a request arrived after that of the logout at the same time: the browser
    /// holds the cookie of a session that was ended, as it wanted.
    ResponsesOvertakeAfterLogout,
    /// The response of a logout was lost: the same.
    LogoutLost,
    /// A login, a revocation or a logout was answered with a 503 or not at all, and had happened.
    OutcomeUnknown,
    /// Somebody else who has the cookie too has logged in, revoked, rotated or logged out.
    BySomebodyElse,
    /// A response that a rotation has made old arrived after the next token had been used.
    ResponsesOvertakeAfterRotation,
}

/// What a browser holds, and what it opened.
pub(super) struct Held {
    pub(super) browser: usize,
    pub(super) token: TokenNo,
    /// The response that has set it.
    pub(super) set_by: RequestNo,
    /// The responses that arrived at this browser, in their order.
    pub(super) delivered: Vec<RequestNo>,
}

impl Held {
    /// What the browser holds after these responses; `None` without a cookie. A request it has not
    /// been delivered is lost.
    pub(super) fn after(
        history: &History,
        browser: usize,
        start: Option<(TokenNo, RequestNo)>,
        delivered: Vec<RequestNo>,
    ) -> Option<Self> {
        let mut held = start;
        for number in &delivered {
            match history.request(*number).and_then(|request| request.cookie) {
                Some(CookieChange::Set(token)) => held = Some((token, *number)),
                Some(CookieChange::Remove) => held = None,
                None => {}
            }
        }
        let (token, set_by) = held?;
        Some(Self {
            browser,
            token,
            set_by,
            delivered,
        })
    }

    /// Explains why the token opens nothing, though its session has not expired.
    ///
    /// # Errors
    /// When there is no explanation.
    pub(super) fn explain(&self, history: &History) -> Result<Inherent, Broken> {
        let token = history.token(self.token);
        let mut requests = history.requests.iter().enumerate();
        let closes = |(number, request): &(RequestNo, &Request)| {
            let came_with = request.token.and_then(|token| history.token(token));
            let is_of_it = came_with.zip(token).is_some_and(|(a, b)| a.id == b.id);
            let closed = request
                .operations
                .iter()
                .any(|operation| operation.begins_epoch() || *operation == Operation::Logout);
            is_of_it && request.seen.is_some() && closed && Some(*number) != token.map(|t| t.epoch)
        };
        requests
            .find_map(|entry| {
                closes(&entry)
                    .then(|| self.because_of(entry.0, entry.1, history))
                    .flatten()
            })
            .or_else(|| self.by_rotation(history))
            .ok_or_else(|| {
                let (browser, token) = (self.browser, self.token);
                let what = format!("browser {browser} holds t{token}, which opens nothing");
                Broken::new(Promise::NobodyIsLockedOut, what)
            })
    }

    fn because_of(
        &self,
        number: RequestNo,
        request: &Request,
        history: &History,
    ) -> Option<Inherent> {
        let is_logout = matches!(request.cookie, Some(CookieChange::Remove))
            || request.operations.contains(&Operation::Logout);
        let arrived = |number| self.delivered.iter().position(|other| *other == number);
        match request.answer? {
            Answer::Failed | Answer::Left => Some(Inherent::OutcomeUnknown),
            Answer::Done if request.browser != self.browser => Some(Inherent::BySomebodyElse),
            Answer::Done => match (arrived(number), arrived(self.set_by)) {
                (None, _) if is_logout => Some(Inherent::LogoutLost),
                (None, _) => Some(Inherent::LoginLost),
                (Some(closed), Some(set))
                    if closed < set && self.was_under_way(request, history) =>
                {
                    Some(match is_logout {
                        true => Inherent::ResponsesOvertakeAfterLogout,
                        false => Inherent::ResponsesOvertakeAfterLogin,
                    })
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The request that has set the cookie was sent before the other one was answered.
    fn was_under_way(&self, other: &Request, history: &History) -> bool {
        let setter = history.request(self.set_by);
        setter.is_some_and(|setter| setter.began < other.ended)
    }

    fn by_rotation(&self, history: &History) -> Option<Inherent> {
        let (next, _) = history.successors(self.token).next()?;
        let users = history
            .requests
            .iter()
            .filter(|request| request.token == Some(next));
        let mut others = users
            .clone()
            .filter(|request| request.browser != self.browser);
        if others.next().is_some() {
            return Some(Inherent::BySomebodyElse);
        }
        let is_next = |number: &RequestNo| {
            let cookie = history.request(*number).and_then(|request| request.cookie);
            cookie == Some(CookieChange::Set(next))
        };
        let arrived = self.delivered.iter().position(is_next)?;
        let set = self
            .delivered
            .iter()
            .position(|number| *number == self.set_by)?;
        (arrived < set).then_some(Inherent::ResponsesOvertakeAfterRotation)
    }
}

/// How often two first visits have made two sessions of one browser, each still wanted.
pub(super) fn two_first_visits(history: &History) -> usize {
    let mut makers: Vec<(usize, RequestNo)> = Vec::new();
    let mut count = 0;
    for number in &history.delivered {
        let Some(request) = history.request(*number) else {
            continue;
        };
        let made = match request.cookie {
            Some(CookieChange::Set(token)) => history.token(token),
            _ => None,
        };
        if made.is_none_or(|token| token.born != *number) || request.seen.is_some() {
            continue;
        }
        let is_beside = |(browser, other): &&(usize, RequestNo)| {
            let ended = history.request(*other).map(|other| other.ended);
            *browser == request.browser && ended.is_some_and(|ended| request.began < ended)
        };
        count += usize::from(makers.iter().any(|maker| is_beside(&maker)));
        makers.push((request.browser, *number));
    }
    count
}

/// Whether a response has neither arrived nor was lost.
pub(super) const fn is_on_its_way(request: &Request) -> bool {
    matches!(request.way, Way::Open) && request.answer.is_some()
}
