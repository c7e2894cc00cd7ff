//! A connection: how it is set up, how long it waits, and whether its file is still in its place.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use rusqlite::{OpenFlags, config::DbConfig, hooks::Wal, limits::Limit};

use crate::{
    builder::Synchronous,
    error::{Failure, OpenError, Reason, is_busy},
    file::{Identity, identity},
    schema::Table,
    statements::Statements,
};

/// What all connections of a store share.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) path: PathBuf,
    pub(crate) table: Table,
    pub(crate) statements: Statements,
    pub(crate) synchronous: Synchronous,
    pub(crate) max_data_size: usize,
    pub(crate) max_file_size: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Writer,
    Reader,
}

/// After a burst, or when somebody has read for long, the log is cut down to so many bytes.
const LOG_BYTES: u32 = 32 << 20;

/// What each connection may keep in memory, in KiB.
const CACHE_KIB: u32 = 16 << 10;

/// What a row has beside its data, at most, in bytes.
const ROW_HEAD: usize = 4096;

/// The schema of a database that others use too has rows of its own, which must be read.
const LEAST_ROW: usize = 1 << 20;

pub(crate) struct Connection {
    raw: rusqlite::Connection,
    identity: Identity,
    checked: Instant,
    patience: Patience,
    log_pages: Arc<AtomicUsize>,
}

impl Connection {
    /// Opens a connection, and has it wait for the locks of others until `deadline`.
    pub(crate) fn open(
        settings: &Settings,
        role: Role,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let opened = Self::try_open(settings, role, deadline);
        let opened = opened.and_then(|connection| {
            // A backup that has been restored is in no WAL mode.
            if role == Role::Writer {
                connection.use_wal(deadline)?;
            }
            Ok(connection)
        });
        opened.map_err(|reason| match reason {
            Reason::Sqlite(error) => Failure::from(error),
            reason => Failure::unavailable(OpenError::new(&settings.path, reason)),
        })
    }

    /// As [`Self::open`], for a program that starts.
    pub(crate) fn try_open(
        settings: &Settings,
        role: Role,
        deadline: Instant,
    ) -> Result<Self, Reason> {
        let before = identity(&settings.path).map_err(Reason::Io)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let raw = rusqlite::Connection::open_with_flags(&settings.path, flags);
        let mut connection = Self {
            raw: raw.map_err(Reason::Sqlite)?,
            identity: before,
            checked: Instant::now(),
            patience: Patience::until(deadline),
            log_pages: Arc::default(),
        };
        connection.set_up(settings, role).map_err(Reason::Sqlite)?;
        if identity(&settings.path).map_err(Reason::Io)? != before {
            connection.abandon();
            return Err(Reason::Io(io::Error::from(io::ErrorKind::NotFound)));
        }
        Ok(connection)
    }

    fn set_up(&mut self, settings: &Settings, role: Role) -> rusqlite::Result<()> {
        let patience = self.patience.clone();
        self.raw
            .busy_handler(Some(move |tries| patience.wait(tries)))?;
        self.raw.set_prepared_statement_cache_capacity(16);
        let longest = settings.max_data_size.saturating_add(ROW_HEAD);
        let longest = longest.max(LEAST_ROW);
        let longest = i32::try_from(longest).unwrap_or(i32::MAX);
        self.raw.set_limit(Limit::SQLITE_LIMIT_LENGTH, longest)?;
        let synchronous = settings.synchronous.as_sql();
        self.raw.execute_batch(&format!(
            "PRAGMA synchronous = {synchronous}; PRAGMA fullfsync = ON; \
             PRAGMA checkpoint_fullfsync = ON; PRAGMA cache_size = -{CACHE_KIB}; \
             PRAGMA journal_size_limit = {LOG_BYTES}; PRAGMA trusted_schema = OFF;"
        ))?;
        match role {
            Role::Reader => self.raw.execute_batch("PRAGMA query_only = ON;"),
            Role::Writer => self.set_up_writer(settings),
        }
    }

    fn set_up_writer(&mut self, settings: &Settings) -> rusqlite::Result<()> {
        if let Some(bytes) = settings.max_file_size {
            let page: u32 = self
                .raw
                .query_row("PRAGMA page_size", [], |row| row.get(0))?;
            let pages = (bytes / u64::from(page.max(1))).clamp(1, u64::from(u32::MAX - 1));
            let set = format!("PRAGMA max_page_count = {pages}");
            self.raw.query_row(&set, [], |_| Ok(()))?;
        }
        // Instead of SQLite's own, which would have the callers of a commit wait for it.
        let log_pages = Arc::clone(&self.log_pages);
        let remember = move |_: &mut Wal, pages| {
            log_pages.store(usize::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        };
        self.raw.wal_hook(Some(remember))
    }

    pub(crate) fn raw(&self) -> &rusqlite::Connection {
        &self.raw
    }

    pub(crate) fn raw_mut(&mut self) -> &mut rusqlite::Connection {
        &mut self.raw
    }

    /// How long to wait for the locks of others from now on.
    pub(crate) fn wait_until(&self, deadline: Instant) {
        self.patience.set(deadline);
    }

    /// Puts the database into WAL mode, where it stays.
    pub(crate) fn use_wal(&self, deadline: Instant) -> Result<(), Reason> {
        if self.raw.is_readonly("main").map_err(Reason::Sqlite)? {
            return Err(Reason::ReadOnly);
        }
        loop {
            let set = self.raw.query_row("PRAGMA journal_mode = WAL", [], |row| {
                row.get::<_, String>(0)
            });
            match set {
                Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
                Ok(mode) => return Err(Reason::NoWal { mode }),
                // SQLite does not wait here where waiting could be for ever.
                Err(error) if is_busy(&error) && Instant::now() < deadline => {
                    sleep(Duration::from_millis(2));
                }
                Err(error) => return Err(Reason::Sqlite(error)),
            }
        }
    }

    /// Whether the file is still the one at the path. Not asked again before `max_age` is over.
    pub(crate) fn is_current(&mut self, settings: &Settings, max_age: Duration) -> bool {
        let now = Instant::now();
        if !max_age.is_zero() && now.duration_since(self.checked) < max_age {
            return true;
        }
        self.checked = now;
        identity(&settings.path).is_ok_and(|identity| identity == self.identity)
    }

    /// Closes a connection to a file that is not in its place any more. Closing as usual would
    /// remove the log of the file that is there now.
    pub(crate) fn abandon(self) {
        let config = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        let _ = self.raw.set_db_config(config, true);
    }

    /// How many pages the log had after the last commit of this connection.
    pub(crate) fn log_pages(&self) -> usize {
        self.log_pages.load(Ordering::Relaxed)
    }

    /// Moves the log to the database, as far as readers allow. Whether that went well.
    pub(crate) fn checkpoint(&self) -> bool {
        let passive = "PRAGMA wal_checkpoint(PASSIVE)";
        self.raw.query_row(passive, [], |_| Ok(())).is_ok()
    }
}

/// Until when a connection waits for locks. SQLite's own way of waiting sleeps ever longer, and so
/// comes last where two processes write all the time.
#[derive(Clone)]
struct Patience(Arc<Mutex<Instant>>);

impl Patience {
    fn until(deadline: Instant) -> Self {
        Self(Arc::new(Mutex::new(deadline)))
    }

    fn set(&self, deadline: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
    }

    fn wait(&self, tries: i32) -> bool {
        let deadline = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let pause = match tries {
            ..50 => 100,
            50..500 => 250,
            _ => 1000,
        };
        sleep(left.min(Duration::from_micros(pause)));
        true
    }
}
