//! Who wants to know what the engine does for one request: the debug toolbar, a test.
//!
//! A request without a tracer pays a branch per step. Nothing in here judges, opens or loads a
//! session that the application does not ask for; [`SessionManager::peek`] alone does, when
//! somebody asks it to, and it leaves no trace.
//!
//! [`SessionManager::peek`]: crate::SessionManager::peek

mod call;
mod configuration;
mod data;
mod head;
mod json;
mod peek;
mod session;
mod step;

use std::{
    fmt::{self, Debug},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use cloakroom_store::SessionId;

pub use self::{
    data::{Data, ShownValue, ValueView},
    peek::{Peeked, Unpeeked},
    step::{CallOutcome, Decision, Reasons, SentCookie, Step, StepKind, TokenVerdict},
};
use crate::{event::EventKind, manager::SessionManager};

/// Hears what the engine does for one request, while it does it.
///
/// It is told synchronously, by whichever task does it, and while the session is locked: it is
/// not to use the request's sessions, nor to wait. The time of a step is the time at which it is
/// told. A panic in it is caught and logged.
///
/// Steps can come after the response: from streams that save, and from commits that outlive a
/// client.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
/// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
/// use std::sync::{Arc, Mutex};
///
/// #[derive(Debug, Default)]
/// struct Decisions(Mutex<Vec<Decision>>);
///
/// impl Tracer for Decisions {
///     fn on_step(&self, step: &Step<'_>) {
///         if let StepKind::Decided(decision) = step.kind {
///             self.0.lock().unwrap().push(decision);
///         }
///     }
/// }
///
/// # doc::block_on(async {
/// # let (request, mut response) = (doc::Request::default(), doc::Response::default());
/// # let manager = SessionManager::builder()
/// #     .namespace(Namespace::new("cart", MemoryStore::new()))
/// #     .build()?;
/// let decisions = Arc::new(Decisions::default());
/// let sessions = RequestSessions::begin_traced(&manager, decisions.clone());
/// sessions.judge("cart", &request)?.unwrap().open().await?; // and nothing is put into it
/// let _verdict = sessions.commit(Outcome::Success).await;
/// sessions.finish(&mut response);
/// assert_eq!(*decisions.0.lock().unwrap(), [Decision::Empty]); // so there is no cookie
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub trait Tracer: Debug + Send + Sync + 'static {
    /// A session layer begins with the request. Layers inside others begin later.
    fn on_begin(&self, manager: &SessionManager) {
        let _ = manager;
    }

    /// The engine does something.
    fn on_step(&self, step: &Step<'_>);
}

/// The tracer of a request, if it has one.
#[derive(Clone, Default)]
pub(crate) struct Trace(Option<Arc<dyn Tracer>>);

impl Trace {
    pub(crate) fn to(tracer: Arc<dyn Tracer>) -> Self {
        Self(Some(tracer))
    }

    /// One that tells all of several requests.
    pub(crate) fn to_all<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        let tracers: Vec<_> = all.filter_map(|trace| trace.0.clone()).collect();
        match tracers.is_empty() {
            true => Self(None),
            false => Self::to(Arc::new(Several(tracers))),
        }
    }

    /// Whether somebody listens. Whatever is told is told in functions that are cold, so that those
    /// who tell stay small for the many requests that nobody listens to.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    #[inline]
    pub(crate) fn begin(&self, manager: &SessionManager) {
        if let Some(tracer) = &self.0 {
            guarded(|| tracer.on_begin(manager));
        }
    }

    #[inline]
    pub(crate) fn tell<'a>(&self, namespace: &'a str, kind: impl FnOnce() -> StepKind<'a>) {
        if let Some(tracer) = &self.0 {
            tell(&**tracer, namespace, kind);
        }
    }

    #[inline]
    pub(crate) fn event(&self, namespace: &str, id: Option<SessionId>, event: EventKind) {
        let key = None;
        self.tell(namespace, || StepKind::Event { id, key, event });
    }
}

#[cold]
#[inline(never)]
fn tell<'a>(tracer: &dyn Tracer, namespace: &'a str, kind: impl FnOnce() -> StepKind<'a>) {
    // Made here once: a copy of it costs as much as the rest of telling.
    let step = Step {
        namespace,
        kind: kind(),
    };
    guarded(|| tracer.on_step(&step));
}

#[cold]
fn guarded(tell: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(tell)).is_err() {
        tracing::error!(target: "cloakroom", "the session tracer panicked");
    }
}

impl Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Requests whose changes are written together.
#[derive(Debug)]
struct Several(Vec<Arc<dyn Tracer>>);

impl Tracer for Several {
    fn on_step(&self, step: &Step<'_>) {
        for tracer in &self.0 {
            guarded(|| tracer.on_step(step));
        }
    }
}
