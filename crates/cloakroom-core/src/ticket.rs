//! What a request brings along for a namespace, read once from its head.

use smallvec::SmallVec;

use crate::{
    cookie::{MAX_COOKIE_LENGTH, each_value},
    head::RequestHead,
    namespace::CompiledNamespace,
    token::Token,
    transport::{QueryRoute, Route, Taken, Transports},
};

/// A visitor with more cookies of one name, or more tokens in all, is up to no good.
const MAX_CANDIDATES: usize = 4;

/// The candidates in the order of the request, each once.
#[derive(Debug, Default)]
pub(crate) struct Ticket {
    pub(crate) tokens: SmallVec<[Token; 1]>,
    /// Sealed sessions of a client-side namespace.
    pub(crate) sealed: Vec<Box<[u8]>>,
    /// The session may not be changed: the request's method is safe, and the namespace refuses it.
    pub(crate) is_read_only: bool,
    /// There was something, but it can't be a ticket.
    pub(crate) is_malformed: bool,
    /// How the candidates came. `None` where they can have come by one cookie alone.
    pub(crate) route: Option<Box<Route>>,
}

impl Ticket {
    pub(crate) fn read(namespace: &CompiledNamespace, head: &dyn RequestHead) -> Self {
        let mut ticket = Self {
            is_read_only: namespace.settings.refuses_changes_on_get && is_safe(head.method()),
            ..Self::default()
        };
        let is_sealed = namespace.store().is_none();
        let mut seen = 0;
        let transports = match &namespace.transports {
            Transports::Cookie(cookie) => {
                each_value(head, &cookie.name, &mut |value| {
                    seen += 1;
                    if seen <= MAX_CANDIDATES {
                        match is_sealed {
                            true => ticket.add_sealed(value),
                            false => ticket.add_token(value),
                        }
                    }
                });
                return ticket;
            }
            Transports::Several(transports) => transports,
        };
        let route = Route::read(transports, head, &mut |value| {
            seen += 1;
            match seen <= MAX_CANDIDATES {
                true => ticket.take_token(value),
                false => Taken::No,
            }
        });
        ticket.route = Some(Box::new(route));
        ticket
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.sealed.is_empty()
    }

    /// What the query transport knows of the request, where the namespace has one.
    pub(crate) fn query(&self) -> Option<&QueryRoute> {
        self.route.as_ref()?.query.as_ref()
    }

    /// Whether the request is redirected unless it has a session.
    pub(crate) fn may_redirect(&self) -> bool {
        self.query().is_some_and(QueryRoute::may_redirect)
    }

    fn add_token(&mut self, value: &[u8]) {
        match Token::parse(value) {
            Some(token) if !self.tokens.contains(&token) => self.tokens.push(token),
            Some(_) => {}
            None => self.is_malformed = true,
        }
    }

    /// Adds a token, and says where it is.
    fn take_token(&mut self, value: &[u8]) -> Taken {
        self.add_token(value);
        let token = Token::parse(value);
        let number = token.and_then(|token| self.tokens.iter().position(|one| *one == token));
        number.map_or(Taken::Malformed, Taken::Token)
    }

    fn add_sealed(&mut self, value: &[u8]) {
        if value.is_empty() || value.len() > MAX_COOKIE_LENGTH {
            self.is_malformed = true;
        } else if !self.sealed.iter().any(|other| **other == *value) {
            self.sealed.push(value.into());
        }
    }
}

/// RFC 9110, 9.2.1.
fn is_safe(method: &str) -> bool {
    ["GET", "HEAD", "OPTIONS", "TRACE"].contains(&method)
}
