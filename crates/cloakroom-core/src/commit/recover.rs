//! What a commit does when a store call fails.

use cloakroom_store::{
    Freshness, Key, Loaded, Operation, SessionId, StoreError, StoreErrorKind, Tag, Timestamp,
    Version,
};
use tokio::{sync::oneshot, time::timeout_at};

use super::{
    apply,
    changes::{Changes, Stored},
    drive::CommitError,
    queue::{Slot, Turnout, Waiting},
    step::{Replacing, Step},
};
use crate::{
    call::{Budget, call},
    error::SessionError,
    event::{EventKind, VoidReason},
    namespace::CompiledNamespace,
    session::{Base, Outgoing, SessionState},
};

impl SessionState {
    /// Deals with a call that failed. Says whether the changes are still to be written.
    pub(crate) async fn recover(
        &self,
        step: Step,
        error: StoreError,
        budget: &mut Budget,
    ) -> Result<bool, CommitError> {
        let is_conflict = error.kind() == StoreErrorKind::Conflict;
        if !is_conflict && error.kind() != StoreErrorKind::AlreadyExists {
            self.report_error(&error);
        }
        match step {
            Step::Touch(_) => Ok(false),
            Step::Replace(replacing) if replacing.applied.is_optional => {
                self.live().in_flight = None;
                Ok(false)
            }
            Step::Delete(ending) => {
                if error.is_outcome_unknown() && self.is_gone(ending.key, budget).await {
                    self.settle(&mut self.live(), Step::Delete(ending), Tag::NONE);
                    return Ok(true);
                }
                let mut live = self.live();
                live.ending = None;
                live.changes = Changes::default();
                live.outgoing = Some(Outgoing::Remove);
                Err(CommitError {
                    error: SessionError::Store(error),
                    is_end: true,
                })
            }
            Step::Create(creating) if error.kind() == StoreErrorKind::AlreadyExists => {
                // The id is taken, which chance does once in 2^64 sessions: draw another one.
                self.put_back(creating.changes, None);
                match budget.retry() {
                    true => Ok(true),
                    false => Err(self.failed(None, error).into()),
                }
            }
            Step::Create(creating) => {
                let key = self
                    .namespace()
                    .map(|n| Key::new(n.id, creating.fresh.id))?;
                let version = creating.fresh.stored.meta.record.version;
                match self.find_written(&error, key, version, budget).await {
                    Some(found) => {
                        self.settle(&mut self.live(), Step::Create(creating), found.tag);
                        Ok(false)
                    }
                    None => Err(self.fail(creating.changes, None, error)),
                }
            }
            Step::Replace(replacing) if is_conflict => {
                let Replacing { id, changes, .. } = *replacing;
                self.emit(Some(id), EventKind::Conflict);
                self.take_turn(id, changes, budget).await
            }
            Step::Replace(replacing) => {
                let id = replacing.id;
                let key = self.namespace().map(|n| Key::new(n.id, id))?;
                let version = replacing.applied.stored.meta.record.version;
                match self.find_written(&error, key, version, budget).await {
                    Some(found) => {
                        self.settle(&mut self.live(), Step::Replace(replacing), found.tag);
                        Ok(false)
                    }
                    None => Err(self.fail(replacing.changes, Some(id), error)),
                }
            }
            Step::Queue(queued) => Err(self.fail(queued.changes, Some(queued.id), error)),
        }
    }

    /// Has the changes committed in turn with those of others.
    pub(crate) async fn take_turn(
        &self,
        id: SessionId,
        changes: Changes,
        budget: &mut Budget,
    ) -> Result<bool, CommitError> {
        let (client, seen) = match &self.live().base {
            Base::Opened { client, stored, .. } => (client.clone(), stored.frames.clone()),
            // Ended meanwhile, by another task of this request.
            _ => return Ok(true),
        };
        let namespace = self.namespace()?;
        let key = Key::new(namespace.id, id);
        let slot = Slot::new(changes);
        let (reply, replied) = oneshot::channel();
        let deadline = budget.deadline();
        let waiting = Waiting {
            changes: slot.clone(),
            client,
            seen,
            deadline,
            reply,
            trace: self.trace.clone(),
        };
        if !self
            .engine()
            .queues
            .join(&self.manager, self.index, key, waiting)
        {
            let error = StoreError::new(StoreErrorKind::Other, Operation::Replace)
                .with_source("a session that is changed in parallel needs a tokio runtime");
            self.report_error(&error);
            return Err(self.fail(slot.take().unwrap_or_default(), Some(id), error));
        }
        // What is queued is taken back; what is under way may be done all the same.
        let turnout = match timeout_at(deadline, replied).await {
            Ok(Ok(turnout)) => turnout,
            _ => Turnout::Failed(StoreError::new(
                StoreErrorKind::TimedOut,
                Operation::Replace,
            )),
        };
        let changes = slot.take().unwrap_or_default();
        match turnout {
            Turnout::Applied(applied) => {
                changes.note_stored();
                self.settle_applied(&mut self.live(), *applied);
                Ok(false)
            }
            Turnout::Void(reason) => self.become_void(id, changes, reason),
            Turnout::Refused(error) => {
                self.live().in_flight = None;
                if matches!(error, SessionError::Conflict { .. }) {
                    self.emit(Some(id), EventKind::Overwritten);
                }
                Err(error.into())
            }
            Turnout::Failed(error) => {
                self.report_error(&error);
                Err(self.fail(changes, Some(id), error))
            }
        }
    }

    /// The record is gone or of another epoch: the changes are void, but for a login, which makes
    /// a session of its own.
    fn become_void(
        &self,
        id: SessionId,
        changes: Changes,
        reason: VoidReason,
    ) -> Result<bool, CommitError> {
        let mut live = self.live();
        live.in_flight = None;
        if live.id() != Some(id) {
            // Ended meanwhile, by another task of this request: its changes with it.
            return Ok(true);
        }
        live.base = Base::Void(reason);
        if changes.login.is_none() {
            drop(live);
            return Err(self.void(reason).into());
        }
        let later = std::mem::replace(&mut live.changes, changes);
        live.changes.append(later);
        Ok(true)
    }

    /// What the store has under a key, if it is what an uncertain write has written.
    async fn find_written(
        &self,
        error: &StoreError,
        key: Key,
        version: Version,
        budget: &mut Budget,
    ) -> Option<Loaded> {
        if !error.is_outcome_unknown() {
            return None;
        }
        let found = self.load_latest(key, budget).await.ok()??;
        (found.record.version == version).then_some(found)
    }

    async fn is_gone(&self, key: Option<Key>, budget: &mut Budget) -> bool {
        match key {
            Some(key) => matches!(self.load_latest(key, budget).await, Ok(None)),
            None => false,
        }
    }

    async fn load_latest(
        &self,
        key: Key,
        budget: &mut Budget,
    ) -> Result<Option<Loaded>, StoreError> {
        match self.namespace().ok().and_then(CompiledNamespace::store) {
            Some(store) => {
                let load = store.load(key, Freshness::Latest);
                let load = self.trace.load(self.name(), key, Freshness::Latest, load);
                call(load, Operation::Load, budget).await
            }
            None => Ok(None),
        }
    }

    /// Keeps the changes for another try, and makes the error.
    fn fail(&self, changes: Changes, id: Option<SessionId>, error: StoreError) -> CommitError {
        self.put_back(changes, id);
        SessionError::Store(error).into()
    }

    /// Puts changes back into the journal, unless their session was ended meanwhile. `id` is that
    /// of the session; `None` when it was to be created.
    fn put_back(&self, changes: Changes, id: Option<SessionId>) {
        let mut live = self.live();
        live.in_flight = None;
        live.size = None;
        let was_ended = std::mem::take(&mut live.ends_after_commit) || live.id() != id;
        if !was_ended {
            let later = std::mem::replace(&mut live.changes, changes);
            live.changes.append(later);
        }
    }

    fn report_error(&self, error: &StoreError) {
        let id = self.live().id();
        self.report(id, error);
    }
}

/// A record that is there for a commit: read, and not expired for longer than the margin.
pub(crate) fn usable(loaded: Option<Loaded>, now: Timestamp) -> Result<Option<Stored>, StoreError> {
    let Some(loaded) = loaded else {
        return Ok(None);
    };
    if apply::is_gone(&loaded.record, now) {
        return Ok(None);
    }
    let corrupt = |_| StoreError::new(StoreErrorKind::Corrupt, Operation::Load);
    Stored::read(loaded).map(Some).map_err(corrupt)
}
