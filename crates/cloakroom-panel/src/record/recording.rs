use std::{
    borrow::Cow,
    fmt,
    net::IpAddr,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use cloakroom_core::{
    CallOutcome, Clock, Data, Decision, EventKind, SentCookie, SessionManager, Step, StepKind,
    SystemClock, TokenVerdict, Tracer,
    store::{Freshness, Operation, SessionId, Timestamp},
};

use super::{
    head::KeptHead,
    mask::Masks,
    model::{RecordedCookie, RecordedRequest, RequestEnd},
    room::Room,
    values::{KeptData, Spare},
};
use crate::{
    known::{KnownManager, KnownNamespace},
    panel::{Panel, Shared},
};

/// What is kept of one request, from its beginning on. The engine's [`Tracer`].
///
/// It keeps at most 64 KiB of values and names, 300 steps, and 16 KiB of the request's head.
pub struct Recording {
    number: u64,
    began: Instant,
    panel: Weak<Shared>,
    masks: Arc<Masks>,
    kept: Mutex<Kept>,
}

/// What is kept; text is made of it when somebody looks.
pub(super) struct Kept {
    pub(super) number: u64,
    pub(super) at: Timestamp,
    pub(super) peer: Option<IpAddr>,
    pub(super) head: Arc<KeptHead>,
    pub(super) managers: Vec<Arc<KnownManager>>,
    pub(super) sessions: Vec<KeptSession>,
    pub(super) steps: Vec<KeptStep>,
    pub(super) room: Room,
    /// When the latest step was told, as [`KeptStep::at`].
    latest: u64,
    spare: Spare,
    pub(super) end: Option<KeptEnd>,
}

#[derive(Default)]
pub(super) struct KeptSession {
    pub(super) opened: Option<KeptData>,
    pub(super) left: Option<KeptData>,
    pub(super) stored: Option<KeptData>,
    /// It was left as it was.
    pub(super) is_left: bool,
}

/// When data was seen.
#[derive(Clone, Copy)]
enum Moment {
    Opened,
    Left,
    Stored,
}

/// Small, so that the steps of most requests are in one small block of memory.
pub(super) struct KeptStep {
    /// Nanoseconds since the request began.
    pub(super) at: u64,
    /// Which of the request's namespaces.
    pub(super) namespace: Option<u16>,
    pub(super) is_after_head: bool,
    pub(super) kind: KeptKind,
}

pub(super) enum KeptKind {
    Judged {
        is_open: bool,
        has_condition: bool,
    },
    TokenSeen {
        /// Which of the namespace's transports.
        transport: usize,
        id: Option<SessionId>,
        is_malformed: bool,
    },
    TokenJudged {
        id: Option<SessionId>,
        verdict: TokenVerdict,
    },
    Call {
        call: u64,
        operation: Operation,
        freshness: Option<Freshness>,
        id: Option<SessionId>,
        end: Option<(CallOutcome, Duration)>,
    },
    Event {
        id: Option<SessionId>,
        key: Option<Box<str>>,
        event: EventKind,
    },
    Decided(Decision),
    Header {
        name: Cow<'static, str>,
        value: Option<Cow<'static, str>>,
    },
    Cookie(Box<RecordedCookie>),
}

pub(super) struct KeptEnd {
    pub(super) end: RequestEnd,
    pub(super) duration: Duration,
    pub(super) content_type: Option<Cow<'static, str>>,
    pub(super) location: Option<String>,
}

impl Recording {
    pub(crate) fn new(
        number: u64,
        head: KeptHead,
        peer: Option<IpAddr>,
        masks: Arc<Masks>,
        panel: Weak<Shared>,
    ) -> Self {
        Self {
            number,
            began: Instant::now(),
            panel,
            masks,
            kept: Mutex::new(Kept::new(number, head, peer)),
        }
    }

    /// Becomes the recording of another request of the same panel, in the memory that it has.
    pub(crate) fn renew(&mut self, number: u64, head: KeptHead, peer: Option<IpAddr>) {
        let kept = self.kept.get_mut().unwrap_or_else(PoisonError::into_inner);
        kept.renew(number, head, peer);
        self.number = number;
        self.began = Instant::now();
    }

    /// The number of the request.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Shows the request as far as it has come.
    ///
    /// ```
    /// # use cloakroom_core::Scheme;
    /// # use cloakroom_panel::{KeptHead, Panel, RequestEnd};
    /// # let panel = Panel::builder().build()?;
    /// let recording = panel.begin(KeptHead::new("GET", "/cart", None, Scheme::Http), None);
    /// assert_eq!(recording.view(|request| request.end), None);
    /// recording.end(RequestEnd::Answered(200));
    /// assert_eq!(recording.view(|request| request.end), Some(RequestEnd::Answered(200)));
    /// # Ok::<(), cloakroom_panel::PanelError>(())
    /// ```
    pub fn view<T>(&self, look: impl FnOnce(&RecordedRequest) -> T) -> T {
        let request = self.kept().show(&self.masks);
        look(&request)
    }

    /// The head of a response is made. `header` gives the first value of a header.
    pub fn answered<'a>(&self, status: u16, header: impl Fn(&str) -> Option<&'a [u8]>) {
        let text = |name| std::str::from_utf8(header(name)?).ok();
        let content_type = text("content-type").map(well_known);
        let location = text("location").map(str::to_owned);
        self.end_with(RequestEnd::Answered(status), content_type, location);
    }

    /// The request has ended, unless it has already.
    pub fn end(&self, end: RequestEnd) {
        self.end_with(end, None, None);
    }

    fn end_with(
        &self,
        end: RequestEnd,
        content_type: Option<Cow<'static, str>>,
        location: Option<String>,
    ) {
        {
            let mut kept = self.kept();
            if kept.end.is_some() {
                return;
            }
            kept.end = Some(KeptEnd {
                end,
                duration: self.began.elapsed(),
                content_type,
                location,
            });
        }
        if let Some(panel) = self.panel.upgrade() {
            panel.tell_ended(self.number);
        }
    }

    /// Sees to the recording's end, whatever happens to the request.
    #[must_use = "the recording ends when the guard is dropped"]
    pub fn guard(self: &Arc<Self>) -> RecordingGuard {
        RecordingGuard(Arc::clone(self))
    }

    pub(crate) fn head_and_peer(&self) -> (Arc<KeptHead>, Option<IpAddr>) {
        let kept = self.kept();
        (Arc::clone(&kept.head), kept.peer)
    }

    /// `None` when it is gone.
    pub(crate) fn panel(&self) -> Option<Panel> {
        self.panel.upgrade().map(Panel::from)
    }

    /// What a peek at a session needs; `None` when there can be none.
    pub(crate) fn head_and_manager(
        &self,
        namespace: &str,
    ) -> Option<(Arc<KeptHead>, Arc<KnownManager>)> {
        let kept = self.kept();
        let knows = |manager: &&Arc<KnownManager>| {
            let mut namespaces = manager.namespaces.iter();
            namespaces.any(|known| known.row.namespace == namespace)
        };
        let manager = kept.managers.iter().find(knows)?;
        let head = Some(&kept.head).filter(|head| head.is_whole())?;
        Some((Arc::clone(head), Arc::clone(manager)))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// Ends a recording when it is dropped, unless it has ended already: the handler has panicked if a
/// panic goes through here, and otherwise the client has left.
///
/// ```
/// # use cloakroom_core::Scheme;
/// # use cloakroom_panel::{KeptHead, Panel, RequestEnd};
/// # let panel = Panel::builder().build()?;
/// let recording = panel.begin(KeptHead::new("GET", "/cart", None, Scheme::Http), None);
/// drop(recording.guard());
/// assert_eq!(recording.view(|request| request.end), Some(RequestEnd::Dropped));
/// # Ok::<(), cloakroom_panel::PanelError>(())
/// ```
#[derive(Debug)]
pub struct RecordingGuard(Arc<Recording>);

impl Deref for RecordingGuard {
    type Target = Recording;

    fn deref(&self) -> &Recording {
        &self.0
    }
}

impl Drop for RecordingGuard {
    fn drop(&mut self) {
        self.0.end(match std::thread::panicking() {
            true => RequestEnd::Panicked,
            false => RequestEnd::Dropped,
        });
    }
}

impl Tracer for Recording {
    fn on_begin(&self, manager: &SessionManager) {
        let Some(panel) = self.panel.upgrade() else {
            return;
        };
        let known = panel.know(manager);
        let mut kept = self.kept();
        let count = kept.sessions.len() + known.namespaces.len();
        kept.sessions.resize_with(count, KeptSession::default);
        kept.managers.push(known);
    }

    fn on_step(&self, step: &Step<'_>) {
        let mut kept = self.kept();
        let namespace = kept.index_of(step.namespace);
        let kind = match step.kind {
            StepKind::Opened(data) => return kept.keep(namespace, &data, Moment::Opened),
            StepKind::Left(data) => return kept.keep(namespace, &data, Moment::Left),
            StepKind::Stored(data) => return kept.keep(namespace, &data, Moment::Stored),
            StepKind::CallEnded {
                call,
                outcome,
                took,
                ..
            } => return kept.end_call(call, outcome, took),
            ref kind => kept.kind_of(step.namespace, namespace, kind),
        };
        if let Some(kind) = kind
            && !kept.repeats(namespace, &kind)
            && kept.room.take_entry()
        {
            let at = match step.kind {
                StepKind::CallBegun { began, .. } => nanos(began.duration_since(self.began)),
                ref kind if is_at_once(kind) && kept.is_latest(namespace) => kept.latest,
                _ => nanos(self.began.elapsed()),
            };
            kept.latest = at;
            let is_after_head = kept.end.is_some();
            kept.steps.push(KeptStep {
                at,
                namespace: namespace.and_then(|index| u16::try_from(index).ok()),
                is_after_head,
                kind,
            });
        }
    }
}

impl Kept {
    fn new(number: u64, head: KeptHead, peer: Option<IpAddr>) -> Self {
        Self {
            number,
            at: SystemClock.now(),
            peer,
            head: Arc::new(head),
            managers: Vec::new(),
            sessions: Vec::new(),
            steps: Vec::new(),
            room: Room::new(),
            latest: 0,
            spare: Spare::default(),
            end: None,
        }
    }

    /// Nothing of the request before stays but the memory of the lists.
    fn renew(&mut self, number: u64, head: KeptHead, peer: Option<IpAddr>) {
        // All fields by name, so that none is forgotten.
        let Self {
            number: own_number,
            at,
            peer: own_peer,
            head: own_head,
            managers,
            sessions,
            steps,
            room,
            latest,
            spare,
            end,
        } = self;
        (*own_number, *at, *own_peer) = (number, SystemClock.now(), peer);
        match Arc::get_mut(own_head) {
            Some(own_head) => *own_head = head,
            // A peek has it.
            None => *own_head = Arc::new(head),
        }
        for session in sessions.iter_mut() {
            let moments = [&mut session.opened, &mut session.left, &mut session.stored];
            let all = moments.into_iter().filter_map(Option::take);
            all.for_each(|data| spare.add(data));
        }
        managers.clear();
        sessions.clear();
        steps.clear();
        *room = Room::new();
        *latest = 0;
        *end = None;
    }

    pub(super) fn namespaces(&self) -> impl Iterator<Item = &KnownNamespace> {
        self.managers.iter().flat_map(|manager| &manager.namespaces)
    }

    pub(super) fn known(&self, namespace: Option<usize>) -> Option<&KnownNamespace> {
        self.namespaces().nth(namespace?)
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        self.namespaces()
            .position(|known| known.row.namespace == name)
    }

    fn keep(&mut self, namespace: Option<usize>, data: &Data<'_>, moment: Moment) {
        let Some(session) = namespace.and_then(|index| self.sessions.get_mut(index)) else {
            return;
        };
        let mut before = session.opened.as_ref();
        if matches!(moment, Moment::Left) && before.is_some() && !data.has_changes() {
            // What came in is what goes out, unless the session was ended.
            session.is_left = data.id() == before.and_then(|before| before.id);
            if session.is_left {
                return;
            }
        }
        let place = match moment {
            Moment::Opened => {
                before = None;
                &mut session.opened
            }
            Moment::Left => &mut session.left,
            Moment::Stored => &mut session.stored,
        };
        if let Some(old) = place.take() {
            self.room.give_back(old.cost());
            self.spare.add(old);
        }
        *place = Some(KeptData::keep(
            data,
            before,
            &mut self.room,
            &mut self.spare,
        ));
    }

    /// That nothing is left to be written, after it was told why.
    fn repeats(&self, namespace: Option<usize>, kind: &KeptKind) -> bool {
        let is_nothing = |decision| matches!(decision, Decision::Empty | Decision::NothingChanged);
        let of_it = |step: &&KeptStep| step.namespace.map(usize::from) == namespace;
        matches!(kind, KeptKind::Decided(decision) if is_nothing(*decision))
            && self
                .steps
                .iter()
                .filter(of_it)
                .any(|step| matches!(step.kind, KeptKind::Decided(Decision::NotSavedUnasked)))
    }

    /// Whether the latest step was of this namespace.
    fn is_latest(&self, namespace: Option<usize>) -> bool {
        let latest = self.steps.last();
        latest.is_some_and(|step| step.namespace.map(usize::from) == namespace)
    }

    fn end_call(&mut self, number: u64, outcome: CallOutcome, took: Duration) {
        for step in self.steps.iter_mut().rev() {
            if let KeptKind::Call { call, end, .. } = &mut step.kind
                && *call == number
            {
                *end = Some((outcome, took));
                self.latest = step.at.saturating_add(nanos(took));
                return;
            }
        }
    }
}

impl Kept {
    fn kind_of(
        &self,
        name: &str,
        namespace: Option<usize>,
        kind: &StepKind<'_>,
    ) -> Option<KeptKind> {
        use KeptKind as K;
        Some(match *kind {
            StepKind::Judged {
                is_open,
                has_condition,
            } => K::Judged {
                is_open,
                has_condition,
            },
            StepKind::TokenSeen {
                transport: by,
                id,
                is_malformed,
            } => K::TokenSeen {
                transport: self.known(namespace)?.transport_index(by),
                id,
                is_malformed,
            },
            StepKind::TokenJudged { id, verdict } => K::TokenJudged { id, verdict },
            StepKind::CallBegun {
                call,
                operation,
                freshness,
                id,
                ..
            } => K::Call {
                call,
                operation,
                freshness,
                id,
                end: None,
            },
            StepKind::Event { id, key, event } => K::Event {
                id,
                key: key.map(Box::from),
                event,
            },
            StepKind::Decided(decision) => K::Decided(decision),
            StepKind::HeaderAdded {
                cookie: Some(cookie),
                ..
            } => K::Cookie(Box::new(recorded(name, cookie))),
            StepKind::HeaderAdded { name, value, .. } => K::Header {
                name: well_known(name),
                value: value.map(well_known),
            },
            _ => return None,
        })
    }
}

/// Whether the engine tells it right after another step of its namespace, so that a look at the clock is saved.
fn is_at_once(kind: &StepKind<'_>) -> bool {
    use EventKind::{Opened, Unchanged};
    match kind {
        StepKind::TokenSeen { .. } | StepKind::TokenJudged { .. } => true,
        StepKind::Event { event, .. } => matches!(event, Opened | Unchanged),
        _ => false,
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What is kept without a copy, since nearly every response has it.
const WELL_KNOWN: [&str; 8] = [
    "vary",
    "Cookie",
    "cache-control",
    "no-store",
    "set-cookie",
    "text/html; charset=utf-8",
    "text/plain; charset=utf-8",
    "application/json",
];

fn well_known(text: &str) -> Cow<'static, str> {
    match WELL_KNOWN.into_iter().find(|known| *known == text) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(text.to_owned()),
    }
}

fn recorded(namespace: &str, cookie: SentCookie<'_>) -> RecordedCookie {
    RecordedCookie {
        namespace: namespace.to_owned(),
        name: cookie.name.to_owned(),
        attributes: cookie.attributes.to_owned(),
        value_length: cookie.value_length,
        is_removal: cookie.is_removal,
    }
}
