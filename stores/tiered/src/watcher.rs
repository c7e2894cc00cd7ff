//! Listening to the back in the background.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use cloakroom_store::{Change, Feed, Store, Watch};
use tokio::{
    runtime::Handle,
    task::AbortHandle,
    time::{sleep, timeout},
};

use crate::inner::Inner;

/// How long connecting may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the pauses between tries are.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Begins to listen to the back of a store, on this runtime.
pub(crate) type Start<F, B> = fn(&Arc<Inner<F, B>>, &Handle) -> AbortHandle;

pub(crate) fn start<F: Store, B: Watch>(inner: &Arc<Inner<F, B>>, runtime: &Handle) -> AbortHandle {
    let listening = Listening(Arc::downgrade(inner));
    runtime.spawn(listen(listening)).abort_handle()
}

/// Somebody listens, until it is dropped: with the store, its runtime, or by a panic of a feed.
struct Listening<F, B>(Weak<Inner<F, B>>);

impl<F, B> Drop for Listening<F, B> {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            inner.trust.end();
            inner.is_listening.store(false, Ordering::Release);
        }
    }
}

async fn listen<F: Store, B: Watch>(listening: Listening<F, B>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let Some(feed) = connect(&listening.0).await else {
            return;
        };
        if let Some(feed) = feed
            && follow(&listening.0, feed).await
        {
            pause = FIRST_PAUSE;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A feed, if the back gives one; `None` when the store is gone.
async fn connect<F: Store, B: Watch>(store: &Weak<Inner<F, B>>) -> Option<Option<B::Feed>> {
    let inner = store.upgrade()?;
    let feed = timeout(PATIENCE, inner.back.watch()).await;
    Some(feed.ok().and_then(Result::ok))
}

/// Hears a feed to its end. Says whether it has told anything.
async fn follow<F: Store, B: Watch>(store: &Weak<Inner<F, B>>, mut feed: B::Feed) -> bool {
    let silence = u64::try_from(B::Feed::SILENCE.as_nanos()).unwrap_or(u64::MAX);
    let mut has_told = false;
    if let Some(inner) = store.upgrade() {
        inner.trust.begin(inner.now().saturating_add(silence));
    }
    // Whatever is told is told about a back that was there a moment ago; the store is not kept
    // alive meanwhile.
    while let Ok(Ok(change)) = timeout(B::Feed::SILENCE, feed.next()).await {
        let Some(inner) = store.upgrade() else {
            break;
        };
        has_told = true;
        inner.take_up(change).await;
        let now = inner.now();
        inner.trust.extend(now, now.saturating_add(silence));
    }
    if let Some(inner) = store.upgrade() {
        inner.trust.end();
    }
    has_told
}

impl<F: Store, B: Store> Inner<F, B> {
    async fn take_up(&self, change: Change) {
        match change {
            Change::Nothing => return,
            Change::Key(key) => {
                self.marks.change(&key);
                self.front.remove_at_once(&key).await;
            }
            _ => self.trust.begin_anew(),
        }
        self.counters.invalidations.add();
    }
}
