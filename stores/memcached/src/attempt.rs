//! Making a connection, and who waits for it.

use std::sync::Arc;

use tokio::{runtime::Handle, sync::watch, task::AbortHandle, time::timeout};

use crate::{
    address::Address,
    dial::{DialError, Live, dial},
    link::Settings,
};

/// A connection, or the making of it, which ends when nobody has this any more.
pub(crate) struct Attempt {
    outcome: watch::Receiver<Option<Result<Arc<Live>, DialError>>>,
    dialing: Option<AbortHandle>,
}

impl Attempt {
    /// Begins to connect, in a task of its own: it is everybody's, so nobody's deadline ends it.
    pub(crate) fn begin(runtime: &Handle, server: Address, settings: Settings) -> Self {
        let (sender, outcome) = watch::channel(None);
        let dialing = runtime.spawn(async move {
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
        Self {
            outcome,
            dialing: Some(dialing.abort_handle()),
        }
    }

    /// One that has led to a connection.
    pub(crate) fn made(live: Live) -> Self {
        let (_, outcome) = watch::channel(Some(Ok(Arc::new(live))));
        Self {
            outcome,
            dialing: None,
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

    /// Whether it has failed, or its connection has broken.
    pub(crate) fn is_over(&self) -> bool {
        match &*self.outcome.borrow() {
            Some(Ok(live)) => live.pipe.is_closed(),
            Some(Err(_)) => true,
            // Nobody makes it any more when its runtime is gone.
            None => self.outcome.has_changed().is_err(),
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(dialing) = &self.dialing {
            dialing.abort();
        }
    }
}
