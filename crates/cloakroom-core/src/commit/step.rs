//! The next thing to do for a session at commit.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use cloakroom_store::{
    AnyStore, Key, Operation, Record, SessionId, StoreError, StoreFuture, Tag, Timestamp,
};

use super::{
    apply::{self, Applied, Fresh, Refusal, Scope},
    changes::{Changes, Presented, Rotation, Stored},
};
use crate::{
    csrf::Seed,
    error::SessionError,
    event::{EventKind, VoidReason},
    namespace::{Backend, CompiledNamespace, SaveMode},
    session::{Base, Ending, Live, Outgoing, SessionState},
    token::{Secret, Token},
    trace::Decision,
};

/// A store call that a commit needs. What is large is in a box, since steps are handed around.
pub(crate) enum Step {
    Delete(Ending),
    Create(Box<Creating>),
    Replace(Box<Replacing>),
    Touch(Box<Record>),
    /// Others commit this session, so this request takes its turn.
    Queue(Box<Queued>),
}

pub(crate) struct Creating {
    pub(crate) fresh: Fresh,
    pub(crate) changes: Changes,
}

pub(crate) struct Replacing {
    pub(crate) id: SessionId,
    pub(crate) applied: Applied,
    pub(crate) changes: Changes,
}

pub(crate) struct Queued {
    pub(crate) id: SessionId,
    pub(crate) changes: Changes,
}

/// A call under way. What touch and delete answer makes no difference.
pub(crate) enum Call {
    Write(StoreFuture<Tag>),
    Other(StoreFuture<bool>),
    None,
}

impl Future for Call {
    type Output = Result<Tag, StoreError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Write(future) => future.as_mut().poll(context),
            Self::Other(future) => future.as_mut().poll(context).map_ok(|_| Tag::NONE),
            Self::None => Poll::Ready(Ok(Tag::NONE)),
        }
    }
}

impl Step {
    pub(crate) fn operation(&self) -> Operation {
        match self {
            Self::Delete(_) => Operation::Delete,
            Self::Create(_) => Operation::Create,
            Self::Replace(_) | Self::Queue(_) => Operation::Replace,
            Self::Touch(_) => Operation::Touch,
        }
    }
}

impl SessionState {
    /// Ends the request for a session that it has only read, or not even that, and says whether
    /// it has. So it is with most.
    pub(crate) fn end_unchanged(&self) -> bool {
        let Some(namespace) = self.config() else {
            return false;
        };
        let mut live = self.live();
        if !self.is_unchanged(&live, namespace) {
            return false;
        }
        if !live.head_sent {
            live.head_sent = true;
            self.tell_unchanged(&live);
            if let Some(id) = live.id() {
                self.emit(Some(id), EventKind::Unchanged);
            }
        }
        true
    }

    fn is_unchanged(&self, live: &Live, namespace: &CompiledNamespace) -> bool {
        if !self.is_opened() {
            return true;
        }
        if live.is_committing
            || live.ending.is_some()
            || live.outgoing.is_some()
            || !live.changes.is_empty()
        {
            return false;
        }
        let settings = &namespace.settings;
        let saves_always = settings.save_mode == SaveMode::Always;
        let Base::Opened { stored, client, .. } = &live.base else {
            return !(saves_always && matches!(live.base, Base::New));
        };
        let record = &stored.meta.record;
        let options = stored.options();
        let lifetime = options.as_ref().and_then(|envelope| envelope.lifetime);
        let limits = settings.limits.of_session(lifetime);
        client.presented == Presented::Current
            && !saves_always
            && !limits.touch_is_due(record.last_seen, live.opened)
            && !options.is_some_and(|envelope| apply::grace_is_long(&envelope, live.opened))
            && !self.rotation_is_due(live, namespace)
    }

    /// Decides what to do next, and begins it. `None` when all is done; a client-side session is
    /// done at once.
    pub(crate) fn next_step(
        &self,
        live: &mut Live,
        saves: bool,
        may_write: bool,
    ) -> Result<Option<(Step, Call)>, SessionError> {
        let namespace = self.namespace()?;
        if let Some(ending) = live.ending {
            if let (Some(key), Some(store)) = (ending.key, namespace.store()) {
                self.tell_decision(Decision::Delete);
                let delete = store.delete(key);
                let delete = self.trace.call(self.name(), key, Operation::Delete, delete);
                let call = Call::Other(delete);
                return Ok(Some((Step::Delete(ending), call)));
            }
            self.settle_end(live, ending);
        }
        if !saves {
            self.tell_not_saved(live);
            if !live.changes.is_empty() {
                self.emit(live.id(), EventKind::NotSaved);
            }
            live.changes = Changes::default();
            return Ok(None);
        }
        if !may_write {
            return Ok(None);
        }
        match &namespace.backend {
            Backend::Store(store) => self.plan_stored(live, namespace, store),
            #[cfg(feature = "client-side")]
            Backend::Cookie { sealer, .. } => {
                self.write_client_side(live, namespace, sealer)?;
                Ok(None)
            }
        }
    }

    pub(crate) fn scope<'a>(
        &'a self,
        namespace: &'a CompiledNamespace,
        now: Timestamp,
    ) -> Scope<'a> {
        Scope {
            namespace: namespace.name(),
            hasher: &namespace.hasher,
            settings: &namespace.settings,
            random: &*self.engine().random,
            is_client_side: namespace.store().is_none(),
            now,
        }
    }

    fn plan_stored(
        &self,
        live: &mut Live,
        namespace: &CompiledNamespace,
        store: &AnyStore,
    ) -> Result<Option<(Step, Call)>, SessionError> {
        match &live.base {
            Base::Opened { .. } => self.plan_opened(live, namespace, store),
            _ => self.plan_new(live, namespace, store),
        }
    }

    fn plan_new(
        &self,
        live: &mut Live,
        namespace: &CompiledNamespace,
        store: &AnyStore,
    ) -> Result<Option<(Step, Call)>, SessionError> {
        if !self.creates(live)? {
            return Ok(None);
        }
        let scope = self.scope(namespace, self.engine().now());
        let created = apply::create(&live.changes, live.changes_are_of_another, scope);
        let fresh = created.map_err(|refusal| self.refuse(live, refusal))?;
        let key = Key::new(namespace.id, fresh.id);
        self.tell_written(&live.changes, Decision::Create);
        let create = store.create(key, fresh.stored.record());
        let create = self.trace.call(self.name(), key, Operation::Create, create);
        let call = Call::Write(create);
        let changes = live.take_changes(fresh.stored.frames.clone());
        let creating = Box::new(Creating { fresh, changes });
        Ok(Some((Step::Create(creating), call)))
    }

    /// Whether a session is to be made of the changes. Changes to one that is void are void.
    pub(crate) fn creates(&self, live: &mut Live) -> Result<bool, SessionError> {
        let is_login = live.changes.login.is_some();
        if let Base::Void(reason) = live.base {
            if is_login {
                live.changes_are_of_another = true;
                return Ok(true);
            }
            let is_void = !live.changes.is_empty();
            live.changes = Changes::default();
            return match is_void {
                true => Err(self.void(reason)),
                false => Ok(false),
            };
        }
        let has_value = live
            .changes
            .journal
            .keys()
            .any(|(_, value)| value.is_some());
        // Tokens were given out, and only this session can know them again.
        let has_tokens = live.changes.csrf_seed.is_some();
        // Not in the place of one that this request has ended.
        let is_visit = !live.head_sent && live.outgoing.is_none();
        if is_login || has_value || has_tokens || (is_visit && self.saves_always()) {
            return Ok(true);
        }
        self.tell_unchanged(live);
        live.changes.note_stored();
        live.changes = Changes::default();
        Ok(false)
    }

    fn plan_opened(
        &self,
        live: &mut Live,
        namespace: &CompiledNamespace,
        store: &AnyStore,
    ) -> Result<Option<(Step, Call)>, SessionError> {
        let Base::Opened { id, stored, client } = &live.base else {
            return Ok(None);
        };
        let id = *id;
        let settings = &namespace.settings;
        let key = Key::new(namespace.id, id);
        if !live.head_sent
            && live.changes.rotation.is_none()
            && self.rotation_is_due(live, namespace)
        {
            live.changes.rotation = Some(Rotation::Due);
        }
        if live.changes.login.is_some() && live.changes.csrf_seed.is_none() {
            // Drawn once, so that tokens given out meanwhile outlive a replay.
            let drawn = Seed::draw(&*self.engine().random)?;
            live.changes.csrf_seed = Some(Box::new(drawn));
        }
        let needs_a_look = !live.changes.is_empty()
            || client.presented == Presented::Previous
            || (client.presented == Presented::Current
                && apply::grace_is_long(&stored.envelope(), live.opened));
        if needs_a_look {
            let scope = self.scope(namespace, self.engine().now());
            let applied = apply::apply(&live.changes, client, None, stored, scope);
            let applied = match applied {
                Ok(applied) => applied,
                Err(refusal) => return Err(self.refuse(live, refusal)),
            };
            if applied.is_written {
                // What looks expired is judged by the latest state, like what was changed.
                let is_doubtful = apply::is_gone(&stored.meta.record, scope.now)
                    || self.engine().queues.is_active(&key);
                if !applied.is_optional && is_doubtful {
                    self.tell_written(&live.changes, Decision::Queue);
                    let changes = live.take_changes(applied.stored.frames);
                    let queued = Box::new(Queued { id, changes });
                    return Ok(Some((Step::Queue(queued), Call::None)));
                }
                let record = applied.stored.record();
                self.tell_written(&live.changes, Decision::Replace);
                let replace = store.replace(key, record, stored.expected());
                let replace = self
                    .trace
                    .call(self.name(), key, Operation::Replace, replace);
                let call = Call::Write(replace);
                let changes = live.take_changes(applied.stored.frames.clone());
                let replacing = Box::new(Replacing {
                    id,
                    applied,
                    changes,
                });
                return Ok(Some((Step::Replace(replacing), call)));
            }
            if let Some(secret) = &applied.secret {
                live.outgoing = Some(self.send(namespace, id, secret, stored));
            }
            live.changes.note_stored();
            live.changes = Changes::default();
        }
        let Base::Opened { stored, .. } = &live.base else {
            return Ok(None);
        };
        let limits = settings.limits.of_session(stored.envelope().lifetime);
        let last_seen = stored.meta.record.last_seen;
        let is_used = live.opened > last_seen && !live.head_sent;
        if limits.touch_is_due(last_seen, live.opened) || (self.saves_always() && is_used) {
            let record = apply::touched(stored, settings, live.opened);
            self.tell_decision(Decision::Touch);
            let touch = store.touch(key, record.clone(), stored.expected());
            let touch = self.trace.call(self.name(), key, Operation::Touch, touch);
            let call = Call::Other(touch);
            return Ok(Some((Step::Touch(Box::new(record)), call)));
        }
        self.tell_unchanged(live);
        self.emit(Some(id), EventKind::Unchanged);
        Ok(None)
    }

    fn saves_always(&self) -> bool {
        self.config()
            .is_some_and(|namespace| namespace.settings.save_mode == SaveMode::Always)
    }

    fn rotation_is_due(&self, live: &Live, namespace: &CompiledNamespace) -> bool {
        let (Some(interval), Base::Opened { stored, client, .. }) =
            (namespace.settings.rotate_every, &live.base)
        else {
            return false;
        };
        let envelope = stored.envelope();
        stored.meta.record.subject.is_some()
            && live.opened.saturating_since(envelope.rotated) >= interval
            && client.presented == Presented::Current
            && apply::can_rotate(&envelope, live.opened)
    }

    #[cfg(feature = "client-side")]
    fn write_client_side(
        &self,
        live: &mut Live,
        namespace: &CompiledNamespace,
        sealer: &crate::sealed::Sealer,
    ) -> Result<(), SessionError> {
        let scope = self.scope(namespace, self.engine().now());
        let settings = &namespace.settings;
        let (id, stored, client, events) = match &live.base {
            Base::Opened { id, stored, client } => {
                let id = *id;
                let mut client = client.clone();
                let applied = apply::apply(&live.changes, &client, None, stored, scope);
                let mut applied = match applied {
                    Ok(applied) => applied,
                    Err(refusal) => return Err(self.refuse(live, refusal)),
                };
                let limits = settings
                    .limits
                    .of_session(applied.stored.envelope().lifetime);
                let last_seen = applied.stored.meta.record.last_seen;
                if !applied.is_written {
                    let is_due = limits.touch_is_due(last_seen, scope.now) || self.saves_always();
                    if live.head_sent || !is_due {
                        live.changes.note_stored();
                        live.changes = Changes::default();
                        self.tell_decision(Decision::NothingChanged);
                        self.emit(Some(id), EventKind::Unchanged);
                        return Ok(());
                    }
                    let touched = apply::touched(&applied.stored, settings, scope.now);
                    applied.stored.note_use(&touched);
                    applied.events.push(EventKind::Touched);
                }
                client.epoch = applied.stored.envelope().epoch;
                (id, applied.stored, client, applied.events)
            }
            _ => {
                if !self.creates(live)? {
                    return Ok(());
                }
                let created = apply::create(&live.changes, live.changes_are_of_another, scope);
                let fresh = created.map_err(|refusal| self.refuse(live, refusal))?;
                (fresh.id, fresh.stored, fresh.client, fresh.events)
            }
        };
        let record = &stored.record();
        let Some(cookie) = namespace.transports.cookie() else {
            return Ok(());
        };
        let random = &*self.engine().random;
        let value = crate::client_side::seal(sealer, cookie, namespace.name(), id, record, random)?;
        let max_age = apply::max_age(&stored, settings, || scope.now);
        live.outgoing = Some(Outgoing::Sealed { value, max_age });
        self.tell_written(&live.changes, Decision::Seal);
        live.changes.note_stored();
        live.changes = Changes::default();
        live.base = Base::Opened { id, stored, client };
        self.tell_stored(live);
        for event in events {
            self.emit(Some(id), event);
        }
        Ok(())
    }

    /// Turns a refusal into the error that the request gets, and drops the changes.
    pub(crate) fn refuse(&self, live: &mut Live, refusal: Refusal) -> SessionError {
        // Without random bytes another try may do; whatever else is refused, is refused again.
        if !matches!(refusal, Refusal::Error(SessionError::Random(_))) {
            live.changes = Changes::default();
        }
        match refusal {
            Refusal::Void(reason) => self.void(reason),
            Refusal::Error(error) => error,
        }
    }

    pub(crate) fn void(&self, reason: VoidReason) -> SessionError {
        self.tell_decision(Decision::Void(reason));
        self.emit(None, EventKind::Void(reason));
        SessionError::Ended {
            namespace: self.name().to_owned(),
        }
    }

    pub(crate) fn send(
        &self,
        namespace: &CompiledNamespace,
        id: SessionId,
        secret: &Secret,
        stored: &Stored,
    ) -> Outgoing {
        Outgoing::Token {
            token: Token::new(id, secret.clone()),
            max_age: apply::max_age(stored, &namespace.settings, || self.engine().now()),
        }
    }

    pub(crate) fn settle_end(&self, live: &mut Live, ending: Ending) {
        live.ending = None;
        live.outgoing = Some(Outgoing::Remove);
        self.emit(Some(ending.id), EventKind::Ended);
    }
}
