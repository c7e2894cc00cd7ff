//! Making a connection: whom it leads to, and who waits for it.

use std::{fmt, sync::Arc, time::Duration};

use redis::Value;
use tokio::{runtime::Handle, sync::watch, task::AbortHandle, time::timeout};

use crate::{
    address::Address,
    dial::{DialError, Live, Settings, dial},
    sentinel::Sentinels,
};

/// Whom to connect to.
#[derive(Debug)]
pub(crate) enum Target {
    /// Always the same address.
    Address(Address),
    /// Whom the sentinels name.
    Sentinels(Sentinels),
}

impl Target {
    async fn dial(&self, settings: &Settings) -> Result<Live, DialError> {
        match self {
            Self::Address(address) => dial(address, settings).await,
            Self::Sentinels(sentinels) => sentinels.dial(settings).await,
        }
    }

    /// A new connection on which the server has answered, if that is to be had in time.
    pub(crate) async fn ask(&self, settings: &Settings, patience: Duration) -> Option<Live> {
        let asking = async {
            let live = self.dial(settings).await.ok()?;
            let answer = live.send(&redis::cmd("PING")).await;
            let answers = match answer.map(Value::extract_error) {
                Ok(Ok(_)) => true,
                // It answers, though it may not be asked this.
                Ok(Err(error)) => error.code() == Some("NOPERM"),
                Err(_) => false,
            };
            answers.then_some(live)
        };
        timeout(patience, asking).await.ok().flatten()
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

/// The making of a connection, which ends when nobody has this any more.
pub(crate) struct Attempt {
    outcome: watch::Receiver<Option<Result<Arc<Live>, DialError>>>,
    dialing: AbortHandle,
}

impl Attempt {
    /// Begins to connect, in a task of its own: it is everybody's, so nobody's deadline ends it.
    pub(crate) fn begin(runtime: &Handle, target: &Arc<Target>, settings: &Arc<Settings>) -> Self {
        let (sender, outcome) = watch::channel(None);
        let (target, settings) = (Arc::clone(target), Arc::clone(settings));
        let dialing = runtime.spawn(async move {
            let dialing = timeout(settings.connect_timeout, target.dial(&settings));
            let dialed = match dialing.await {
                Ok(dialed) => dialed.map(Arc::new),
                Err(elapsed) => {
                    let elapsed: DialError = Arc::new(elapsed);
                    Err(elapsed)
                }
            };
            sender.send_replace(Some(dialed));
        });
        Self {
            outcome,
            dialing: dialing.abort_handle(),
        }
    }

    /// The connection, if it is made.
    pub(crate) fn done(&self) -> Option<Arc<Live>> {
        match &*self.outcome.borrow() {
            Some(Ok(live)) => Some(Arc::clone(live)),
            Some(Err(_)) | None => None,
        }
    }

    /// The connection; `None` as error when the runtime that made it is gone.
    pub(crate) async fn live(&self) -> Result<Arc<Live>, Option<DialError>> {
        let mut outcome = self.outcome.clone();
        match outcome.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Ok(live))) => Ok(Arc::clone(live)),
            Ok(Some(Err(error))) => Err(Some(Arc::clone(error))),
            Ok(None) | Err(_) => Err(None),
        }
    }

    /// Whether nothing will become of it.
    pub(crate) fn has_failed(&self) -> bool {
        match &*self.outcome.borrow() {
            Some(outcome) => outcome.is_err(),
            // Nobody makes it any more when its runtime is gone.
            None => self.outcome.has_changed().is_err(),
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.dialing.abort();
    }
}
