//! The messages of a session, in their order.

use std::fmt;

use super::history::RequestNo;

/// No case sends as many requests, and none leaves more than one message.
const MOST: usize = 24;

/// Messages, each told by the request that left it. Small, since histories and states of the model copy it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Messages {
    /// Numbers of requests and one; 0 where there is none.
    list: [u8; MOST],
}

impl Messages {
    pub(super) fn of(requests: impl IntoIterator<Item = RequestNo>) -> Self {
        let mut messages = Self::default();
        for number in requests {
            messages.push(number);
        }
        messages
    }

    pub(super) fn push(&mut self, number: RequestNo) {
        let left = u8::try_from(number + 1).unwrap_or(u8::MAX);
        if let Some(free) = self.list.iter_mut().find(|message| **message == 0) {
            *free = left;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = RequestNo> {
        let left = self.list.iter().take_while(|message| **message != 0);
        left.map(|message| usize::from(*message) - 1)
    }

    pub(super) fn contains(&self, number: RequestNo) -> bool {
        self.iter().any(|other| other == number)
    }

    pub(super) const fn is_empty(&self) -> bool {
        matches!(self.list, [0, ..])
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::races::{choice::Choices, operation::Operation, plan::Plan};

    #[test]
    fn messages_keep_their_order() {
        let messages = Messages::of([3, 0, 7]);
        assert_eq!(messages.iter().collect::<Vec<_>>(), [3, 0, 7]);
        assert!(messages.contains(0) && !messages.contains(1));
        assert!(!messages.is_empty() && Messages::default().is_empty());
        assert_eq!(format!("{messages:?}"), "[3, 0, 7]");
    }

    #[test]
    fn no_case_has_more_messages_than_there_is_room_for() {
        for seed in 0..20_000 {
            let plan = Plan::random(&mut Choices::seeded(seed));
            let of_waves = plan.waves.iter().flat_map(|wave| &wave.requests);
            let requests: Vec<_> = plan.setup.iter().chain(of_waves).collect();
            assert!(requests.len() <= MOST);
            for planned in requests {
                let left = planned.operations.iter();
                assert!(left.filter(|o| **o == Operation::Flash).count() <= 1);
            }
        }
    }
}
