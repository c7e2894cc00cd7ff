//! The one connection to the server: made when it is needed, shared by all calls, given up when it
//! breaks or hangs.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use cloakroom_store::{Breaker, Probe, StoreError};
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    address::Address,
    call::Call,
    command::Command,
    dial::{DialError, Live, dial},
    error::Fault,
    reply::Reply,
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
        let (sender, outcome) = watch::channel(None);
        let attempt = Arc::new(Attempt { outcome });
        // In a task of its own: it is everybody's, so nobody's deadline ends it.
        let (server, settings) = (self.server.clone(), self.settings);
        runtime.spawn(async move {
            let dialing = timeout(settings.connect_timeout, dial(&server, settings.max_value));
            let dialed = match dialing.await {
                Ok(dialed) => dialed.map(Arc::new),
                Err(elapsed) => {
                    let elapsed: DialError = Arc::new(elapsed);
                    Err(elapsed)
                }
            };
            sender.send_replace(Some(dialed));
        });
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

    /// Whether the server answers on a new connection: whoever connects has asked it something.
    async fn answers_anew(self: &Arc<Self>) -> bool {
        *self.current() = None;
        let answers = self.connect(Instant::now() + PROBE_TIMEOUT).await.is_ok();
        if !answers {
            *self.current() = None;
        }
        answers
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

const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
const PROBE_PAUSE: Duration = Duration::from_millis(200);

async fn find_answering(link: Weak<Link>, probe: Probe) {
    while let Some(link) = link.upgrade() {
        if link.answers_anew().await {
            return probe.close();
        }
        drop(link);
        tokio::time::sleep(PROBE_PAUSE).await;
    }
}

/// A connection, or the making of it.
struct Attempt {
    outcome: watch::Receiver<Option<Result<Arc<Live>, DialError>>>,
}

impl Attempt {
    /// The connection; `None` as error when the runtime that made it is gone.
    async fn live(&self) -> Result<Arc<Live>, Option<DialError>> {
        let mut outcome = self.outcome.clone();
        match outcome.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Ok(live))) => Ok(Arc::clone(live)),
            Ok(Some(Err(error))) => Err(Some(Arc::clone(error))),
            Ok(None) | Err(_) => Err(None),
        }
    }

    /// Whether it has failed, or its connection has broken.
    fn is_over(&self) -> bool {
        match &*self.outcome.borrow() {
            Some(Ok(live)) => live.pipe.is_closed(),
            Some(Err(_)) => true,
            // Nobody makes it any more when its runtime is gone.
            None => self.outcome.has_changed().is_err(),
        }
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
