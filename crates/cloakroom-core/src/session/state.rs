//! What a request has of one session.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use cloakroom_store::{Key, NamespaceId, SessionId, StoreError, Subject, Timestamp};
use smallvec::SmallVec;
use tokio::sync::{Notify, futures::Notified};
#[cfg(feature = "client-side")]
use zeroize::Zeroizing;

use super::phase::Phase;
use crate::{
    commit::{Changes, Claim, Client, Stored},
    error::SessionError,
    event::{EventKind, VoidReason},
    frames::Frames,
    manager::{ManagerState, SessionManager},
    namespace::CompiledNamespace,
    ticket::Ticket,
    token::Token,
    trace::Trace,
    transport::TransportSet,
};

/// One session of one request, shared by its handles.
pub(crate) struct SessionState {
    pub(crate) manager: SessionManager,
    pub(crate) index: usize,
    pub(crate) ticket: Ticket,
    /// Tells those who wait that an opening or a commit has ended.
    pub(crate) changed: Notify,
    pub(crate) phase: Phase,
    pub(crate) trace: Trace,
    live: Mutex<Live>,
}

/// What changes while the request runs.
pub(crate) struct Live {
    pub(crate) base: Base,
    /// When the session was opened.
    pub(crate) opened: Timestamp,
    pub(crate) changes: Changes,
    /// What is being committed.
    pub(crate) in_flight: Option<InFlight>,
    /// The bytes of the map with all changes, when they have been counted.
    pub(crate) size: Option<usize>,
    /// A session that this request ends at commit.
    pub(crate) ending: Option<Ending>,
    /// The changes were made on another session than the base.
    pub(crate) changes_are_of_another: bool,
    pub(crate) is_committing: bool,
    has_waiters: bool,
    /// Ended while it is being committed: what the commit brings is ended too.
    pub(crate) ends_after_commit: bool,
    pub(crate) head_sent: bool,
    /// The token to send with the head.
    pub(crate) outgoing: Option<Outgoing>,
    /// The transports by which the session came that was opened, where it can have come by
    /// several. What has to be sent goes back by these.
    pub(crate) brought: TransportSet,
}

/// Changes that are being committed.
pub(crate) struct InFlight {
    /// The map with them.
    pub(crate) frames: Frames,
    /// Whom they log in.
    pub(crate) login: Option<Subject>,
}

/// A value of its own. Copying a short one costs less than counting a reference to the record.
pub(crate) enum Encoded {
    Short(SmallVec<[u8; SHORT]>),
    Long(Bytes),
}

const SHORT: usize = 64;

impl Deref for Encoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short(bytes) => bytes,
            Self::Long(bytes) => bytes,
        }
    }
}

/// What was loaded.
pub(crate) enum Base {
    /// Nothing, or nothing good.
    New,
    /// Nothing, and nothing may be written but by a login: the request's session is another one
    /// by now.
    Void(VoidReason),
    /// A session.
    Opened {
        id: SessionId,
        stored: Stored,
        client: Client,
    },
}

/// A session that is to be ended.
#[derive(Clone, Copy)]
pub(crate) struct Ending {
    /// `None` for a client-side session, which only loses its cookie.
    pub(crate) key: Option<Key>,
    pub(crate) id: SessionId,
}

pub(crate) enum Outgoing {
    Token {
        token: Token,
        max_age: Option<Duration>,
    },
    /// A client-side session.
    #[cfg(feature = "client-side")]
    Sealed {
        value: Zeroizing<String>,
        max_age: Option<Duration>,
    },
    Remove,
}

impl SessionState {
    pub(crate) fn new(
        manager: SessionManager,
        index: usize,
        ticket: Ticket,
        trace: Trace,
    ) -> Arc<Self> {
        Arc::new(Self {
            manager,
            index,
            ticket,
            changed: Notify::new(),
            phase: Phase::default(),
            trace,
            live: Mutex::new(Live {
                base: Base::New,
                opened: Timestamp::EPOCH,
                changes: Changes::default(),
                in_flight: None,
                size: None,
                ending: None,
                changes_are_of_another: false,
                is_committing: false,
                has_waiters: false,
                ends_after_commit: false,
                head_sent: false,
                outgoing: None,
                brought: TransportSet::NONE,
            }),
        })
    }

    pub(crate) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_opened(&self) -> bool {
        self.phase.is_opened()
    }

    pub(crate) fn engine(&self) -> &ManagerState {
        self.manager.state()
    }

    /// The namespace. It is always there, since the index comes from the manager.
    pub(crate) fn config(&self) -> Option<&CompiledNamespace> {
        self.manager.namespace(self.index)
    }

    /// The namespace, for those who answer with an error.
    pub(crate) fn namespace(&self) -> Result<&CompiledNamespace, SessionError> {
        self.config().ok_or(SessionError::NoLayer {
            hint: "the session is of another manager",
        })
    }

    pub(crate) fn name(&self) -> &str {
        self.manager
            .namespace(self.index)
            .map_or("", CompiledNamespace::name)
    }

    pub(crate) fn emit(&self, id: Option<SessionId>, kind: EventKind) {
        self.engine().emit(self.name(), id, kind);
        if self.trace.is_on() {
            self.trace.event(self.name(), id, kind);
        }
    }

    pub(crate) fn report(&self, id: Option<SessionId>, error: &StoreError) {
        self.engine().report(self.name(), id, error);
        let kind = EventKind::StoreFailed(error.operation(), error.kind());
        self.trace.event(self.name(), id, kind);
    }

    /// Tells of a store call that failed, and makes the error that the request gets.
    pub(crate) fn failed(&self, id: Option<SessionId>, error: StoreError) -> SessionError {
        self.report(id, &error);
        SessionError::Store(error)
    }
}

impl Live {
    /// A future that ends when the opening or the commit that is under way has ended.
    pub(crate) fn wait<'a>(&mut self, changed: &'a Notify) -> Notified<'a> {
        self.has_waiters = true;
        changed.notified()
    }

    /// Wakes those who wait. As a rule nobody does, and then it costs nothing.
    pub(crate) fn wake(&mut self, changed: &Notify) {
        if std::mem::take(&mut self.has_waiters) {
            changed.notify_waiters();
        }
    }

    pub(crate) fn id(&self) -> Option<SessionId> {
        match &self.base {
            Base::Opened { id, .. } => Some(*id),
            _ => None,
        }
    }

    pub(crate) fn is_new(&self) -> bool {
        !matches!(self.base, Base::Opened { .. })
    }

    pub(crate) fn stored(&self) -> Option<&Stored> {
        match &self.base {
            Base::Opened { stored, .. } => Some(stored),
            _ => None,
        }
    }

    /// The map without the changes of the journal.
    pub(crate) fn frames(&self) -> Option<&Frames> {
        match &self.in_flight {
            Some(in_flight) => Some(&in_flight.frames),
            None => self.stored().map(|stored| &stored.frames),
        }
    }

    /// Whose the session is, logins that are still to be committed included.
    pub(crate) fn subject(&self) -> Option<&Subject> {
        let in_flight = self.in_flight.as_ref();
        let login = self.changes.login.as_ref();
        login
            .or_else(|| in_flight?.login.as_ref())
            .or_else(|| self.stored()?.meta.record.subject.as_ref())
    }

    /// The value of a key as this request sees it.
    pub(crate) fn value(&self, key: &str) -> Option<Bytes> {
        match self.changes.journal.get(key) {
            Some(value) => value.cloned(),
            None => self.frames()?.get_bytes(key),
        }
    }

    /// The same, to be looked at without the lock of the session.
    pub(crate) fn copy_of_value(&self, key: &str) -> Option<Encoded> {
        let Some(changed) = self.changes.journal.get(key) else {
            let frames = self.frames()?;
            let value = frames.get(key)?;
            return Some(match value.len() <= SHORT {
                true => Encoded::Short(SmallVec::from_slice(value)),
                false => Encoded::Long(frames.slice(value)),
            });
        };
        changed.cloned().map(Encoded::Long)
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        match self.changes.journal.get(key) {
            Some(value) => value.is_some(),
            None => self
                .frames()
                .is_some_and(|frames| frames.get(key).is_some()),
        }
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.pairs(|key, _| key.to_owned())
    }

    pub(crate) fn entries(&self) -> Vec<(String, Bytes)> {
        self.pairs(|key, value| (key.to_owned(), value))
    }

    pub(crate) fn len(&self) -> usize {
        self.pairs(|_, _| ()).len()
    }

    /// Each key that has a value, in one walk over the map and the changes.
    fn pairs<T>(&self, make: impl Fn(&str, Bytes) -> T) -> Vec<T> {
        let journal = &self.changes.journal;
        let stored = self.frames().filter(|_| !journal.is_cleared());
        let mut pairs: Vec<T> = Vec::new();
        for (key, value) in stored.iter().flat_map(|frames| frames.iter_bytes()) {
            if let Ok(key) = std::str::from_utf8(key)
                && !journal.changes_key(key)
            {
                pairs.push(make(key, value));
            }
        }
        for (key, value) in journal.keys() {
            if let Some(value) = value {
                pairs.push(make(key, value.clone()));
            }
        }
        pairs
    }

    /// Takes a claim's change of a key back, if it was put back into the journal and is the only one.
    pub(crate) fn take_back(&mut self, key: &str, claim: &Claim) {
        if self.changes.claims.iter().any(|other| other.is(claim)) {
            self.changes.journal.undo(key);
            self.size = None;
        }
    }

    /// Takes the changes out to be committed; `frames` is the map with them.
    pub(crate) fn take_changes(&mut self, frames: Frames) -> Changes {
        let changes = std::mem::take(&mut self.changes);
        let login = changes.login.clone();
        self.in_flight = Some(InFlight { frames, login });
        changes
    }

    /// How many bytes the map has with the changes.
    pub(crate) fn byte_len(&self) -> usize {
        let journal = &self.changes.journal;
        let stored = self.frames().filter(|_| !journal.is_cleared());
        let replaced: usize = journal
            .keys()
            .filter_map(|(key, _)| {
                Some(crate::frames::frame_length(
                    key.as_bytes(),
                    stored?.get(key)?,
                ))
            })
            .sum();
        let before = stored.map_or(0, Frames::byte_len);
        before.saturating_sub(replaced) + journal.byte_len(None)
    }

    /// The session is to be ended, and another one may begin in its place. `namespace` is that of
    /// the session's key; `None` when it has none.
    pub(crate) fn end(&mut self, namespace: Option<NamespaceId>) {
        if let Base::Opened { id, .. } = self.base {
            self.ending = Some(Ending {
                key: namespace.map(|namespace| Key::new(namespace, id)),
                id,
            });
            self.base = Base::New;
        } else {
            let is_creating = self.is_committing && self.in_flight.is_some();
            self.ends_after_commit |= is_creating;
        }
        self.changes = Changes::default();
        self.changes_are_of_another = false;
        self.in_flight = None;
        self.size = None;
    }
}

impl Drop for SessionState {
    fn drop(&mut self) {
        let live = self.live.get_mut().unwrap_or_else(PoisonError::into_inner);
        let id = live.id();
        if live.head_sent && (!live.changes.is_empty() || live.ending.is_some()) {
            self.emit(id, EventKind::Dropped);
        }
    }
}
