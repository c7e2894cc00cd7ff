use std::time::Duration;

use cloakroom_store::Operation;
use tokio::time::Instant;

/// A call of the store: what it is about, and until when all of its commands have to be answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) deadline: Instant,
}

/// As good as for ever. With more a clock could come to its end.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Call {
    pub(crate) fn new(operation: Operation, timeout: Duration) -> Self {
        Self {
            operation,
            deadline: Instant::now() + timeout.min(LONGEST),
        }
    }
}
