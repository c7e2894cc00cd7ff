use std::{fmt, time::Duration};

use cloakroom_store::{AnyStore, EXPIRY_MARGIN, Operation};
use tokio::{runtime::Handle, task::JoinHandle, time::sleep};

use crate::{
    call::{Budget, call},
    error::{ConfigError, ConfigProblem},
    event::EventKind,
    manager::SessionManager,
    random,
};

/// How many records one store call removes.
const BATCH: usize = 1000;

/// A sweep waits this much longer for its store than a request does.
const PATIENCE: u32 = 20;

/// Removes expired records from the stores of a manager, again and again.
///
/// Expired sessions open for nobody, with or without it; it frees their space. Stores that expire
/// records themselves need none. Several processes may sweep one store.
///
/// ```no_run
/// use cloakroom_core::{SessionManager, Sweeper, hours, minutes};
/// # async fn run(sessions: &SessionManager) -> Result<(), cloakroom_core::ConfigError> {
/// // Every ten minutes those that have expired more than an hour ago.
/// let sweeping = Sweeper::new(sessions).every(minutes(10)).older_than(hours(1)).spawn()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "spawn() starts it"]
pub struct Sweeper {
    manager: SessionManager,
    every: Duration,
    older_than: Duration,
}

impl Sweeper {
    /// A sweeper that runs every minute, give or take a tenth, and removes what has expired more
    /// than a minute ago.
    pub fn new(manager: &SessionManager) -> Self {
        Self {
            manager: manager.clone(),
            every: Duration::from_secs(60),
            older_than: EXPIRY_MARGIN,
        }
    }

    /// Sets the time between two sweeps; at least a second.
    pub fn every(mut self, interval: Duration) -> Self {
        self.every = interval.max(Duration::from_secs(1));
        self
    }

    /// Sets how long ago a record must have expired; at least a minute, since requests that are
    /// under way may still use it.
    pub fn older_than(mut self, age: Duration) -> Self {
        self.older_than = age.max(EXPIRY_MARGIN);
        self
    }

    /// Starts it as a task of the current tokio runtime. It survives errors and panics of stores,
    /// and stops when the handle is dropped or aborted.
    ///
    /// # Errors
    /// Outside a runtime.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// use cloakroom_core::{Sweeper, minutes};
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore, cloakroom_testkit::TestClock};
    /// # let (clock, store) = (TestClock::default(), MemoryStore::new());
    /// # let cart = Namespace::new("cart", store.clone());
    /// # let sessions = SessionManager::builder().namespace(cart).clock(clock.clone()).build()?;
    /// # doc::block_on(async {
    /// # let mut browser = doc::Browser::of(&sessions);
    /// # browser.again().await.insert("items", 3).unwrap();
    /// # browser.end().await;
    /// # clock.advance(hours(24));
    /// let sweeping = Sweeper::new(&sessions).spawn()?;
    /// tokio::time::sleep(minutes(2)).await;
    /// assert_eq!(store.stats().sessions, 0); // one had expired
    /// # Ok::<(), ConfigError>(())
    /// # })?;
    /// assert!(Sweeper::new(&sessions).spawn().is_err()); // no runtime here
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn spawn(self) -> Result<Sweeping, ConfigError> {
        let runtime = Handle::try_current().map_err(|_| {
            ConfigError::new(vec![ConfigProblem {
                namespace: None,
                setting: "sweeper",
                message: "start it inside a tokio runtime, in main for example".to_owned(),
            }])
        })?;
        let task = runtime.spawn(async move {
            loop {
                sleep(self.pause()).await;
                let sweeper = self.clone();
                // In a task of its own, so that a panic in a store does not end the sweeping.
                let mut once = Sweeping(tokio::spawn(async move {
                    sweeper.sweep().await;
                }));
                let _ = (&mut once.0).await;
            }
        });
        Ok(Sweeping(task))
    }

    /// Sweeps once, in batches of 1000 records, and says how many records it has removed. A store
    /// that fails is left for the next time, and is an event.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// use cloakroom_core::{Sweeper, hours};
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore, cloakroom_testkit::TestClock};
    /// # let clock = TestClock::default();
    /// # let cart = Namespace::new("cart", MemoryStore::new());
    /// # let sessions = SessionManager::builder().namespace(cart).clock(clock.clone()).build()?;
    /// # doc::block_on(async {
    /// # let mut browser = doc::Browser::of(&sessions);
    /// # browser.again().await.insert("items", 3).unwrap();
    /// # browser.end().await;
    /// let sweeper = Sweeper::new(&sessions);
    /// assert_eq!(sweeper.sweep().await, 0); // one visitor has a cart
    /// clock.advance(hours(24));
    /// assert_eq!(sweeper.sweep().await, 1);
    /// # });
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub async fn sweep(&self) -> usize {
        let mut seen: Vec<&AnyStore> = Vec::new();
        let mut removed = 0;
        for namespace in &self.manager.state().namespaces {
            let Some(store) = namespace.store() else {
                continue;
            };
            if seen.iter().any(|other| other.is_same(store)) {
                continue;
            }
            seen.push(store);
            removed += self.sweep_store(namespace.name(), store).await;
        }
        removed
    }

    async fn sweep_store(&self, name: &str, store: &AnyStore) -> usize {
        let engine = self.manager.state();
        let before = engine.now().saturating_sub(self.older_than);
        let mut removed = 0;
        loop {
            let limit = engine.deadlines.call * PATIENCE;
            let mut budget = Budget::new(limit, limit);
            match call(store.sweep(before, BATCH), Operation::Sweep, &mut budget).await {
                Ok(count) => {
                    removed += count;
                    if count < BATCH {
                        break;
                    }
                    // Others have a turn between two batches.
                    tokio::task::yield_now().await;
                }
                Err(error) => {
                    engine.report(name, None, &error);
                    break;
                }
            }
        }
        if removed > 0 {
            engine.emit(name, None, EventKind::Swept(removed));
        }
        removed
    }

    /// A tenth more or less, so that many processes do not sweep at the same moment.
    fn pause(&self) -> Duration {
        let [byte] = random::bytes(&*self.manager.state().random).unwrap_or([128]);
        self.every.mul_f32(0.9 + 0.2 * f32::from(byte) / 255.0)
    }
}

/// A sweeper at work. Dropping it stops it.
#[must_use = "dropping it stops the sweeper"]
pub struct Sweeping(JoinHandle<()>);

impl Sweeping {
    /// Stops it between two store calls or in one.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// use cloakroom_core::{Sweeper, minutes};
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore, cloakroom_testkit::TestClock};
    /// # let (clock, store) = (TestClock::default(), MemoryStore::new());
    /// # let cart = Namespace::new("cart", store.clone());
    /// # let sessions = SessionManager::builder().namespace(cart).clock(clock.clone()).build()?;
    /// # doc::block_on(async {
    /// # let mut browser = doc::Browser::of(&sessions);
    /// # browser.again().await.insert("items", 3).unwrap();
    /// # browser.end().await;
    /// # clock.advance(hours(24));
    /// let sweeping = Sweeper::new(&sessions).spawn()?;
    /// sweeping.abort();
    /// tokio::time::sleep(minutes(2)).await;
    /// assert_eq!(store.stats().sessions, 1); // it has expired, and lies there
    /// # Ok::<(), ConfigError>(())
    /// # })?;
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn abort(&self) {
        self.0.abort();
    }
}

impl Drop for Sweeping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for Sweeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sweeping")
    }
}
