//! The one connection to a server: made when it is needed, shared by all calls, given up when it
//! breaks or hangs.

use std::{
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cloakroom_store::{Breaker, StoreError};
use redis::{Cmd, RedisError, ServerError, Value};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};

use crate::{
    attempt::{Attempt, Target},
    call::Call,
    dial::{Live, Settings},
    error::{Fault, Refusal},
    probe::find_answering,
};

/// What a server says to a command: a value, or that it won't carry it out.
pub(crate) type Reply = Result<Value, ServerError>;

/// A server, and the connection to it.
pub(crate) struct Link {
    target: Arc<Target>,
    settings: Arc<Settings>,
    current: Mutex<Current>,
    breaker: Breaker,
    alarm: Option<Alarm>,
}

/// The connection that all calls use.
#[derive(Default)]
enum Current {
    #[default]
    Nothing,
    Making(Arc<Attempt>),
    Made(Arc<Live>),
}

/// What a call finds there.
enum Begun {
    Making(Arc<Attempt>),
    Made(Arc<Live>),
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
            target: Arc::new(target),
            settings,
            current: Mutex::default(),
            breaker: Breaker::new(),
            alarm,
        })
    }

    /// Whom it connects to.
    pub(crate) fn target(&self) -> &Arc<Target> {
        &self.target
    }

    pub(crate) fn settings(&self) -> &Arc<Settings> {
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
        let reply = {
            // Pinned: what is as large as this costs time whenever it is handed on.
            let sending = pin!(async {
                let sent = self.send(call.deadline, command, asking, &mut was_sent);
                sent.await.map_err(|fault| fault.during(call.operation))
            });
            self.breaker.call(call.operation, sending).await
        };
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
        let live = self.live(deadline).await?;
        *was_sent = true;
        let mut unanswered = Unanswered {
            link: self,
            live: &live,
            since: Some(Instant::now()),
        };
        let sending = pin!(async {
            match asking {
                false => live.send(command).await,
                true => Box::pin(live.send_asking(command)).await,
            }
        });
        let sent = timeout_at(deadline, sending).await;
        unanswered.since = None;
        let Ok(answer) = sent else {
            self.give_up(&live);
            return Err(self.silent());
        };
        self.judge(answer, &live)
    }

    fn judge(&self, answer: Result<Value, RedisError>, live: &Arc<Live>) -> Result<Reply, Fault> {
        let refusal = match answer {
            Ok(Value::ServerError(refusal)) => refusal,
            Ok(value) => return Ok(Ok(value)),
            Err(error) => match only_refusal(error) {
                Ok(refusal) => refusal,
                Err(error) => {
                    self.give_up(live);
                    return Err(Fault::Lost(self.target.to_string(), error));
                }
            },
        };
        // After a fail-over the name, or the sentinels, lead to another server. If not, once a
        // second is enough to find out.
        let elsewhere = matches!(Refusal::of(&refusal), Refusal::WrongServer | Refusal::Login);
        if elsewhere && self.alarm.is_none() && live.age() > Duration::from_secs(1) {
            self.give_up(live);
        }
        Ok(Err(refusal))
    }

    /// The connection, which is waited for if it is being made.
    async fn live(&self, deadline: Instant) -> Result<Arc<Live>, Fault> {
        let attempt = match self.begin()? {
            Begun::Made(live) => return Ok(live),
            Begun::Making(attempt) => attempt,
        };
        match timeout_at(deadline, attempt.live()).await {
            Ok(Ok(live)) => Ok(live),
            Ok(Err(Some(error))) => Err(Fault::Connect(self.target.to_string(), error)),
            Ok(Err(None)) => Err(Fault::NoRuntime),
            Err(_) => Err(self.silent()),
        }
    }

    /// The connection, or else the attempt to make it.
    fn begin(&self) -> Result<Begun, Fault> {
        let runtime = Handle::try_current().map_err(|_| Fault::NoRuntime)?;
        let mut current = self.current();
        if let Current::Making(attempt) = &*current {
            match attempt.done() {
                Some(live) => *current = Current::Made(live),
                None if !attempt.has_failed() => return Ok(Begun::Making(Arc::clone(attempt))),
                None => {}
            }
        }
        if let Current::Made(live) = &*current
            && !live.is_closed()
        {
            return Ok(Begun::Made(Arc::clone(live)));
        }
        let attempt = Arc::new(Attempt::begin(&runtime, &self.target, &self.settings));
        *current = Current::Making(Arc::clone(&attempt));
        Ok(Begun::Making(attempt))
    }

    /// Has the next call connect anew.
    fn give_up(&self, live: &Arc<Live>) {
        let mut current = self.current();
        let is_current = match &*current {
            Current::Nothing => false,
            Current::Making(attempt) => attempt.done().is_some_and(|now| Arc::ptr_eq(&now, live)),
            Current::Made(now) => Arc::ptr_eq(now, live),
        };
        if is_current {
            *current = Current::Nothing;
        }
    }

    /// Once the breaker is open, asks in the background until the server answers.
    fn watch(self: &Arc<Self>) {
        self.ring();
        if let Ok(runtime) = Handle::try_current()
            && let Some(probe) = self.breaker.take_probe()
        {
            runtime.spawn(find_answering(Arc::downgrade(self), probe));
        }
    }

    /// Says that the server does not answer.
    pub(crate) fn ring(&self) {
        if let Some(alarm) = &self.alarm {
            alarm();
        }
    }

    /// Has all calls use a connection from now on.
    pub(crate) fn take(&self, live: Live) {
        *self.current() = Current::Made(Arc::new(live));
    }

    fn current(&self) -> MutexGuard<'_, Current> {
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

/// Gives the connection up when a call is dropped that has waited long for its answer.
struct Unanswered<'a> {
    link: &'a Link,
    live: &'a Arc<Live>,
    since: Option<Instant>,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if self.since.is_some_and(|since| since.elapsed() > PATIENCE) {
            self.link.give_up(self.live);
        }
    }
}

/// As long as the breaker's.
const PATIENCE: Duration = Duration::from_millis(200);
