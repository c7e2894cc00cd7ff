use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use cloakroom_core::{Namespace, SessionManagerBuilder};

use crate::{
    ConfiguredSessions, SettingsError, SettingsFormat, build,
    error::Problems,
    plan::Plan,
    schema,
    source::{Environment, Layer},
    tree::Table,
};

/// Settings of sessions, from files and variables, and what code adds to them.
///
/// A later source takes the place of an earlier one, setting by setting. docs/settings.md says what
/// can be set.
///
/// ```
/// use cloakroom_settings::{Settings, SettingsFormat};
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let text = r#"
///     [stores.main]
///     type = "memory"
///
///     [namespaces.account]
///     limits = { idle = "30m", absolute = "12h" }
///
///     [namespaces.cart]
///     persistent = "30d"
/// "#;
/// let sessions = Settings::new()
///     .text(SettingsFormat::Toml, text)
///     .env("SHOP") // SHOP__NAMESPACES__CART__PERSISTENT=7d
///     .namespace("account", |account| account.only_if(|request| request.is_https()))
///     .build()
///     .await?;
/// let names = sessions.manager().namespaces().map(|namespace| namespace.name());
/// assert!(names.eq(["account", "cart"]));
/// # Ok::<(), cloakroom_settings::SettingsError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "build() makes the sessions"]
pub struct Settings {
    layers: Vec<Layer>,
    folder: Option<PathBuf>,
    environment: Environment,
    pub(crate) namespaces: Vec<(String, Adjust)>,
    pub(crate) manager: Option<AdjustManager>,
}

pub(crate) type Adjust = Box<dyn Fn(Namespace) -> Namespace + Send + Sync>;
pub(crate) type AdjustManager =
    Box<dyn FnOnce(SessionManagerBuilder) -> SessionManagerBuilder + Send + Sync>;

impl Settings {
    /// Settings without a source.
    pub fn new() -> Self {
        Self {
            layers: Vec::new(),
            folder: None,
            environment: Environment::Process,
            namespaces: Vec::new(),
            manager: None,
        }
    }

    /// Settings from a file. The same as `Settings::new().file(path)`.
    ///
    /// ```no_run
    /// use cloakroom_settings::Settings;
    /// # async fn example() -> Result<(), cloakroom_settings::SettingsError> {
    /// let sessions = Settings::from_file("sessions.toml").env("SHOP").build().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        Self::new().file(path)
    }

    /// Adds a file, of which the name ends in `.toml`, `.ini` or `.json`. It is read when the
    /// settings are checked or built. Relative paths in it are relative to its folder.
    ///
    /// ```
    /// use cloakroom_settings::Settings;
    /// let settings = Settings::new().file("sessions.toml").file("sessions.local.toml");
    /// let error = settings.check().unwrap_err(); // they are not there
    /// assert!(error.problems()[0].to_string().starts_with("sessions.toml: it can't be read: "));
    /// ```
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.layers.push(Layer::File(path.into()));
        self
    }

    /// Adds a text. Relative paths in it are relative to [`folder`](Self::folder).
    ///
    /// ```
    /// use cloakroom_settings::{Settings, SettingsFormat};
    /// let text = r#"{ "stores": { "main": { "type": "memory" } }, "namespaces": { "cart": {} } }"#;
    /// assert!(Settings::new().text(SettingsFormat::Json, text).check().is_ok());
    /// ```
    pub fn text(mut self, format: SettingsFormat, text: impl Into<String>) -> Self {
        self.layers.push(Layer::Text(format, text.into()));
        self
    }

    /// Adds the environment variables whose names begin with `prefix` and two `_`. The rest of a
    /// name is that of the setting in capitals, with two `_` for each dot, and `_` for a `-`:
    /// with the prefix `SHOP`, `SHOP__NAMESPACES__CART__LIMITS__IDLE` is
    /// `namespaces.cart.limits.idle`. A list is separated by commas.
    ///
    /// A variable with this beginning that names no setting is an error. Those with one `_` after
    /// the prefix are left alone.
    ///
    /// ```
    /// use cloakroom_settings::Settings;
    /// let settings = Settings::new()
    ///     .env("SHOP")
    ///     .variables([
    ///         ("SHOP__STORES__MAIN__TYPE", "memory"),
    ///         ("SHOP__NAMESPACES__CART__PERSISTENT", "30d"),
    ///     ]);
    /// assert!(settings.check().is_ok());
    /// ```
    pub fn env(mut self, prefix: impl Into<String>) -> Self {
        self.layers.push(Layer::Variables(prefix.into()));
        self
    }

    /// Adds Beaker's settings of one session, from a section of an INI file for Paste, as Pylons
    /// and Pyramid have it: those that begin with `beaker.session.` or `session.`. The section
    /// is `app:main`, usually; other settings in it are left alone.
    ///
    /// `%(here)s` is the folder of the file, which relative paths are relative to as well. The
    /// namespace is called `session`, unless `beaker.session.namespace` says otherwise.
    /// docs/settings.md says what each setting becomes, and which are refused.
    ///
    /// ```
    /// use cloakroom_settings::Settings;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("production.ini");
    /// # let ini = "[app:main]\nuse = egg:shop\nbeaker.session.type = memory\n\
    /// #     beaker.session.timeout = 1800\n";
    /// # std::fs::write(&path, ini)?;
    /// let settings = Settings::new().beaker(path, "app:main");
    /// # #[cfg(feature = "memory")]
    /// settings.check()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn beaker(mut self, path: impl Into<PathBuf>, section: impl Into<String>) -> Self {
        self.layers.push(Layer::Paste {
            file: path.into(),
            section: section.into(),
        });
        self
    }

    /// Sets what relative paths in texts and variables are relative to. Default: the folder of
    /// the first file, or the working directory.
    ///
    /// ```
    /// # #[cfg(feature = "file")] {
    /// use cloakroom_settings::Settings;
    /// # let data = tempfile::tempdir().unwrap();
    /// # let data = data.path();
    /// let settings = Settings::new()
    ///     .folder(data)
    ///     .env("SHOP")
    ///     .variables([
    ///         ("SHOP__STORES__MAIN__URL", "file:sessions"), // data/sessions
    ///         ("SHOP__NAMESPACES__CART__STORE", "main"),
    ///     ]);
    /// # tokio::runtime::Runtime::new().unwrap().block_on(settings.build()).unwrap();
    /// # assert!(data.join("sessions").is_dir());
    /// # }
    /// ```
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Takes these variables for the environment, in place of those of the process: for tests, and
    /// for an application that has its variables from elsewhere.
    ///
    /// ```
    /// use cloakroom_settings::Settings;
    /// let settings = Settings::new().env("SHOP").variables([("SHOP__APLICATION", "shop")]);
    /// let error = settings.check().unwrap_err();
    /// assert!(error.to_string().contains("did you mean application?"));
    /// ```
    pub fn variables<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables.into_iter();
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        self.environment = Environment::Given(variables.collect::<BTreeMap<_, _>>());
        self
    }

    /// Adjusts a namespace in code: what no text can say, such as its condition. It comes after
    /// the settings, and may run more than once. A name that the settings don't have is an error.
    ///
    /// ```
    /// use cloakroom_settings::{Settings, SettingsFormat};
    /// let text = "[stores]\nmain.type = \"memory\"\n[namespaces.admin]";
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let sessions = Settings::new()
    ///     .text(SettingsFormat::Toml, text)
    ///     .namespace("admin", |admin| admin.only_if(|request| request.path().starts_with("/admin")))
    ///     .build()
    ///     .await?;
    /// assert!(sessions.manager().namespaces().next().unwrap().has_condition());
    /// # Ok::<(), cloakroom_settings::SettingsError>(())
    /// # }).unwrap();
    /// ```
    pub fn namespace(
        mut self,
        name: impl Into<String>,
        adjust: impl Fn(Namespace) -> Namespace + Send + Sync + 'static,
    ) -> Self {
        self.namespaces.push((name.into(), Box::new(adjust)));
        self
    }

    /// Adjusts the manager in code: its observer, its clock, a namespace of which no file knows.
    /// It comes last, and runs once, in [`build`](Self::build).
    ///
    /// ```
    /// use cloakroom_core::{Event, Observer};
    /// use cloakroom_settings::{Settings, SettingsFormat};
    ///
    /// #[derive(Debug)]
    /// struct Log;
    ///
    /// impl Observer for Log {
    ///     fn on_event(&self, event: &Event<'_>) {
    ///         println!("{event:?}");
    ///     }
    /// }
    ///
    /// let text = "[stores]\nmain.type = \"memory\"\n[namespaces.cart]";
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let sessions = Settings::new()
    ///     .text(SettingsFormat::Toml, text)
    ///     .manager(|manager| manager.observer(Log))
    ///     .build()
    ///     .await?;
    /// # Ok::<(), cloakroom_settings::SettingsError>(())
    /// # }).unwrap();
    /// ```
    pub fn manager(
        mut self,
        adjust: impl FnOnce(SessionManagerBuilder) -> SessionManagerBuilder + Send + Sync + 'static,
    ) -> Self {
        let before = self.manager.take();
        self.manager = Some(Box::new(|manager| match before {
            Some(before) => adjust(before(manager)),
            None => adjust(manager),
        }));
        self
    }

    /// Finds every mistake that can be found without opening a store. It reads the sources and
    /// the keys, and makes nothing: for a test of the files that a program is delivered with.
    ///
    /// # Errors
    /// A [`SettingsError`] that lists what is wrong.
    ///
    /// ```
    /// use cloakroom_settings::{Settings, SettingsFormat};
    /// let text = "[stores.main]\nurl = \"redis//cache\"\n[namespaces.cart]";
    /// let error = Settings::new().text(SettingsFormat::Toml, text).check().unwrap_err();
    /// assert!(error.to_string().contains("line 2: stores.main.url: no store has such a url"));
    /// ```
    pub fn check(&self) -> Result<(), SettingsError> {
        let plan = self.plan()?;
        build::check(self, &plan, false).map(drop)
    }

    /// Checks everything, opens the stores and makes the manager. Stores that no namespace uses are
    /// left alone, and so are keys. Call it on the runtime that will answer requests.
    ///
    /// # Errors
    /// A [`SettingsError`] that lists what is wrong. When a setting is wrong, no store is opened;
    /// else it says of each store that can't be opened why.
    ///
    /// ```
    /// use cloakroom_settings::{Settings, SettingsFormat};
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let text = "[stores.main]\ntype = \"memory\"\n[namespaces.cart]\npersistent = \"30d\"";
    /// let sessions = Settings::new().text(SettingsFormat::Toml, text).build().await?;
    /// let _sweeping = sessions.sweeper().spawn();
    /// let manager = sessions.into_manager(); // for a SessionLayer
    /// # Ok::<(), cloakroom_settings::SettingsError>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn build(self) -> Result<ConfiguredSessions, SettingsError> {
        let plan = self.plan()?;
        let loaded = build::check(&self, &plan, true)?;
        build::build(self, plan, loaded).await
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Reads the sources: first what they say, then what it means.
    fn plan(&self) -> Result<Plan, SettingsError> {
        let mut problems = Problems::default();
        let folder = self.base_folder();
        let mut tree = Table::default();
        for layer in &self.layers {
            let over = layer.read(&tree, &folder, &self.environment, &mut problems);
            tree.overlay(over);
        }
        let root = schema::check(&tree, &mut problems);
        problems.into_result()?;
        let mut problems = Problems::default();
        let plan = Plan::new(&root, &self.environment, &mut problems);
        problems.into_result()?;
        Ok(plan)
    }

    fn base_folder(&self) -> PathBuf {
        let of_file = |layer: &Layer| match layer {
            Layer::File(file) | Layer::Paste { file, .. } => file.parent().map(Path::to_owned),
            Layer::Text(..) | Layer::Variables(_) => None,
        };
        let folder = self.folder.clone();
        folder
            .or_else(|| self.layers.iter().find_map(of_file))
            .unwrap_or_default()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Texts and variables may hold passwords.
        let adjusted: Vec<_> = self.namespaces.iter().map(|(name, _)| name).collect();
        f.debug_struct("Settings")
            .field("sources", &self.layers.len())
            .field("adjusted", &adjusted)
            .finish_non_exhaustive()
    }
}
