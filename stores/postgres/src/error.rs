use std::{error::Error, fmt, sync::Arc};

use cloakroom_store::{Operation, StoreError, StoreErrorKind};
use tokio_postgres::error::Severity;

/// A store could not be opened.
///
/// `Display` says what to do; what the server said is in [`source`](Error::source). Neither shows
/// the URL, which may hold a password.
#[derive(Debug)]
pub struct ConnectError(Reason);

#[derive(Debug)]
enum Reason {
    InvalidUrl,
    InvalidName(String),
    #[cfg(not(feature = "tls"))]
    NoTls,
    #[cfg(feature = "tls")]
    Tls(Failure),
    #[cfg(feature = "sqlx-0_9")]
    AlwaysPrepared,
    #[cfg(feature = "sqlx-0_9")]
    SmallPool {
        size: u32,
        needed: usize,
    },
    NoRuntime,
    Unreachable(Failure),
    NotMigrated {
        found: i32,
        known: i32,
    },
    TooNew {
        found: i32,
        known: i32,
    },
    Migration(Failure),
    NotTelling(Failure),
    CannotTell(Failure),
}

impl ConnectError {
    pub(crate) const fn invalid_url() -> Self {
        Self(Reason::InvalidUrl)
    }

    pub(crate) fn invalid_name(name: &str) -> Self {
        Self(Reason::InvalidName(name.chars().take(64).collect()))
    }

    #[cfg(not(feature = "tls"))]
    pub(crate) const fn no_tls() -> Self {
        Self(Reason::NoTls)
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Reason::Tls(Failure::new(StoreErrorKind::Other, error)))
    }

    #[cfg(feature = "sqlx-0_9")]
    pub(crate) const fn always_prepared() -> Self {
        Self(Reason::AlwaysPrepared)
    }

    #[cfg(feature = "sqlx-0_9")]
    pub(crate) const fn small_pool(size: u32, needed: usize) -> Self {
        Self(Reason::SmallPool { size, needed })
    }

    pub(crate) const fn no_runtime() -> Self {
        Self(Reason::NoRuntime)
    }

    pub(crate) const fn unreachable(failure: Failure) -> Self {
        Self(Reason::Unreachable(failure))
    }

    pub(crate) const fn not_migrated(found: i32, known: i32) -> Self {
        Self(Reason::NotMigrated { found, known })
    }

    pub(crate) const fn too_new(found: i32, known: i32) -> Self {
        Self(Reason::TooNew { found, known })
    }

    pub(crate) const fn migration(failure: Failure) -> Self {
        Self(Reason::Migration(failure))
    }

    pub(crate) const fn not_telling(failure: Failure) -> Self {
        Self(Reason::NotTelling(failure))
    }

    pub(crate) const fn cannot_tell(failure: Failure) -> Self {
        Self(Reason::CannotTell(failure))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::InvalidUrl => f.write_str(
                "the PostgreSQL URL can't be read: write it as \
                 postgres://user:password@host:5432/database, special characters percent-encoded",
            ),
            Reason::InvalidName(name) => write!(
                f,
                "{name:?} is no name for a table or a schema here: use 1 to 48 lower-case \
                 letters, digits and _, no digit first"
            ),
            #[cfg(not(feature = "tls"))]
            Reason::NoTls => f.write_str(
                "the PostgreSQL URL says sslmode=require, which needs the feature `tls` of \
                 cloakroom-postgres",
            ),
            #[cfg(feature = "tls")]
            Reason::Tls(_) => f.write_str("the certificates for PostgreSQL can't be used"),
            #[cfg(feature = "sqlx-0_9")]
            Reason::AlwaysPrepared => f.write_str(
                "statements on a sqlx pool are always prepared: behind PgBouncer in transaction mode \
                 open the store with a URL, for `prepared(false)`",
            ),
            #[cfg(feature = "sqlx-0_9")]
            Reason::SmallPool { size, needed } => write!(
                f,
                "the sqlx pool has room for {size} connections, and at least {needed} are needed: the \
                 store keeps one for each of its `readers` and `writers`, takes one to sweep and list, \
                 and leaves one to the application: raise `max_connections` of the pool"
            ),
            Reason::NoRuntime => f.write_str(
                "a PostgreSQL store is opened inside a tokio runtime, with its I/O and timers on",
            ),
            Reason::Unreachable(_) => f.write_str("PostgreSQL can't be reached"),
            Reason::NotMigrated { found, known } => write!(
                f,
                "the session table is at version {found}, this program needs {known}: run what \
                 `PostgresStore::migrations` prints, or open the store without `migrate(false)`"
            ),
            Reason::TooNew { found, known } => write!(
                f,
                "the session table is at version {found}, this program knows versions up to \
                 {known}: update cloakroom-postgres"
            ),
            Reason::Migration(_) => f.write_str(
                "the session table can't be made: let the user create tables, or have a \
                 database administrator run what `PostgresStore::migrations` prints",
            ),
            Reason::CannotTell(_) => f.write_str(
                "this database has no way to tell what changes: open the store without \
                 `tell_changes(true)`",
            ),
            Reason::NotTelling(_) => f.write_str(
                "the database can't be made to tell what changes in the session table: let the \
                 owner of the table or a database administrator run what \
                 `PostgresStore::migrations_to_tell` prints, or open the store without \
                 `tell_changes(true)`",
            ),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            #[cfg(feature = "tls")]
            Reason::Tls(failure) => Some(&*failure.cause),
            Reason::Unreachable(failure)
            | Reason::Migration(failure)
            | Reason::NotTelling(failure)
            | Reason::CannotTell(failure) => Some(&*failure.cause),
            _ => None,
        }
    }
}

/// What a call failed with. One failure may be that of many calls.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) kind: StoreErrorKind,
    pub(crate) remedy: Remedy,
    /// Whether the connection is of no more use.
    pub(crate) reconnect: bool,
    cause: Arc<dyn Error + Send + Sync>,
}

/// What can be done about a failure. All but `Report` say that nothing was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing.
    Report,
    /// The same statement again.
    Again,
    /// Each call in a statement of its own: one of them is to blame.
    Apart,
    /// Plainer SQL, which this engine knows.
    Plainer,
}

impl Failure {
    pub(crate) fn new(kind: StoreErrorKind, cause: impl Error + Send + Sync + 'static) -> Self {
        Self {
            kind,
            remedy: Remedy::Report,
            reconnect: false,
            cause: Arc::new(cause),
        }
    }

    pub(crate) fn said(kind: StoreErrorKind, what: &'static str) -> Self {
        Self::new(kind, Said { what, cause: None })
    }

    pub(crate) fn timed_out() -> Self {
        Self::said(
            StoreErrorKind::TimedOut,
            "PostgreSQL did not answer within the timeout of the store",
        )
    }

    pub(crate) fn is_sql_state(&self, code: &str) -> bool {
        let mut error: Option<&(dyn Error + 'static)> = Some(&*self.cause);
        while let Some(level) = error {
            if let Some(error) = level.downcast_ref::<Refusal>() {
                return error.code == code;
            }
            error = level.source();
        }
        false
    }

    pub(crate) fn is_lock(&self) -> bool {
        self.is_sql_state("55P03")
    }

    /// Whether the server works, and does not do this: its disk is full, it may only be read, or a
    /// lock is in the way. Nobody else has to be held up for it.
    pub(crate) fn is_answer(&self) -> bool {
        ["53100", "25006", "55P03"]
            .iter()
            .any(|code| self.is_sql_state(code))
    }

    pub(crate) fn during(self, operation: Operation) -> StoreError {
        StoreError::new(self.kind, operation).with_source(Shared(self.cause))
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        use StoreErrorKind::{Other, Unavailable};
        let Some(said) = error.as_db_error() else {
            // The connection is gone; anything else is a mistake in this crate.
            let is_gone = error.is_closed() || error.source().is_some_and(is_io);
            let kind = if is_gone { Unavailable } else { Other };
            return Self::new(kind, error);
        };
        let severity = said.parsed_severity();
        Self::refused(&Notice {
            is_fatal: matches!(severity, Some(Severity::Fatal | Severity::Panic)),
            code: said.code().code(),
            message: said.message(),
            hint: said.hint(),
            context: said.where_(),
            routine: said.routine(),
        })
    }
}

impl Failure {
    /// The server has answered with an error.
    pub(crate) fn refused(notice: &Notice<'_>) -> Self {
        let verdict = judge(notice);
        let refusal = Refusal::new(notice);
        let mut failure = match verdict.hint {
            None => Self::new(verdict.kind, refusal),
            Some(what) => {
                let cause = Some(refusal);
                Self::new(verdict.kind, Said { what, cause })
            }
        };
        failure.remedy = verdict.remedy;
        failure.reconnect = verdict.reconnect;
        failure
    }
}

fn is_io(error: &(dyn Error + 'static)) -> bool {
    error.is::<std::io::Error>()
}

/// What a server says in an error.
pub(crate) struct Notice<'a> {
    /// The connection ends with it.
    pub(crate) is_fatal: bool,
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
    pub(crate) hint: Option<&'a str>,
    pub(crate) context: Option<&'a str>,
    pub(crate) routine: Option<&'a str>,
}

struct Verdict {
    kind: StoreErrorKind,
    remedy: Remedy,
    reconnect: bool,
    hint: Option<&'static str>,
}

impl Verdict {
    const fn new(kind: StoreErrorKind, remedy: Remedy) -> Self {
        Self {
            kind,
            remedy,
            reconnect: false,
            hint: None,
        }
    }

    const fn reconnect(self) -> Self {
        Self {
            reconnect: true,
            ..self
        }
    }

    const fn hint(self, hint: &'static str) -> Self {
        Self {
            hint: Some(hint),
            ..self
        }
    }
}

/// An error of severity ERROR has rolled the statement back; what comes after that is certain.
fn judge(notice: &Notice<'_>) -> Verdict {
    use Remedy::{Again, Apart, Plainer, Report};
    use StoreErrorKind::{Other, TimedOut, TooLarge, Unavailable};
    const MISSING: &str = "the session table is not there, or not this program's: run what \
                           `PostgresStore::migrations` prints, or open the store without \
                           `migrate(false)`";
    const POOLED: &str = "the server has lost a prepared statement: behind PgBouncer in \
                          transaction mode open the store with `prepared(false)`";
    if notice.is_fatal {
        // The connection ends; a COMMIT may have been under way.
        return Verdict::new(Unavailable, Report).reconnect();
    }
    match notice.code {
        // serialization_failure, deadlock_detected
        "40001" | "40P01" => Verdict::new(Unavailable, Again),
        // statement_completion_unknown
        "40003" => Verdict::new(Unavailable, Report),
        // lock_not_available: where no row is named it was that of the table, or the one under which
        // all of the server notify, and it was none of the calls' fault
        "55P03" if notice.context.is_none() => {
            Verdict::new(TimedOut, Again).hint("a lock was not to be had in time")
        }
        "55P03" => Verdict::new(TimedOut, Apart).hint("a lock was not to be had in time"),
        // query_canceled
        "57014" => Verdict::new(TimedOut, Report),
        // "cached plan must not change result type"
        "0A000" if notice.routine == Some("RevalidateCachedQuery") => {
            Verdict::new(Unavailable, Again).reconnect()
        }
        "0A000" => Verdict::new(Other, Plainer),
        // invalid_sql_statement_name, duplicate_prepared_statement
        "26000" | "42P05" => Verdict::new(Other, Again).reconnect().hint(POOLED),
        // read_only_sql_transaction: this server is a standby now; the next may be the primary
        "25006" => Verdict::new(Unavailable, Report)
            .reconnect()
            .hint("the database is read-only"),
        // undefined_table, invalid_schema_name, undefined_column
        "42P01" | "3F000" | "42703" => Verdict::new(Other, Report).hint(MISSING),
        // insufficient_privilege
        "42501" => Verdict::new(Other, Report)
            .hint("the user needs SELECT, INSERT, UPDATE and DELETE on the session table"),
        // program_limit_exceeded: who listens somewhere in the server reads nothing any more
        "54000" if notice.routine == Some("PreCommit_Notify") => {
            Verdict::new(Unavailable, Report).hint("the queue of notifications is full")
        }
        "54000" => Verdict::new(TooLarge, Apart),
        // disk_full: what is there can still be read
        "53100" => Verdict::new(Unavailable, Report).hint("the disk of the database is full"),
        // connection, resources, operator, system, authorization, catalog
        code if ["08", "53", "57", "58", "28", "3D"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            Verdict::new(Unavailable, Report).reconnect()
        }
        _ => Verdict::new(Other, Apart),
    }
}

/// A sentence of this crate, above what the server said.
#[derive(Debug)]
struct Said {
    what: &'static str,
    cause: Option<Refusal>,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl Error for Said {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause = self.cause.as_ref();
        cause.map(|cause| -> &(dyn Error + 'static) { cause })
    }
}

/// What the server said, without what may quote a row or a parameter: its detail and its context.
#[derive(Debug)]
struct Refusal {
    code: String,
    message: String,
    hint: Option<String>,
}

impl Refusal {
    fn new(notice: &Notice<'_>) -> Self {
        const MOST: usize = 500;
        let short = |text: &str| text.chars().take(MOST).collect();
        Self {
            code: short(notice.code),
            message: short(notice.message),
            hint: notice.hint.map(short),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.code)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl Error for Refusal {}

/// The cause of several failures.
struct Shared(Arc<dyn Error + Send + Sync>);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
