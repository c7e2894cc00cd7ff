use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use smallvec::SmallVec;

use crate::{
    commit::{Commit, Outcome},
    error::{ConfigError, SessionError},
    event::EventKind,
    head::{RequestHead, ResponseHead, ResponseHeader, forbid_storing, vary_on_cookie},
    manager::SessionManager,
    session::{Base, Outgoing, SessionHandle, SessionState},
    ticket::Ticket,
};

/// The sessions of one request. For integrations with a framework, which keep it where handlers
/// find it; cheap to clone.
///
/// [`begin`](Self::begin) costs nothing but itself. A namespace is [judged](Self::judge) when it is
/// first asked for, opened once, [committed](Self::commit) when the handler is done, and
/// [finished](Self::finish) into the response's head.
#[derive(Clone)]
pub struct RequestSessions(Arc<Inner>);

struct Inner {
    manager: SessionManager,
    outer: Option<RequestSessions>,
    slots: Mutex<SmallVec<[Slot; 3]>>,
    /// Some namespace was judged. Most requests of most applications judge none.
    is_used: AtomicBool,
}

/// A namespace that was judged.
struct Slot {
    index: usize,
    /// `None` when it is closed.
    state: Option<Arc<SessionState>>,
}

impl RequestSessions {
    /// The sessions of a request, none of them looked at.
    #[must_use]
    pub fn begin(manager: &SessionManager) -> Self {
        Self::with_outer(manager, None)
    }

    /// The same inside another session layer, whose namespaces stay to be had.
    ///
    /// # Errors
    /// A [`ConfigError`] when both have a namespace of one name, or one cookie.
    pub fn begin_inside(manager: &SessionManager, outer: Self) -> Result<Self, ConfigError> {
        let mut layer = Some(&outer);
        while let Some(sessions) = layer {
            if let Some(error) = manager.clash_with(&sessions.0.manager) {
                return Err(error);
            }
            layer = sessions.0.outer.as_ref();
        }
        Ok(Self::with_outer(manager, Some(outer)))
    }

    fn with_outer(manager: &SessionManager, outer: Option<Self>) -> Self {
        Self(Arc::new(Inner {
            manager: manager.clone(),
            outer,
            slots: Mutex::new(SmallVec::new()),
            is_used: AtomicBool::new(false),
        }))
    }

    /// Judges the condition of a namespace and reads its ticket, at most once per request. `None`
    /// when it is closed. Nothing of the head is kept.
    ///
    /// # Errors
    /// [`SessionError::UnknownNamespace`].
    pub fn judge(
        &self,
        name: &str,
        head: &dyn RequestHead,
    ) -> Result<Option<Unopened>, SessionError> {
        let (sessions, index) = self.find(name)?;
        Ok(sessions.judge_index(index, head).map(Unopened))
    }

    /// Judges all namespaces, so that [`open`](Self::open) works without a head. Loads nothing.
    pub fn judge_all(&self, head: &dyn RequestHead) {
        let mut layer = Some(self);
        while let Some(sessions) = layer {
            for index in 0..sessions.0.manager.namespaces().len() {
                let _ = sessions.judge_index(index, head);
            }
            layer = sessions.0.outer.as_ref();
        }
    }

    /// Opens a namespace that was judged. `None` when it is closed. The session is the same for
    /// the rest of the request.
    ///
    /// # Errors
    /// [`SessionError::UnknownNamespace`], [`SessionError::NoLayer`] when it was not judged, and
    /// [`SessionError::Store`] when the store does not answer in time.
    pub async fn open(&self, name: &str) -> Result<Option<SessionHandle>, SessionError> {
        match self.state(name)? {
            Some(state) => Unopened(state).open().await.map(Some),
            None => Ok(None),
        }
    }

    /// Whether a namespace that was judged is open on this request: its condition holds.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for the store, which is not asked.
    pub fn is_open(&self, name: &str) -> Result<bool, SessionError> {
        self.state(name).map(|state| state.is_some())
    }

    /// The names of all namespaces, those of outer layers first.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names = self.0.outer.as_ref().map_or_else(Vec::new, Self::names);
        names.extend(
            self.0
                .manager
                .namespaces()
                .map(|namespace| namespace.name()),
        );
        names
    }

    /// The names of the namespaces that this request has opened.
    #[must_use]
    pub fn opened(&self) -> Vec<&str> {
        let is_opened = |name: &&str| {
            let state = self.state(name).ok().flatten();
            state.is_some_and(|state| state.is_opened())
        };
        self.names().into_iter().filter(is_opened).collect()
    }

    /// Ends the sessions of all namespaces that are open on this request. One that can't be ended
    /// does not stop the others; it is returned, with its name.
    pub async fn end_all(&self) -> Vec<(String, SessionError)> {
        let mut failures = Vec::new();
        for name in self.names() {
            let ended = match self.open(name).await {
                Ok(Some(session)) => session.end(),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = ended {
                failures.push((name.to_owned(), error));
            }
        }
        failures
    }

    /// Does all that [`commit`](Self::commit) and [`finish`](Self::finish) would do, if the
    /// request has changed no session of this layer; otherwise nothing, and says `false`.
    pub fn finish_unchanged(&self, head: &mut dyn ResponseHead) -> bool {
        if !self.0.is_used.load(Ordering::Relaxed) {
            return true;
        }
        let slots = self.slots();
        let states = slots.iter().filter_map(|slot| slot.state.as_deref());
        if !states.clone().all(SessionState::is_unchanged) {
            return false;
        }
        let varies = states.fold(false, |varies, state| state.end_unchanged() | varies);
        if varies {
            vary_on_cookie(head);
        }
        true
    }

    /// Commits the sessions of this layer that the request has opened, and those that it ends.
    pub fn commit(&self, outcome: Outcome) -> Commit {
        let slots = self.slots();
        let states = slots.iter().filter_map(|slot| slot.state.as_ref());
        let changed = states.filter(|state| !state.is_unchanged() || state.note_unchanged());
        let changed = changed.map(Arc::clone);
        Commit::new(changed.collect(), outcome)
    }

    /// Writes the headers of this layer's sessions. What changes a session from here on has to be
    /// saved with [`SessionHandle::save`].
    pub fn finish(&self, head: &mut dyn ResponseHead) {
        for slot in self.slots().iter() {
            if let Some(state) = &slot.state {
                finish_session(state, head);
            }
        }
    }

    fn find(&self, name: &str) -> Result<(&Self, usize), SessionError> {
        let mut layer = Some(self);
        while let Some(sessions) = layer {
            if let Some(index) = sessions.0.manager.index_of(name) {
                return Ok((sessions, index));
            }
            layer = sessions.0.outer.as_ref();
        }
        Err(SessionError::UnknownNamespace {
            name: name.to_owned(),
            known: self.names().into_iter().map(str::to_owned).collect(),
        })
    }

    fn judge_index(&self, index: usize, head: &dyn RequestHead) -> Option<Arc<SessionState>> {
        let namespace = self.0.manager.namespace(index)?;
        self.0.is_used.store(true, Ordering::Relaxed);
        let mut slots = self.slots();
        if let Some(slot) = slots.iter().find(|slot| slot.index == index) {
            return slot.state.clone();
        }
        if let Some(condition) = &namespace.condition {
            // Foreign code, so no lock is held.
            drop(slots);
            let holds = condition(head);
            slots = self.slots();
            if let Some(first) = slots.iter().find(|slot| slot.index == index) {
                return first.state.clone();
            }
            if !holds {
                self.0
                    .manager
                    .state()
                    .emit(namespace.name(), None, EventKind::Closed);
                slots.push(Slot { index, state: None });
                return None;
            }
        }
        let ticket = Ticket::read(namespace, head);
        let state = SessionState::new(self.0.manager.share(), index, ticket);
        let kept = Some(Arc::clone(&state));
        slots.push(Slot { index, state: kept });
        Some(state)
    }

    fn state(&self, name: &str) -> Result<Option<Arc<SessionState>>, SessionError> {
        let (sessions, index) = self.find(name)?;
        let slots = sessions.slots();
        match slots.iter().find(|slot| slot.index == index) {
            Some(slot) => Ok(slot.state.clone()),
            None => Err(SessionError::NoLayer {
                hint: "extract Sessions from the request, which judges all namespaces, or judge \
                       this one first",
            }),
        }
    }

    fn slots(&self) -> MutexGuard<'_, SmallVec<[Slot; 3]>> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RequestSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSessions")
            .field("names", &self.names())
            .field("opened", &self.opened())
            .finish()
    }
}

/// A session that is open on a request, and not loaded yet.
#[derive(Clone)]
pub struct Unopened(Arc<SessionState>);

impl Unopened {
    /// Loads it, unless it is loaded.
    ///
    /// Cancel safety: dropping the future leaves it to the next who opens it.
    ///
    /// # Errors
    /// [`SessionError::Store`] when the store does not answer in time, and
    /// [`SessionError::Corrupt`] where the namespace's policy says so.
    pub async fn open(self) -> Result<SessionHandle, SessionError> {
        self.0.open().await?;
        Ok(SessionHandle::new(self.0))
    }
}

impl fmt::Debug for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unopened({:?})", self.0.name())
    }
}

fn finish_session(state: &SessionState, head: &mut dyn ResponseHead) {
    let Ok(namespace) = state.namespace() else {
        return;
    };
    let (outgoing, is_asked) = {
        let mut live = state.live();
        live.head_sent = true;
        // A cookie of a late request could overwrite the one that the login has sent.
        match live.base {
            Base::Void(_) => (None, live.is_asked),
            _ => (live.outgoing.take(), live.is_asked),
        }
    };
    if is_asked {
        vary_on_cookie(head);
    }
    let cookie = match outgoing {
        Some(Outgoing::Token { token, max_age }) => namespace.cookie.set(&token.reveal(), max_age),
        #[cfg(feature = "client-side")]
        Some(Outgoing::Sealed { value, max_age }) => namespace.cookie.set(&value, max_age),
        Some(Outgoing::Remove) => namespace.cookie.remove(),
        None => return,
    };
    head.append(ResponseHeader::SetCookie, cookie.into());
    forbid_storing(head);
}
