use std::{fmt, time::Duration};

use crate::{
    clock::{Clock, SystemClock},
    commit::Queues,
    cookie::CookieSpec,
    error::{ConfigError, ConfigProblem},
    event::{Event, EventKind, Observer, Source, emit},
    limits::Limits,
    namespace::{CompiledNamespace, Namespace},
    random::{OsRandom, Random},
    shared::Shared,
    transport::TransportInfo,
};
use cloakroom_store::{SessionId, StoreError, Timestamp};

/// All namespaces of an application: checked once, then immutable. Cheap to clone.
///
/// ```
/// use cloakroom_core::{Namespace, SessionManager, days};
/// # let store = cloakroom_memory::MemoryStore::new();
/// let sessions = SessionManager::builder()
///     .namespace(Namespace::new("account", store.clone()))
///     .namespace(Namespace::new("cart", store).persistent(days(30)))
///     .build()?;
/// assert_eq!(sessions.namespaces().len(), 2);
/// # Ok::<(), cloakroom_core::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct SessionManager(Shared<ManagerState>);

pub(crate) struct ManagerState {
    pub(crate) namespaces: Box<[CompiledNamespace]>,
    pub(crate) random: Box<dyn Random>,
    pub(crate) deadlines: Deadlines,
    pub(crate) queues: Queues,
    may_redirect: bool,
    clock: Box<dyn Clock>,
    observer: Option<Box<dyn Observer>>,
}

/// How long the store may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    pub(crate) open: Duration,
    pub(crate) commit: Duration,
    pub(crate) call: Duration,
}

impl SessionManager {
    /// Begins a configuration.
    pub fn builder() -> SessionManagerBuilder {
        SessionManagerBuilder {
            namespaces: Vec::new(),
            application: "cloakroom".to_owned(),
            clock: Box::new(SystemClock),
            random: Box::new(OsRandom),
            observer: None,
            deadlines: Deadlines {
                open: Duration::from_secs(1),
                commit: Duration::from_secs(1),
                call: Duration::from_millis(500),
            },
        }
    }

    /// The namespaces, in the order in which they were added. Loads nothing.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let sessions = SessionManager::builder()
    ///     .namespace(Namespace::new("account", MemoryStore::new()))
    ///     .namespace(Namespace::new("cart", MemoryStore::new()))
    ///     .build()?;
    /// assert!(sessions.namespaces().map(|info| info.name()).eq(["account", "cart"]));
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn namespaces(&self) -> impl ExactSizeIterator<Item = NamespaceInfo<'_>> {
        self.0.namespaces.iter().map(NamespaceInfo)
    }

    /// Whether sessions of some namespace travel in the query string. Then the integration is to
    /// keep the address that the client has sent, for [`RequestHead::target_path`].
    ///
    /// [`RequestHead::target_path`]: crate::RequestHead::target_path
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let query = Namespace::new("cart", MemoryStore::new())
    ///     .transports([Transport::query("sid")]);
    /// let sessions = SessionManager::builder().namespace(query).build()?;
    /// assert!(sessions.may_redirect());
    /// # Ok::<(), ConfigError>(())
    /// ```
    #[must_use]
    pub fn may_redirect(&self) -> bool {
        self.0.may_redirect
    }

    /// A clone for the same request.
    pub(crate) fn share(&self) -> Self {
        Self(self.0.share())
    }

    pub(crate) fn state(&self) -> &ManagerState {
        &self.0
    }

    pub(crate) fn index_of(&self, name: &str) -> Option<usize> {
        self.0
            .namespaces
            .iter()
            .position(|namespace| namespace.name() == name)
    }

    pub(crate) fn namespace(&self, index: usize) -> Option<&CompiledNamespace> {
        self.0.namespaces.get(index)
    }

    /// What forbids to put this manager's layer inside that of `outer`.
    pub(crate) fn clash_with(&self, outer: &Self) -> Option<ConfigError> {
        let mut problems = Vec::new();
        for inner in &self.0.namespaces {
            if outer.index_of(inner.name()).is_some() {
                problems.push(ConfigProblem {
                    namespace: Some(inner.name().to_owned()),
                    setting: "name",
                    message: "an outer session layer has a namespace of this name: rename one, or \
                              leave it to the outer layer"
                        .to_owned(),
                });
            }
            let mut others = outer.0.namespaces.iter();
            problems.extend(others.find_map(|other| shared_transport(inner, other)));
        }
        (!problems.is_empty()).then(|| ConfigError::new(problems))
    }
}

impl ManagerState {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn emit(&self, namespace: &str, id: Option<SessionId>, kind: EventKind) {
        self.tell(namespace, id, None, kind, None);
    }

    pub(crate) fn emit_key(
        &self,
        namespace: &str,
        id: Option<SessionId>,
        key: &str,
        kind: EventKind,
    ) {
        self.tell(namespace, id, Some(key), kind, None);
    }

    pub(crate) fn emit_because(
        &self,
        namespace: &str,
        id: Option<SessionId>,
        kind: EventKind,
        source: Source<'_>,
    ) {
        self.tell(namespace, id, None, kind, source);
    }

    fn tell(
        &self,
        namespace: &str,
        id: Option<SessionId>,
        key: Option<&str>,
        kind: EventKind,
        source: Source<'_>,
    ) {
        let event = Event {
            namespace,
            id,
            key,
            kind,
        };
        emit(self.observer.as_deref(), event, source);
    }

    /// Tells of a store call that failed. Whoever makes a [`SessionError::Store`] of it does so,
    /// once; nobody after that.
    ///
    /// [`SessionError::Store`]: crate::SessionError::Store
    pub(crate) fn report(&self, namespace: &str, id: Option<SessionId>, error: &StoreError) {
        let kind = EventKind::StoreFailed(error.operation(), error.kind());
        self.emit_because(namespace, id, kind, std::error::Error::source(error));
    }
}

impl fmt::Debug for SessionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionManager")
            .field("namespaces", &self.0.namespaces)
            .finish_non_exhaustive()
    }
}

/// Collects namespaces for a [`SessionManager`].
///
/// ```
/// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
/// use std::time::Duration;
/// let store = MemoryStore::new();
/// let sessions = SessionManager::builder()
///     .namespace(Namespace::new("account", store.clone()))
///     .namespace(Namespace::new("cart", store))
///     .call_deadline(Duration::from_millis(200)) // a store on this machine
///     .open_deadline(Duration::from_millis(400))
///     .commit_deadline(Duration::from_secs(2))
///     .build()?;
/// assert_eq!(sessions.namespaces().len(), 2);
/// # Ok::<(), ConfigError>(())
/// ```
#[must_use = "build() makes the manager"]
pub struct SessionManagerBuilder {
    namespaces: Vec<Namespace>,
    application: String,
    clock: Box<dyn Clock>,
    random: Box<dyn Random>,
    observer: Option<Box<dyn Observer>>,
    deadlines: Deadlines,
}

impl SessionManagerBuilder {
    /// Adds a namespace.
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.namespaces.push(namespace);
        self
    }

    /// Names the application; client-side sessions of one application are worthless in another.
    /// Default `cloakroom`.
    ///
    /// ```
    /// # #[cfg(feature = "client-side")] {
    /// # use cloakroom_core::*;
    /// # let keys = KeyRing::new(SecretKey::generate()?);
    /// // A cookie of the blog opens nothing here, although the two share their keys.
    /// let sessions = SessionManager::builder()
    ///     .application("shop")
    ///     .namespace(Namespace::in_cookie("prefs", &keys))
    ///     .build()?;
    /// assert!(sessions.namespaces().next().unwrap().is_client_side());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn application(mut self, name: impl Into<String>) -> Self {
        self.application = name.into();
        self
    }

    /// Sets the clock. Default [`SystemClock`].
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// # use cloakroom_testkit::TestClock;
    /// let clock = TestClock::default(); // of cloakroom-testkit
    /// let sessions = SessionManager::builder()
    ///     .namespace(Namespace::new("cart", MemoryStore::new()).limits(Limits::idle(hours(1))))
    ///     .clock(clock.clone())
    ///     .build()?;
    /// # let mut browser = doc::Browser::of(&sessions);
    /// # doc::block_on(async {
    /// # browser.again().await.insert("items", 3).unwrap();
    /// # assert!(!browser.next().await.is_new());
    /// # browser.end().await;
    /// clock.advance(hours(2));
    /// # let cart = browser.again().await;
    /// assert!(cart.is_new()); // the one before has expired
    /// # });
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Sets the source of ids and secrets. Default [`OsRandom`]; others are for tests.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// # use cloakroom_testkit::TestRandom;
    /// # let id_of = |seed| {
    /// let sessions = SessionManager::builder()
    ///     .namespace(Namespace::new("cart", MemoryStore::new()))
    ///     .random(TestRandom::new(seed)) // of cloakroom-testkit
    ///     .build()?;
    /// # let mut browser = doc::Browser::of(&sessions);
    /// # let id = doc::block_on(async {
    /// #     browser.again().await.insert("items", 3).unwrap();
    /// #     browser.next().await.id()
    /// # });
    /// # assert!(id.is_some());
    /// # Ok::<_, ConfigError>(id)
    /// # };
    /// // A test can be replayed:
    /// assert_eq!(id_of(7)?, id_of(7)?);
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn random(mut self, random: impl Random) -> Self {
        self.random = Box::new(random);
        self
    }

    /// Sets who hears of events.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// use std::sync::{Arc, Mutex};
    ///
    /// #[derive(Debug, Default)]
    /// struct Seen(Mutex<Vec<EventKind>>);
    ///
    /// impl Observer for Seen {
    ///     fn on_event(&self, event: &Event<'_>) {
    ///         self.0.lock().unwrap().push(event.kind);
    ///     }
    /// }
    /// let seen = Arc::new(Seen::default());
    /// let sessions = SessionManager::builder()
    ///     .namespace(Namespace::new("cart", MemoryStore::new()))
    ///     .observer(seen.clone())
    ///     .build()?;
    /// # let mut browser = doc::Browser::of(&sessions);
    /// # doc::block_on(async {
    /// # browser.again().await.insert("items", 3).unwrap();
    /// # browser.end().await;
    /// # });
    /// // A visitor has put something into the cart.
    /// assert_eq!(*seen.0.lock().unwrap(), [EventKind::NoToken, EventKind::Created]);
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Sets how long opening a session may take, all store calls together. Default 1 s.
    pub fn open_deadline(mut self, deadline: Duration) -> Self {
        self.deadlines.open = deadline;
        self
    }

    /// Sets how long committing a session may take, all store calls together. Default 1 s.
    pub fn commit_deadline(mut self, deadline: Duration) -> Self {
        self.deadlines.commit = deadline;
        self
    }

    /// Sets how long one store call may take. Default 500 ms.
    pub fn call_deadline(mut self, deadline: Duration) -> Self {
        self.deadlines.call = deadline;
        self
    }

    /// Checks everything and makes the manager.
    ///
    /// # Errors
    /// A [`ConfigError`] that lists everything that is wrong.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let error = SessionManager::builder()
    ///     .namespace(Namespace::new("cart", MemoryStore::new()).max_size(0))
    ///     .namespace(Namespace::new("cart", MemoryStore::new()).limits(Limits::idle(hours(0))))
    ///     .build()
    ///     .unwrap_err();
    /// assert_eq!(error.problems().len(), 2); // all of them at once
    /// ```
    pub fn build(self) -> Result<SessionManager, ConfigError> {
        let mut problems = Vec::new();
        let mut report = |setting: &'static str, message: &str| {
            problems.push(ConfigProblem {
                namespace: None,
                setting,
                message: message.to_owned(),
            });
        };
        if self.namespaces.is_empty() {
            report("namespace", "there is none: add one");
        }
        for (setting, deadline) in [
            ("open_deadline", self.deadlines.open),
            ("commit_deadline", self.deadlines.commit),
            ("call_deadline", self.deadlines.call),
        ] {
            if deadline.is_zero() {
                report(setting, "no store answers in no time");
            }
        }
        let mut compiled: Vec<CompiledNamespace> = Vec::new();
        for namespace in self.namespaces {
            let Some(namespace) = namespace.compile(&self.application, &mut problems) else {
                continue;
            };
            check_repeated(&namespace, &compiled, &mut problems);
            compiled.push(namespace);
        }
        if !problems.is_empty() {
            return Err(ConfigError::new(problems));
        }
        let may_redirect = compiled.iter().any(|one| one.transports.has_query());
        Ok(SessionManager(Shared::new(ManagerState {
            may_redirect,
            namespaces: compiled.into(),
            random: self.random,
            deadlines: self.deadlines,
            queues: Queues::default(),
            clock: self.clock,
            observer: self.observer,
        })))
    }
}

fn check_repeated(
    namespace: &CompiledNamespace,
    others: &[CompiledNamespace],
    problems: &mut Vec<ConfigProblem>,
) {
    if others.iter().any(|other| other.id == namespace.id) {
        problems.push(ConfigProblem {
            namespace: Some(namespace.name().to_owned()),
            setting: "name",
            message: "there are two of this name: rename one".to_owned(),
        });
    } else {
        let mut others = others.iter();
        problems.extend(others.find_map(|other| shared_transport(namespace, other)));
    }
}

/// What a request would carry for both, or a response.
fn shared_transport(
    namespace: &CompiledNamespace,
    other: &CompiledNamespace,
) -> Option<ConfigProblem> {
    let (setting, clash) = namespace.transports.clash_with(&other.transports)?;
    Some(ConfigProblem {
        namespace: Some(namespace.name().to_owned()),
        setting,
        message: format!("namespace {:?} {clash}", other.name()),
    })
}

impl fmt::Debug for SessionManagerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionManagerBuilder")
            .field("namespaces", &self.namespaces)
            .finish_non_exhaustive()
    }
}

/// What can be said of a namespace without a request. Shows no secret.
///
/// ```
/// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
/// let store = MemoryStore::new();
/// let sessions = SessionManager::builder()
///     .namespace(Namespace::new("admin", store).only_if(|request| request.is_https()))
///     .build()?;
/// let info = sessions.namespaces().next().unwrap();
/// assert_eq!(info.name(), "admin");
/// assert_eq!(info.cookie_name(), Some("__Host-admin"));
/// assert_eq!(info.cookie_attributes(), Some("Path=/; Secure; HttpOnly; SameSite=Lax"));
/// assert!(info.transports().eq([TransportInfo::Cookie { name: "__Host-admin" }]));
/// assert_eq!(info.limits(), Limits::owasp());
/// assert!(info.has_condition());
/// assert!(!info.is_client_side());
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Clone, Copy)]
pub struct NamespaceInfo<'a>(pub(crate) &'a CompiledNamespace);

impl<'a> NamespaceInfo<'a> {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.0.name()
    }

    /// The name of the cookie, prefix included; `None` where its sessions travel in no cookie.
    #[must_use]
    pub fn cookie_name(&self) -> Option<&'a str> {
        self.0.transports.cookie().map(|cookie| &*cookie.name)
    }

    /// The attributes of the cookie, as they are sent, without `Max-Age`.
    #[must_use]
    pub fn cookie_attributes(&self) -> Option<&'a str> {
        self.0.transports.cookie().map(CookieSpec::attributes)
    }

    /// How its tokens travel, in the order in which it was declared.
    pub fn transports(&self) -> impl ExactSizeIterator<Item = TransportInfo<'a>> + use<'a> {
        self.0.transports.infos().into_iter()
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.0.settings.limits
    }

    /// Whether it is open only on some requests.
    #[must_use]
    pub fn has_condition(&self) -> bool {
        self.0.condition.is_some()
    }

    /// Whether its sessions are kept in their cookies.
    #[must_use]
    pub fn is_client_side(&self) -> bool {
        self.0.store().is_none()
    }
}

impl fmt::Debug for NamespaceInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
