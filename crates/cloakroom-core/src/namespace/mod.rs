use std::{fmt, sync::Arc, time::Duration};

use cloakroom_store::{AnyStore, NamespaceId, Store};

use crate::{
    codec::Codec,
    commit::Stored,
    cookie::{Cookie, CookieSpec},
    error::ConfigProblem,
    head::RequestHead,
    limits::Limits,
    token::SecretHasher,
};
#[cfg(feature = "client-side")]
use crate::{
    cookie::MAX_COOKIE_LENGTH,
    keys::KeyRing,
    sealed::{Context, Protection, Sealer},
};

/// One named, independently configured session of an application.
///
/// Defaults: the cookie of [`Cookie`], the limits of [`Limits::owasp`], no condition, at most
/// 64 KiB of data, MessagePack.
///
/// ```
/// use cloakroom_core::{Limits, Namespace, hours, minutes};
/// # fn namespace(store: impl cloakroom_store::Store) -> Namespace {
/// Namespace::new("account", store)
///     .limits(Limits::idle(minutes(30)).absolute(hours(12)))
///     .rotate_every(hours(1))
///     .only_if(|request| request.is_https())
/// # }
/// ```
#[must_use = "a namespace does nothing until a SessionManager has it"]
pub struct Namespace {
    name: String,
    keeper: Keeper,
    cookie: Cookie,
    insecure_http: bool,
    settings: Settings,
    condition: Option<Condition>,
    limits_are_set: bool,
    persistent: Option<Duration>,
    /// A setting of client-side namespaces on one that has a store.
    misused: Option<&'static str>,
}

/// Decides from a request whether a namespace is open on it.
pub(crate) type Condition = Arc<dyn Fn(&dyn RequestHead) -> bool + Send + Sync>;

enum Keeper {
    Store(AnyStore),
    #[cfg(feature = "client-side")]
    Cookie {
        keys: KeyRing,
        protection: Protection,
        accepts_replay: bool,
    },
}

/// The settings of a namespace that need no checking beyond their own.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) is_persistent: bool,
    pub(crate) rotate_every: Option<Duration>,
    pub(crate) max_size: usize,
    pub(crate) codec: Codec,
    pub(crate) is_strict: bool,
    pub(crate) saves_on_server_error: bool,
    pub(crate) on_store_failure: FailurePolicy,
    pub(crate) on_ended: EndedPolicy,
    pub(crate) on_corrupt: CorruptPolicy,
    pub(crate) on_replaced_token: ReplacedTokenPolicy,
}

/// What becomes of the response when the store fails at commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailurePolicy {
    /// It becomes a 503 without details.
    #[default]
    Respond503,
    /// It stays as it is, and the loss is an [`EventKind::Lost`](crate::EventKind::Lost).
    KeepResponse,
}

/// What becomes of the response when its changes are void, because the session was ended or
/// logged in anew meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EndedPolicy {
    /// It stays as it is.
    #[default]
    Ignore,
    /// It becomes a 409.
    Respond409,
    /// It becomes a 401.
    Respond401,
}

/// What happens when the store holds something that is no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CorruptPolicy {
    /// The visitor gets a new session, and it is an event.
    #[default]
    Reset,
    /// Opening the session fails with [`SessionError::Corrupt`](crate::SessionError::Corrupt).
    Fail,
}

/// What happens to a session when a token comes that a rotation has replaced, after its grace: the
/// sign of a token that was copied, or of a client that was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplacedTokenPolicy {
    /// Nothing; it is an event.
    #[default]
    Ignore,
    /// It is ended.
    EndSession,
}

impl Namespace {
    /// A namespace whose sessions are kept in a store. Stores are cheap to clone, and one may
    /// hold many namespaces.
    ///
    /// The name has 1 to 32 lower-case letters, digits, `-` and `_`, a letter first.
    pub fn new(name: impl Into<String>, store: impl Store) -> Self {
        Self::with_keeper(name.into(), Keeper::Store(store.into_any()))
    }

    /// A client-side namespace: the whole session is in its cookie, encrypted.
    ///
    /// It needs no store, and can't do what needs one. Who has kept an older cookie can bring the
    /// session back to that state; two requests at the same time do not merge their changes, the
    /// last response wins. So `login`, `end` and `rotate` are refused unless
    /// [`accept_replay`](Self::accept_replay) says that this is known.
    #[cfg(feature = "client-side")]
    pub fn in_cookie(name: impl Into<String>, keys: &KeyRing) -> Self {
        let keeper = Keeper::Cookie {
            keys: keys.clone(),
            protection: Protection::Encrypted,
            accepts_replay: false,
        };
        Self::with_keeper(name.into(), keeper)
    }

    fn with_keeper(name: String, keeper: Keeper) -> Self {
        Self {
            name,
            keeper,
            cookie: Cookie::default(),
            insecure_http: false,
            settings: Settings {
                limits: Limits::default(),
                is_persistent: false,
                rotate_every: None,
                max_size: 64 * 1024,
                codec: Codec::default(),
                is_strict: false,
                saves_on_server_error: false,
                on_store_failure: FailurePolicy::default(),
                on_ended: EndedPolicy::default(),
                on_corrupt: CorruptPolicy::default(),
                on_replaced_token: ReplacedTokenPolicy::default(),
            },
            condition: None,
            limits_are_set: false,
            persistent: None,
            misused: None,
        }
    }

    /// Signs the cookie instead of encrypting it: whoever has it can read it, and none change it.
    #[cfg(feature = "client-side")]
    pub fn signed(mut self) -> Self {
        match &mut self.keeper {
            Keeper::Cookie { protection, .. } => *protection = Protection::Signed,
            Keeper::Store(_) => self.misused = Some("signed"),
        }
        self
    }

    /// Lets `login`, `end`, `rotate` and the like work on a client-side namespace, although a
    /// copy of the cookie from before stays good until it expires.
    #[cfg(feature = "client-side")]
    pub fn accept_replay(mut self) -> Self {
        match &mut self.keeper {
            Keeper::Cookie { accepts_replay, .. } => *accepts_replay = true,
            Keeper::Store(_) => self.misused = Some("accept_replay"),
        }
        self
    }

    /// Sets the cookie's name and attributes.
    pub fn cookie(self, cookie: Cookie) -> Self {
        Self { cookie, ..self }
    }

    /// Sends the cookie over plain http too, without `Secure` and prefix: everyone on the way can
    /// read it. For development, and for what nobody minds others to see.
    pub fn insecure_http(self) -> Self {
        Self {
            insecure_http: true,
            ..self
        }
    }

    /// Sets the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self.limits_are_set = true;
        self
    }

    /// Keeps the cookie when the browser is closed, until the session's absolute limit. Unless
    /// [`limits`](Self::limits) are set too, the absolute limit is `lifetime` and there is no
    /// idle one. Browsers keep no cookie for more than 400 days.
    pub fn persistent(self, lifetime: Duration) -> Self {
        Self {
            persistent: Some(lifetime),
            ..self
        }
    }

    /// Opens the namespace only on requests for which this is true. It is asked once per request,
    /// at most; where it is false the namespace is closed. How a request is known to be https is
    /// the integration's: `cloakroom-tower` reads a `Scheme` from its extensions.
    pub fn only_if(
        self,
        condition: impl Fn(&dyn RequestHead) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            condition: Some(Arc::new(condition)),
            ..self
        }
    }

    /// Rotates the secret of sessions that have a subject, when they are used this long after the
    /// last rotation. At least one minute.
    pub fn rotate_every(mut self, interval: Duration) -> Self {
        self.settings.rotate_every = Some(interval);
        self
    }

    /// Sets how many bytes the keys and values of a session may have, encoded. Default 64 KiB;
    /// the browser's 4096 bytes bound a client-side session earlier.
    pub fn max_size(mut self, bytes: usize) -> Self {
        self.settings.max_size = bytes;
        self
    }

    /// Sets how values are encoded. Changing it makes stored values unreadable.
    pub fn codec(mut self, codec: Codec) -> Self {
        self.settings.codec = codec;
        self
    }

    /// Answers 409, and saves nothing, when a request sets a key that it has read and somebody
    /// else has changed since. By default the last writer wins, and it is an event.
    pub fn strict(mut self) -> Self {
        self.settings.is_strict = true;
        self
    }

    /// Saves changes although the response is a 5xx or the handler panicked. `end` is carried out
    /// at any status, with or without this.
    pub fn save_on_server_error(mut self) -> Self {
        self.settings.saves_on_server_error = true;
        self
    }

    /// Sets what becomes of the response when the store fails at commit.
    pub fn on_store_failure(mut self, policy: FailurePolicy) -> Self {
        self.settings.on_store_failure = policy;
        self
    }

    /// Sets what becomes of the response when the changes are void.
    pub fn on_ended(mut self, policy: EndedPolicy) -> Self {
        self.settings.on_ended = policy;
        self
    }

    /// Sets what happens when the store holds something that is no session.
    pub fn on_corrupt(mut self, policy: CorruptPolicy) -> Self {
        self.settings.on_corrupt = policy;
        self
    }

    /// Sets what happens when a token comes that a rotation has replaced.
    pub fn on_replaced_token(mut self, policy: ReplacedTokenPolicy) -> Self {
        self.settings.on_replaced_token = policy;
        self
    }

    /// Checks everything. `application` binds what client-side sessions seal.
    pub(crate) fn compile(
        mut self,
        application: &str,
        problems: &mut Vec<ConfigProblem>,
    ) -> Option<CompiledNamespace> {
        let before = problems.len();
        let name = self.name.clone();
        let mut report = |setting: &'static str, message: String| {
            problems.push(ConfigProblem {
                namespace: Some(name.clone()),
                setting,
                message,
            });
        };
        let id = NamespaceId::new(&self.name)
            .map_err(|error| report("name", error.to_string()))
            .ok();
        if let Some(setting) = self.misused {
            report(
                setting,
                "this is for namespaces in a cookie, and this one has a store".to_owned(),
            );
        }
        self.settle_lifetime(&mut report);
        if let Some(problem) = self.settings.limits.problem() {
            report("limits", problem.to_owned());
        }
        if self
            .settings
            .rotate_every
            .is_some_and(|d| d < Duration::from_secs(60))
        {
            report("rotate_every", "rotate at most once a minute".to_owned());
        }
        if self.settings.max_size == 0 {
            report("max_size", "no value fits into 0 bytes".to_owned());
        }
        let cookie = self
            .cookie
            .compile(&self.name, !self.insecure_http)
            .map_err(|messages| messages.into_iter().for_each(|m| report("cookie", m)))
            .ok();
        let backend = cookie
            .as_ref()
            .and_then(|cookie| self.backend(application, cookie, &mut report));
        if problems.len() > before {
            return None;
        }
        Some(CompiledNamespace {
            id: id?,
            name,
            hasher: SecretHasher::new(&self.name),
            backend: backend?,
            cookie: cookie?,
            settings: self.settings,
            condition: self.condition,
        })
    }

    fn settle_lifetime(&mut self, report: &mut impl FnMut(&'static str, String)) {
        let Some(lifetime) = self.persistent else {
            return;
        };
        self.settings.is_persistent = true;
        if !self.limits_are_set {
            self.settings.limits = Limits::absolute_only(lifetime);
            return;
        }
        match self.settings.limits.absolute {
            None => self.settings.limits.absolute = Some(lifetime),
            Some(absolute) if absolute == lifetime => {}
            Some(absolute) => report(
                "persistent",
                format!(
                    "persistent says {lifetime:?} and the absolute limit {absolute:?}: set one of \
                     them, or both to the same"
                ),
            ),
        }
    }

    fn backend(
        &self,
        #[cfg_attr(
            not(feature = "client-side"),
            expect(unused_variables, reason = "twin")
        )]
        application: &str,
        #[cfg_attr(
            not(feature = "client-side"),
            expect(unused_variables, reason = "twin")
        )]
        cookie: &CookieSpec,
        #[cfg_attr(
            not(feature = "client-side"),
            expect(unused_variables, reason = "twin")
        )]
        report: &mut impl FnMut(&'static str, String),
    ) -> Option<Backend> {
        match &self.keeper {
            Keeper::Store(store) => Some(Backend::Store(store.clone())),
            #[cfg(feature = "client-side")]
            Keeper::Cookie {
                keys,
                protection,
                accepts_replay,
            } => {
                let needs_replay = [
                    (self.settings.rotate_every.is_some(), "rotate_every"),
                    (self.settings.is_strict, "strict"),
                ];
                for (is_set, setting) in needs_replay {
                    if is_set {
                        report(setting, "a client-side namespace can't do this".to_owned());
                    }
                }
                let context = Context {
                    application,
                    namespace: &self.name,
                    cookie: &cookie.name,
                };
                Some(Backend::Cookie {
                    sealer: Box::new(Sealer::new(keys, *protection, context)),
                    accepts_replay: *accepts_replay,
                })
            }
        }
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("name", &self.name)
            .field("cookie", &self.cookie)
            .field("settings", &self.settings)
            .field("has_condition", &self.condition.is_some())
            .finish_non_exhaustive()
    }
}

/// A namespace that has been checked.
pub(crate) struct CompiledNamespace {
    pub(crate) id: NamespaceId,
    name: String,
    pub(crate) hasher: SecretHasher,
    pub(crate) backend: Backend,
    pub(crate) cookie: CookieSpec,
    pub(crate) settings: Settings,
    pub(crate) condition: Option<Condition>,
}

impl CompiledNamespace {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The store that keeps its sessions; `None` when they are in their cookies.
    pub(crate) fn store(&self) -> Option<&AnyStore> {
        match &self.backend {
            Backend::Store(store) => Some(store),
            #[cfg(feature = "client-side")]
            Backend::Cookie { .. } => None,
        }
    }

    /// Whether it refuses what a copy of a session undoes.
    pub(crate) fn refuses_replay(&self) -> bool {
        match &self.backend {
            Backend::Store(_) => false,
            #[cfg(feature = "client-side")]
            Backend::Cookie { accepts_replay, .. } => !accepts_replay,
        }
    }

    /// The size of a client-side session's cookie and the browser's limit, when `frames` bytes of
    /// keys and values go beyond it.
    pub(crate) fn cookie_overflow(
        &self,
        stored: Option<&Stored>,
        frames: usize,
    ) -> Option<(usize, usize)> {
        match &self.backend {
            Backend::Store(_) => {
                let _ = (stored, frames);
                None
            }
            #[cfg(feature = "client-side")]
            Backend::Cookie { sealer, .. } => {
                let size = crate::client_side::cookie_size(sealer, &self.cookie, stored, frames);
                (size > MAX_COOKIE_LENGTH).then_some((size, MAX_COOKIE_LENGTH))
            }
        }
    }
}

impl fmt::Debug for CompiledNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("name", &self.id)
            .field("backend", &self.backend)
            .field("cookie", &self.cookie)
            .field("settings", &self.settings)
            .field("has_condition", &self.condition.is_some())
            .finish()
    }
}

/// Where the sessions of a namespace are kept.
#[derive(Debug)]
pub(crate) enum Backend {
    Store(AnyStore),
    #[cfg(feature = "client-side")]
    Cookie {
        sealer: Box<Sealer>,
        accepts_replay: bool,
    },
}
