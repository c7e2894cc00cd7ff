//! The one connection to a server: made when it is needed, shared by all calls, given up when it
//! breaks or hangs.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use cloakroom_store::{Breaker, Probe, StoreError};
use redis::{Cmd, RedisError, ServerError, Value};
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    address::Address,
    call::Call,
    dial::{DialError, Live, Settings, dial},
    error::{Fault, Refusal},
    sentinel::Sentinels,
};

/// What a server says to a command: a value, or that it won't carry it out.
pub(crate) type Reply = Result<Value, ServerError>;

/// A server, and the connection to it.
pub(crate) struct Link {
    target: Target,
    settings: Arc<Settings>,
    current: Mutex<Option<Arc<Attempt>>>,
    breaker: Breaker,
    alarm: Option<Alarm>,
}

/// Whom to connect to.
#[derive(Debug)]
pub(crate) enum Target {
    /// Always the same address.
    Address(Address),
    /// Whom the sentinels name.
    Sentinels(Sentinels),
}

/// Rung while a server does not answer.
pub(crate) type Alarm = Arc<dyn Fn() + Send + Sync>;

/// What became of a command.
pub(crate) struct Exchange {
    pub(crate) reply: Result<Reply, StoreError>,
    /// Whether the server may have seen the command.
    pub(crate) was_sent: bool,
}

impl Link {
    pub(crate) fn new(target: Target, settings: Arc<Settings>, alarm: Option<Alarm>) -> Arc<Self> {
        Arc::new(Self {
            target,
            settings,
            current: Mutex::default(),
            breaker: Breaker::new(),
            alarm,
        })
    }

    /// Whom it connects to.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the server has failed to answer for a while.
    pub(crate) fn is_down(&self) -> bool {
        self.breaker.is_open()
    }

    /// Sends a command once, and waits for the answer until the call's deadline.
    pub(crate) async fn exchange(
        self: &Arc<Self>,
        call: &Call,
        command: &Cmd,
        asking: bool,
    ) -> Exchange {
        let mut was_sent = false;
        let sending = async {
            let sent = self.send(call.deadline, command, asking, &mut was_sent);
            sent.await.map_err(|fault| fault.during(call.operation))
        };
        let reply = self.breaker.call(call.operation, sending).await;
        if reply.is_err() {
            self.watch();
        }
        Exchange { reply, was_sent }
    }

    async fn send(
        self: &Arc<Self>,
        deadline: Instant,
        command: &Cmd,
        asking: bool,
        was_sent: &mut bool,
    ) -> Result<Reply, Fault> {
        let attempt = self.attempt()?;
        let live = match attempt.done() {
            // As nearly always; it saves a timer.
            Some(live) => live,
            None => match timeout_at(deadline, attempt.live()).await {
                Ok(Ok(live)) => live,
                Ok(Err(Some(error))) => {
                    return Err(Fault::Connect(self.target.to_string(), error));
                }
                Ok(Err(None)) => return Err(Fault::NoRuntime),
                Err(_) => return Err(self.silent()),
            },
        };
        *was_sent = true;
        let mut unanswered = Unanswered {
            link: self,
            attempt: &attempt,
            since: Some(Instant::now()),
        };
        let sending = async {
            match asking {
                false => live.send(command).await,
                true => live.send_asking(command).await,
            }
        };
        let sent = timeout_at(deadline, sending).await;
        unanswered.since = None;
        let Ok(answer) = sent else {
            self.give_up(&attempt);
            return Err(self.silent());
        };
        self.judge(answer, &attempt, &live)
    }

    fn judge(
        &self,
        answer: Result<Value, RedisError>,
        attempt: &Arc<Attempt>,
        live: &Live,
    ) -> Result<Reply, Fault> {
        let refusal = match answer {
            Ok(Value::ServerError(refusal)) => refusal,
            Ok(value) => return Ok(Ok(value)),
            Err(error) => match only_refusal(error) {
                Ok(refusal) => refusal,
                Err(error) => {
                    self.give_up(attempt);
                    return Err(Fault::Lost(self.target.to_string(), error));
                }
            },
        };
        // After a fail-over the name, or the sentinels, lead to another server. If not, once a
        // second is enough to find out.
        let elsewhere = matches!(Refusal::of(&refusal), Refusal::WrongServer | Refusal::Login);
        if elsewhere && self.alarm.is_none() && live.age() > Duration::from_secs(1) {
            self.give_up(attempt);
        }
        Ok(Err(refusal))
    }

    /// The connection that all calls use, or the attempt to make it.
    fn attempt(self: &Arc<Self>) -> Result<Arc<Attempt>, Fault> {
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
        let (link, settings) = (Arc::downgrade(self), Arc::clone(&self.settings));
        runtime.spawn(async move {
            let Some(link) = link.upgrade() else { return };
            let dialing = timeout(settings.connect_timeout, link.target.dial(&settings));
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
        if let Some(alarm) = &self.alarm {
            alarm();
        }
        if let Ok(runtime) = Handle::try_current()
            && let Some(probe) = self.breaker.take_probe()
        {
            runtime.spawn(find_answering(Arc::downgrade(self), probe));
        }
    }

    /// Whether the server answers on a new connection.
    async fn answers_anew(self: &Arc<Self>) -> bool {
        *self.current() = None;
        let Ok(attempt) = self.attempt() else {
            return false;
        };
        let asking = async {
            let Ok(live) = attempt.live().await else {
                return false;
            };
            let answer = live.send(&redis::cmd("PING")).await;
            match answer.map(Value::extract_error) {
                Ok(Ok(_)) => true,
                // It answers, though it may not be asked this.
                Ok(Err(error)) => error.code() == Some("NOPERM"),
                Err(_) => false,
            }
        };
        let answers = timeout(PROBE_TIMEOUT, asking).await.unwrap_or(false);
        if !answers {
            self.give_up(&attempt);
        }
        answers
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Attempt>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn silent(&self) -> Fault {
        Fault::Silent(self.target.to_string(), self.settings.timeout)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("target", &self.target)
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}

impl Target {
    async fn dial(&self, settings: &Settings) -> Result<Live, DialError> {
        match self {
            Self::Address(address) => dial(address, settings).await,
            Self::Sentinels(sentinels) => sentinels.dial(settings).await,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Sentinels(sentinels) => write!(f, "the master {}", sentinels.master),
        }
    }
}

const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
const PROBE_PAUSE: Duration = Duration::from_millis(200);

async fn find_answering(link: Weak<Link>, probe: Probe) {
    while let Some(link) = link.upgrade() {
        if link.answers_anew().await {
            return probe.close();
        }
        if let Some(alarm) = &link.alarm {
            alarm();
        }
        drop(link);
        tokio::time::sleep(PROBE_PAUSE).await;
    }
}

/// The refusal of the one command in a pipeline, or what else went wrong.
fn only_refusal(error: RedisError) -> Result<ServerError, RedisError> {
    match error.clone().into_server_errors() {
        Some(refusals) => match &*refusals {
            [.., (_, refusal)] => Ok(refusal.clone()),
            [] => Err(error),
        },
        None => Err(error),
    }
}

/// A connection, or the making of it.
struct Attempt {
    outcome: watch::Receiver<Option<Result<Arc<Live>, DialError>>>,
}

impl Attempt {
    /// The connection, if it is there already.
    fn done(&self) -> Option<Arc<Live>> {
        match &*self.outcome.borrow() {
            Some(Ok(live)) => Some(Arc::clone(live)),
            Some(Err(_)) | None => None,
        }
    }

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
            Some(Ok(live)) => live.is_closed(),
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
