//! How a token travels: a cookie, a header, the query string, or the application's own way.

mod answer;
mod checks;
mod compiled;
mod header;
mod query;
mod redirect;
mod route;

use std::{fmt, sync::Arc};

pub(crate) use self::{
    answer::Answer,
    checks::header_name,
    compiled::Transports,
    query::{is_of, with_token},
    route::{QueryRoute, Route, Taken, TransportSet},
};
pub use self::{compiled::TransportInfo, redirect::SessionRedirect};
use self::{
    compiled::{CompiledTransport, Kind},
    query::{Origin, Parameter},
};
use crate::{
    cookie::Cookie,
    head::{RequestHead, ResponseHead},
    namespace::Condition,
};

/// How the token of a session travels between the client and the application.
///
/// A namespace has its cookie unless [`Namespace::transports`](crate::Namespace::transports) says
/// otherwise. docs/transports.md says when to use which, and what the query string gives away.
///
/// ```
/// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
/// let account = Namespace::new("account", MemoryStore::new()).transports([
///     // The mobile application has no cookies, and says who it is.
///     Transport::bearer().begins_if(|request| request.header_is("x-app", "mobile")),
///     Transport::cookie(Cookie::default()),
/// ]);
/// let sessions = SessionManager::builder().namespace(account).build()?;
/// let info = sessions.namespaces().next().unwrap();
/// assert!(info.transports().eq([
///     TransportInfo::Bearer { answer: "x-session-token" },
///     TransportInfo::Cookie { name: "__Host-account" },
/// ]));
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use = "a transport does nothing until a namespace has it"]
pub struct Transport {
    way: Way,
    begins_if: Option<Condition>,
    /// A setting that the transport does not have.
    misused: Option<&'static str>,
}

#[derive(Clone)]
enum Way {
    Cookie(Cookie),
    Bearer {
        answer: String,
    },
    Header {
        name: String,
        answer: Option<String>,
    },
    Query {
        parameter: String,
        unless: Option<Condition>,
    },
    Custom(Arc<dyn TokenTransport>),
}

/// The application's own way to carry a token.
///
/// A candidate that is no token counts as none. What is written is a secret: who has it has the
/// session. The engine forbids caches to keep a response that a token was written into.
///
/// ```
/// use cloakroom_core::{RequestHead, ResponseHead, ResponseHeader, TokenTransport};
///
/// /// `X-Device: 7; token=..`
/// #[derive(Debug)]
/// struct Device;
///
/// impl TokenTransport for Device {
///     fn read(&self, request: &dyn RequestHead, candidate: &mut dyn FnMut(&[u8])) {
///         request.header("x-device", &mut |value| {
///             let token = value.rsplit(|byte| *byte == b'=').next();
///             candidate(token.unwrap_or_default());
///         });
///     }
///
///     fn write(&self, token: Option<&str>, response: &mut dyn ResponseHead) {
///         let token = token.unwrap_or("none").to_owned();
///         response.replace(ResponseHeader::Other("x-device-token"), token.into());
///     }
///
///     fn varies_on(&self) -> &[&str] {
///         &["X-Device"]
///     }
/// }
/// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
/// let account = Namespace::new("account", MemoryStore::new())
///     .transports([Transport::custom(Device)]);
/// # assert!(SessionManager::builder().namespace(account).build().is_ok());
/// ```
pub trait TokenTransport: fmt::Debug + Send + Sync + 'static {
    /// Shows what may be a token, in order.
    fn read(&self, request: &dyn RequestHead, candidate: &mut dyn FnMut(&[u8]));

    /// Tells the client its new token, 64 characters of base64url; `None` when the session has
    /// ended. Called once per response at most, and only when there is something to tell.
    fn write(&self, token: Option<&str>, response: &mut dyn ResponseHead);

    /// The request headers that [`read`](Self::read) looks at, for `Vary`, so that a cache does
    /// not give the answer of one client to another. Empty for what is part of the address.
    fn varies_on(&self) -> &[&str];
}

impl Transport {
    /// A cookie, as [`Namespace::cookie`](crate::Namespace::cookie) sets it.
    pub fn cookie(cookie: Cookie) -> Self {
        Self::new(Way::Cookie(cookie))
    }

    /// `Authorization: Bearer <token>`. A new token is in the response's header
    /// `X-Session-Token`; it is empty when the session has ended.
    ///
    /// The client keeps the token itself, and scripts that it runs can read it: for programs, not
    /// for pages. A page of another origin reads the header only where CORS exposes it.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// # doc::block_on(async {
    /// let account = Namespace::new("account", MemoryStore::new())
    ///     .transports([Transport::bearer()]);
    /// # let manager = SessionManager::builder().namespace(account).build()?;
    /// # let (sessions, request) = (RequestSessions::begin(&manager), doc::Request::default());
    /// # let session = sessions.judge("account", &request)?.unwrap().open().await?;
    /// session.login("user-17")?;
    /// # let mut response = doc::Response::default();
    /// # sessions.commit(Outcome::Success).await;
    /// # sessions.finish(&mut response);
    /// // What the response has for the client:
    /// let token = response.header("x-session-token").unwrap();
    /// assert_eq!(token.len(), Token::LENGTH);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn bearer() -> Self {
        Self::new(Way::Bearer {
            answer: "x-session-token".to_owned(),
        })
    }

    /// A header with nothing but the token. A new token is in the response's header of the same
    /// name; it is empty when the session has ended.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let device = Transport::header("X-Device-Session");
    /// let account = Namespace::new("account", MemoryStore::new()).transports([device]);
    /// let sessions = SessionManager::builder().namespace(account).build()?;
    /// # let info = sessions.namespaces().next().unwrap();
    /// # let name = "x-device-session";
    /// # assert!(info.transports().eq([TransportInfo::Header { name, answer: name }]));
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn header(name: impl Into<String>) -> Self {
        Self::new(Way::Header {
            name: name.into(),
            answer: None,
        })
    }

    /// A parameter of the query string, for clients that keep neither cookies nor headers.
    ///
    /// The address is the secret then: it is in the history, in logs and in every link that is
    /// copied. docs/transports.md says what follows from that, and when it is worth it.
    ///
    /// A `GET` without the token of a living session is answered 302 to the same address with a
    /// new one, so each visitor without a session makes a record: leave crawlers out with
    /// [`unless`](Self::unless). Requests of other methods get a new session as ever. The token
    /// reaches the client with the `Location` of a redirect to the application itself, and with
    /// [`SessionHandle::url`](crate::SessionHandle::url).
    ///
    /// The parameter's name has letters, digits, `-`, `.`, `_` and `~`. It is compared byte by
    /// byte, without decoding.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// # doc::block_on(async {
    /// let cart = Namespace::new("cart", MemoryStore::new()).transports([Transport::query("sid")]);
    /// # let manager = SessionManager::builder().namespace(cart).build()?;
    /// # let (sessions, request) = (RequestSessions::begin(&manager), doc::Request::default());
    /// # let opened = sessions.judge("cart", &request)?.unwrap().open().await;
    /// // A GET of / without a token:
    /// let Err(SessionError::Redirect { to, .. }) = opened else { panic!() };
    /// assert!(to.location().starts_with("/?sid="));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn query(parameter: impl Into<String>) -> Self {
        Self::new(Way::Query {
            parameter: parameter.into(),
            unless: None,
        })
    }

    /// A way of the application's own.
    pub fn custom(transport: impl TokenTransport) -> Self {
        Self::new(Way::Custom(Arc::new(transport)))
    }

    fn new(way: Way) -> Self {
        Self {
            way,
            begins_if: None,
            misused: None,
        }
    }

    /// Answers in another header than that of [`bearer`](Self::bearer) or
    /// [`header`](Self::header).
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let bearer = Transport::bearer().answer_in("X-New-Token");
    /// let account = Namespace::new("account", MemoryStore::new()).transports([bearer]);
    /// let sessions = SessionManager::builder().namespace(account).build()?;
    /// # let info = sessions.namespaces().next().unwrap();
    /// # assert!(info.transports().eq([TransportInfo::Bearer { answer: "x-new-token" }]));
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn answer_in(mut self, header: impl Into<String>) -> Self {
        match &mut self.way {
            Way::Bearer { answer } => *answer = header.into(),
            Way::Header { answer, .. } => *answer = Some(header.into()),
            _ => self.misused = Some("answer_in() is for bearer() and header()"),
        }
        self
    }

    /// Redirects no `GET` for which this is true: crawlers, health checks, fragments of a page.
    /// Such a request has a new session that is stored when something is put into it, as with a
    /// cookie.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let query = Transport::query("sid").unless(|request| {
    ///     let mut is_crawler = false;
    ///     request.header("user-agent", &mut |agent| {
    ///         is_crawler |= agent.windows(3).any(|text| text.eq_ignore_ascii_case(b"bot"));
    ///     });
    ///     is_crawler
    /// });
    /// let cart = Namespace::new("cart", MemoryStore::new()).transports([query]);
    /// # assert!(SessionManager::builder().namespace(cart).build().is_ok());
    /// ```
    pub fn unless(
        mut self,
        condition: impl Fn(&dyn RequestHead) -> bool + Send + Sync + 'static,
    ) -> Self {
        match &mut self.way {
            Way::Query { unless, .. } => *unless = Some(Arc::new(condition)),
            _ => self.misused = Some("unless() is for query()"),
        }
        self
    }

    /// Hands a new session's token out by this transport only on requests for which this is true.
    /// A session that came by it goes on by it in any case.
    ///
    /// It matters where a namespace has several. The first that the client has brought something
    /// by, and that may begin, has it; else the first that may begin; else the first. So what
    /// begins on some requests is declared before what begins on all others.
    pub fn begins_if(
        mut self,
        condition: impl Fn(&dyn RequestHead) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.begins_if = Some(Arc::new(condition));
        self
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Way::Cookie(cookie) => f.debug_tuple("Cookie").field(cookie).finish(),
            Way::Bearer { answer } => f.debug_struct("Bearer").field("answer", answer).finish(),
            Way::Header { name, answer } => f
                .debug_struct("Header")
                .field("name", name)
                .field("answer", answer)
                .finish(),
            Way::Query { parameter, .. } => f.debug_tuple("Query").field(parameter).finish(),
            Way::Custom(transport) => f.debug_tuple("Custom").field(transport).finish(),
        }
    }
}
