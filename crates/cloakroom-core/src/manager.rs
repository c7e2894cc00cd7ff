use std::{fmt, time::Duration};

use crate::{
    clock::{Clock, SystemClock},
    commit::Queues,
    error::{ConfigError, ConfigProblem},
    event::{Event, EventKind, Observer, emit},
    limits::Limits,
    namespace::{CompiledNamespace, Namespace},
    random::{OsRandom, Random},
    shared::Shared,
};
use cloakroom_store::{SessionId, Timestamp};

/// All namespaces of an application: checked once, then immutable. Cheap to clone.
///
/// ```
/// use cloakroom_core::{Namespace, SessionManager, days};
/// # fn manager(store: impl cloakroom_store::Store + Clone) -> Result<SessionManager, cloakroom_core::ConfigError> {
/// let sessions = SessionManager::builder()
///     .namespace(Namespace::new("account", store.clone()))
///     .namespace(Namespace::new("cart", store).persistent(days(30)))
///     .build()?;
/// # Ok(sessions)
/// # }
/// ```
#[derive(Clone)]
pub struct SessionManager(Shared<ManagerState>);

pub(crate) struct ManagerState {
    pub(crate) namespaces: Box<[CompiledNamespace]>,
    pub(crate) random: Box<dyn Random>,
    pub(crate) deadlines: Deadlines,
    pub(crate) queues: Queues,
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
    pub fn namespaces(&self) -> impl ExactSizeIterator<Item = NamespaceInfo<'_>> {
        self.0.namespaces.iter().map(NamespaceInfo)
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
            let same_cookie =
                |other: &&CompiledNamespace| inner.cookie.collides_with(&other.cookie);
            if let Some(other) = outer.0.namespaces.iter().find(same_cookie) {
                problems.push(repeated_cookie(inner, other));
            }
        }
        (!problems.is_empty()).then(|| ConfigError::new(problems))
    }
}

impl ManagerState {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn emit(&self, namespace: &str, id: Option<SessionId>, kind: EventKind) {
        let event = Event {
            namespace,
            id,
            kind,
        };
        emit(self.observer.as_deref(), event);
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
    pub fn application(mut self, name: impl Into<String>) -> Self {
        self.application = name.into();
        self
    }

    /// Sets the clock. Default [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Sets the source of ids and secrets. Default [`OsRandom`]; others are for tests.
    pub fn random(mut self, random: impl Random) -> Self {
        self.random = Box::new(random);
        self
    }

    /// Sets who hears of events.
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
        Ok(SessionManager(Shared::new(ManagerState {
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
    } else if let Some(other) = others
        .iter()
        .find(|other| namespace.cookie.collides_with(&other.cookie))
    {
        problems.push(repeated_cookie(namespace, other));
    }
}

fn repeated_cookie(namespace: &CompiledNamespace, other: &CompiledNamespace) -> ConfigProblem {
    ConfigProblem {
        namespace: Some(namespace.name().to_owned()),
        setting: "cookie",
        message: format!(
            "namespace {:?} has the cookie {:?} too, on an overlapping path and domain: rename one",
            other.name(),
            other.cookie.name
        ),
    }
}

impl fmt::Debug for SessionManagerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionManagerBuilder")
            .field("namespaces", &self.namespaces)
            .finish_non_exhaustive()
    }
}

/// What can be said of a namespace without a request. Shows no secret.
#[derive(Clone, Copy)]
pub struct NamespaceInfo<'a>(&'a CompiledNamespace);

impl<'a> NamespaceInfo<'a> {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.0.name()
    }

    /// The name of the cookie, prefix included.
    #[must_use]
    pub fn cookie_name(&self) -> &'a str {
        &self.0.cookie.name
    }

    /// The attributes of the cookie, as they are sent, without `Max-Age`.
    #[must_use]
    pub fn cookie_attributes(&self) -> &'a str {
        self.0.cookie.attributes()
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
