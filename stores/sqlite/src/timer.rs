//! A timer that needs no runtime: for the case that a disk does not answer, and the threads of the
//! store with it.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// How exact it is.
const TICK: Duration = Duration::from_millis(100);

/// It goes on for so many ticks when nobody waits, since waking it costs more than a tick.
const IDLE_TICKS: u32 = 20;

/// Limits how long calls wait. Dropping it ends its thread.
#[derive(Debug)]
pub(crate) struct Timer {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: AtomicUsize,
    is_parked: AtomicBool,
    is_ended: AtomicBool,
    tick: Notify,
}

impl Timer {
    pub(crate) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = thread::Builder::new().name("cloakroom-timer".to_owned());
        let thread = thread.spawn({
            let shared = Arc::clone(&shared);
            move || shared.run()
        })?;
        Ok(Self { shared, thread })
    }

    /// The result of a future, or `None` when that takes longer than `limit`, to within a tick.
    pub(crate) async fn limit<T>(
        &self,
        limit: Duration,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        let began = Instant::now();
        let mut future = pin!(future);
        let _waiting = Waiting::new(self);
        loop {
            let mut tick = pin!(self.shared.tick.notified());
            let result = poll_fn(|context| {
                if let Poll::Ready(result) = future.as_mut().poll(context) {
                    return Poll::Ready(Some(result));
                }
                tick.as_mut().poll(context).map(|()| None)
            });
            match result.await {
                Some(result) => return Some(result),
                None if began.elapsed() >= limit => return None,
                None => {}
            }
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.shared.is_ended.store(true, Ordering::SeqCst);
        self.thread.thread().unpark();
    }
}

impl Shared {
    fn run(&self) {
        let mut idle_ticks = 0;
        while !self.is_ended.load(Ordering::SeqCst) {
            if self.waiting.load(Ordering::SeqCst) > 0 {
                idle_ticks = 0;
            } else if idle_ticks < IDLE_TICKS {
                idle_ticks += 1;
            } else {
                self.is_parked.store(true, Ordering::SeqCst);
                // Who comes from now on sees that it is parked, and wakes it.
                if self.waiting.load(Ordering::SeqCst) == 0 && !self.is_ended.load(Ordering::SeqCst)
                {
                    thread::park();
                }
                self.is_parked.store(false, Ordering::SeqCst);
                idle_ticks = 0;
                continue;
            }
            thread::park_timeout(TICK);
            self.tick.notify_waiters();
        }
    }
}

struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn new(timer: &'a Timer) -> Self {
        timer.shared.waiting.fetch_add(1, Ordering::SeqCst);
        if timer.shared.is_parked.load(Ordering::SeqCst) {
            timer.thread.thread().unpark();
        }
        Self(&timer.shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_never_ends_is_given_up() {
        let timer = Timer::start().unwrap();
        let limit = Duration::from_millis(150);
        for _ in 0..3 {
            let began = Instant::now();
            assert_eq!(timer.limit(limit, pending::<()>()).await, None);
            assert!(began.elapsed() >= limit);
            assert!(began.elapsed() < Duration::from_secs(5));
        }
        assert_eq!(timer.limit(limit, ready(7)).await, Some(7));
    }

    #[tokio::test]
    async fn it_wakes_up_again() {
        let timer = Timer::start().unwrap();
        let began = Instant::now();
        while !timer.shared.is_parked.load(Ordering::SeqCst) {
            assert!(began.elapsed() < Duration::from_secs(30));
            tokio::time::sleep(TICK).await;
        }
        assert_eq!(timer.limit(TICK, pending::<()>()).await, None);
    }

    #[test]
    fn its_thread_ends_with_it() {
        let timer = Timer::start().unwrap();
        let shared = Arc::downgrade(&timer.shared);
        drop(timer);
        let began = Instant::now();
        while shared.strong_count() > 0 {
            assert!(began.elapsed() < Duration::from_secs(30));
            thread::yield_now();
        }
    }
}
