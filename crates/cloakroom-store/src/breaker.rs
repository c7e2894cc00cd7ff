use std::{
    error::Error,
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{Operation, StoreError, StoreErrorKind};

/// An unfinished call that is dropped counts as a failure from here on. Before, somebody else had
/// a reason to drop it.
const PATIENCE: Duration = Duration::from_millis(200);

// One word holds it all, so that a call reads it once when it begins and once when it ends. The two
// lowest bits count failures in a row; three is open. The third bit says that somebody holds the
// probe. The rest is a number that goes up with each closing: a call that began before the last one
// says nothing about the server as it is now.
const COUNT: u64 = 0b11;
const OPEN: u64 = 0b11;
const PROBED: u64 = 0b100;
const ERA: u64 = 0b1000;

/// Refuses calls to a server that does not answer, so that requests wait for it no more.
///
/// For stores that speak to a server. Every call to the driver goes through [`call`](Self::call).
/// Three in a row without an answer open the breaker: from then on calls are refused at once,
/// without being begun, until a [`Probe`] has found the server answering. No answer is
///
/// - the error [`Unavailable`](StoreErrorKind::Unavailable) or
///   [`TimedOut`](StoreErrorKind::TimedOut), and
/// - a call that is dropped unfinished 200 ms after its first poll or later: the engine's deadline
///   has passed.
///
/// Every other error, and every success, is an answer and begins the count again. A call that is
/// dropped earlier counts neither way. Once the breaker is open nothing but its probe closes it.
///
/// While it is closed it costs a call two reads of an atomic and one of the clock.
///
/// # Examples
///
/// A store looks for the probe after each error, and has the server asked in the background:
///
/// ```
/// use std::{future::Future, sync::Arc, time::Duration};
/// use cloakroom_store::{Breaker, Operation, Probe, StoreError};
///
/// # #[derive(Debug)] struct Client;
/// # impl Client { async fn ping(&self) -> Result<(), StoreError> { Ok(()) } }
/// #[derive(Debug)]
/// struct Server {
///     client: Client,
///     breaker: Breaker,
/// }
///
/// impl Server {
///     async fn ask<T>(
///         self: &Arc<Self>,
///         operation: Operation,
///         call: impl Future<Output = Result<T, StoreError>>,
///     ) -> Result<T, StoreError> {
///         let answer = self.breaker.call(operation, call).await;
///         if answer.is_err()
///             && let Some(probe) = self.breaker.take_probe()
///         {
///             let server = Arc::downgrade(self);
///             tokio::spawn(async move {
///                 while let Some(server) = server.upgrade() {
///                     let ping = server.client.ping(); // on a connection of its own
///                     let patience = Duration::from_millis(500);
///                     if let Ok(Ok(())) = tokio::time::timeout(patience, ping).await {
///                         return probe.close();
///                     }
///                     drop(server);
///                     tokio::time::sleep(Duration::from_millis(200)).await;
///                 }
///             });
///         }
///         answer
///     }
/// }
/// ```
pub struct Breaker {
    state: Arc<AtomicU64>,
    patience: Duration,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: Arc::default(),
            patience: PATIENCE,
        }
    }

    /// Whether calls are refused.
    #[must_use]
    pub fn is_open(&self) -> bool {
        is_open(self.state())
    }

    /// Runs a call and notes whether the server has answered it. While the breaker is open the call
    /// is not polled.
    ///
    /// The outcome of a call that is refused is certain: nothing was sent.
    ///
    /// # Errors
    /// Those of the call, unchanged, and `Unavailable` while the breaker is open.
    pub async fn call<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began_in = self.state();
        if is_open(began_in) {
            let error = StoreError::new(StoreErrorKind::Unavailable, operation);
            return Err(error.with_source(Refused));
        }
        let mut unanswered = Unanswered {
            breaker: self,
            era: era(began_in),
            since: Some(Instant::now()),
        };
        let answer = call.await;
        unanswered.since = None;
        match &answer {
            Err(error) if is_failure(error) => self.note_failure(era(began_in)),
            _ => self.note_answer(era(began_in)),
        }
        answer
    }

    /// The right to find out whether the server answers again: for one caller at a time, and only
    /// while the breaker is open.
    #[must_use = "dropping the probe leaves the breaker open"]
    pub fn take_probe(&self) -> Option<Probe> {
        self.change(|state| (is_open(state) && state & PROBED == 0).then_some(state | PROBED))
            .then(|| Probe {
                state: Arc::clone(&self.state),
            })
    }

    fn note_failure(&self, began_in: u64) {
        self.change(|state| (era(state) == began_in && !is_open(state)).then_some(state + 1));
    }

    fn note_answer(&self, began_in: u64) {
        if self.state() & COUNT != 0 {
            self.change(|state| {
                (era(state) == began_in && !is_open(state)).then_some(state & !COUNT)
            });
        }
    }

    fn state(&self) -> u64 {
        self.state.load(Ordering::Acquire)
    }

    fn change(&self, to: impl FnMut(u64) -> Option<u64>) -> bool {
        self.state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, to)
            .is_ok()
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Breaker")
            .field("open", &is_open(state))
            .field("failures", &(state & COUNT))
            .finish_non_exhaustive()
    }
}

/// The right, and the duty, to ask a server until it answers, and then to [`close`](Self::close)
/// the [`Breaker`] that it comes from.
///
/// It is dropped without that when asking ends, a runtime's shutdown included: then
/// [`Breaker::take_probe`] gives it to the next who comes.
#[derive(Debug)]
#[must_use = "dropping the probe leaves the breaker open"]
pub struct Probe {
    state: Arc<AtomicU64>,
}

impl Probe {
    /// Lets calls through again. Call it once the server has answered.
    pub fn close(self) {
        // The bit stays until `self` is dropped, so that it can't be another probe's that falls then.
        let next = |state| Some(era(state).wrapping_add(ERA) | PROBED);
        let _ = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.state.fetch_and(!PROBED, Ordering::AcqRel);
    }
}

/// Notes a call that is dropped before it has an answer.
struct Unanswered<'a> {
    breaker: &'a Breaker,
    era: u64,
    since: Option<Instant>,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(since) = self.since
            && since.elapsed() >= self.breaker.patience
        {
            self.breaker.note_failure(self.era);
        }
    }
}

/// Why a call was refused, for logs.
#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server has not answered for a while; it is asked again in the background")
    }
}

impl Error for Refused {}

const fn is_open(state: u64) -> bool {
    state & COUNT == OPEN
}

const fn era(state: u64) -> u64 {
    state & !(COUNT | PROBED)
}

fn is_failure(error: &StoreError) -> bool {
    matches!(
        error.kind(),
        StoreErrorKind::Unavailable | StoreErrorKind::TimedOut
    )
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    /// How a call ends.
    #[derive(Debug, Clone, Copy)]
    enum End {
        Answer,
        Error(StoreErrorKind),
        Dropped,
    }
    use End::{Answer, Dropped, Error};

    const UNAVAILABLE: End = Error(StoreErrorKind::Unavailable);
    const TIMED_OUT: End = Error(StoreErrorKind::TimedOut);

    /// One for which every dropped call has taken too long, or none has.
    fn with_patience(patience: Duration) -> Breaker {
        Breaker {
            patience,
            ..Breaker::default()
        }
    }

    fn poll<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Plays a call, and says whether it was begun.
    fn play(breaker: &Breaker, end: End) -> bool {
        let mut began = false;
        let call = async {
            began = true;
            match end {
                Answer => Ok(()),
                Error(kind) => Err(StoreError::new(kind, Operation::Load)),
                Dropped => pending().await,
            }
        };
        let polled = poll(breaker.call(Operation::Load, call));
        assert_eq!(polled.is_pending(), began && matches!(end, Dropped));
        began
    }

    fn opened() -> Breaker {
        let breaker = Breaker::new();
        for _ in 0..3 {
            play(&breaker, UNAVAILABLE);
        }
        assert!(breaker.is_open());
        breaker
    }

    #[test]
    fn three_failures_in_a_row_open_it() {
        let breaker = with_patience(Duration::ZERO);
        for end in [UNAVAILABLE, TIMED_OUT] {
            assert!(play(&breaker, end));
            assert!(!breaker.is_open());
        }
        assert!(play(&breaker, Dropped));
        assert!(breaker.is_open());
        assert!(!play(&breaker, Answer), "it is refused");
    }

    #[test]
    fn an_answer_in_between_begins_the_count_again() {
        use StoreErrorKind::{AlreadyExists, Conflict, Corrupt, Other, TooLarge, Unsupported};
        let kinds = [
            AlreadyExists,
            Conflict,
            Corrupt,
            Other,
            TooLarge,
            Unsupported,
        ];
        for answer in kinds.map(Error).into_iter().chain([Answer]) {
            let breaker = Breaker::new();
            for end in [UNAVAILABLE, TIMED_OUT, answer, UNAVAILABLE, TIMED_OUT] {
                play(&breaker, end);
            }
            assert!(!breaker.is_open(), "{answer:?}");
            play(&breaker, UNAVAILABLE);
            assert!(breaker.is_open(), "{answer:?}");
        }
    }

    #[test]
    fn a_call_that_is_dropped_early_counts_neither_way() {
        let breaker = with_patience(Duration::from_secs(3600));
        for end in [Dropped, UNAVAILABLE, Dropped, UNAVAILABLE, Dropped] {
            play(&breaker, end);
        }
        assert!(!breaker.is_open());
        play(&breaker, UNAVAILABLE);
        assert!(breaker.is_open());
        assert_eq!(Breaker::new().patience, Duration::from_millis(200));
    }

    #[test]
    fn a_call_that_was_never_polled_counts_neither_way() {
        let breaker = with_patience(Duration::ZERO);
        for _ in 0..3 {
            drop(breaker.call(Operation::Load, pending::<Result<(), StoreError>>()));
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_refused_call_is_unavailable_and_says_why() {
        let breaker = opened();
        let refused = breaker.call(Operation::Replace, ready(Ok(())));
        let Poll::Ready(Err(error)) = poll(refused) else {
            panic!("not refused at once");
        };
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert_eq!(error.operation(), Operation::Replace);
        let source = std::error::Error::source(&error).unwrap();
        assert!(source.to_string().contains("has not answered"));
    }

    #[test]
    fn there_is_one_probe_and_only_while_it_is_open() {
        assert!(Breaker::new().take_probe().is_none());
        let breaker = opened();
        let probe = breaker.take_probe().unwrap();
        assert!(breaker.take_probe().is_none());
        drop(probe);
        assert!(breaker.is_open(), "nobody has closed it");
        let probe = breaker.take_probe().unwrap();
        probe.close();
        assert!(!breaker.is_open() && breaker.take_probe().is_none());
        assert!(play(&breaker, Answer));
    }

    #[test]
    fn it_opens_again_after_it_was_closed() {
        let breaker = opened();
        for _ in 0..3 {
            breaker.take_probe().unwrap().close();
            for _ in 0..3 {
                assert!(!breaker.is_open());
                play(&breaker, TIMED_OUT);
            }
            assert!(breaker.is_open());
        }
    }

    #[test]
    fn calls_from_before_the_closing_say_nothing_about_the_server_now() {
        let breaker = with_patience(Duration::ZERO);
        let mut context = Context::from_waker(Waker::noop());
        let mut late: Vec<_> = (0..6)
            .map(|_| Box::pin(breaker.call(Operation::Load, pending::<Result<(), StoreError>>())))
            .collect();
        for call in &mut late {
            assert!(call.as_mut().poll(&mut context).is_pending());
        }
        late.truncate(3);
        assert!(breaker.is_open());
        breaker.take_probe().unwrap().close();
        drop(late);
        assert!(!breaker.is_open());
    }

    #[test]
    fn an_answer_does_not_close_it() {
        let breaker = Breaker::new();
        let gate = std::cell::Cell::new(false);
        let call = std::future::poll_fn(|_| match gate.get() {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        });
        let mut call = pin!(breaker.call(Operation::Load, call));
        let mut context = Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(&mut context).is_pending());
        for _ in 0..3 {
            play(&breaker, UNAVAILABLE);
        }
        gate.set(true);
        let answer = call.as_mut().poll(&mut context);
        assert!(matches!(answer, Poll::Ready(Ok(()))));
        assert!(breaker.is_open());
    }

    #[test]
    fn many_threads_share_it() {
        let breaker = opened();
        let probes = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| breaker.take_probe()))
                .collect();
            let probes = threads.into_iter().map(|thread| thread.join().unwrap());
            probes.collect::<Vec<_>>()
        });
        assert_eq!(probes.iter().flatten().count(), 1);
    }
}
