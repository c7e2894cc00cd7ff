//! What the toolbar shows of a configuration, and never a secret.

use std::time::Duration;

use crate::{
    codec::Codec,
    manager::{NamespaceInfo, SessionManager},
    namespace::{Backend, SaveMode},
};

impl SessionManager {
    /// Whether two values are clones of one.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// # let build = || {
    /// #     let cart = Namespace::new("cart", MemoryStore::new());
    /// #     SessionManager::builder().namespace(cart).build()
    /// # };
    /// let (one, other) = (build()?, build()?);
    /// assert!(one.is_same(&one.clone()));
    /// assert!(!one.is_same(&other));
    /// # Ok::<(), ConfigError>(())
    /// ```
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(self.state(), other.state())
    }

    /// How long one store call may take.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// use std::time::Duration;
    /// let cart = Namespace::new("cart", MemoryStore::new());
    /// let sessions = SessionManager::builder().namespace(cart).build()?;
    /// assert_eq!(sessions.call_deadline(), Duration::from_millis(500));
    /// assert_eq!(sessions.open_deadline(), Duration::from_secs(1));
    /// assert_eq!(sessions.commit_deadline(), Duration::from_secs(1));
    /// # Ok::<(), ConfigError>(())
    /// ```
    #[must_use]
    pub fn call_deadline(&self) -> Duration {
        self.state().deadlines.call
    }

    /// How long opening a session may take, all store calls together.
    #[must_use]
    pub fn open_deadline(&self) -> Duration {
        self.state().deadlines.open
    }

    /// How long committing a session may take, all store calls together.
    #[must_use]
    pub fn commit_deadline(&self) -> Duration {
        self.state().deadlines.commit
    }
}

impl NamespaceInfo<'_> {
    /// The store, as its `Debug` shows it; `None` where the sessions are in their cookies.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cart = Namespace::new("cart", MemoryStore::new()).rotate_every(hours(1));
    /// let sessions = SessionManager::builder().namespace(cart).build()?;
    /// let cart = sessions.namespaces().next().unwrap();
    /// assert!(cart.store().unwrap().starts_with("MemoryStore"));
    /// assert_eq!(cart.rotate_every(), Some(hours(1)));
    /// assert_eq!((cart.codec(), cart.save_mode()), (Codec::MessagePack, SaveMode::OnChange));
    /// assert!(!cart.is_persistent() && !cart.refuses_changes_on_get());
    /// # Ok::<(), ConfigError>(())
    /// ```
    #[must_use]
    pub fn store(&self) -> Option<String> {
        self.0.store().map(|store| format!("{store:?}"))
    }

    /// The ids of the keys that seal its sessions, the current one first; empty where a store
    /// keeps them.
    ///
    /// ```
    /// # #[cfg(feature = "client-side")] {
    /// # use cloakroom_core::*;
    /// let key = SecretKey::generate()?;
    /// let prefs = Namespace::in_cookie("prefs", &KeyRing::new(key.clone()));
    /// let sessions = SessionManager::builder().namespace(prefs).build()?;
    /// let prefs = sessions.namespaces().next().unwrap();
    /// assert_eq!(prefs.key_ids(), [key.id().to_string()]);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn key_ids(&self) -> Vec<String> {
        match &self.0.backend {
            Backend::Store(_) => Vec::new(),
            #[cfg(feature = "client-side")]
            Backend::Cookie { sealer, .. } => sealer.key_ids().map(|id| id.to_string()).collect(),
        }
    }

    /// Whether the client can read its sessions: they are signed and not encrypted.
    #[must_use]
    pub fn is_readable_by_clients(&self) -> bool {
        match &self.0.backend {
            Backend::Store(_) => false,
            #[cfg(feature = "client-side")]
            Backend::Cookie { sealer, .. } => sealer.is_readable(),
        }
    }

    /// Whether the cookie outlives the browser.
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        self.0.settings.is_persistent
    }

    /// How often the secret of a session that has a subject is rotated.
    #[must_use]
    pub fn rotate_every(&self) -> Option<Duration> {
        self.0.settings.rotate_every
    }

    /// The most bytes that the keys and values of a session may have.
    #[must_use]
    pub fn max_size(&self) -> usize {
        self.0.settings.max_size
    }

    /// When changes are saved.
    #[must_use]
    pub fn save_mode(&self) -> SaveMode {
        self.0.settings.save_mode
    }

    /// How values are encoded.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.0.settings.codec
    }

    /// Whether changes are errors on `GET` and other safe methods.
    #[must_use]
    pub fn refuses_changes_on_get(&self) -> bool {
        self.0.settings.refuses_changes_on_get
    }

    /// Whether changes are saved where the response is a server error.
    #[must_use]
    pub fn saves_on_server_error(&self) -> bool {
        self.0.settings.saves_on_server_error
    }

    /// Whether an insert on what somebody else has changed since it was read is a 409.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.0.settings.is_strict
    }
}
