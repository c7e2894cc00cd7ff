//! What a request brings along for a namespace, read once from its head.

use smallvec::SmallVec;

use crate::{
    cookie::{MAX_COOKIE_LENGTH, each_value},
    head::RequestHead,
    namespace::CompiledNamespace,
    token::Token,
};

/// A visitor with more cookies of one name is up to no good.
const MAX_CANDIDATES: usize = 4;

/// The candidates in the order of the request, each once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ticket {
    pub(crate) tokens: SmallVec<[Token; 1]>,
    /// Sealed sessions of a client-side namespace.
    pub(crate) sealed: Vec<Box<[u8]>>,
    /// There was something, but it can't be a ticket.
    pub(crate) is_malformed: bool,
}

impl Ticket {
    pub(crate) fn read(namespace: &CompiledNamespace, head: &dyn RequestHead) -> Self {
        let mut ticket = Self::default();
        let is_sealed = namespace.store().is_none();
        let mut seen = 0;
        each_value(head, &namespace.cookie.name, &mut |value| {
            seen += 1;
            if seen <= MAX_CANDIDATES {
                match is_sealed {
                    true => ticket.add_sealed(value),
                    false => ticket.add_token(value),
                }
            }
        });
        ticket
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.sealed.is_empty()
    }

    fn add_token(&mut self, value: &[u8]) {
        match Token::parse(value) {
            Some(token) if !self.tokens.contains(&token) => self.tokens.push(token),
            Some(_) => {}
            None => self.is_malformed = true,
        }
    }

    fn add_sealed(&mut self, value: &[u8]) {
        if value.is_empty() || value.len() > MAX_COOKIE_LENGTH {
            self.is_malformed = true;
        } else if !self.sealed.iter().any(|other| **other == *value) {
            self.sealed.push(value.into());
        }
    }
}
