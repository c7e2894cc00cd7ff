use tokio::sync::broadcast::{
    Receiver,
    error::{RecvError, TryRecvError},
};

/// Something has happened that a page about the newest requests shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeedEvent {
    /// A request of this number has begun.
    Began(u64),
    /// It has ended.
    Ended(u64),
    /// The recordings were thrown away.
    Cleared,
    /// As many of these were missed: look at all again.
    Missed(u64),
}

/// Hears of new requests as long as it lives.
#[derive(Debug)]
pub struct Feed(pub(crate) Receiver<FeedEvent>);

impl Feed {
    /// The next one; `None` when the panel is gone.
    ///
    /// Cancel safety: dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<FeedEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(FeedEvent::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }

    /// The next one, if it is there already.
    pub fn try_next(&mut self) -> Option<FeedEvent> {
        match self.0.try_recv() {
            Ok(event) => Some(event),
            Err(TryRecvError::Lagged(missed)) => Some(FeedEvent::Missed(missed)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}
