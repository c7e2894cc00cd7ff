//! Loads through one connection. Where it has one statement at a time, loads that wait while one is
//! under way go out together with the next.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cloakroom_store::{Key, Record, StoreErrorKind};
use tokio::{runtime::Handle, sync::oneshot, time::timeout};

use crate::{
    error::Failure,
    lane::Lane,
    row,
    sql::Query,
    values::{Parameters, Row},
};

/// The most loads in one statement.
const MOST_LOADS: usize = 64;

/// The most loads that wait. More come in only when a server is too slow for them.
const MOST_WAITING: usize = 10_000;

pub(crate) struct Reader {
    lane: Lane,
    limit: Duration,
    under_way: AtomicUsize,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Load>,
    is_served: bool,
}

struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn count(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A load that somebody waits for.
struct Load {
    key: Key,
    answer: oneshot::Sender<Result<Option<Record>, Failure>>,
}

impl Reader {
    pub(crate) fn new(lane: Lane, limit: Duration) -> Self {
        Self {
            lane,
            limit,
            under_way: AtomicUsize::new(0),
            queue: Mutex::default(),
        }
    }

    pub(crate) const fn lane(&self) -> &Lane {
        &self.lane
    }

    /// How many loads are under way, or wait.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    pub(crate) async fn load(self: &Arc<Self>, key: &Key) -> Result<Option<Record>, Failure> {
        let _under_way = UnderWay::count(&self.under_way);
        if !self.lane.is_serial() {
            let key: [&[u8]; 2] = [key.id.as_bytes(), key.namespace.as_str().as_bytes()];
            let [id, namespace] = &key;
            let rows = self.lane.read(Query::Load, &[id, namespace]).await?;
            return rows.first().map(row::record).transpose();
        }
        let (answer, answered) = oneshot::channel();
        self.push(Load { key: *key, answer })?;
        answered.await.unwrap_or_else(|_| {
            let what = "the runtime that was reading has ended";
            Err(Failure::said(StoreErrorKind::Unavailable, what))
        })
    }

    fn push(self: &Arc<Self>, load: Load) -> Result<(), Failure> {
        let runtime =
            Handle::try_current().map_err(|error| Failure::new(StoreErrorKind::Other, error))?;
        let mut queue = self.queue();
        if queue.waiting.len() >= MOST_WAITING {
            let what = "too many loads wait for PostgreSQL";
            return Err(Failure::said(StoreErrorKind::Unavailable, what));
        }
        queue.waiting.push_back(load);
        if !queue.is_served {
            queue.is_served = true;
            drop(queue);
            runtime.spawn(Serving(Some(Arc::clone(self))).run());
        }
        Ok(())
    }

    async fn serve(&self) {
        loop {
            let loads = self.queue().next();
            if loads.is_empty() {
                return;
            }
            let answer = timeout(self.limit, self.send(&loads)).await;
            match answer.unwrap_or_else(|_| Err(Failure::timed_out())) {
                Ok(rows) => settle(loads, &rows),
                Err(failure) => {
                    for load in loads {
                        answer_to(load, Err(failure.clone()));
                    }
                }
            }
        }
    }

    async fn send(&self, loads: &[Load]) -> Result<Vec<Row>, Failure> {
        let ids: Vec<&[u8]> = loads
            .iter()
            .map(|load| -> &[u8] { load.key.id.as_bytes() })
            .collect();
        let namespaces: Vec<&[u8]> = loads
            .iter()
            .map(|load| load.key.namespace.as_str().as_bytes())
            .collect();
        let parameters: Parameters<'_> = &[&ids, &namespaces];
        self.lane.read(Query::LoadAll, parameters).await
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// The loads of the next statement. Without any, nobody serves the queue any more.
    fn next(&mut self) -> Vec<Load> {
        let mut loads = Vec::new();
        while loads.len() < MOST_LOADS
            && let Some(load) = self.waiting.pop_front()
        {
            if !load.answer.is_closed() {
                loads.push(load);
            }
        }
        self.is_served = !loads.is_empty();
        loads
    }
}

/// Gives each load its row, by the number at the row's end. They are numbered from 1.
fn settle(loads: Vec<Load>, rows: &[Row]) {
    let mut found: Vec<Result<Option<Record>, Failure>> = loads.iter().map(|_| Ok(None)).collect();
    for answer in rows {
        let number = row::column::<i64>(answer, 6).ok();
        let index = number.and_then(|number| usize::try_from(number).ok()?.checked_sub(1));
        if let Some(own) = index.and_then(|index| found.get_mut(index)) {
            *own = row::record(answer).map(Some);
        }
    }
    for (load, result) in loads.into_iter().zip(found) {
        answer_to(load, result);
    }
}

fn answer_to(load: Load, result: Result<Option<Record>, Failure>) {
    // Nobody may be waiting any more.
    let _ = load.answer.send(result);
}

/// Who serves a queue, until it is empty. A runtime may end in the middle of it; then the next
/// load begins anew.
struct Serving(Option<Arc<Reader>>);

impl Serving {
    async fn run(mut self) {
        if let Some(reader) = &self.0 {
            reader.serve().await;
        }
        // It was noted when the queue was found empty, and somebody else may serve it by now.
        self.0 = None;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(reader) = &self.0 {
            reader.queue().is_served = false;
        }
    }
}
