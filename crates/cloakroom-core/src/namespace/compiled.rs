use std::{fmt, time::Duration};

use cloakroom_store::{AnyStore, NamespaceId};

use super::{Condition, Keeper, Namespace, Settings, spoken::spoken};
use crate::{
    commit::Stored, cookie::CookieSpec, error::ConfigProblem, limits::Limits, token::SecretHasher,
    transport::Transports,
};
#[cfg(feature = "client-side")]
use crate::{
    cookie::MAX_COOKIE_LENGTH,
    sealed::{Context, Sealer},
};

/// A namespace that has been checked.
pub(crate) struct CompiledNamespace {
    pub(crate) id: NamespaceId,
    name: String,
    pub(crate) hasher: SecretHasher,
    pub(crate) backend: Backend,
    pub(crate) transports: Transports,
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
                let cookie = self.transports.cookie()?;
                let size = crate::client_side::cookie_size(sealer, cookie, stored, frames);
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
            .field("transports", &self.transports)
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

impl Namespace {
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
        let transports = Transports::compile(
            self.transports.as_deref(),
            &self.cookie,
            &self.name,
            !self.insecure_http,
            &mut report,
        );
        let backend = transports
            .as_ref()
            .and_then(|transports| self.backend(application, transports.cookie(), &mut report));
        if problems.len() > before {
            return None;
        }
        Some(CompiledNamespace {
            id: id?,
            name,
            hasher: SecretHasher::new(&self.name),
            backend: backend?,
            transports: transports?,
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
                    "persistent says {} and the absolute limit {}: set one of them, or both to the \
                     same",
                    spoken(lifetime),
                    spoken(absolute)
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
        cookie: Option<&CookieSpec>,
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
                let declared = self.transports.as_deref().unwrap_or_default();
                let is_cookie_alone =
                    declared.len() <= 1 && declared.iter().all(|transport| transport.is_cookie());
                let Some(cookie) = cookie.filter(|_| is_cookie_alone) else {
                    let message = "a client-side namespace is in its cookie: leave the others out";
                    report("transports", message.to_owned());
                    return None;
                };
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
