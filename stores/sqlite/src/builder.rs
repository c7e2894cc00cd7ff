use std::{path::PathBuf, sync::Arc, thread::available_parallelism, time::Instant};

use crate::{
    OpenError, SqliteStore, address,
    connection::{Connection, Role, Settings},
    error::Reason,
    file,
    schema::{self, STARTING, Table},
    shared::Shared,
    statements::Statements,
};

/// When a change waits for the disk.
///
/// What a store has acknowledged survives a crash or a `kill -9` of the process in every mode, and
/// a commit is there as a whole or not at all. The modes differ in what a crash of the machine, or
/// a loss of its power, leaves:
///
/// | mode | acknowledged changes | the database |
/// |---|---|---|
/// | `Full` | are there | whole |
/// | `Normal` | those since the last checkpoint, up to some MiB of them, may be undone | whole |
/// | `Off` | may be undone | may be damaged beyond repair |
///
/// An undone change may be a logout: a session that is back after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Synchronous {
    /// No change waits. For tests, and for what may be lost.
    Off,
    /// No change waits; a checkpoint does.
    Normal,
    /// Each commit waits. Changes that come at the same time share a commit. The default.
    #[default]
    Full,
}

impl Synchronous {
    pub(crate) const fn as_sql(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::Normal => "NORMAL",
            Self::Full => "FULL",
        }
    }
}

/// The settings of a [`SqliteStore`]; made by [`SqliteStore::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct SqliteStoreBuilder {
    path: PathBuf,
    table: String,
    synchronous: Synchronous,
    migrate: bool,
    max_data_size: usize,
    max_file_size: Option<u64>,
    inline_loads: usize,
}

impl SqliteStoreBuilder {
    pub(crate) fn new(path: PathBuf) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            path,
            table: "cloakroom_sessions".to_owned(),
            synchronous: Synchronous::default(),
            migrate: true,
            max_data_size: 1 << 20,
            max_file_size: None,
            inline_loads: cores.saturating_sub(1).clamp(1, 16),
        }
    }

    /// The table. Default: `cloakroom_sessions`.
    ///
    /// 1 to 63 lower-case letters, digits and `_`, no digit first, and not `sqlite_` at the
    /// beginning; anything else is an error of [`open`](Self::open). A second table,
    /// `NAME_schema`, and the indexes `NAME_expires` and `NAME_subject` go with it. A database may
    /// hold several, and tables of other programs.
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = name.into();
        self
    }

    /// When a change waits for the disk. Default: [`Synchronous::Full`].
    pub const fn synchronous(mut self, mode: Synchronous) -> Self {
        self.synchronous = mode;
        self
    }

    /// Whether to make the table, or to bring it to the newest schema. Default: `true`.
    ///
    /// With `false` somebody else runs what [`SqliteStore::migrations`] gives, and
    /// [`open`](Self::open) fails before that is done. Several processes may migrate at the same
    /// time: one does, the others wait for it.
    pub const fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// The most data that a record may hold, in bytes, up to 1,000,000,000. Default: 1 MiB.
    ///
    /// Writing more is `TooLarge`. What is larger already, from before the limit was lowered, is
    /// not read: it is `Corrupt`.
    pub const fn max_data_size(mut self, bytes: usize) -> Self {
        self.max_data_size = bytes;
        self
    }

    /// The size up to which the database file grows, in bytes. Default: no limit but SQLite's own.
    ///
    /// What needs more room is `Unavailable`; deleting and sweeping make room again. The limit is
    /// this store's, and is for the whole file: other tables count, while the log beside it (up to
    /// about 32 MiB) does not.
    pub const fn max_file_size(mut self, bytes: u64) -> Self {
        self.max_file_size = Some(bytes);
        self
    }

    /// How many loads at a time may be answered on the threads of their callers, up to 16.
    /// Default: one less than the machine has cores, and at least 1.
    ///
    /// The crate's page says what that saves and what it risks. With 0 no caller's thread ever
    /// reads from the disk.
    pub fn inline_loads(mut self, count: usize) -> Self {
        self.inline_loads = count.min(16);
        self
    }

    /// Opens the store, makes the file (mode 0600) if it is not there, and brings its table to the
    /// newest schema. Blocks, so call it when the program starts; it waits up to ten seconds for
    /// another program that holds the database.
    ///
    /// # Errors
    /// When the file can't be made or opened, or is no database; when it can't be used in WAL
    /// mode; when the name of the table is none; when the schema is missing and may not be made,
    /// or is newer than this program knows; when a table of that name is another one.
    ///
    /// ```
    /// use cloakroom_sqlite::{SqliteStore, Synchronous};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("sessions.db");
    /// let store = SqliteStore::builder(path)
    ///     .table("logins")
    ///     .synchronous(Synchronous::Normal)
    ///     .max_data_size(64 * 1024)
    ///     .max_file_size(1 << 30)
    ///     .open()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(self) -> Result<SqliteStore, OpenError> {
        let path = self.path.clone();
        let failed = |reason| OpenError::new(&path, reason);
        let settings = self.settings().map_err(failed)?;
        let inline_loads = self.inline_loads;
        let writer = self.connect(&settings).map_err(failed)?;
        let shared = Shared::start(Arc::new(settings), writer, inline_loads);
        Ok(SqliteStore::new(shared.map_err(failed)?))
    }

    fn settings(&self) -> Result<Settings, Reason> {
        address::check(&self.path)?;
        let table = Table::new(&self.table)?;
        Ok(Settings {
            path: file::absolute(&self.path).map_err(Reason::Io)?,
            statements: Statements::new(&table),
            table,
            synchronous: self.synchronous,
            max_data_size: self.max_data_size.min(1_000_000_000),
            max_file_size: self.max_file_size,
        })
    }

    fn connect(&self, settings: &Settings) -> Result<Connection, Reason> {
        let deadline = Instant::now() + STARTING;
        file::make(&settings.path).map_err(Reason::Io)?;
        let mut connection = Connection::try_open(settings, Role::Writer, deadline)?;
        connection.use_wal(deadline)?;
        schema::prepare(&mut connection, &settings.table, self.migrate)?;
        schema::check(&connection, settings)?;
        Ok(connection)
    }
}
