//! The promises, each held against what happened.

use std::time::Duration;

use super::{
    history::{Answer, CookieChange, Event, History, Request, RequestNo, TokenInfo, TokenNo},
    once,
    operation::Operation,
    promise::{Broken, Promise},
    serial::{self, Fit},
};

/// Opening may take a second, and each commit one; a handler here commits twice at most. The rest
/// is for the steps in which the scheduler lets time pass.
const LONGEST: Duration = Duration::from_millis(3_800);

/// Holds all promises but that of the lock-outs against a history. `may_fail` says whether the
/// store had faults.
///
/// # Errors
/// The first one that is broken.
pub(super) fn check(history: &History, may_fail: bool) -> Result<Fit, Broken> {
    every_request_ends(history, may_fail)?;
    void_is_silent(history)?;
    ended_stays_ended(history)?;
    new_epoch_closes_the_old(history)?;
    one_next_token(history)?;
    once::taken_once(history)?;
    once::lost_only_with_a_response(history)?;
    csrf_token_of_its_session(history)?;
    serial::search(history).map_err(|event| unexplained(history, event))
}

fn requests(history: &History) -> impl Iterator<Item = (RequestNo, &Request)> {
    history.requests.iter().enumerate()
}

/// The requests that were answered as their handlers wanted it, and what they had opened.
fn done(history: &History) -> impl Iterator<Item = (RequestNo, &Request, &TokenInfo)> {
    requests(history).filter_map(|(number, request)| {
        let token = history.token(request.token?)?;
        let is_opened = request.seen.is_some() && request.answer == Some(Answer::Done);
        is_opened.then_some((number, request, token))
    })
}

fn every_request_ends(history: &History, may_fail: bool) -> Result<(), Broken> {
    for (number, request) in requests(history) {
        let fails = |what: String| Err(Broken::new(Promise::EveryRequestEnds, what));
        match request.answer {
            None => return fails(format!("request {number} never ended")),
            Some(Answer::Panicked | Answer::Odd(_)) => {
                return fails(format!(
                    "request {number} was answered with a fault of our own"
                ));
            }
            Some(Answer::Failed | Answer::NotOpened) if !may_fail => {
                return fails(format!("request {number} failed, and the store did not"));
            }
            Some(_) if request.took > LONGEST => {
                let took = request.took;
                return fails(format!("request {number} took {took:?}"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn void_is_silent(history: &History) -> Result<(), Broken> {
    for (number, request) in requests(history) {
        if request.answer == Some(Answer::Void) && request.cookie.is_some() {
            let what = format!("the changes of request {number} are void, and it sets a cookie");
            return Err(Broken::new(Promise::VoidIsSilent, what));
        }
    }
    Ok(())
}

fn ended_stays_ended(history: &History) -> Result<(), Broken> {
    let ends = |request: &&Request| request.operations.first() == Some(&Operation::Logout);
    for (number, ended, token) in done(history).filter(|(_, request, _)| ends(request)) {
        for (other, request) in requests(history) {
            let came_with = request.token.and_then(|token| history.token(token));
            let came_later =
                request.began > ended.ended && came_with.is_some_and(|other| other.id == token.id);
            let sets = match request.cookie {
                Some(CookieChange::Set(token)) => history.token(token),
                _ => None,
            };
            let sets_it = sets.is_some_and(|sets| sets.id == token.id);
            if came_later && (request.seen.is_some() || sets_it) {
                return Err(Broken::new(
                    Promise::EndedStaysEnded,
                    format!("request {number} has ended the session, and request {other} opens it"),
                ));
            }
        }
        for (at, (_, event)) in history.events.iter().enumerate() {
            let is_there = match event {
                Event::Looked(id, is_there) => *id == token.id && *is_there,
                Event::Probed(other, seen) => {
                    let is_of_it = history
                        .token(*other)
                        .is_some_and(|other| other.id == token.id);
                    is_of_it && seen.is_some()
                }
                _ => false,
            };
            if at > ended.ended && is_there {
                return Err(Broken::new(
                    Promise::EndedStaysEnded,
                    format!("request {number} has ended the session, and it is there again"),
                ));
            }
        }
    }
    Ok(())
}

fn new_epoch_closes_the_old(history: &History) -> Result<(), Broken> {
    let begins = |request: &&Request| {
        let mut operations = request.operations.iter();
        operations.any(|operation| operation.begins_epoch())
    };
    for (number, login, old) in done(history).filter(|(_, request, _)| begins(request)) {
        let given = match login.cookie {
            Some(CookieChange::Set(token)) => history.token(token),
            _ => None,
        };
        // A login whose session was gone has made one of its own.
        let is_in_place = given.is_some_and(|given| given.id == old.id);
        if !is_in_place {
            continue;
        }
        let is_older = |token: &TokenInfo| token.id == old.id && token.given_at < login.began;
        for (other, request) in requests(history) {
            let came_with = request.token.and_then(|token| history.token(token));
            let came_later = request.began > login.ended && came_with.is_some_and(is_older);
            if came_later && request.seen.is_some() {
                return Err(Broken::new(
                    Promise::NewEpochClosesTheOld,
                    format!(
                        "request {other} opens the session with a token from before request {number}"
                    ),
                ));
            }
        }
        for (at, (_, event)) in history.events.iter().enumerate() {
            if let Event::Probed(token, Some(_)) = event
                && at > login.ended
                && history.token(*token).is_some_and(is_older)
            {
                return Err(Broken::new(
                    Promise::NewEpochClosesTheOld,
                    format!("t{token}, from before request {number}, still opens the session"),
                ));
            }
        }
    }
    Ok(())
}

fn one_next_token(history: &History) -> Result<(), Broken> {
    for number in 0..history.tokens.len() {
        let mut next = history.successors(number);
        if let (Some((first, _)), Some((second, _))) = (next.next(), next.next()) {
            return Err(Broken::new(
                Promise::OneNextToken,
                format!("t{number} leads to t{first} and to t{second}"),
            ));
        }
        let Some((next, given)) = history.successors(number).next() else {
            continue;
        };
        // A failed response saves nothing and sends nothing.
        let sends_another = |operation: &Operation| {
            operation.begins_epoch() || matches!(operation, Operation::Logout | Operation::Fail)
        };
        let is_told = |request: &Request| {
            request.cookie == Some(CookieChange::Set(next))
                || request.operations.iter().any(sends_another)
        };
        // A second rotation has made it worthless while the request was under way.
        let is_over = |request: &Request| {
            let mut next = history.successors(next).map(|(after, _)| after);
            next.any(|after| is_given_before(history, after, request.ended))
        };
        for (other, request, _) in done(history) {
            let follows = request.token == Some(number) && request.began > given.given_at;
            if follows && !is_told(request) && !is_over(request) {
                return Err(Broken::new(
                    Promise::OneNextToken,
                    format!("request {other} came with t{number}, and is not sent t{next}"),
                ));
            }
        }
    }
    Ok(())
}

/// Whether a token was given to a request that was sent before an event.
fn is_given_before(history: &History, token: TokenNo, event: usize) -> bool {
    let gives = Some(CookieChange::Set(token));
    let mut requests = history.requests.iter();
    requests.any(|request| request.cookie == gives && request.began < event)
}

fn csrf_token_of_its_session(history: &History) -> Result<(), Broken> {
    let token_of = |number| history.token(history.request(number)?.token?);
    for (number, request) in requests(history) {
        let (Some(form), Some(is_good)) = (request.form, request.is_vouched_for) else {
            continue;
        };
        // Who opens no session brings a token of none.
        let opened = request.seen.and_then(|_| token_of(number));
        let pairs = token_of(form).zip(opened);
        let is_its_own = pairs.is_some_and(|(a, b)| a.id == b.id && a.login == b.login);
        if is_good != is_its_own {
            let what = match is_good {
                true => "is good, and is of another session or from before a login",
                false => "is not good in the session that has given it",
            };
            return Err(Broken::new(
                Promise::CsrfTokenOfItsSession,
                format!("the CSRF token of page {form}, which request {number} brings, {what}"),
            ));
        }
    }
    Ok(())
}

fn unexplained(history: &History, event: usize) -> Broken {
    let what = match history.events.get(event).map(|(_, event)| *event) {
        Some(Event::Opened(number)) => {
            format!("what request {number} saw when it opened the session fits no serial order")
        }
        Some(Event::Ended(number)) => {
            format!("how request {number} was answered fits no serial order")
        }
        Some(Event::Probed(token, _)) => {
            format!("what t{token} opens in the end fits no serial order")
        }
        Some(Event::Looked(_, true)) => "there is a record of a session that has ended".to_owned(),
        Some(Event::Looked(_, false)) => "there is no record of a session that lives".to_owned(),
        _ => "the history fits no serial order".to_owned(),
    };
    Broken::new(Promise::SerialOrder, what)
}
