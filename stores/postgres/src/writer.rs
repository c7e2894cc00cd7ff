//! Writes that wait while a statement is under way go out together with the next.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cloakroom_store::{Key, StoreErrorKind};
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
    time::{Instant, sleep_until, timeout},
};

use crate::{
    call::{Call, Change},
    error::{Failure, Remedy},
    lane::Lane,
    pause::{MOST_TRIES, pause},
    send::{Fate, alone, together},
};

/// The most calls in one statement, and the most bytes of those after the first.
const MOST_CALLS: usize = 128;
const MOST_BYTES: usize = 1 << 20;

/// The most calls and bytes that wait. More come in only when a server is too slow for them.
const MOST_WAITING: usize = 10_000;
const MOST_WAITING_BYTES: usize = 64 << 20;

/// Writes through one connection, one statement at a time.
pub(crate) struct Writer {
    lane: Lane,
    limit: Duration,
    /// The engine lacks what the statement for many calls needs.
    is_plain: Arc<AtomicBool>,
    queue: Mutex<Queue>,
    arrived: Notify,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Call>,
    bytes: usize,
    is_served: bool,
}

/// What to do next.
enum Next {
    Send(Sent),
    Pause(Instant),
    Rest,
}

impl Writer {
    pub(crate) fn new(lane: Lane, limit: Duration, is_plain: Arc<AtomicBool>) -> Self {
        Self {
            lane,
            limit,
            is_plain,
            queue: Mutex::default(),
            arrived: Notify::new(),
        }
    }

    pub(crate) const fn lane(&self) -> &Lane {
        &self.lane
    }

    /// Carries out a write. When this is dropped before the write was sent, it never is.
    pub(crate) async fn write(
        self: &Arc<Self>,
        key: &Key,
        change: Change,
    ) -> Result<bool, Failure> {
        let (answer, answered) = oneshot::channel();
        self.push(Call {
            key: *key,
            change,
            answer,
            tries: 0,
            pause: None,
            is_apart: false,
        })?;
        answered.await.unwrap_or_else(|_| {
            let what = "the runtime that was writing has ended";
            Err(Failure::said(StoreErrorKind::Unavailable, what))
        })
    }

    fn push(self: &Arc<Self>, call: Call) -> Result<(), Failure> {
        let runtime =
            Handle::try_current().map_err(|error| Failure::new(StoreErrorKind::Other, error))?;
        let mut queue = self.queue();
        let bytes = queue.bytes + call.change.size();
        // One call alone may be as large as the store allows.
        let is_much = bytes > MOST_WAITING_BYTES && !queue.waiting.is_empty();
        if queue.waiting.len() >= MOST_WAITING || is_much {
            let what = "too many writes wait for PostgreSQL";
            return Err(Failure::said(StoreErrorKind::Unavailable, what));
        }
        queue.add(call);
        if queue.is_served {
            self.arrived.notify_one();
        } else {
            queue.is_served = true;
            drop(queue);
            let serving = Serving(Some(Arc::clone(self)));
            runtime.spawn(serving.run());
        }
        Ok(())
    }

    async fn serve(&self) {
        loop {
            let is_plain = self.is_plain.load(Ordering::Relaxed);
            let next = self.queue().next(is_plain);
            match next {
                Next::Rest => return,
                Next::Pause(until) => {
                    tokio::select! {
                        () = sleep_until(until) => {}
                        () = self.arrived.notified() => {}
                    }
                }
                Next::Send(sent) => {
                    let sending = self.send(&sent.calls, is_plain);
                    match timeout(self.limit, sending).await {
                        Ok(Ok(fates)) => self.settle(sent, &fates),
                        Ok(Err(failure)) => self.mend(sent, &failure, is_plain),
                        Err(_) => self.mend(sent, &Failure::timed_out(), is_plain),
                    }
                }
            }
        }
    }

    async fn send(&self, calls: &[Call], is_plain: bool) -> Result<Vec<Fate>, Failure> {
        match calls {
            [call] if is_plain => Ok(vec![alone(&self.lane, call).await?]),
            _ => together(&self.lane, calls).await,
        }
    }

    fn settle(&self, sent: Sent, fates: &[Fate]) {
        let is_settled = |call: &Call| {
            let mut others = sent.calls.iter().zip(fates);
            others.any(|(other, fate)| other.key == call.key && *fate != Fate::Locked)
        };
        for call in sent.excluded {
            match is_settled(&call) {
                true => answer(call, Ok(false)),
                false => self.queue().add(call),
            }
        }
        for (call, fate) in sent.calls.into_iter().zip(fates) {
            match fate {
                Fate::Done => answer(call, Ok(true)),
                Fate::Refused => answer(call, Ok(false)),
                Fate::Locked => self.send_later(call),
            }
        }
    }

    /// Sends again what is certain not to have been carried out, if that can help.
    fn mend(&self, sent: Sent, failure: &Failure, was_plain: bool) {
        let is_alone = sent.calls.len() == 1;
        // They were not sent.
        for call in sent.excluded {
            self.queue().add(call);
        }
        for mut call in sent.calls {
            let can_repeat = call.tries < MOST_TRIES;
            match failure.remedy {
                Remedy::Again if can_repeat => self.send_later(call),
                Remedy::Apart if !is_alone => {
                    call.is_apart = true;
                    self.queue().add(call);
                }
                Remedy::Apart if failure.is_lock() && can_repeat => self.send_later(call),
                Remedy::Plainer if !was_plain => {
                    self.is_plain.store(true, Ordering::Relaxed);
                    self.queue().add(call);
                }
                _ => answer(call, Err(failure.clone())),
            }
        }
    }

    fn send_later(&self, mut call: Call) {
        let pause = pause(call.tries);
        call.tries += 1;
        call.pause = Some(Instant::now() + pause);
        self.queue().add(call);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn add(&mut self, call: Call) {
        self.bytes += call.change.size();
        self.waiting.push_back(call);
    }

    /// The next statement: what is first and may go, and all that fits with it.
    fn next(&mut self, is_plain: bool) -> Next {
        let now = Instant::now();
        let mut batch = Batch::of(if is_plain { 1 } else { MOST_CALLS });
        let mut soonest: Option<Instant> = None;
        let mut left = VecDeque::new();
        for call in self.waiting.drain(..) {
            if call.answer.is_closed() {
                continue;
            }
            let pause = call.pause.filter(|pause| *pause > now);
            if let Some(pause) = pause {
                soonest = Some(soonest.map_or(pause, |soonest| soonest.min(pause)));
            } else if batch.excludes(&call) {
                batch.excluded.push(call);
                continue;
            } else if batch.takes(&call) {
                batch.add(call);
                continue;
            }
            left.push_back(call);
        }
        self.bytes = left.iter().map(|call| call.change.size()).sum();
        self.waiting = left;
        match soonest {
            _ if !batch.calls.is_empty() => Next::Send(batch.sorted()),
            Some(soonest) => Next::Pause(soonest),
            None => {
                self.is_served = false;
                Next::Rest
            }
        }
    }
}

/// What goes out together.
struct Sent {
    calls: Vec<Call>,
    /// What is answered by what becomes of those, and is not sent itself: of many requests that
    /// change one session at the same time one can win.
    excluded: Vec<Call>,
}

/// Calls of one kind, none of them of one key.
struct Batch {
    most: usize,
    calls: Vec<Call>,
    excluded: Vec<Call>,
    keys: BTreeMap<Key, usize>,
    bytes: usize,
}

impl Batch {
    const fn of(most: usize) -> Self {
        Self {
            most,
            calls: Vec::new(),
            excluded: Vec::new(),
            keys: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// Whether a call is answered by what becomes of another that is in here.
    fn excludes(&self, call: &Call) -> bool {
        let same = self.keys.get(&call.key);
        let same = same.and_then(|index| self.calls.get(*index));
        same.is_some_and(|same| same.change.excludes(&call.change))
    }

    fn takes(&self, call: &Call) -> bool {
        let Some(first) = self.calls.first() else {
            return true;
        };
        !first.is_apart
            && !call.is_apart
            && self.calls.len() < self.most
            && self.bytes + call.change.size() <= MOST_BYTES
            && first.change.query() == call.change.query()
            && !self.keys.contains_key(&call.key)
    }

    fn add(&mut self, call: Call) {
        self.bytes += call.change.size();
        self.keys.insert(call.key, self.calls.len());
        self.calls.push(call);
    }

    /// All processes go through keys in one order, so that no two wait for each other.
    fn sorted(mut self) -> Sent {
        self.calls
            .sort_by_key(|call| (call.key.id, call.key.namespace));
        Sent {
            calls: self.calls,
            excluded: self.excluded,
        }
    }
}

/// Who serves a queue, until it is empty. A runtime may end in the middle of it; then the next
/// call begins anew.
struct Serving(Option<Arc<Writer>>);

impl Serving {
    async fn run(mut self) {
        if let Some(writer) = &self.0 {
            writer.serve().await;
        }
        // It was noted when the queue was found empty, and somebody else may serve it by now.
        self.0 = None;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(writer) = &self.0 {
            writer.queue().is_served = false;
        }
    }
}

fn answer(call: Call, result: Result<bool, Failure>) {
    // Nobody may be waiting any more.
    let _ = call.answer.send(result);
}
