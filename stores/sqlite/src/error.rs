use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use cloakroom_store::{Operation, StoreError, StoreErrorKind};
use rusqlite::ErrorCode;

/// A database can't serve as a [`SqliteStore`](crate::SqliteStore).
///
/// `Display` names the file and says what to do; what SQLite or the system said is in
/// [`source`](Error::source).
#[derive(Debug)]
pub struct OpenError {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug)]
pub(crate) enum Reason {
    Io(io::Error),
    Sqlite(rusqlite::Error),
    InMemory,
    Url(&'static str),
    TableName(String),
    ReadOnly,
    NoWal {
        mode: String,
    },
    NotMigrated {
        table: String,
        found: i64,
        needed: i64,
    },
    Newer {
        table: String,
        found: i64,
        known: i64,
    },
    Foreign {
        table: String,
        error: rusqlite::Error,
    },
}

impl OpenError {
    pub(crate) fn new(path: &Path, reason: Reason) -> Self {
        let path = path.to_owned();
        Self { path, reason }
    }

    /// The database file, or the address that names none; empty where no file was named.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.reason {
            Reason::Io(_) | Reason::Sqlite(_) => {
                write!(f, "the session database {path} can't be opened")
            }
            Reason::InMemory => write!(
                f,
                "{path} is a database in memory, which every connection has for itself: use \
                 cloakroom-memory, or name a file"
            ),
            Reason::Url(problem) => write!(
                f,
                "{path} is no address of an SQLite database: {problem}; use \
                 sqlite:PATH?table=NAME&synchronous=full"
            ),
            Reason::TableName(name) => write!(
                f,
                "{name:?} can't be the table of sessions: use 1 to 63 lower-case letters, digits and \
                 _, no digit first, and not sqlite_ at the beginning"
            ),
            Reason::ReadOnly => write!(
                f,
                "this process may not write to the session database {path}: let its user own the \
                 file and the folder"
            ),
            Reason::NoWal { mode } => write!(
                f,
                "the session database {path} stays in the journal mode {mode} and can't be used in \
                 WAL mode: put it on a local disk"
            ),
            Reason::NotMigrated {
                table,
                found,
                needed,
            } => write!(
                f,
                "the table {table} of the session database {path} has schema {found}, and schema \
                 {needed} is needed: run what SqliteStore::migrations gives, or let the \
                 program do it with migrate(true)"
            ),
            Reason::Newer {
                table,
                found,
                known,
            } => write!(
                f,
                "the table {table} of the session database {path} has schema {found}, and this \
                 version of cloakroom-sqlite knows schemas up to {known}: update the program"
            ),
            Reason::Foreign { table, .. } => write!(
                f,
                "the session database {path} has a table {table}, or an index of that name, that \
                 is not as SqliteStore::migrations makes it: choose another name, or mend it"
            ),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.reason {
            Reason::Io(error) => Some(error),
            Reason::Sqlite(error) | Reason::Foreign { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// What becomes a [`StoreError`] once it is known during which operation it happened. Clones go
/// to all calls that one commit was for.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    kind: StoreErrorKind,
    source: Option<Arc<dyn Error + Send + Sync>>,
    /// Whether the connection had better be opened anew.
    breaks_connection: bool,
}

impl Failure {
    pub(crate) fn because(
        kind: StoreErrorKind,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            source: Some(Arc::from(source.into())),
            breaks_connection: false,
        }
    }

    pub(crate) fn timed_out(source: &'static str) -> Self {
        Self::because(StoreErrorKind::TimedOut, source)
    }

    pub(crate) fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::because(StoreErrorKind::Unavailable, source)
    }

    pub(crate) fn corrupt(source: &'static str) -> Self {
        Self::because(StoreErrorKind::Corrupt, source)
    }

    pub(crate) fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    pub(crate) const fn breaks_connection(&self) -> bool {
        self.breaks_connection
    }

    pub(crate) fn during(self, operation: Operation) -> StoreError {
        let error = StoreError::new(self.kind, operation);
        match self.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        let (kind, breaks_connection) = judge(&error);
        Self {
            breaks_connection,
            ..Self::because(kind, error)
        }
    }
}

/// Whether another connection holds the lock that a statement needs. Nothing has happened then.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        code(error),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// A damaged file is `Unavailable`, not `Corrupt`: that word is for one record, whose session the
/// engine may then replace by a new one.
fn judge(error: &rusqlite::Error) -> (StoreErrorKind, bool) {
    use StoreErrorKind::{Other, TimedOut, TooLarge, Unavailable};
    match code(error) {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (TimedOut, false),
        Some(ErrorCode::OperationInterrupted) => (TimedOut, false),
        Some(ErrorCode::TooBig) => (TooLarge, false),
        Some(ErrorCode::DiskFull | ErrorCode::OutOfMemory) => (Unavailable, false),
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed,
        ) => (Unavailable, true),
        // No such table, or another schema than ours: somebody else's doing, and theirs to mend.
        Some(ErrorCode::Unknown | ErrorCode::SchemaChanged) => (Unavailable, false),
        _ => (Other, false),
    }
}

/// SQLite's code, also where the driver knows at which place of a statement it stopped.
pub(crate) const fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    match error {
        rusqlite::Error::SqliteFailure(error, _) | rusqlite::Error::SqlInputError { error, .. } => {
            Some(error.code)
        }
        _ => None,
    }
}
