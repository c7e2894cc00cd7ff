//! What is shown or taken once: never twice, and lost only with a response.

use cloakroom_store::SessionId;

use super::{
    history::{Answer, CookieChange, Event, History, Request, RequestNo, Values},
    operation::Operation,
    promise::{Broken, Promise},
    serve::unique,
};

/// What is given to one request: the message that a request has left, or the value that it has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gift {
    Message,
    Value,
}

impl Gift {
    const fn is_left_by(self) -> Operation {
        match self {
            Self::Message => Operation::Flash,
            Self::Value => Operation::Fill,
        }
    }

    const fn is_claimed_by(self) -> Operation {
        match self {
            Self::Message => Operation::Flashes,
            Self::Value => Operation::TakeOnce,
        }
    }

    /// Whether a request was given what request `giver` has left.
    fn is_given_to(self, request: &Request, giver: RequestNo) -> bool {
        match self {
            Self::Message => request.shown.contains(giver),
            Self::Value => {
                request.operations.contains(&Operation::TakeOnce)
                    && request.returned == Some(unique(giver))
            }
        }
    }

    fn is_in(self, values: &Values, giver: RequestNo) -> bool {
        match self {
            Self::Message => values.messages.contains(giver),
            Self::Value => values.once == Some(unique(giver)),
        }
    }

    /// Whether a request may have removed what another one has left, other than by claiming it.
    fn may_be_removed_by(self, operation: Operation) -> bool {
        operation == Operation::Clear || (self == Self::Value && operation == Operation::Fill)
    }
}

/// All gifts, each with the request that leaves it.
fn gifts(history: &History) -> impl Iterator<Item = (Gift, RequestNo, &Request)> {
    let requests = history.requests.iter().enumerate();
    requests.flat_map(|(number, request)| {
        let leaves = move |gift: &Gift| request.operations.contains(&gift.is_left_by());
        let gifts = [Gift::Message, Gift::Value].into_iter().filter(leaves);
        gifts.map(move |gift| (gift, number, request))
    })
}

/// One request at most gets a gift, whatever became of its response.
pub(super) fn taken_once(history: &History) -> Result<(), Broken> {
    for (gift, giver, _) in gifts(history) {
        let requests = history.requests.iter().enumerate();
        let mut got = requests.filter(|(_, request)| gift.is_given_to(request, giver));
        if let (Some((first, _)), Some((second, _))) = (got.next(), got.next()) {
            return Err(Broken::new(
                Promise::TakenOnce,
                format!("requests {first} and {second} both got the {gift:?} of request {giver}"),
            ));
        }
    }
    Ok(())
}

/// A gift of a request that was answered is in its session in the end, or some request got it, or
/// something else has removed it that may.
pub(super) fn lost_only_with_a_response(history: &History) -> Result<(), Broken> {
    for (gift, giver, request) in gifts(history) {
        let Some(id) = stored_in(gift, request, history) else {
            continue;
        };
        // A session that nobody can open shows nothing; other promises are about that.
        let Some(values) = last_seen(history, id, request.ended) else {
            continue;
        };
        let mut requests = history.requests.iter();
        let may_be_gone = requests.any(|other| {
            gift.is_given_to(other, giver) || may_have_removed(gift, other, id, request)
        });
        if !gift.is_in(&values, giver) && !may_be_gone {
            return Err(Broken::new(
                Promise::LostOnlyWithAResponse,
                format!("the {gift:?} of request {giver} is gone, and no request got it"),
            ));
        }
    }
    Ok(())
}

/// The session in which a gift is for certain.
fn stored_in(gift: Gift, request: &Request, history: &History) -> Option<SessionId> {
    let mut operations = request.operations.iter();
    operations.find(|operation| **operation == gift.is_left_by());
    // A login as somebody else begins another session, and a failed response saves nothing.
    let drops = |operation: &Operation| {
        let begins_anew = matches!(operation, Operation::Login(_) | Operation::Logout);
        begins_anew || *operation == Operation::Fail || gift.may_be_removed_by(*operation)
    };
    if request.answer != Some(Answer::Done) || operations.any(drops) {
        return None;
    }
    match request.cookie {
        Some(CookieChange::Set(token)) => history.token(token).map(|token| token.id),
        _ => request.seen.map(|seen| seen.id),
    }
}

/// What was in a session when somebody looked last, after an event.
fn last_seen(history: &History, id: SessionId, after: usize) -> Option<Values> {
    let events = history.events.iter().skip(after).rev();
    let mut looks = events.filter_map(|(_, event)| match event {
        Event::Probed(_, seen) => *seen,
        _ => None,
    });
    looks.find(|seen| seen.id == id).map(|seen| seen.values)
}

fn may_have_removed(gift: Gift, other: &Request, id: SessionId, giver: &Request) -> bool {
    if other.seen.is_none_or(|seen| seen.id != id) {
        return false;
    }
    // What became of its changes nobody knows, nor when.
    let is_unanswered = matches!(other.answer, Some(Answer::Failed | Answer::Left));
    let is_later = is_unanswered || other.ended > giver.began;
    let removes = |operation: &Operation| {
        (is_later && gift.may_be_removed_by(*operation))
            || (is_unanswered && *operation == gift.is_claimed_by())
    };
    other.operations.iter().any(removes)
}
