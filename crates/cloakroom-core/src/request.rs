use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
};

use smallvec::SmallVec;

use crate::{
    commit::{Commit, Outcome},
    csrf::CsrfRefusal,
    error::{ConfigError, SessionError},
    error_response::ErrorResponse,
    event::EventKind,
    head::{RequestHead, ResponseHead, ResponseHeader, forbid_storing, vary_on_cookie},
    manager::SessionManager,
    session::{Base, Outgoing, SessionHandle, SessionState},
    sessions::SessionsHandle,
    ticket::Ticket,
    trace::{Trace, Tracer},
    transport::{Answer, Transports},
};

/// The sessions of one request. For integrations with a framework, which keep it where handlers
/// find it; cheap to clone.
///
/// [`begin`](Self::begin) costs nothing but itself. A namespace is [judged](Self::judge) when it is
/// first asked for, opened once, [committed](Self::commit) when the handler is done, and
/// [finished](Self::finish) into the response's head.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
/// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
/// # doc::block_on(async {
/// # let (request, mut response) = (doc::Request::default(), doc::Response::default());
/// # let manager = SessionManager::builder()
/// #     .namespace(Namespace::new("cart", MemoryStore::new()))
/// #     .build()?;
/// let sessions = RequestSessions::begin(&manager);
/// // The handler asks for a session.
/// if let Some(unopened) = sessions.judge("cart", &request)? {
///     unopened.open().await?.insert("items", 3)?;
/// }
/// // It has answered 200.
/// let verdict = sessions.commit(Outcome::of_status(200)).await;
/// assert_eq!(verdict.status(), None); // its answer stays
/// sessions.finish(&mut response);
/// assert!(response.set_cookie[0].starts_with("__Host-cart="));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct RequestSessions(Arc<Inner>);

struct Inner {
    manager: SessionManager,
    outer: Option<RequestSessions>,
    /// What was judged, by the index of the namespace.
    slots: SmallVec<[OnceLock<Judged>; 4]>,
    /// [`USED`], and [`FINISHED`].
    marks: AtomicU8,
    trace: Trace,
}

/// Some namespace was judged. Most requests of most applications judge none.
const USED: u8 = 1;

/// The response's head is made: what is judged from here on has no cookie.
const FINISHED: u8 = 2;

/// The session of a namespace that was judged; `None` when it is closed.
pub(crate) type Judged = Option<Arc<SessionState>>;

impl RequestSessions {
    /// The sessions of a request, none of them looked at.
    #[must_use]
    pub fn begin(manager: &SessionManager) -> Self {
        Self::with_outer(manager, None, Trace::default())
    }

    /// The same, and a tracer hears what the engine does for the request. Layers inside this one
    /// tell it too.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// use std::sync::Arc;
    ///
    /// #[derive(Debug)]
    /// struct Printer;
    ///
    /// impl Tracer for Printer {
    ///     fn on_step(&self, step: &Step<'_>) {
    ///         println!("{step:?}"); // no secret, and no value
    ///     }
    /// }
    ///
    /// # let cart = Namespace::new("cart", MemoryStore::new());
    /// # let manager = SessionManager::builder().namespace(cart).build()?;
    /// let sessions = RequestSessions::begin_traced(&manager, Arc::new(Printer));
    /// # Ok::<(), ConfigError>(())
    /// ```
    #[must_use]
    pub fn begin_traced(manager: &SessionManager, tracer: Arc<dyn Tracer>) -> Self {
        Self::with_outer(manager, None, Trace::to(tracer))
    }

    /// The same inside another session layer, whose namespaces stay to be had.
    ///
    /// # Errors
    /// A [`ConfigError`] when both have a namespace of one name, or one cookie.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// # let manager = |name| {
    /// #     let namespace = Namespace::new(name, MemoryStore::new());
    /// #     SessionManager::builder().namespace(namespace).build()
    /// # };
    /// let (site, admin) = (manager("site")?, manager("admin")?);
    /// let outer = RequestSessions::begin(&site);
    /// let inner = RequestSessions::begin_inside(&admin, outer.clone())?;
    /// assert_eq!(inner.names(), ["site", "admin"]);
    /// assert!(RequestSessions::begin_inside(&site, outer).is_err());
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn begin_inside(manager: &SessionManager, outer: Self) -> Result<Self, ConfigError> {
        if let Some(error) = outer.clash_with(manager) {
            return Err(error);
        }
        let trace = outer.0.trace.clone();
        Ok(Self::with_outer(manager, Some(outer), trace))
    }

    /// What keeps a manager from being used inside of this.
    fn clash_with(&self, inner: &SessionManager) -> Option<ConfigError> {
        let mut layer = Some(self);
        while let Some(sessions) = layer {
            if let Some(error) = inner.clash_with(&sessions.0.manager) {
                return Some(error);
            }
            layer = sessions.0.outer.as_ref();
        }
        None
    }

    /// What a layer begins with: inside of another, if the request has come through one, and heard
    /// by a tracer, if there is one. A tracer that hears of the outer layer hears of this one.
    ///
    /// # Errors
    /// The response to give when this layer and an outer one have a namespace of one name, or one
    /// cookie. The log says which.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// # let cart = Namespace::new("cart", MemoryStore::new());
    /// # let manager = SessionManager::builder().namespace(cart).build()?;
    /// let outer = RequestSessions::enter(&manager, None, None).unwrap();
    /// let refused = RequestSessions::enter(&manager, Some(outer), None).unwrap_err();
    /// assert_eq!(refused.status(), 500);
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn enter(
        manager: &SessionManager,
        outer: Option<Self>,
        tracer: Option<Arc<dyn Tracer>>,
    ) -> Result<Self, ErrorResponse> {
        let trace = match (&outer, tracer) {
            (Some(outer), _) if outer.0.trace.is_on() => outer.0.trace.clone(),
            (_, Some(tracer)) => Trace::to(tracer),
            (_, None) => Trace::default(),
        };
        if let Some(error) = outer.as_ref().and_then(|outer| outer.clash_with(manager)) {
            tracing::error!(target: "cloakroom", "an inner session layer is refused: {error}");
            return Err(ErrorResponse::misconfigured());
        }
        Ok(Self::with_outer(manager, outer, trace))
    }

    fn with_outer(manager: &SessionManager, outer: Option<Self>, trace: Trace) -> Self {
        trace.begin(manager);
        Self(Arc::new(Inner {
            manager: manager.clone(),
            outer,
            slots: manager.namespaces().map(|_| OnceLock::new()).collect(),
            marks: AtomicU8::new(0),
            trace,
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

    /// Judges all namespaces, so that they can be opened by name without a head. Loads nothing.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// # let request = doc::Request::default();
    /// # let manager = SessionManager::builder()
    /// #     .namespace(Namespace::new("cart", MemoryStore::new()))
    /// #     .namespace(Namespace::new("admin", MemoryStore::new()).only_if(|_| false))
    /// #     .build()?;
    /// # let sessions = RequestSessions::begin(&manager);
    /// let all = sessions.judge_all(&request);
    /// assert!(all.is_open("cart")?);
    /// assert!(!all.is_open("admin")?); // its condition does not hold here
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn judge_all(&self, head: &dyn RequestHead) -> SessionsHandle {
        let mut layer = Some(self);
        while let Some(sessions) = layer {
            for index in 0..sessions.0.manager.namespaces().len() {
                let _ = sessions.judge_index(index, head);
            }
            layer = sessions.0.outer.as_ref();
        }
        SessionsHandle::new(self.clone())
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

    pub(crate) fn opened(&self) -> Vec<&str> {
        let is_opened = |name: &&str| {
            let state = self.state(name).ok().flatten();
            state.is_some_and(|state| state.is_opened())
        };
        self.names().into_iter().filter(is_opened).collect()
    }

    /// Makes an event of a request that is refused, where it concerns no certain namespace. For
    /// integrations; [`Csrf::refuse`](crate::Csrf::refuse) is for the others.
    ///
    /// ```
    /// use cloakroom_core::{CsrfRefusal, RequestSessions};
    /// fn refuse(sessions: &RequestSessions) {
    ///     sessions.note_refusal(CsrfRefusal::CrossOrigin);
    /// }
    /// ```
    pub fn note_refusal(&self, refusal: CsrfRefusal) {
        let engine = self.0.manager.state();
        engine.emit("", None, EventKind::CsrfRefused(refusal));
        let trace = &self.0.trace;
        trace.event("", None, EventKind::CsrfRefused(refusal));
    }

    /// Does all that [`commit`](Self::commit) and [`finish`](Self::finish) would do, if the
    /// request has changed no session of this layer; otherwise nothing, and says `false`.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// # doc::block_on(async {
    /// # let request = doc::Request::default();
    /// # let manager = SessionManager::builder()
    /// #     .namespace(Namespace::new("cart", MemoryStore::new()))
    /// #     .namespace(Namespace::new("admin", MemoryStore::new()).only_if(|_| false))
    /// #     .build()?;
    /// # let sessions = RequestSessions::begin(&manager);
    /// # let mut response = doc::Response::default();
    /// let cart = sessions.judge("cart", &request)?.unwrap().open().await?;
    /// let items: u32 = cart.get_or_default("items")?;
    /// assert!(sessions.finish_unchanged(&mut response)); // it was only read
    /// assert_eq!(response.vary, ["Cookie"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn finish_unchanged(&self, head: &mut dyn ResponseHead) -> bool {
        if !self.mark_finished() {
            return true;
        }
        let states = self.states().map(|state| &**state);
        if !states.clone().all(SessionState::end_unchanged) {
            return false;
        }
        let mut has_read_cookie = false;
        for state in states {
            state.tell_left();
            match state.ticket.route {
                None => has_read_cookie |= state.phase.is_asked(),
                Some(_) => finish_session(state, head),
            }
        }
        if has_read_cookie {
            match self.0.trace.is_on() {
                false => vary_on_cookie(head),
                true => self.0.trace.write("", head, vary_on_cookie),
            }
        }
        true
    }

    /// Commits the sessions of this layer that the request has opened, and those that it ends.
    pub fn commit(&self, outcome: Outcome) -> Commit {
        self.states().for_each(|state| state.tell_left());
        let changed = self.states().filter(|state| !state.end_unchanged());
        let changed = changed.map(Arc::clone);
        Commit::new(changed.collect(), outcome)
    }

    /// Writes the headers of this layer's sessions. What changes a session from here on has to be
    /// saved with [`SessionHandle::save`].
    pub fn finish(&self, head: &mut dyn ResponseHead) {
        self.mark_finished();
        for state in self.states() {
            finish_session(state, head);
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

    fn judge_index(&self, index: usize, head: &dyn RequestHead) -> Judged {
        let namespace = self.0.manager.namespace(index)?;
        let slot = self.0.slots.get(index)?;
        if let Some(judged) = slot.get() {
            return judged.clone();
        }
        // Foreign code, so nobody waits for it. Whoever is done first decides.
        let condition = namespace.condition.as_ref();
        let is_open = condition.is_none_or(|holds| holds(head));
        let judged = is_open.then(|| {
            let ticket = Ticket::read(namespace, head);
            SessionState::new(self.0.manager.share(), index, ticket, self.0.trace.clone())
        });
        if slot.set(judged.clone()).is_err() {
            return slot.get().cloned().flatten();
        }
        let ticket = judged.as_ref().map(|state| &state.ticket);
        if self.0.trace.is_on() {
            self.0.trace.judged(namespace, ticket);
        }
        let is_finished = self.0.marks.fetch_or(USED, Ordering::AcqRel) & FINISHED != 0;
        match &judged {
            Some(state) if is_finished => state.live().head_sent = true,
            Some(_) => {}
            None => {
                let engine = self.0.manager.state();
                engine.emit(namespace.name(), None, EventKind::Closed);
                let trace = &self.0.trace;
                trace.event(namespace.name(), None, EventKind::Closed);
            }
        }
        judged
    }

    /// From here on, a session that is judged knows that it has no cookie: either this sees it, or
    /// it sees the mark. Says whether some namespace was judged.
    fn mark_finished(&self) -> bool {
        let before = self.0.marks.fetch_or(FINISHED, Ordering::AcqRel);
        before & USED != 0
    }

    pub(crate) fn state(&self, name: &str) -> Result<Judged, SessionError> {
        let (sessions, index) = self.find(name)?;
        match sessions.0.slots.get(index).and_then(OnceLock::get) {
            Some(judged) => Ok(judged.clone()),
            None => Err(SessionError::NoLayer {
                hint: "judge all namespaces of the request before one is opened by its name",
            }),
        }
    }

    /// The sessions of this layer that were judged and are open on this request.
    fn states(&self) -> impl Iterator<Item = &Arc<SessionState>> + Clone {
        self.0.slots.iter().filter_map(OnceLock::get).flatten()
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
pub struct Unopened(pub(crate) Arc<SessionState>);

impl Unopened {
    /// Loads it, unless it is loaded.
    ///
    /// Cancel safety: dropping the future leaves it to the next who opens it.
    ///
    /// # Errors
    /// [`SessionError::Store`] when the store does not answer in time, and
    /// [`SessionError::Corrupt`] where the namespace's policy says so.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// # doc::block_on(async {
    /// # let request = doc::Request::default();
    /// # let manager = SessionManager::builder()
    /// #     .namespace(Namespace::new("cart", MemoryStore::new()))
    /// #     .namespace(Namespace::new("admin", MemoryStore::new()).only_if(|_| false))
    /// #     .build()?;
    /// # let sessions = RequestSessions::begin(&manager);
    /// let unopened = sessions.judge("cart", &request)?.unwrap();
    /// let cart = unopened.clone().open().await?;
    /// cart.insert("items", 3)?;
    /// assert!(unopened.open().await?.contains("items")); // the same session
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
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
    if !state.trace.is_on() {
        return write_session(state, head);
    }
    let write = |head: &mut dyn ResponseHead| write_session(state, head);
    state.trace.write(state.name(), head, write);
}

fn write_session(state: &SessionState, head: &mut dyn ResponseHead) {
    let Ok(namespace) = state.namespace() else {
        return;
    };
    let mut live = state.live();
    live.head_sent = true;
    state.tell_withheld(&live);
    let cookie = match (&namespace.transports, &state.ticket.route) {
        (Transports::Several(transports), Some(route)) => {
            if state.phase.is_asked() {
                let answer = Answer::take(&mut live, route);
                drop(live);
                answer.write(transports, route, head);
            }
            return;
        }
        (Transports::Cookie(cookie), _) => cookie,
        (Transports::Several(_), None) => return,
    };
    let outgoing = match live.base {
        // A cookie of a late request could overwrite the one that the login has sent.
        Base::Void(_) => None,
        _ => live.outgoing.take(),
    };
    drop(live);
    if state.phase.is_asked() {
        vary_on_cookie(head);
    }
    let cookie = match outgoing {
        Some(Outgoing::Token { token, max_age }) => cookie.set(&token.reveal(), max_age),
        #[cfg(feature = "client-side")]
        Some(Outgoing::Sealed { value, max_age }) => cookie.set(&value, max_age),
        Some(Outgoing::Remove) => cookie.remove(),
        None => return,
    };
    head.append(ResponseHeader::SetCookie, cookie.into());
    forbid_storing(head);
}
