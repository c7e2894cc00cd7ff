use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use cloakroom_store::{
    AnyStore, Cursor, EXPIRY_MARGIN, Freshness, Key, Loaded, NamespaceId, Operation, Page, Record,
    Store, StoreError, StoreErrorKind, Subject, Tag, Timestamp,
};

use crate::{
    OpenError, SqliteStoreBuilder, Stats, address,
    connection::{Connection, Settings},
    cursor,
    pace::Pace,
    row::{self, Listing},
    schema::Table,
    shared::Shared,
    write::{Range, Write},
};

/// Keeps sessions in a table of an SQLite database.
///
/// Cheap to clone; clones are one store. Several stores, in one process or in several, may use one
/// database at the same time. The threads of a store end when its last clone is dropped.
#[derive(Clone)]
pub struct SqliteStore(Arc<Shared>);

impl SqliteStore {
    /// Opens a store with the default settings, and makes the file (mode 0600) and the table if
    /// they are not there. Blocks for a moment, so call it when the program starts.
    ///
    /// # Errors
    /// As [`SqliteStoreBuilder::open`].
    ///
    /// ```
    /// use cloakroom_sqlite::SqliteStore;
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("sessions.db");
    /// let store = SqliteStore::open(&path)?;
    /// assert!(store.path().ends_with("sessions.db"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        Self::builder(path).open()
    }

    /// Opens the store that an address names: `sqlite:PATH`, or `sqlite://PATH`, and after a `?`
    /// the settings `table=NAME`, `synchronous=full` (or `normal`, `off`) and `migrate=true` (or
    /// `false`), with `&` between them. `%` and two hex digits stand for a byte.
    ///
    /// # Errors
    /// When the address is none, and as [`SqliteStoreBuilder::open`].
    ///
    /// ```
    /// use cloakroom_sqlite::SqliteStore;
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path().display();
    /// let store = SqliteStore::connect(&format!("sqlite:{dir}/sessions.db?table=logins"))?;
    /// assert!(SqliteStore::connect("sqlite::memory:").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn connect(address: &str) -> Result<Self, OpenError> {
        let builder = address::parse(address);
        builder
            .map_err(|reason| OpenError::new(Path::new(address), reason))?
            .open()
    }

    /// A store with other settings.
    pub fn builder(path: impl Into<PathBuf>) -> SqliteStoreBuilder {
        SqliteStoreBuilder::new(path.into())
    }

    /// The SQL that makes the table, for whoever keeps the schema by hand. It may run again, and
    /// brings a table of any earlier version up to date.
    ///
    /// # Errors
    /// When the name is not one that [`SqliteStoreBuilder::table`] takes.
    ///
    /// ```
    /// use cloakroom_sqlite::SqliteStore;
    ///
    /// let sql = SqliteStore::migrations("logins")?;
    /// assert!(sql.contains(r#"CREATE TABLE IF NOT EXISTS "logins""#));
    /// # Ok::<(), cloakroom_sqlite::OpenError>(())
    /// ```
    pub fn migrations(table: &str) -> Result<String, OpenError> {
        let table = Table::new(table);
        let table = table.map_err(|reason| OpenError::new(Path::new(""), reason))?;
        Ok(table.print())
    }

    /// The database file, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.settings.path
    }

    /// What the store has done since it was opened.
    ///
    /// ```
    /// # use cloakroom_sqlite::SqliteStore;
    /// # let dir = tempfile::tempdir()?;
    /// # let store = SqliteStore::open(dir.path().join("sessions.db"))?;
    /// let stats = store.stats();
    /// println!("{} changes in {} commits", stats.changes, stats.commits);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.counters.read()
    }

    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for SqliteStore {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, key: &Key, _: Freshness) -> Result<Option<Loaded>, StoreError> {
        if let Some(result) = self.0.readers.load(key) {
            return result.map_err(|failure| failure.during(Operation::Load));
        }
        let key = *key;
        let read = move |connection: &Connection, settings: &Settings| {
            row::load(connection, settings, &key)
        };
        self.0.read(Operation::Load, read).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        self.0.check_size(record, Operation::Create)?;
        let create = Write::Create {
            key: *key,
            record: record.clone(),
        };
        match self.0.write(Operation::Create, create).await? {
            0 => Err(StoreError::new(
                StoreErrorKind::AlreadyExists,
                Operation::Create,
            )),
            _ => Ok(Tag::NONE),
        }
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        self.0.check_size(record, Operation::Replace)?;
        let replace = Write::Replace {
            key: *key,
            record: record.clone(),
            expected: expected.record.version,
        };
        match self.0.write(Operation::Replace, replace).await? {
            0 => Err(StoreError::new(
                StoreErrorKind::Conflict,
                Operation::Replace,
            )),
            _ => Ok(Tag::NONE),
        }
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let touch = Write::Touch {
            key: *key,
            last_seen: record.last_seen,
            expires: record.expires,
            not_before: record.last_seen.saturating_sub(EXPIRY_MARGIN),
            expected: expected.record.version,
        };
        let touched = self.0.write(Operation::Touch, touch).await?;
        Ok(touched > 0)
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let delete = Write::Delete { key: *key };
        let deleted = self.0.write(Operation::Delete, delete).await?;
        Ok(deleted > 0)
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let (mut removed, mut pace) = (0, Pace::new());
        for expired in Range::before(now) {
            while removed < limit {
                // In several statements, so that others come in between.
                let limit = pace.records(limit - removed);
                let sweep = Write::Sweep { expired, limit };
                let began = Instant::now();
                match self.0.write(Operation::Sweep, sweep).await {
                    Ok(count) => {
                        removed += count;
                        pace.note(began.elapsed());
                        if count < limit {
                            break;
                        }
                    }
                    // What is gone is counted; the next sweep meets the error again.
                    Err(_) if removed > 0 => return Ok(removed),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(removed)
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let operation = Operation::BySubject;
        let after = after.map(cursor::read_of_subject).transpose();
        let after = after.map_err(|failure| failure.during(operation))?;
        let Ok(namespace) = NamespaceId::new(namespace) else {
            return Ok(Page::default());
        };
        let listing = Listing::BySubject {
            namespace,
            subject: subject.clone(),
            after,
        };
        let cursor = |last: &Key| cursor::of_subject(last.id);
        self.0.list(operation, listing, limit, cursor).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let operation = Operation::Scan;
        let after = after.map(cursor::read_of_scan).transpose();
        let after = after.map_err(|failure| failure.during(operation))?;
        let listing = Listing::Scan { after };
        self.0
            .list(operation, listing, limit, cursor::of_scan)
            .await
    }

    fn into_any(self) -> AnyStore {
        AnyStore::new(self)
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.0.settings;
        f.debug_struct("SqliteStore")
            .field("path", &settings.path)
            .field("table", &settings.table.as_str())
            .field("synchronous", &settings.synchronous)
            .field("max_data_size", &settings.max_data_size)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
