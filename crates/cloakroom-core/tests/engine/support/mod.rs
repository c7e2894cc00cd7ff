//! A browser and an application, small enough to interleave requests by hand.

mod clock;
mod copies;
mod events;
mod gates;
mod head;
mod heard;
mod listing;
mod random;
mod records;
mod trace;

pub(crate) use clock::TestClock;
pub(crate) use copies::CopyStore;
pub(crate) use events::Events;
pub(crate) use gates::{GatedStore, Order, in_every_order};
pub(crate) use head::{Request, Response};
pub(crate) use heard::{Heard, shown};
pub(crate) use listing::OddStore;
pub(crate) use random::{Broken, FirstIds, OneId};
pub(crate) use trace::Captured;

use std::sync::Arc;

use cloakroom_core::{
    Commit, Namespace, Outcome, RequestSessions, SessionError, SessionHandle, SessionManager,
    SessionManagerBuilder, Token,
};
use cloakroom_memory::MemoryStore;
use cloakroom_store::{Operation, SessionId};
use cloakroom_testkit::{Faults, FaultyStore, SpyStore};
use serde::de::DeserializeOwned;

/// The namespace of most tests, and its cookie.
pub(crate) const ACCOUNT: &str = "account";
pub(crate) const COOKIE: &str = "__Host-account";

/// What a request does with its session.
pub(crate) type Handler = fn(&SessionHandle) -> Result<(), SessionError>;

/// The handler that voids every older token.
pub(crate) fn revoke(session: &SessionHandle) -> Result<(), SessionError> {
    session.rotate()?.revoke();
    Ok(())
}

/// The spy is in front of the faults, so that it sees the calls that fail.
pub(crate) type TestStore = SpyStore<FaultyStore<MemoryStore>>;

/// An application with its store, its clock and what it observed.
pub(crate) struct World {
    pub(crate) manager: SessionManager,
    pub(crate) store: TestStore,
    pub(crate) faults: Faults,
    pub(crate) clock: TestClock,
    pub(crate) events: Events,
}

impl World {
    /// One namespace with default settings.
    pub(crate) fn new() -> Self {
        Self::with(|namespace| namespace)
    }

    /// One namespace.
    pub(crate) fn with(configure: impl FnOnce(Namespace) -> Namespace) -> Self {
        Self::build(|builder, store| {
            builder.namespace(configure(Namespace::new(ACCOUNT, store.clone())))
        })
    }

    pub(crate) fn build(
        configure: impl FnOnce(SessionManagerBuilder, &TestStore) -> SessionManagerBuilder,
    ) -> Self {
        let faulty = FaultyStore::new(MemoryStore::new());
        let faults = faulty.faults();
        let store = SpyStore::new(faulty);
        let clock = TestClock::default();
        let events = Events::default();
        let builder = SessionManager::builder()
            .clock(clock.clone())
            .observer(events.clone());
        Self {
            manager: configure(builder, &store).build().unwrap(),
            store,
            faults,
            clock,
            events,
        }
    }

    /// A request, with nothing opened.
    pub(crate) fn begin(&self, browser: &Browser) -> Flight {
        self.begin_with(browser.request())
    }

    pub(crate) fn begin_with(&self, head: Request) -> Flight {
        let sessions = match std::env::var_os("CLOAKROOM_TEST_TRACED") {
            None => RequestSessions::begin(&self.manager),
            Some(_) => RequestSessions::begin_traced(&self.manager, Arc::new(Heard::default())),
        };
        Flight { head, sessions }
    }

    /// A request that has opened its session, and goes on when the test says so.
    pub(crate) async fn open(&self, browser: &Browser) -> (Flight, SessionHandle) {
        let flight = self.begin(browser);
        let session = flight.open(ACCOUNT).await;
        (flight, session)
    }

    /// How many records there are.
    pub(crate) fn records(&self) -> usize {
        self.memory().stats().sessions
    }

    /// The store behind the spy and the faults.
    pub(crate) fn memory(&self) -> &MemoryStore {
        self.store.inner().inner()
    }

    /// The store calls since this was asked last.
    pub(crate) fn calls(&self) -> Vec<Operation> {
        let calls = self.store.take();
        calls.into_iter().map(|call| call.operation).collect()
    }
}

/// A request under way.
pub(crate) struct Flight {
    pub(crate) head: Request,
    pub(crate) sessions: RequestSessions,
}

impl Flight {
    pub(crate) async fn open(&self, name: &str) -> SessionHandle {
        self.try_open(name).await.unwrap().unwrap()
    }

    pub(crate) async fn try_open(&self, name: &str) -> Result<Option<SessionHandle>, SessionError> {
        match self.sessions.judge(name, &self.head)? {
            Some(unopened) => unopened.open().await.map(Some),
            None => Ok(None),
        }
    }

    /// Commits, as far as the test polls it.
    pub(crate) fn commit(&self) -> Commit {
        self.sessions.commit(Outcome::Success)
    }

    /// Commits and answers.
    pub(crate) async fn finish(&self) -> Response {
        self.answer(Response::new(200)).await
    }

    pub(crate) async fn finish_with(&self, status: u16) -> Response {
        self.answer(Response::new(status)).await
    }

    pub(crate) async fn answer(&self, mut response: Response) -> Response {
        let outcome = Outcome::of_status(response.status);
        if let Some(status) = self.sessions.commit(outcome).await.status() {
            response = Response::new(status);
        }
        self.sessions.finish(&mut response);
        response
    }
}

/// A cookie jar. A clone is the browser before it has received what comes next, or a thief.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    jar: Vec<StoredCookie>,
}

#[derive(Clone, PartialEq)]
struct StoredCookie {
    name: String,
    value: String,
    /// Browsers tell cookies of one name apart by these.
    domain: String,
    path: String,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with_cookie(name: &str, value: &str) -> Self {
        let mut browser = Self::new();
        browser.store(&format!("{name}={value}; Path=/"));
        browser
    }

    /// Somebody who has changed the account's session once.
    pub(crate) async fn known_to(world: &World) -> Self {
        let mut browser = Self::new();
        browser.visit(world, |s| s.insert("known", true)).await;
        world.store.take();
        world.events.take();
        browser
    }

    pub(crate) fn request(&self) -> Request {
        let pair = |cookie: &StoredCookie| format!("{}={}", cookie.name, cookie.value);
        let cookies: Vec<_> = self.jar.iter().map(pair).collect();
        match cookies.is_empty() {
            true => Request::default(),
            false => Request::default().header("cookie", cookies.join("; ")),
        }
    }

    /// A whole request that uses the account's session.
    pub(crate) async fn visit(
        &mut self,
        world: &World,
        handler: impl FnOnce(&SessionHandle) -> Result<(), SessionError>,
    ) -> Response {
        let (flight, session) = world.open(self).await;
        handler(&session).unwrap();
        let response = flight.finish().await;
        self.receive(&response);
        response
    }

    /// A whole request that reads one value.
    pub(crate) async fn read<T: DeserializeOwned>(
        &mut self,
        world: &World,
        key: &str,
    ) -> Option<T> {
        let (flight, session) = world.open(self).await;
        let value = session.get(key).unwrap();
        self.receive(&flight.finish().await);
        value
    }

    pub(crate) fn receive(&mut self, response: &Response) {
        for cookie in response.cookies() {
            self.store(cookie);
        }
    }

    fn store(&mut self, set_cookie: &str) {
        let (pair, attributes) = set_cookie.split_once(';').unwrap_or((set_cookie, ""));
        let (name, value) = pair.split_once('=').unwrap();
        let attribute = |wanted: &str| {
            let mut pairs = attributes.split(';').map(str::trim);
            let found = pairs.find_map(|text| text.strip_prefix(wanted)?.strip_prefix('='));
            found.unwrap_or_default().to_owned()
        };
        let cookie = StoredCookie {
            name: name.to_owned(),
            value: value.to_owned(),
            domain: attribute("Domain"),
            path: attribute("Path"),
        };
        let is_same = |other: &StoredCookie| {
            (&other.name, &other.domain, &other.path)
                == (&cookie.name, &cookie.domain, &cookie.path)
        };
        self.jar.retain(|other| !is_same(other));
        if attribute("Max-Age") != "0" {
            self.jar.push(cookie);
        }
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let cookie = self.jar.iter().find(|cookie| cookie.name == name)?;
        Some(&cookie.value)
    }

    /// The account's token.
    pub(crate) fn token(&self) -> &str {
        self.cookie(COOKIE).unwrap()
    }

    /// The public id of the account's session.
    pub(crate) fn id(&self) -> SessionId {
        Token::parse(self.token().as_bytes()).unwrap().id()
    }
}
