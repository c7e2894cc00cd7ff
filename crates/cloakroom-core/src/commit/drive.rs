//! Carrying out the steps of a commit.

use std::{
    future::{Future, poll_fn},
    ops::Deref,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use cloakroom_store::{Operation, StoreError, Tag};
use tokio::runtime::Handle;

use super::{
    apply::Applied,
    changes::Presented,
    step::{Call, Step},
};
use crate::{
    call::{Budget, call},
    error::SessionError,
    event::EventKind,
    session::{Base, Live, SessionState},
};

/// A commit that has to wait for its store. Dropped before its end, it goes on as a task of the
/// current tokio runtime.
pub(crate) struct Unfinished(Option<CommitFuture>);

type CommitFuture = Pin<Box<dyn Future<Output = Result<(), CommitError>> + Send>>;

impl Unfinished {
    fn new(future: impl Future<Output = Result<(), CommitError>> + Send + 'static) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl Future for Unfinished {
    type Output = Result<(), CommitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.0 else {
            return Poll::Pending;
        };
        let result = future.as_mut().poll(context);
        if result.is_ready() {
            self.0 = None;
        }
        result
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let (Some(future), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(future);
        }
    }
}

/// A session could not be committed.
#[derive(Debug)]
pub(crate) struct CommitError {
    pub(crate) error: SessionError,
    /// It was to be ended, and may not have been.
    pub(crate) is_end: bool,
}

impl From<SessionError> for CommitError {
    fn from(error: SessionError) -> Self {
        Self {
            error,
            is_end: false,
        }
    }
}

pub(crate) enum Progress {
    Done(Result<(), CommitError>),
    Pending(Unfinished),
}

/// Commits a session, as far as it goes without waiting.
pub(crate) fn start(state: &Arc<SessionState>, saves: bool, context: &mut Context<'_>) -> Progress {
    // References are counted when something has to wait: that costs as much as a lock.
    let mut turn = Turn::new(&**state);
    match advance(&mut turn, saves, context) {
        Advanced::Done(result) => Progress::Done(result),
        Advanced::Taken => {
            let turn = Turn::new(Arc::clone(state));
            Progress::Pending(Unfinished::new(wait_and_drive(turn, saves)))
        }
        Advanced::Begun(begun, may_write) => {
            let turn = turn.hand_on(Arc::clone(state));
            let budget = commit_budget(state);
            let rest = drive(turn, saves, may_write, Some(begun), budget);
            Progress::Pending(Unfinished::new(rest))
        }
    }
}

enum Advanced {
    Done(Result<(), CommitError>),
    /// Another task is committing the session.
    Taken,
    /// A call is under way, and whether there may be another write after it.
    Begun(Begun, bool),
}

fn advance(turn: &mut Turn<&SessionState>, saves: bool, context: &mut Context<'_>) -> Advanced {
    let state = turn.state;
    let mut live = state.live();
    if !turn.begin(&mut live) {
        return Advanced::Taken;
    }
    let mut may_write = true;
    loop {
        let (step, mut call) = match state.next_step(&mut live, saves, may_write) {
            Ok(Some(next)) => next,
            result => {
                turn.end(&mut live);
                return Advanced::Done(result.map(|_| ()).map_err(CommitError::from));
            }
        };
        drop(live);
        let is_queue = matches!(step, Step::Queue(_));
        match Pin::new(&mut call).poll(context) {
            Poll::Ready(Ok(tag)) if !is_queue => {
                may_write &= matches!(step, Step::Delete(_));
                live = state.live();
                state.settle(&mut live, step, tag);
            }
            Poll::Ready(Ok(_)) => return Advanced::Begun((step, Ok(Call::None)), may_write),
            Poll::Ready(Err(error)) => return Advanced::Begun((step, Err(error)), may_write),
            Poll::Pending => return Advanced::Begun((step, Ok(call)), may_write),
        }
    }
}

async fn wait_and_drive(mut turn: Turn<Arc<SessionState>>, saves: bool) -> Result<(), CommitError> {
    let mut budget = commit_budget(&turn.state);
    match budget.wait(turn.wait(), Operation::Replace).await {
        Ok(()) => drive(turn, saves, true, None, budget).await,
        Err(error) => {
            let id = turn.state.live().id();
            Err(turn.state.failed(id, error).into())
        }
    }
}

/// Commits a session before the end of its request, or after it.
pub(crate) async fn save(state: &Arc<SessionState>) -> Result<(), CommitError> {
    let progress = poll_fn(|context| Poll::Ready(start(state, true, context))).await;
    match progress {
        Progress::Done(result) => result,
        Progress::Pending(unfinished) => unfinished.await,
    }
}

fn commit_budget(state: &SessionState) -> Budget {
    let deadlines = state.engine().deadlines;
    Budget::new(deadlines.commit, deadlines.call)
}

type Begun = (Step, Result<Call, StoreError>);

async fn drive(
    turn: Turn<Arc<SessionState>>,
    saves: bool,
    mut may_write: bool,
    mut begun: Option<Begun>,
    mut budget: Budget,
) -> Result<(), CommitError> {
    let state = &turn.state;
    loop {
        let (step, under_way) = match begun.take() {
            Some(begun) => begun,
            None => match state.next_step(&mut state.live(), saves, may_write)? {
                Some((step, call)) => (step, Ok(call)),
                None => return Ok(()),
            },
        };
        if let Step::Queue(queued) = step {
            may_write = state
                .take_turn(queued.id, queued.changes, &mut budget)
                .await?;
            continue;
        }
        let result = match under_way {
            Ok(under_way) => call(under_way, step.operation(), &mut budget).await,
            Err(error) => Err(error),
        };
        let is_delete = matches!(step, Step::Delete(_));
        match result {
            Ok(tag) => {
                state.settle(&mut state.live(), step, tag);
                may_write &= is_delete;
            }
            Err(error) => may_write = state.recover(step, error, &mut budget).await? && may_write,
        }
    }
}

impl SessionState {
    /// Takes up what a successful call has brought.
    pub(crate) fn settle(&self, live: &mut Live, step: Step, tag: Tag) {
        let Ok(namespace) = self.namespace() else {
            return;
        };
        match step {
            Step::Delete(ending) => self.settle_end(live, ending),
            Step::Create(creating) => {
                creating.changes.note_stored();
                let mut fresh = creating.fresh;
                fresh.stored.meta.tag = tag;
                if let Some(secret) = &fresh.client.secret {
                    live.outgoing = Some(self.send(namespace, fresh.id, secret, &fresh.stored));
                }
                let (id, stored, client) = (fresh.id, fresh.stored, fresh.client);
                live.base = Base::Opened { id, stored, client };
                live.changes_are_of_another = false;
                self.settle_write(live);
                for event in fresh.events {
                    self.emit(Some(id), event);
                }
            }
            Step::Replace(replacing) => {
                replacing.changes.note_stored();
                let mut applied = replacing.applied;
                applied.stored.meta.tag = tag;
                self.settle_applied(live, applied);
            }
            Step::Touch(record) => {
                if let Base::Opened { stored, id, .. } = &mut live.base {
                    stored.note_use(&record);
                    self.emit(Some(*id), EventKind::Touched);
                }
            }
            Step::Queue(_) => {}
        }
    }

    pub(crate) fn settle_applied(&self, live: &mut Live, applied: Applied) {
        let Ok(namespace) = self.namespace() else {
            return;
        };
        // Ended by another task of this request meanwhile, which has its say at the next step.
        if let Base::Opened { id, stored, client } = &mut live.base {
            let id = *id;
            if let Some(secret) = applied.secret {
                live.outgoing = Some(self.send(namespace, id, &secret, &applied.stored));
                if applied.is_new_secret {
                    client.secret = Some(secret);
                    client.presented = Presented::Given;
                }
            }
            if client.presented != Presented::Given {
                client.presented = applied.presented;
            }
            client.epoch = applied.stored.envelope().epoch;
            *stored = applied.stored;
            for event in applied.events {
                self.emit(Some(id), event);
            }
        }
        self.settle_write(live);
    }

    fn settle_write(&self, live: &mut Live) {
        live.in_flight = None;
        live.size = None;
        live.drop_written_csrf_seed();
        self.tell_stored(live);
        if live.ends_after_commit {
            live.ends_after_commit = false;
            let namespace = self.namespace().ok().map(|namespace| namespace.id);
            let changes = std::mem::take(&mut live.changes);
            live.end(namespace);
            live.ends_after_commit = false;
            live.changes = changes;
        }
    }
}

/// The right to commit a session: one task of a request at a time.
struct Turn<S: Deref<Target = SessionState>> {
    state: S,
    has_begun: bool,
}

impl<S: Deref<Target = SessionState>> Turn<S> {
    fn new(state: S) -> Self {
        Self {
            state,
            has_begun: false,
        }
    }

    /// `false` when another task is committing the session.
    fn begin(&mut self, live: &mut Live) -> bool {
        self.has_begun = !std::mem::replace(&mut live.is_committing, true);
        self.has_begun
    }

    async fn wait(&mut self) {
        loop {
            let ended = {
                let mut live = self.state.live();
                if !std::mem::replace(&mut live.is_committing, true) {
                    self.has_begun = true;
                    return;
                }
                live.wait(&self.state.changed)
            };
            ended.await;
        }
    }

    fn hand_on<T: Deref<Target = SessionState>>(mut self, state: T) -> Turn<T> {
        let has_begun = std::mem::take(&mut self.has_begun);
        Turn { state, has_begun }
    }

    fn end(&mut self, live: &mut Live) {
        self.has_begun = false;
        self.state.end_turn(live);
    }
}

impl<S: Deref<Target = SessionState>> Drop for Turn<S> {
    fn drop(&mut self) {
        if self.has_begun {
            self.state.end_turn(&mut self.state.live());
        }
    }
}

impl SessionState {
    fn end_turn(&self, live: &mut Live) {
        live.is_committing = false;
        live.in_flight = None;
        live.wake(&self.changed);
    }
}
