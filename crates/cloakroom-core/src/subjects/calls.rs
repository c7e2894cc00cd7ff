//! The store calls behind it, each within its time.

use std::{
    future::{Future, poll_fn},
    task::Poll,
};

use cloakroom_store::{
    AnyStore, Cursor, Freshness, Key, Loaded, Operation, Page, SessionId, StoreError,
    StoreErrorKind, Subject, Summary, Timestamp,
};

use super::Subjects;
use crate::{
    call::{Budget, call},
    commit::{self, Stored},
    error::SessionError,
    event::{EventKind, VoidReason},
    namespace::CompiledNamespace,
    open,
};

impl Subjects {
    /// A page of the sessions of a subject, and of no other.
    pub(super) async fn page(
        &self,
        operation: &'static str,
        subject: &Subject,
        after: Option<Cursor>,
        limit: usize,
        budget: &mut Budget,
    ) -> Result<Page, SessionError> {
        let (namespace, store) = self.parts()?;
        let name = namespace.name().to_owned();
        let listed = store.by_subject(name.clone(), subject.clone(), after, limit);
        let listed = self.trace.list(&name, namespace.id, listed);
        match call(listed, Operation::BySubject, budget).await {
            Ok(mut page) => {
                page.sessions.retain(|session| {
                    session.subject.as_ref() == Some(subject)
                        && session.key.namespace == namespace.id
                });
                Ok(page)
            }
            Err(error) if error.kind() == StoreErrorKind::Unsupported => {
                Err(SessionError::Unsupported {
                    namespace: name,
                    operation,
                    hint: "its store can't list the sessions of a subject: use another one; of \
                           cloakroom's own, only memcached can't",
                })
            }
            Err(error) => Err(self.failed(None, error)),
        }
    }

    /// Whether a session that is listed can still be opened. Its limits are in its record, so that
    /// is loaded where the listing does not tell.
    pub(super) async fn is_alive(
        &self,
        summary: &Summary,
        now: Timestamp,
        mut budget: Budget,
    ) -> Result<bool, SessionError> {
        if now >= summary.expires {
            return Ok(false);
        }
        let settings = &self.parts()?.0.settings;
        if now < settings.limits.expires(summary.created, summary.last_seen) {
            return Ok(true);
        }
        let loaded = match self.latest(summary.key, &mut budget).await {
            // What is corrupt opens nothing.
            Err(SessionError::Store(error)) if error.kind() == StoreErrorKind::Corrupt => None,
            result => result?,
        };
        let stored = loaded.and_then(|loaded| Stored::read(loaded).ok());
        Ok(stored.is_some_and(|stored| {
            !open::has_expired(&stored.meta.record, &stored.envelope(), settings, now)
        }))
    }

    pub(super) async fn latest(
        &self,
        key: Key,
        budget: &mut Budget,
    ) -> Result<Option<Loaded>, SessionError> {
        let loaded = self.look(self.parts()?.1, key, budget).await;
        loaded.map_err(|error| self.failed(Some(key.id), error))
    }

    /// Whether a request that has opened a session in this epoch may still speak for it.
    pub(crate) async fn check(&self, id: SessionId, epoch: u32) -> Result<(), SessionError> {
        let (namespace, _) = self.parts()?;
        let key = Key::new(namespace.id, id);
        let loaded = self.latest(key, &mut self.commit_budget()).await?;
        let now = self.manager.state().now();
        let stored = commit::usable(loaded, now).map_err(|error| self.failed(Some(id), error))?;
        let reason = match stored {
            None => VoidReason::Gone,
            Some(stored) if stored.envelope().epoch != epoch => VoidReason::NewEpoch,
            Some(_) => return Ok(()),
        };
        let engine = self.manager.state();
        engine.emit(namespace.name(), Some(id), EventKind::Void(reason));
        Err(SessionError::Ended {
            namespace: namespace.name().to_owned(),
        })
    }

    /// Deletes sessions at the same time. Says how many there were, and gives the first error.
    pub(super) async fn delete_all(
        &self,
        keys: impl Iterator<Item = Key>,
    ) -> (usize, Option<SessionError>) {
        let begin = |key| Box::pin(self.delete(key, self.commit_budget()));
        let mut under_way: Vec<_> = keys.map(begin).collect();
        let (mut count, mut failure) = (0, None);
        poll_fn(|context| {
            under_way.retain_mut(|deleted| match deleted.as_mut().poll(context) {
                Poll::Pending => true,
                Poll::Ready(Ok(was_there)) => {
                    count += usize::from(was_there);
                    false
                }
                Poll::Ready(Err(error)) => {
                    failure.get_or_insert(error);
                    false
                }
            });
            match under_way.is_empty() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        (count, failure)
    }

    pub(super) async fn delete(&self, key: Key, mut budget: Budget) -> Result<bool, SessionError> {
        let (namespace, store) = self.parts()?;
        let deleted = store.delete(key);
        let deleted = self
            .trace
            .call(self.name(), key, Operation::Delete, deleted);
        let was_there = match call(deleted, Operation::Delete, &mut budget).await {
            Ok(was_there) => was_there,
            Err(error) => {
                let is_unknown = error.is_outcome_unknown();
                let failure = self.failed(Some(key.id), error);
                if !is_unknown || !matches!(self.look(store, key, &mut budget).await, Ok(None)) {
                    return Err(failure);
                }
                true
            }
        };
        if was_there {
            let engine = self.manager.state();
            engine.emit(namespace.name(), Some(key.id), EventKind::Ended);
        }
        Ok(was_there)
    }

    pub(super) fn commit_budget(&self) -> Budget {
        let deadlines = self.manager.state().deadlines;
        Budget::new(deadlines.commit, deadlines.call)
    }

    pub(super) fn failed(&self, id: Option<SessionId>, error: StoreError) -> SessionError {
        self.manager.state().report(self.name(), id, &error);
        SessionError::Store(error)
    }

    pub(super) fn name(&self) -> &str {
        let namespace = self.manager.namespace(self.index);
        namespace.map_or("", CompiledNamespace::name)
    }

    /// The namespace and its store.
    pub(super) fn parts(&self) -> Result<(&CompiledNamespace, &AnyStore), SessionError> {
        let namespace = self.manager.namespace(self.index);
        let parts = namespace.and_then(|namespace| Some((namespace, namespace.store()?)));
        parts.ok_or_else(|| SessionError::Unsupported {
            namespace: self.name().to_owned(),
            operation: "subjects",
            hint: "its sessions are in their cookies, and nobody knows where those are: use a \
                   namespace with a store",
        })
    }

    async fn look(
        &self,
        store: &AnyStore,
        key: Key,
        budget: &mut Budget,
    ) -> Result<Option<Loaded>, StoreError> {
        let loaded = store.load(key, Freshness::Latest);
        let loaded = self.trace.load(self.name(), key, Freshness::Latest, loaded);
        call(loaded, Operation::Load, budget).await
    }
}
