//! Loads on the thread of the caller where that needs no waiting, everything else on one of ours.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::Receiver,
    },
    time::{Duration, Instant},
};

use cloakroom_store::{Key, Loaded, StoreErrorKind};

use crate::{
    connection::{Connection, Role, Settings},
    error::Failure,
    row,
    stats::Counters,
    writer::PATIENCE,
};

/// A load that takes longer tells of a disk that others should not wait for on their threads. It
/// is above what a busy system takes a thread off its core for.
const SLOW: Duration = Duration::from_millis(50);

/// For so long after a slow load no other is answered inline.
const SLOW_FOR: Duration = Duration::from_secs(1);

/// How long a caller turns in circles for a connection. A load takes a fourth of that, handing it
/// to another thread several times as long.
const BRIEFLY: Duration = Duration::from_micros(20);

/// How often a connection looks whether its file is still in its place.
const LOOK: Duration = Duration::from_millis(100);

/// Reads with a connection, or learns that there is none. Whether the connection is broken.
pub(crate) type Read = Box<dyn FnOnce(Result<&Connection, Failure>) -> bool + Send>;

pub(crate) struct ReadJob {
    pub(crate) began: Instant,
    pub(crate) read: Read,
}

/// The connections of the callers.
pub(crate) struct Readers {
    settings: Arc<Settings>,
    counters: Arc<Counters>,
    idle: Mutex<Vec<Connection>>,
    /// How many connections there are, those in use too.
    count: AtomicUsize,
    most: usize,
    opened: Instant,
    /// In milliseconds since `opened`.
    slow_until: AtomicU64,
}

impl Readers {
    pub(crate) fn new(settings: Arc<Settings>, counters: Arc<Counters>, most: usize) -> Self {
        Self {
            settings,
            counters,
            idle: Mutex::default(),
            count: AtomicUsize::new(0),
            most,
            opened: Instant::now(),
            slow_until: AtomicU64::new(0),
        }
    }

    /// Opens what is missing. Only one thread at a time does so.
    pub(crate) fn refill(&self) -> Result<(), Failure> {
        while self.count.load(Ordering::Relaxed) < self.most {
            let deadline = Instant::now() + PATIENCE;
            let connection = Connection::open(&self.settings, Role::Reader, deadline)?;
            // From now on it waits for nobody.
            connection.wait_until(Instant::now());
            self.count.fetch_add(1, Ordering::Relaxed);
            self.idle().push(connection);
        }
        Ok(())
    }

    /// Loads without waiting for anybody. `None` when that is not possible, for whatever reason:
    /// the thread of the store then finds out.
    pub(crate) fn load(&self, key: &Key) -> Option<Result<Option<Loaded>, Failure>> {
        if self.is_slow() {
            return None;
        }
        let mut connection = self.take()?;
        if !connection.is_current(&self.settings, LOOK) {
            connection.abandon();
            self.count.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let began = Instant::now();
        self.counters.load_inline();
        let result = row::load(&connection, &self.settings, key);
        self.note(began);
        match result.as_ref().map_err(Failure::kind) {
            Ok(_) | Err(StoreErrorKind::Corrupt) => {
                self.idle().push(connection);
                Some(result)
            }
            Err(StoreErrorKind::TimedOut) => {
                self.idle().push(connection);
                None
            }
            Err(_) => {
                self.count.fetch_sub(1, Ordering::Relaxed);
                None
            }
        }
    }

    fn take(&self) -> Option<Connection> {
        if let Some(connection) = self.idle().pop() {
            return Some(connection);
        }
        let began = Instant::now();
        while self.count.load(Ordering::Relaxed) > 0 && began.elapsed() < BRIEFLY {
            std::hint::spin_loop();
            if let Some(connection) = self.idle().pop() {
                return Some(connection);
            }
        }
        None
    }

    fn is_slow(&self) -> bool {
        let slow_until = self.slow_until.load(Ordering::Relaxed);
        slow_until > 0 && millis(self.opened.elapsed()) < slow_until
    }

    fn note(&self, began: Instant) {
        if began.elapsed() > SLOW {
            let until = millis(self.opened.elapsed() + SLOW_FOR);
            self.slow_until.fetch_max(until, Ordering::Relaxed);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The store's own reader.
pub(crate) struct Reader {
    readers: Arc<Readers>,
    connection: Option<Connection>,
}

impl Reader {
    pub(crate) const fn new(readers: Arc<Readers>) -> Self {
        Self {
            readers,
            connection: None,
        }
    }

    /// Works until all senders are gone.
    pub(crate) fn run(mut self, jobs: &Receiver<ReadJob>) {
        while let Ok(job) = jobs.recv() {
            let deadline = job.began + PATIENCE;
            if Instant::now() >= deadline {
                (job.read)(Err(Failure::timed_out("other reads took too long")));
                continue;
            }
            let connection = match self.connect(deadline) {
                Ok(connection) => connection,
                Err(failure) => {
                    (job.read)(Err(failure));
                    continue;
                }
            };
            let began = Instant::now();
            self.readers.counters.read_on_thread();
            let broken = (job.read)(Ok(&connection));
            self.readers.note(began);
            if !broken {
                self.connection = Some(connection);
                // Whatever keeps them from being opened is seen by the next load.
                let _ = self.readers.refill();
            }
        }
    }

    fn connect(&mut self, deadline: Instant) -> Result<Connection, Failure> {
        let settings = &self.readers.settings;
        if let Some(mut connection) = self.connection.take() {
            if connection.is_current(settings, Duration::ZERO) {
                connection.wait_until(deadline);
                return Ok(connection);
            }
            connection.abandon();
        }
        Connection::open(settings, Role::Reader, deadline)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
