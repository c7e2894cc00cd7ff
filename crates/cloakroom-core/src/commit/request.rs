//! Committing all sessions of a request.

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use smallvec::SmallVec;

use super::{
    Changes,
    drive::{CommitError, Progress, Unfinished, start},
};
use crate::{
    error::SessionError,
    event::EventKind,
    namespace::{EndedPolicy, FailurePolicy, SaveMode},
    session::SessionState,
    trace::Decision,
};

/// How a request went, as far as saving depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Any status below 500.
    Success,
    /// A status of 500 or more, or a panic.
    ServerError,
}

impl Outcome {
    /// The outcome of a status.
    ///
    /// ```
    /// use cloakroom_core::Outcome;
    /// assert_eq!(Outcome::of_status(404), Outcome::Success);
    /// assert_eq!(Outcome::of_status(500), Outcome::ServerError);
    /// ```
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        if status >= 500 {
            Self::ServerError
        } else {
            Self::Success
        }
    }
}

/// What becomes of the response.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
/// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
/// # doc::block_on(async {
/// # use cloakroom_testkit::{Fault, FaultyStore};
/// # let store = FaultyStore::new(MemoryStore::new());
/// # let faults = store.faults();
/// # let manager = SessionManager::builder().namespace(Namespace::new("cart", store)).build()?;
/// # let sessions = RequestSessions::begin(&manager);
/// # let request = doc::Request::default();
/// # sessions.judge("cart", &request)?.unwrap().open().await?.insert("items", 3)?;
/// # faults.always(Fault::BeforeEffect);
/// // The store is down.
/// let verdict = sessions.commit(Outcome::Success).await;
/// assert_eq!(verdict.status(), Some(503));
/// assert!(verdict.message().starts_with("The session could not be saved."));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub struct Verdict {
    status: Option<u16>,
}

impl Verdict {
    /// The status of the response that takes the place of the application's; `None` when that one
    /// stays. Either carries the cookies of the sessions that were committed.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        self.status
    }

    /// What the replaced response says: no details.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        match self.status {
            Some(401) => "Please log in again.\n",
            Some(409) => "Somebody else has changed the session. Please try again.\n",
            Some(413) => "There is no room for more in this session.\n",
            Some(503) => "The session could not be saved. Please try again in a moment.\n",
            _ => "The session could not be saved.\n",
        }
    }

    fn add(&mut self, status: Option<u16>) {
        self.status = self.status.max(status);
    }
}

/// The commit of a request's sessions, all at the same time.
///
/// Cancel safety: dropping it does not stop a commit halfway. What has begun goes on as a task of
/// the current tokio runtime.
#[must_use = "nothing is committed until it is polled"]
pub struct Commit {
    outcome: Outcome,
    sessions: Option<SmallVec<[Arc<SessionState>; 4]>>,
    waiting: Vec<(Arc<SessionState>, Unfinished)>,
    verdict: Verdict,
}

impl Commit {
    pub(crate) fn new(sessions: SmallVec<[Arc<SessionState>; 4]>, outcome: Outcome) -> Self {
        Self {
            outcome,
            sessions: Some(sessions),
            waiting: Vec::new(),
            verdict: Verdict::default(),
        }
    }
}

impl Future for Commit {
    type Output = Verdict;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Verdict> {
        let this = &mut *self;
        for state in this.sessions.take().into_iter().flatten() {
            state.drop_unsaved();
            let saves = this.outcome == Outcome::Success || state.saves_on_server_error();
            match start(&state, saves, context) {
                Progress::Done(result) => this.verdict.add(state.judge(result)),
                Progress::Pending(future) => this.waiting.push((state, future)),
            }
        }
        let verdict = &mut this.verdict;
        this.waiting
            .retain_mut(|(state, future)| match Pin::new(future).poll(context) {
                Poll::Ready(result) => {
                    verdict.add(state.judge(result));
                    false
                }
                Poll::Pending => true,
            });
        match this.waiting.is_empty() {
            true => Poll::Ready(this.verdict),
            false => Poll::Pending,
        }
    }
}

impl std::fmt::Debug for Commit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Commit")
            .field("outcome", &self.outcome)
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}

impl SessionState {
    /// Drops what was to be saved explicitly, and was not.
    fn drop_unsaved(&self) {
        let is_explicit = self
            .config()
            .is_some_and(|namespace| namespace.settings.save_mode == SaveMode::Explicit);
        if !is_explicit {
            return;
        }
        let mut live = self.live();
        if live.changes.is_of_values_alone() {
            self.tell_decision(Decision::NotSavedUnasked);
            self.emit(live.id(), EventKind::NotSaved);
            live.changes = Changes::default();
            live.size = None;
        }
    }

    fn saves_on_server_error(&self) -> bool {
        self.namespace()
            .is_ok_and(|namespace| namespace.settings.saves_on_server_error)
    }

    /// What a failed commit makes of the response.
    fn judge(&self, result: Result<(), CommitError>) -> Option<u16> {
        let CommitError { error, is_end } = result.err()?;
        let settings = &self.namespace().ok()?.settings;
        let status = match error {
            SessionError::Ended { .. } => match settings.on_ended {
                EndedPolicy::Ignore => return None,
                EndedPolicy::Respond409 => 409,
                EndedPolicy::Respond401 => 401,
            },
            SessionError::Store(_) | SessionError::Random(_) => {
                // The client has been told already; nothing is there to save it to later.
                let id = self.give_up();
                if settings.on_store_failure == FailurePolicy::KeepResponse && !is_end {
                    self.log(&error, None);
                    self.emit(id, EventKind::Lost);
                    return None;
                }
                error.status()
            }
            ref other => {
                self.give_up();
                other.status()
            }
        };
        self.log(&error, Some(status));
        Some(status)
    }

    /// Says why a response is replaced, or changes are lost.
    fn log(&self, error: &SessionError, status: Option<u16>) {
        self.tell_decision(Decision::Failed(status));
        let (namespace, source) = (self.name(), error.source());
        match error.is_reported() || status.is_some_and(|status| status < 500) {
            true => tracing::info!(target: "cloakroom", namespace, status, "{error}"),
            false => tracing::error!(target: "cloakroom", namespace, status, source, "{error}"),
        }
    }

    fn give_up(&self) -> Option<cloakroom_store::SessionId> {
        let mut live = self.live();
        live.changes = Changes::default();
        live.id()
    }
}
