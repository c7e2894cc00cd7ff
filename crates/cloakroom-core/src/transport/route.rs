//! By which transports a request has brought what, and where the answer goes.

use std::{fmt, ops::BitOrAssign};

use smallvec::SmallVec;
use tokio::sync::OnceCell;

use super::{CompiledTransport, Kind, Origin, SessionRedirect};
use crate::head::RequestHead;

/// Some of a namespace's transports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TransportSet(u8);

impl TransportSet {
    /// As many transports as a set has room for.
    pub(crate) const ROOM: usize = 8;

    pub(crate) const NONE: Self = Self(0);

    fn one(index: usize) -> Self {
        Self(1 << (index % Self::ROOM))
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn contains(self, index: usize) -> bool {
        self.0 & Self::one(index).0 != 0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn first(self) -> Option<Self> {
        (!self.is_empty()).then(|| Self(self.0 & self.0.wrapping_neg()))
    }
}

impl BitOrAssign for TransportSet {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// What a ticket has besides its candidates, where the namespace has not just a cookie.
#[derive(Default)]
pub(crate) struct Route {
    /// By which transports each candidate of the ticket came.
    brought: SmallVec<[TransportSet; 4]>,
    /// The one by which a new session begins.
    pub(crate) begins: TransportSet,
    pub(crate) query: Option<QueryRoute>,
}

/// What the query transport needs to know of the request.
pub(crate) struct QueryRoute {
    index: usize,
    pub(crate) parameter: String,
    pub(crate) origin: Origin,
    /// The request's address without the token, where it is to be redirected unless it has a
    /// living session.
    pub(super) base: Option<String>,
    /// Whether it was redirected, once that is known.
    pub(super) redirect: OnceCell<Option<SessionRedirect>>,
}

impl Route {
    /// Notes that a transport has brought a candidate.
    fn note(&mut self, candidate: usize, by: TransportSet) {
        match self.brought.get_mut(candidate) {
            Some(set) => *set |= by,
            None => self.brought.push(by),
        }
    }

    pub(crate) fn brought(&self, candidate: usize) -> TransportSet {
        self.brought.get(candidate).copied().unwrap_or_default()
    }

    /// Reads a request. `candidate` takes a candidate, and says which one of the ticket it is, if
    /// it is one.
    pub(crate) fn read(
        transports: &[CompiledTransport],
        head: &dyn RequestHead,
        candidate: &mut dyn FnMut(&[u8]) -> Taken,
    ) -> Self {
        let mut route = Self::default();
        let mut tried = TransportSet::NONE;
        let mut may_begin = TransportSet::NONE;
        for (index, transport) in transports.iter().enumerate() {
            let by = TransportSet::one(index);
            transport.read(head, &mut |value| match candidate(value) {
                Taken::Token(number) => {
                    tried |= by;
                    route.note(number, by);
                }
                Taken::Malformed => tried |= by,
                Taken::No => {}
            });
            if transport.may_begin(head) {
                may_begin |= by;
            }
        }
        let first = tried.and(may_begin).first().or(may_begin.first());
        route.begins = first.unwrap_or(TransportSet::one(0));
        route.query = QueryRoute::of(transports, &route, head);
        route
    }
}

/// What has become of a candidate.
pub(crate) enum Taken {
    /// It is this one of the ticket's tokens.
    Token(usize),
    /// It is no token.
    Malformed,
    /// There were too many before it.
    No,
}

impl QueryRoute {
    pub(crate) fn may_redirect(&self) -> bool {
        self.base.is_some()
    }

    pub(crate) fn is_in(&self, set: TransportSet) -> bool {
        set.contains(self.index)
    }

    fn of(transports: &[CompiledTransport], route: &Route, head: &dyn RequestHead) -> Option<Self> {
        let mut parameters = transports.iter().enumerate();
        let (index, parameter) =
            parameters.find_map(|(index, transport)| match &transport.kind {
                Kind::Query(parameter) => Some((index, parameter)),
                _ => None,
            })?;
        let base = match route.begins.contains(index) {
            true => parameter.redirect_base(head),
            false => None,
        };
        Some(Self {
            index,
            parameter: parameter.name.clone(),
            origin: Origin::of(head),
            base,
            redirect: OnceCell::new(),
        })
    }
}

/// Shows nothing of the request's address.
impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("brought", &self.brought)
            .field("begins", &self.begins)
            .finish_non_exhaustive()
    }
}
