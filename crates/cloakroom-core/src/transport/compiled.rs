//! The transports of a namespace, as they are used.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use smallvec::{SmallVec, smallvec};

use super::{Parameter, TokenTransport, header};
use crate::{
    cookie::{self, CookieSpec},
    head::{RequestHead, ResponseHead, ResponseHeader, forbid_storing, vary_on},
    namespace::Condition,
};

/// How the tokens of a namespace travel.
#[derive(Debug)]
pub(crate) enum Transports {
    /// As it is with most: nothing is decided for a request.
    Cookie(CookieSpec),
    /// Several, or one that is no cookie, in the order in which they were declared.
    Several(Box<[CompiledTransport]>),
}

pub(crate) struct CompiledTransport {
    pub(crate) kind: Kind,
    pub(super) begins_if: Option<Condition>,
}

pub(crate) enum Kind {
    Cookie(CookieSpec),
    Header {
        name: &'static str,
        is_bearer: bool,
        answer: &'static str,
    },
    Query(Parameter),
    Custom(Arc<dyn TokenTransport>),
}

/// One transport of a namespace, for people and tools to read. Shows no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportInfo<'a> {
    /// A cookie.
    Cookie {
        /// Its name, prefix included.
        name: &'a str,
    },
    /// `Authorization: Bearer`.
    Bearer {
        /// The header of the response that has a new token.
        answer: &'a str,
    },
    /// A header.
    Header {
        /// Its name.
        name: &'a str,
        /// The header of the response that has a new token.
        answer: &'a str,
    },
    /// A parameter of the query string.
    Query {
        /// Its name.
        parameter: &'a str,
    },
    /// The application's own.
    Custom,
}

impl Transports {
    /// The cookie; the first where there are several, `None` where there is none.
    pub(crate) fn cookie(&self) -> Option<&CookieSpec> {
        match self {
            Self::Cookie(cookie) => Some(cookie),
            Self::Several(all) => all.iter().find_map(|transport| match &transport.kind {
                Kind::Cookie(cookie) => Some(cookie),
                _ => None,
            }),
        }
    }

    pub(crate) fn has_query(&self) -> bool {
        match self {
            Self::Cookie(_) => false,
            Self::Several(all) => all.iter().any(|one| matches!(one.kind, Kind::Query(_))),
        }
    }

    pub(crate) fn infos(&self) -> SmallVec<[TransportInfo<'_>; 1]> {
        match self {
            Self::Cookie(cookie) => smallvec![TransportInfo::Cookie { name: &cookie.name }],
            Self::Several(all) => all.iter().map(|transport| transport.kind.info()).collect(),
        }
    }
}

impl CompiledTransport {
    pub(super) fn read(&self, head: &dyn RequestHead, candidate: &mut dyn FnMut(&[u8])) {
        match &self.kind {
            Kind::Cookie(cookie) => cookie::each_value(head, &cookie.name, candidate),
            Kind::Header {
                is_bearer: true, ..
            } => header::each_bearer(head, candidate),
            Kind::Header { name, .. } => header::each_value(head, name, candidate),
            Kind::Query(parameter) => parameter.each_value(head, candidate),
            Kind::Custom(transport) => transport.read(head, candidate),
        }
    }

    pub(super) fn may_begin(&self, head: &dyn RequestHead) -> bool {
        let condition = self.begins_if.as_ref();
        condition.is_none_or(|holds| holds(head))
    }

    /// Says that the response depends on what was read. The address is no header.
    pub(super) fn vary(&self, head: &mut dyn ResponseHead) {
        match &self.kind {
            Kind::Cookie(_) => vary_on("Cookie", head),
            Kind::Header {
                is_bearer: true, ..
            } => vary_on("Authorization", head),
            Kind::Header { name, .. } => vary_on(name, head),
            Kind::Query(_) => {}
            Kind::Custom(transport) => {
                for name in transport.varies_on() {
                    vary_on(name, head);
                }
            }
        }
    }

    /// Hands a token out, or takes it back. The query's is in the response already, where one
    /// looks for it.
    pub(super) fn write(
        &self,
        token: Option<&str>,
        max_age: Option<Duration>,
        head: &mut dyn ResponseHead,
    ) {
        match &self.kind {
            Kind::Cookie(cookie) => {
                let value = match token {
                    Some(token) => cookie.set(token, max_age),
                    None => cookie.remove(),
                };
                head.append(ResponseHeader::SetCookie, value.into());
            }
            Kind::Header { answer, .. } => {
                let value = token.map_or(Cow::Borrowed(""), |token| token.to_owned().into());
                head.replace(ResponseHeader::Other(answer), value);
            }
            Kind::Query(_) => {}
            Kind::Custom(transport) => transport.write(token, head),
        }
        forbid_storing(head);
    }
}

impl Kind {
    pub(super) fn info(&self) -> TransportInfo<'_> {
        match self {
            Self::Cookie(cookie) => TransportInfo::Cookie { name: &cookie.name },
            Self::Header {
                is_bearer: true,
                answer,
                ..
            } => TransportInfo::Bearer { answer },
            Self::Header { name, answer, .. } => TransportInfo::Header { name, answer },
            Self::Query(parameter) => TransportInfo::Query {
                parameter: &parameter.name,
            },
            Self::Custom(_) => TransportInfo::Custom,
        }
    }
}

impl fmt::Debug for CompiledTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.info().fmt(f)
    }
}
