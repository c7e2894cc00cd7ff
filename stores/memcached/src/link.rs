//! The one connection to the server: made when it is needed, shared by all calls, given up when it
//! breaks or hangs.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cloakroom_store::{Breaker, StoreError};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};

use crate::{
    address::Address, attempt::Attempt, call::Call, command::Command, dial::Live, error::Fault,
    probe::find_answering, reply::Reply,
};

/// The server, and the connection to it.
pub(crate) struct Link {
    server: Address,
    settings: Settings,
    current: Mutex<Option<Arc<Attempt>>>,
    breaker: Breaker,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// For a call of the store, connecting included.
    pub(crate) timeout: Duration,
    /// For a connection, with what is asked first on it.
    pub(crate) connect_timeout: Duration,
    /// The longest value that is read, in bytes.
    pub(crate) max_value: usize,
}

impl Link {
    pub(crate) fn new(server: Address, settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            server,
            settings,
            current: Mutex::default(),
            breaker: Breaker::new(),
        })
    }

    /// Whom it connects to.
    pub(crate) fn server(&self) -> &Address {
        &self.server
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    /// Sends a command once, and waits for its reply until the call's deadline.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        call: &Call,
        command: Command,
    ) -> Result<Reply, StoreError> {
        let asking = async {
            let asked = self.send(call.deadline, command).await;
            asked.map_err(|fault| fault.during(call.operation))
        };
        let reply = self.breaker.call(call.operation, asking).await;
        if reply.is_err() {
            self.watch();
        }
        reply
    }

    /// Connects, if there is no connection, until the deadline.
    pub(crate) async fn connect(self: &Arc<Self>, deadline: Instant) -> Result<(), Fault> {
        let attempt = self.attempt()?;
        self.live(&attempt, deadline).await.map(drop)
    }

    async fn send(self: &Arc<Self>, deadline: Instant, command: Command) -> Result<Reply, Fault> {
        let attempt = self.attempt()?;
        let live = self.live(&attempt, deadline).await?;
        let (size, limit) = (command.size(), live.max_item_size);
        if size > limit {
            return Err(Fault::TooLarge { size, limit });
        }
        let mut unanswered = Unanswered {
            link: self,
            attempt: &attempt,
            since: Some(Instant::now()),
        };
        let reply = timeout_at(deadline, live.pipe.ask(command)).await;
        unanswered.since = None;
        match reply {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => {
                self.give_up(&attempt);
                Err(Fault::Lost(self.server.clone(), error))
            }
            Err(_) => {
                self.give_up(&attempt);
                Err(self.silent())
            }
        }
    }

    async fn live(&self, attempt: &Arc<Attempt>, deadline: Instant) -> Result<Arc<Live>, Fault> {
        match timeout_at(deadline, attempt.live()).await {
            Ok(Ok(live)) => Ok(live),
            Ok(Err(Some(error))) => Err(Fault::Connect(self.server.clone(), error)),
            Ok(Err(None)) => Err(Fault::NoRuntime),
            Err(_) => Err(self.silent()),
        }
    }

    /// The connection that all calls use, or the attempt to make it.
    fn attempt(self: &Arc<Self>) -> Result<Arc<Attempt>, Fault> {
        // The caller's timers need one too.
        let runtime = Handle::try_current().map_err(|_| Fault::NoRuntime)?;
        let mut current = self.current();
        if let Some(attempt) = &*current
            && !attempt.is_over()
        {
            return Ok(Arc::clone(attempt));
        }
        let attempt = Attempt::begin(&runtime, self.server.clone(), self.settings);
        let attempt = Arc::new(attempt);
        *current = Some(Arc::clone(&attempt));
        Ok(attempt)
    }

    /// Has the next call connect anew.
    fn give_up(&self, attempt: &Arc<Attempt>) {
        let mut current = self.current();
        if current
            .as_ref()
            .is_some_and(|now| Arc::ptr_eq(now, attempt))
        {
            *current = None;
        }
    }

    /// Once the breaker is open, asks in the background until the server answers.
    fn watch(self: &Arc<Self>) {
        if let Ok(runtime) = Handle::try_current()
            && let Some(probe) = self.breaker.take_probe()
        {
            runtime.spawn(find_answering(Arc::downgrade(self), probe));
        }
    }

    /// Has all calls use a connection from now on.
    pub(crate) fn take(&self, live: Live) {
        *self.current() = Some(Arc::new(Attempt::made(live)));
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Attempt>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn silent(&self) -> Fault {
        Fault::Silent(self.server.clone(), self.settings.timeout)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("server", &self.server)
            .field("settings", &self.settings)
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}

/// Gives the connection up when a call is dropped that has waited long for its answer.
struct Unanswered<'a> {
    link: &'a Link,
    attempt: &'a Arc<Attempt>,
    since: Option<Instant>,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if self.since.is_some_and(|since| since.elapsed() > PATIENCE) {
            self.link.give_up(self.attempt);
        }
    }
}

/// As long as the breaker's.
const PATIENCE: Duration = Duration::from_millis(200);
