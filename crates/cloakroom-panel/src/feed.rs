use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, Stream},
};
use tokio::{
    sync::broadcast::{
        Receiver,
        error::{RecvError, TryRecvError},
    },
    time::{Instant, timeout_at},
};

use crate::{page, panel::Panel};

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

/// Server-sent events of what a [`Feed`] hears. A stream ends after 8 s at most, and the page
/// connects again: a server that shuts down does not wait for it, nor a browser that keeps few
/// connections to a host.
pub struct FeedStream(Pin<Box<dyn Stream<Item = Result<Bytes, Infallible>> + Send>>);

const LONGEST: Duration = Duration::from_secs(8);

/// Browsers that lose the stream connect again after 300 ms.
const BEGINNING: Bytes = Bytes::from_static(b"retry: 300\n\n");

impl FeedStream {
    pub(crate) fn new(panel: Panel) -> Self {
        let feed = panel.subscribe();
        let events = stream::once(async move {
            let ends = Instant::now() + LONGEST;
            stream::unfold((panel, feed), move |(panel, mut feed)| async move {
                let event = timeout_at(ends, feed.next()).await.ok()??;
                Some((frame(&panel, event).into(), (panel, feed)))
            })
        });
        let beginning = stream::once(async { BEGINNING });
        Self(Box::pin(beginning.chain(events.flatten()).map(Ok)))
    }
}

impl Stream for FeedStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl fmt::Debug for FeedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeedStream").finish_non_exhaustive()
    }
}

/// An event, as it is sent. What is told of a request is its row in the list.
fn frame(panel: &Panel, event: FeedEvent) -> String {
    const MISSED: &str = "event: missed\ndata:\n\n";
    let (name, number) = match event {
        FeedEvent::Began(number) => ("began", number),
        FeedEvent::Ended(number) => ("ended", number),
        FeedEvent::Cleared => return "event: cleared\ndata:\n\n".to_owned(),
        FeedEvent::Missed(_) => return MISSED.to_owned(),
    };
    let Some(recording) = panel.recording(number) else {
        return MISSED.to_owned();
    };
    let row = recording.view(|request| page::row(panel.base(), request, "", false));
    let mut frame = format!("event: {name}\n");
    for line in row.into_string().split(['\r', '\n']) {
        frame.push_str("data: ");
        frame.push_str(line);
        frame.push('\n');
    }
    frame.push('\n');
    frame
}
