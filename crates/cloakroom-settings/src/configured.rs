use std::collections::BTreeMap;

use cloakroom_core::{SessionManager, Sweeper, store::AnyStore};

use crate::plan::Plan;

/// What settings have made: the manager, and the stores behind it.
///
/// ```
/// use cloakroom_settings::{Settings, SettingsFormat};
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let text = r#"
///     [stores.fast]
///     type = "memory"
///     [stores.other]
///     url = "redis://elsewhere"
///     [namespaces.account]
///     store = "fast"
///     [namespaces.cart]
///     store = "fast"
/// "#;
/// # #[cfg(feature = "redis")] {
/// let sessions = Settings::new().text(SettingsFormat::Toml, text).build().await?;
/// assert_eq!(sessions.manager().namespaces().len(), 2);
/// assert!(sessions.store("fast").is_some());
/// assert!(sessions.store("other").is_none()); // no namespace uses it
/// # }
/// # Ok::<(), cloakroom_settings::SettingsError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ConfiguredSessions {
    manager: SessionManager,
    stores: BTreeMap<String, AnyStore>,
    sweeper: Sweeper,
}

impl ConfiguredSessions {
    pub(crate) fn new(
        manager: SessionManager,
        stores: BTreeMap<String, AnyStore>,
        plan: &Plan,
    ) -> Self {
        let mut sweeper = Sweeper::new(&manager);
        if let Some(interval) = plan.sweep_every {
            sweeper = sweeper.every(interval);
        }
        if let Some(age) = plan.sweep_older_than {
            sweeper = sweeper.older_than(age);
        }
        Self {
            manager,
            stores,
            sweeper,
        }
    }

    /// The manager, for a layer.
    #[must_use]
    pub fn manager(&self) -> &SessionManager {
        &self.manager
    }

    /// The manager alone.
    #[must_use]
    pub fn into_manager(self) -> SessionManager {
        self.manager
    }

    /// A store by its name, if a namespace uses it. Clones are the same store.
    #[must_use]
    pub fn store(&self, name: &str) -> Option<&AnyStore> {
        self.stores.get(name)
    }

    /// All stores that namespaces use, with their names, sorted by them.
    pub fn stores(&self) -> impl ExactSizeIterator<Item = (&str, &AnyStore)> {
        self.stores
            .iter()
            .map(|(name, store)| (name.as_str(), store))
    }

    /// A sweeper of all stores, as `sweeper.every` and `sweeper.older_than` say. Nothing sweeps
    /// until it is spawned.
    ///
    /// ```
    /// use cloakroom_settings::{Settings, SettingsFormat};
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let text = r#"
    ///     sweeper = { every = "10m", older_than = "1h" }
    ///     stores.main.type = "memory"
    ///     namespaces.cart.persistent = "30d"
    /// "#;
    /// let sessions = Settings::new().text(SettingsFormat::Toml, text).build().await?;
    /// let sweeping = sessions.sweeper().spawn().expect("a tokio runtime"); // until it is dropped
    /// # Ok::<(), cloakroom_settings::SettingsError>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sweeper(&self) -> Sweeper {
        self.sweeper.clone()
    }
}
