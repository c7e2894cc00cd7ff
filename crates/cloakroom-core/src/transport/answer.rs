//! What a response carries of a session whose token does not travel in one cookie alone.

use std::borrow::Cow;

use super::{CompiledTransport, QueryRoute, Route, TransportSet, is_of, with_token};
use crate::{
    head::{ResponseHead, ResponseHeader, forbid_storing},
    session::{Base, Live, Outgoing},
    token::Token,
};

/// What is to be told.
pub(crate) struct Answer {
    outgoing: Option<Outgoing>,
    /// The transports by which the session travels.
    to: TransportSet,
    /// The session's token, whether it is new or not, where addresses have it.
    token: Option<Token>,
}

impl Answer {
    pub(crate) fn take(live: &mut Live, route: &Route) -> Self {
        let token = route.query.as_ref().and_then(|_| live.token());
        let outgoing = live.outgoing.take();
        let is_void = matches!(live.base, Base::Void(_));
        Self {
            // What was void since it was saved, or what a late request would send, could overwrite
            // what a login has sent.
            outgoing: outgoing.filter(|_| !is_void),
            to: live.travels(route),
            token,
        }
    }

    pub(crate) fn write(
        self,
        transports: &[CompiledTransport],
        route: &Route,
        head: &mut dyn ResponseHead,
    ) {
        transports.iter().for_each(|transport| transport.vary(head));
        let (text, max_age) = match &self.outgoing {
            Some(Outgoing::Token { token, max_age }) => (Some(token.reveal()), *max_age),
            _ => (None, None),
        };
        if self.outgoing.is_some() {
            for (index, transport) in transports.iter().enumerate() {
                if self.to.contains(index) {
                    transport.write(text.as_deref(), max_age, head);
                }
            }
        }
        let query = route.query.as_ref();
        if let Some(query) = query.filter(|query| query.is_in(self.to)) {
            self.guard_address(query, head);
        }
    }

    /// The address of the page is a secret, or its redirect is to lead to one.
    fn guard_address(&self, query: &QueryRoute, head: &mut dyn ResponseHead) {
        // No other policy is as strict, and of several the last would count.
        let policy = Cow::Borrowed("no-referrer");
        head.replace(ResponseHeader::ReferrerPolicy, policy);
        forbid_storing(head);
        let has_ended = matches!(self.outgoing, Some(Outgoing::Remove));
        let token = self.token.as_ref().map(Token::reveal);
        if token.is_none() && !has_ended {
            return;
        }
        let mut locations = Vec::new();
        head.values(ResponseHeader::Location, &mut |value| {
            locations.push(std::str::from_utf8(value).unwrap_or_default().to_owned());
        });
        if let [location] = &*locations
            && is_of(&query.origin, location)
        {
            let location = with_token(location, &query.parameter, token.as_deref());
            head.replace(ResponseHeader::Location, Cow::Owned(location));
        }
    }
}

impl Live {
    /// The transports by which the session travels.
    pub(crate) fn travels(&self, route: &Route) -> TransportSet {
        match self.brought.is_empty() {
            true => route.begins,
            false => self.brought,
        }
    }
}
