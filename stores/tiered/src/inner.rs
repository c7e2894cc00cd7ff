//! When a copy may be served, and when one may be made.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cloakroom_store::{Freshness, Key, Loaded, Store, StoreError};
use tokio::{runtime::Handle, task::AbortHandle, time::Instant};

use crate::{
    flight::{self, Flights},
    front::Front,
    head::{Head, Stamp},
    marks::Marks,
    stats::Counters,
    trust::Trust,
    watcher::Start,
};

pub(crate) struct Inner<F, B> {
    pub(crate) front: Arc<Front<F>>,
    pub(crate) back: B,
    pub(crate) marks: Marks,
    pub(crate) trust: Trust,
    pub(crate) counters: Counters,
    pub(crate) is_listening: AtomicBool,
    flights: Flights,
    max_age: u64,
    origin: Instant,
    start: Option<Start<F, B>>,
    listener: Mutex<Option<AbortHandle>>,
}

impl<F: Store, B: Store> Inner<F, B> {
    pub(crate) fn new(
        front: Front<F>,
        back: B,
        max_age: Duration,
        start: Option<Start<F, B>>,
    ) -> Self {
        Self {
            front: Arc::new(front),
            back,
            marks: Marks::new(),
            trust: start.map_or_else(Trust::forever, |_| Trust::none()),
            counters: Counters::default(),
            is_listening: AtomicBool::new(false),
            flights: Flights::default(),
            max_age: nanos(max_age),
            origin: Instant::now(),
            start,
            listener: Mutex::default(),
        }
    }

    /// Nanoseconds by the clock of this process.
    pub(crate) fn now(&self) -> u64 {
        nanos(self.origin.elapsed())
    }

    /// Listens to the back, if it is to and nobody does.
    pub(crate) fn listen(self: &Arc<Self>) {
        let (Some(start), Ok(runtime)) = (self.start, Handle::try_current()) else {
            return;
        };
        if self.is_listening.swap(true, Ordering::AcqRel) {
            return;
        }
        let listener = start(self, &runtime);
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
    }

    /// What the front has for a key, if it may be served. If not, it is given to be replaced.
    pub(crate) async fn find(self: &Arc<Self>, key: &Key) -> Found {
        if !self.trust.is_there() {
            return Found::Nothing;
        }
        let Some(mut kept) = self.front.get(key).await else {
            return Found::Nothing;
        };
        // The front may have taken a while, so all of this is asked afterwards.
        let now = self.now();
        let stamp = self.stamp(key, now);
        match Head::take_off(&mut kept.record.data) {
            Some(head)
                if Some(head.stamp) == stamp && now.saturating_sub(head.sent) < self.max_age =>
            {
                kept.tag = head.tag;
                Found::Good(kept)
            }
            _ => Found::Void(kept),
        }
    }

    /// What a copy that is made now is stamped with; `None` when none may be made.
    pub(crate) fn stamp(&self, key: &Key, now: u64) -> Option<Stamp> {
        let mark = self.marks.of(key);
        let era = self.trust.era(now)?;
        Some(Stamp { era, mark })
    }

    /// Asks the back, or waits for somebody who does.
    pub(crate) async fn load_through(
        self: &Arc<Self>,
        key: &Key,
        found: Option<Loaded>,
    ) -> Result<Option<Loaded>, StoreError> {
        let loads = self.counters.of(key);
        let now = self.now();
        let Some(stamp) = self.stamp(key, now) else {
            loads.bypassed.add();
            self.listen();
            return self.back.load(key, Freshness::Latest).await;
        };
        let seat = self.flights.join(*key, stamp, now, self.max_age);
        let mut answer = seat.flight.answer.lock().await;
        if let Some(answer) = &*answer {
            loads.joined.add();
            return answer.clone().map_err(|error| flight::tell(&error));
        }
        loads.misses.add();
        let loaded = self.fill(key, found.as_ref()).await;
        if !seat.close() {
            return loaded;
        }
        let shared = loaded.map_err(Arc::new);
        *answer = Some(shared.clone());
        shared.map_err(|error| flight::tell(&error))
    }

    /// Asks the back, whatever the front has. No copy outlives an answer that knows better.
    pub(crate) async fn load_latest(
        self: &Arc<Self>,
        key: &Key,
    ) -> Result<Option<Loaded>, StoreError> {
        let loaded = self.fill(key, None).await?;
        // Whoever makes up ids makes nobody's copy void.
        if loaded.is_none() && self.front.get(key).await.is_some() {
            self.marks.change(key);
            self.front.remove(key).await;
        }
        Ok(loaded)
    }

    /// Asks the back and keeps the answer in the front, if it is good still.
    async fn fill(
        self: &Arc<Self>,
        key: &Key,
        found: Option<&Loaded>,
    ) -> Result<Option<Loaded>, StoreError> {
        let sent = self.now();
        let stamp = self.stamp(key, sent);
        let loaded = self.back.load(key, Freshness::Latest).await?;
        match &loaded {
            Some(loaded) => self.keep(key, loaded.clone(), sent, stamp, found).await,
            None if found.is_some() => self.front.remove(key).await,
            None => {}
        }
        Ok(loaded)
    }

    /// Puts a copy in the front, if its stamp is good still. An older copy does not stay there.
    pub(crate) async fn keep(
        self: &Arc<Self>,
        key: &Key,
        loaded: Loaded,
        sent: u64,
        stamp: Option<Stamp>,
        found: Option<&Loaded>,
    ) {
        // A copy that becomes void right after this is void in the front too.
        if let Some(stamp) = stamp.filter(|_| self.stamp(key, self.now()) == stamp) {
            let Loaded { record, tag, .. } = loaded;
            let head = Head { stamp, sent, tag };
            if !self.front.put(key, head, record, found).await {
                self.marks.change(key);
            }
        }
    }
}

impl<F, B> Drop for Inner<F, B> {
    fn drop(&mut self) {
        let listener = self
            .listener
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = listener {
            listener.abort();
        }
    }
}

/// What the front has.
pub(crate) enum Found {
    /// A copy that may be served.
    Good(Loaded),
    /// Something that may not, its data of no use. The tag is the front's.
    Void(Loaded),
    /// Nothing, or it fails, or is not asked.
    Nothing,
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
