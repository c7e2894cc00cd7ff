//! Runs blocking work on tokio's blocking pool, for as long as somebody waits for it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use cloakroom_store::{Operation, StoreError, StoreErrorKind};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMutexGuard},
};

use crate::{error::Failure, layout::Leaf};

/// Whether somebody still waits for the work.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    has_gone: Arc<AtomicBool>,
}

impl Caller {
    /// Fails when nobody waits any more. Work asks before its effect, never after it began.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.has_gone.load(Ordering::Relaxed) {
            let source = "the caller has gone";
            return Err(Failure::because(StoreErrorKind::Unavailable, source));
        }
        Ok(())
    }
}

struct GoneOnDrop(Caller);

impl Drop for GoneOnDrop {
    fn drop(&mut self) {
        self.0.has_gone.store(true, Ordering::Relaxed);
    }
}

/// Runs `work` on the blocking pool. Work that has not begun when the future is dropped does not
/// begin; work that has begun runs to its end.
pub(crate) async fn run<T: Send + 'static>(
    operation: Operation,
    work: impl FnOnce(&Caller) -> Result<T, Failure> + Send + 'static,
) -> Result<T, StoreError> {
    let runtime = Handle::try_current()
        .map_err(|error| StoreError::new(StoreErrorKind::Other, operation).with_source(error))?;
    let caller = Caller::default();
    let _gone = GoneOnDrop(caller.clone());
    let work = move || {
        caller.check()?;
        work(&caller)
    };
    match runtime.spawn_blocking(work).await {
        Ok(result) => result.map_err(|failure| failure.during(operation)),
        // The runtime is shutting down, or the work has a bug.
        Err(error) => {
            let kind = match error.is_cancelled() {
                true => StoreErrorKind::Unavailable,
                false => StoreErrorKind::Other,
            };
            Err(StoreError::new(kind, operation).with_source(error))
        }
    }
}

/// Turns of this process's writers: one at a time per leaf folder goes for its lock, in the order
/// of their coming, and the others wait without a thread.
#[derive(Debug)]
pub(crate) struct Turns(Vec<Arc<Mutex<()>>>);

/// A writer's turn, over when it is dropped.
pub(crate) type Turn = OwnedMutexGuard<()>;

impl Turns {
    pub(crate) fn new() -> Self {
        // Namespaces share them: one for each first byte of an id is enough.
        Self((0..=u8::MAX).map(|_| Arc::default()).collect())
    }

    pub(crate) async fn take(&self, leaf: &Leaf) -> Turn {
        let turn = self.0.get(usize::from(leaf.first_byte));
        turn.cloned().unwrap_or_default().lock_owned().await
    }
}
