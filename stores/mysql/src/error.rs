use std::{error::Error, fmt};

use cloakroom_store::{Operation, StoreError, StoreErrorKind};
use mysql_async::{DriverError, ServerError};

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
    NoDatabase,
    #[cfg(not(feature = "tls"))]
    NoTls,
    #[cfg(feature = "tls")]
    BadRoots,
    #[cfg(any(feature = "mysql_async-0_37", feature = "sqlx-0_9"))]
    SmallPool {
        size: usize,
        needed: usize,
    },
    NoRuntime,
    Unreachable(Failure),
    NotMigrated {
        found: u64,
        known: u64,
    },
    TooNew {
        found: u64,
        known: u64,
    },
    Migration(Failure),
}

impl ConnectError {
    pub(crate) const fn invalid_url() -> Self {
        Self(Reason::InvalidUrl)
    }

    pub(crate) fn invalid_name(name: &str) -> Self {
        Self(Reason::InvalidName(name.chars().take(64).collect()))
    }

    pub(crate) const fn no_database() -> Self {
        Self(Reason::NoDatabase)
    }

    #[cfg(not(feature = "tls"))]
    pub(crate) const fn no_tls() -> Self {
        Self(Reason::NoTls)
    }

    #[cfg(feature = "tls")]
    pub(crate) const fn bad_roots() -> Self {
        Self(Reason::BadRoots)
    }

    #[cfg(any(feature = "mysql_async-0_37", feature = "sqlx-0_9"))]
    pub(crate) const fn small_pool(size: usize, needed: usize) -> Self {
        Self(Reason::SmallPool { size, needed })
    }

    pub(crate) const fn no_runtime() -> Self {
        Self(Reason::NoRuntime)
    }

    pub(crate) const fn unreachable(failure: Failure) -> Self {
        Self(Reason::Unreachable(failure))
    }

    pub(crate) const fn not_migrated(found: u64, known: u64) -> Self {
        Self(Reason::NotMigrated { found, known })
    }

    pub(crate) const fn too_new(found: u64, known: u64) -> Self {
        Self(Reason::TooNew { found, known })
    }

    pub(crate) const fn migration(failure: Failure) -> Self {
        Self(Reason::Migration(failure))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::InvalidUrl => f.write_str(
                "the MySQL URL can't be read: write it as \
                 mysql://user:password@host:3306/database, special characters percent-encoded",
            ),
            Reason::InvalidName(name) => write!(
                f,
                "{name:?} is no name for a table or a schema here: use 1 to 48 lower-case \
                 letters, digits and _, no digit first"
            ),
            Reason::NoDatabase => f.write_str(
                "the MySQL URL names no database: write mysql://user:password@host/database, or \
                 set `schema`",
            ),
            #[cfg(not(feature = "tls"))]
            Reason::NoTls => f.write_str(
                "the MySQL URL says require_ssl=true, which needs the feature `tls` of \
                 cloakroom-mysql",
            ),
            #[cfg(feature = "tls")]
            Reason::BadRoots => f.write_str(
                "the certificates for MySQL can't be used: `tls_roots` takes one or more in PEM \
                 format",
            ),
            #[cfg(any(feature = "mysql_async-0_37", feature = "sqlx-0_9"))]
            Reason::SmallPool { size, needed } => write!(
                f,
                "the pool has room for {size} connections, and at least {needed} are needed: the \
                 store takes up to `connections`, one more to sweep and list, and leaves one to the \
                 application: give the pool more, or set `connections`"
            ),
            Reason::NoRuntime => f.write_str(
                "a MySQL store is opened inside a tokio runtime, with its I/O and timers on",
            ),
            Reason::Unreachable(_) => f.write_str("MySQL can't be reached"),
            Reason::NotMigrated { found, known } => write!(
                f,
                "the session table is at version {found}, this program needs {known}: run what \
                 `MysqlStore::migrations` prints, or open the store without `migrate(false)`"
            ),
            Reason::TooNew { found, known } => write!(
                f,
                "the session table is at version {found}, this program knows versions up to \
                 {known}: update cloakroom-mysql"
            ),
            Reason::Migration(_) => f.write_str(
                "the session table can't be made: let the user create tables, or have a \
                 database administrator run what `MysqlStore::migrations` prints",
            ),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Reason::Unreachable(failure) | Reason::Migration(failure) => Some(&*failure.cause),
            _ => None,
        }
    }
}

/// What a call failed with.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: StoreErrorKind,
    pub(crate) remedy: Remedy,
    pub(crate) connection: Connection,
    /// What the server calls it.
    pub(crate) code: Option<u16>,
    cause: Box<dyn Error + Send + Sync>,
}

/// What can be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing.
    Report,
    /// The same statement again: the server has rolled it back, or has not begun it.
    Again,
}

/// What a failure says about the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    Good,
    /// It is of no more use.
    Bad,
    /// The server is gone; those that were idle may be of no use either.
    Lost,
}

impl Failure {
    pub(crate) fn new(kind: StoreErrorKind, cause: impl Error + Send + Sync + 'static) -> Self {
        Self {
            kind,
            remedy: Remedy::Report,
            connection: Connection::Good,
            code: None,
            cause: Box::new(cause),
        }
    }

    pub(crate) fn said(kind: StoreErrorKind, what: &'static str) -> Self {
        Self::new(kind, Said { what, cause: None })
    }

    pub(crate) fn timed_out() -> Self {
        let what = "MySQL did not answer within the timeout of the store";
        Self::said(StoreErrorKind::TimedOut, what)
    }

    /// Neither is known whether the statement was carried out, nor what comes on the connection next.
    pub(crate) fn no_answer() -> Self {
        let what =
            "what MySQL sent is no answer to this statement, which may have been carried out";
        Self::said(StoreErrorKind::Other, what).leaves(Connection::Bad)
    }

    pub(crate) fn too_large() -> Self {
        Self::said(StoreErrorKind::TooLarge, TOO_LARGE)
    }

    pub(crate) fn no_runtime() -> Self {
        let what = "the runtime that was waiting for MySQL has ended";
        Self::said(StoreErrorKind::Unavailable, what)
    }

    pub(crate) fn of_kind(mut self, kind: StoreErrorKind) -> Self {
        self.kind = kind;
        self
    }

    pub(crate) fn leaves(mut self, connection: Connection) -> Self {
        self.connection = connection;
        self
    }

    pub(crate) fn is_duplicate(&self) -> bool {
        self.code == Some(1062)
    }

    /// Somebody else has locked the row; the server is well.
    pub(crate) fn locked() -> Self {
        Self {
            code: Some(LOCK_WAIT_TIMEOUT),
            ..Self::said(StoreErrorKind::TimedOut, LOCKED)
        }
    }

    pub(crate) fn is_lock(&self) -> bool {
        self.code == Some(LOCK_WAIT_TIMEOUT)
    }

    pub(crate) fn during(self, operation: Operation) -> StoreError {
        StoreError::new(self.kind, operation).with_source(self.cause)
    }
}

impl From<mysql_async::Error> for Failure {
    fn from(error: mysql_async::Error) -> Self {
        use StoreErrorKind::{Other, TooLarge, Unavailable};
        match error {
            mysql_async::Error::Server(error) => Self::from_server(error),
            mysql_async::Error::Io(_)
            | mysql_async::Error::Driver(DriverError::ConnectionClosed) => {
                Self::new(Unavailable, error).leaves(Connection::Lost)
            }
            mysql_async::Error::Driver(DriverError::PacketTooLarge) => {
                let (what, cause) = (TOO_LARGE, Some(error));
                Self::new(TooLarge, Said { what, cause }).leaves(Connection::Bad)
            }
            _ => Self::new(Other, error).leaves(Connection::Bad),
        }
    }
}

#[cfg(feature = "sqlx-0_9")]
impl From<sqlx_core::Error> for Failure {
    fn from(error: sqlx_core::Error) -> Self {
        use StoreErrorKind::{Other, Unavailable};
        use sqlx_core::Error;
        let said = match &error {
            Error::Database(said) => said.try_downcast_ref::<sqlx_mysql::MySqlDatabaseError>(),
            _ => None,
        };
        if let Some(said) = said {
            return Self::from_server(ServerError {
                code: said.number(),
                message: said.message().to_owned(),
                state: said.code().unwrap_or_default().to_owned(),
            });
        }
        match error {
            Error::Io(_) => Self::new(Unavailable, error).leaves(Connection::Lost),
            Error::Tls(_) | Error::PoolTimedOut | Error::PoolClosed => {
                Self::new(Unavailable, error).leaves(Connection::Bad)
            }
            _ => Self::new(Other, error).leaves(Connection::Bad),
        }
    }
}

impl Failure {
    fn from_server(error: ServerError) -> Self {
        let code = error.code;
        let verdict = judge(code);
        let error = mysql_async::Error::Server(error);
        let mut failure = match verdict.hint {
            None => Self::new(verdict.kind, error),
            Some(what) => {
                let cause = Some(error);
                Self::new(verdict.kind, Said { what, cause })
            }
        };
        failure.remedy = verdict.remedy;
        failure.connection = verdict.connection;
        failure.code = Some(code);
        failure
    }
}

const TOO_LARGE: &str =
    "the record does not fit into a packet: raise `max_allowed_packet` of the server";

/// `ER_LOCK_WAIT_TIMEOUT`
const LOCK_WAIT_TIMEOUT: u16 = 1205;
const LOCKED: &str = "a lock was not to be had in time";

struct Verdict {
    kind: StoreErrorKind,
    remedy: Remedy,
    connection: Connection,
    hint: Option<&'static str>,
}

impl Verdict {
    const fn new(kind: StoreErrorKind) -> Self {
        Self {
            kind,
            remedy: Remedy::Report,
            connection: Connection::Good,
            hint: None,
        }
    }

    const fn again(self) -> Self {
        Self {
            remedy: Remedy::Again,
            ..self
        }
    }

    const fn reconnect(self) -> Self {
        Self {
            connection: Connection::Bad,
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

/// A statement that the server answers with an error has been rolled back, the end of a connection
/// excepted.
const fn judge(code: u16) -> Verdict {
    use StoreErrorKind::{Other, TimedOut, TooLarge, Unavailable};
    const MISSING: &str = "the session table is not there, or not this program's: run what \
                           `MysqlStore::migrations` prints, or open the store without \
                           `migrate(false)`";
    const BINLOG: &str = "the server's binlog_format is STATEMENT, with which it takes no writes \
                          under READ COMMITTED: set it to ROW or MIXED";
    match code {
        LOCK_WAIT_TIMEOUT => Verdict::new(TimedOut).again().hint(LOCKED),
        // ER_LOCK_DEADLOCK, ER_XA_RBDEADLOCK, ER_CHECKREAD ("record has changed since last read")
        1213 | 1614 | 1020 => Verdict::new(Unavailable).again(),
        // ER_UNKNOWN_STMT_HANDLER, ER_NEED_REPREPARE; ER_CLIENT_INTERACTION_TIMEOUT, which is the
        // answer to a statement on a connection that was idle for too long
        1243 | 1615 | 4031 => Verdict::new(Unavailable).again().reconnect(),
        // ER_STATEMENT_TIMEOUT, ER_QUERY_TIMEOUT
        1969 | 3024 => Verdict::new(TimedOut),
        // ER_QUERY_INTERRUPTED
        1317 => Verdict::new(Unavailable),
        // ER_NET_PACKET_TOO_LARGE
        1153 => Verdict::new(TooLarge).reconnect().hint(TOO_LARGE),
        // ER_DATA_TOO_LONG
        1406 => Verdict::new(TooLarge),
        // ER_OPTION_PREVENTS_STATEMENT, ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION,
        // ER_READ_ONLY_MODE: this server is a replica now; the next may be the primary
        1290 | 1792 | 1836 => Verdict::new(Unavailable)
            .reconnect()
            .hint("the server is read-only"),
        // ER_NO_SUCH_TABLE, ER_BAD_FIELD_ERROR, ER_BAD_DB_ERROR
        1146 | 1054 | 1049 => Verdict::new(Other).hint(MISSING),
        // ER_DBACCESS_DENIED, ER_TABLEACCESS_DENIED, ER_COLUMNACCESS_DENIED
        1044 | 1142 | 1143 => Verdict::new(Other)
            .hint("the user needs SELECT, INSERT, UPDATE and DELETE on the session table"),
        // ER_BINLOG_STMT_MODE_AND_ROW_ENGINE, ER_BINLOG_LOGGING_IMPOSSIBLE
        1665 | 1598 => Verdict::new(Other).hint(BINLOG),
        // connections, authentication, shutdown, network, disk, resources, a cluster that is not
        // ready (ER_CON_COUNT_ERROR and others)
        1040
        | 1041
        | 1042
        | 1043
        | 1045
        | 1047
        | 1053
        | 1077
        | 1129
        | 1130
        | 1152
        | 1154..=1161
        | 1184
        | 1203
        | 1226
        | 1461
        | 1698
        | 1820
        | 1927
        | 3118
        | 3168
        | 3169
        | 3878 => Verdict::new(Unavailable).reconnect(),
        // ER_DISK_FULL, ER_GET_ERRNO, ER_RECORD_FILE_FULL
        1021 | 1030 | 1114 => Verdict::new(Unavailable),
        _ => Verdict::new(Other),
    }
}

/// A sentence of this crate, above what the driver said.
#[derive(Debug)]
struct Said {
    what: &'static str,
    cause: Option<mysql_async::Error>,
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
