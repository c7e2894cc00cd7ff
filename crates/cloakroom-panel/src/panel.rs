use std::{
    collections::VecDeque,
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use cloakroom_core::{RequestHead, SessionManager};
use tokio::sync::broadcast;

use crate::{
    builder::PanelBuilder,
    feed::{Feed, FeedEvent},
    known::KnownManager,
    record::{ConfigurationRow, KeptHead, Masks, Recording},
    respond::PanelRequest,
    safety::{Refusal, Rules},
};

/// The debug toolbar of one application. Cheap to clone; clones are the same panel.
///
/// It keeps the newest requests, 100 by default, in at most 8 MiB, and shows them below its path.
/// It is for development: see [`PanelBuilder`] for who may look.
///
/// ```
/// # use std::sync::Arc;
/// # use cloakroom_core::{Namespace, RequestSessions, Scheme, SessionManager};
/// # use cloakroom_memory::MemoryStore;
/// # use cloakroom_panel::{KeptHead, Panel, RequestEnd};
/// # let cart = Namespace::new("cart", MemoryStore::new());
/// # let manager = SessionManager::builder().namespace(cart).build()?;
/// let panel = Panel::builder().build()?;
/// // What an integration does with each request:
/// let recording = panel.begin(KeptHead::new("GET", "/cart", None, Scheme::Http), None);
/// let sessions = RequestSessions::begin_traced(&manager, recording.clone());
/// recording.answered(200, |_header| None);
/// assert_eq!(panel.recordings().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Panel(Arc<Shared>);

pub(crate) struct Shared {
    base: String,
    capacity: usize,
    masks: Arc<Masks>,
    rules: Rules,
    csrf_token: String,
    last: AtomicU64,
    recordings: Mutex<VecDeque<Arc<Recording>>>,
    managers: Mutex<Vec<Arc<KnownManager>>>,
    /// Made for the first who listens: until then requests have nobody to tell.
    feed: OnceLock<broadcast::Sender<FeedEvent>>,
}

/// A page that is slower than this many requests looks at all of them again.
const FEED_ROOM: usize = 64;

/// An application has one manager, or a few; tests may make many.
const MOST_MANAGERS: usize = 16;

impl Panel {
    /// Begins a panel.
    pub fn builder() -> PanelBuilder {
        PanelBuilder::new()
    }

    pub(crate) fn new(
        base: String,
        capacity: usize,
        masks: Masks,
        rules: Rules,
        csrf_token: String,
    ) -> Self {
        Self(Arc::new(Shared {
            base,
            capacity,
            masks: Arc::new(masks),
            rules,
            csrf_token,
            last: AtomicU64::new(0),
            recordings: Mutex::default(),
            managers: Mutex::default(),
            feed: OnceLock::new(),
        }))
    }

    /// Begins the recording of a request. `peer` is the address of the connection; no header says
    /// it.
    #[must_use]
    pub fn begin(&self, head: KeptHead, peer: Option<IpAddr>) -> Arc<Recording> {
        let shared = &self.0;
        let number = shared.last.fetch_add(1, Ordering::Relaxed) + 1;
        let recording = {
            let mut recordings = shared.recordings();
            let is_full = recordings.len() >= shared.capacity;
            let oldest = is_full.then(|| recordings.pop_back()).flatten();
            let recording = self.record(oldest, number, head, peer);
            recordings.push_front(Arc::clone(&recording));
            recording
        };
        shared.tell(FeedEvent::Began(number));
        recording
    }

    /// In the memory of the oldest, unless somebody looks at it or is still telling it something:
    /// that many small blocks to allocate and to free is what recording costs most.
    fn record(
        &self,
        oldest: Option<Arc<Recording>>,
        number: u64,
        head: KeptHead,
        peer: Option<IpAddr>,
    ) -> Arc<Recording> {
        if let Some(mut oldest) = oldest
            && let Some(recording) = Arc::get_mut(&mut oldest)
        {
            recording.renew(number, head, peer);
            return oldest;
        }
        let (masks, panel) = (Arc::clone(&self.0.masks), Arc::downgrade(&self.0));
        Arc::new(Recording::new(number, head, peer, masks, panel))
    }

    /// The newest requests, the newest first.
    #[must_use]
    pub fn recordings(&self) -> Vec<Arc<Recording>> {
        self.0.recordings().iter().cloned().collect()
    }

    /// The request of a number, if it is one of the newest.
    #[must_use]
    pub fn recording(&self, number: u64) -> Option<Arc<Recording>> {
        let recordings = self.0.recordings();
        let mut all = recordings.iter();
        all.find(|recording| recording.number() == number).cloned()
    }

    /// How many requests are kept.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.0.capacity
    }

    /// Throws all recordings away.
    ///
    /// ```
    /// # use cloakroom_core::Scheme;
    /// # use cloakroom_panel::{KeptHead, Panel};
    /// # let panel = Panel::builder().build()?;
    /// let recording = panel.begin(KeptHead::new("GET", "/cart", None, Scheme::Http), None);
    /// assert!(panel.recording(recording.number()).is_some());
    /// panel.clear();
    /// assert!(panel.recordings().is_empty());
    /// # Ok::<(), cloakroom_panel::PanelError>(())
    /// ```
    pub fn clear(&self) {
        let all = std::mem::take(&mut *self.0.recordings());
        drop(all);
        self.0.tell(FeedEvent::Cleared);
    }

    /// The namespaces of all managers that requests have used so far; of several of one name, the
    /// newest.
    #[must_use]
    pub fn configuration(&self) -> Vec<ConfigurationRow> {
        let managers = self.0.managers();
        let mut rows: Vec<Arc<ConfigurationRow>> = Vec::new();
        for known in managers.iter().flat_map(|manager| &manager.namespaces) {
            match rows
                .iter_mut()
                .find(|row| row.namespace == known.row.namespace)
            {
                Some(row) => *row = Arc::clone(&known.row),
                None => rows.push(Arc::clone(&known.row)),
            }
        }
        rows.into_iter().map(Arc::unwrap_or_clone).collect()
    }

    /// Hears of requests from now on.
    ///
    /// ```
    /// # use cloakroom_core::Scheme;
    /// # use cloakroom_panel::{FeedEvent, KeptHead, Panel};
    /// # let panel = Panel::builder().build()?;
    /// let mut feed = panel.subscribe();
    /// let _recording = panel.begin(KeptHead::new("GET", "/cart", None, Scheme::Http), None);
    /// assert_eq!(feed.try_next(), Some(FeedEvent::Began(1)));
    /// # Ok::<(), cloakroom_panel::PanelError>(())
    /// ```
    #[must_use]
    pub fn subscribe(&self) -> Feed {
        let feed = self
            .0
            .feed
            .get_or_init(|| broadcast::Sender::new(FEED_ROOM));
        Feed(feed.subscribe())
    }

    /// The path below which the panel answers, `/_cloakroom` by default.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.0.base
    }

    /// Whether a path is the panel's own.
    ///
    /// ```
    /// # let panel = cloakroom_panel::Panel::builder().build()?;
    /// assert!(panel.owns("/_cloakroom") && panel.owns("/_cloakroom/requests/3"));
    /// assert!(!panel.owns("/_cloakroomy") && !panel.owns("/cart"));
    /// # Ok::<(), cloakroom_panel::PanelError>(())
    /// ```
    #[must_use]
    pub fn owns(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.base());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether whoever has sent a request may see the panel: judged by the address of its
    /// connection and its headers. The button is for them alone.
    ///
    /// ```
    /// # use cloakroom_core::Scheme;
    /// # use cloakroom_panel::{KeptHead, Panel};
    /// # let panel = Panel::builder().build()?;
    /// let mut head = KeptHead::new("GET", "/", None, Scheme::Http);
    /// head.add_header("host", b"localhost:3000");
    /// assert!(panel.admits(&head, Some([127, 0, 0, 1].into())));
    /// assert!(!panel.admits(&head, Some([203, 0, 113, 9].into())));
    /// # Ok::<(), cloakroom_panel::PanelError>(())
    /// ```
    #[must_use]
    pub fn admits(&self, head: &dyn RequestHead, peer: Option<IpAddr>) -> bool {
        self.0.rules.admit(head, peer).is_ok()
    }

    /// Whether a request to the panel itself is answered.
    pub(crate) fn check(&self, request: &PanelRequest<'_>) -> Result<(), Refusal> {
        self.0.rules.admit(request.head, request.peer)?;
        self.0.rules.check_origin(request.head)
    }

    /// Whether a token is that of this panel's own forms.
    pub(crate) fn check_token(&self, token: &str) -> Result<(), Refusal> {
        let (own, other) = (self.0.csrf_token.as_bytes(), token.as_bytes());
        let differs = own.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
        match own.len() == other.len() && differs == 0 {
            true => Ok(()),
            false => Err(Refusal::Token),
        }
    }

    /// What this panel's own forms are to send.
    pub(crate) fn csrf_token(&self) -> &str {
        &self.0.csrf_token
    }

    pub(crate) fn masks(&self) -> &Masks {
        &self.0.masks
    }
}

impl From<Arc<Shared>> for Panel {
    fn from(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

impl Shared {
    /// What is known of a manager; it is learned once.
    pub(crate) fn know(&self, manager: &SessionManager) -> Arc<KnownManager> {
        let mut managers = self.managers();
        let mut known = managers.iter();
        if let Some(known) = known.find(|known| known.manager.is_same(manager)) {
            return Arc::clone(known);
        }
        let known = Arc::new(KnownManager::new(manager.clone()));
        if managers.len() >= MOST_MANAGERS {
            managers.remove(0);
        }
        managers.push(Arc::clone(&known));
        known
    }

    pub(crate) fn tell_ended(&self, number: u64) {
        self.tell(FeedEvent::Ended(number));
    }

    fn tell(&self, event: FeedEvent) {
        if let Some(feed) = self.feed.get() {
            // Those who have listened may be gone.
            let _ = feed.send(event);
        }
    }

    fn recordings(&self) -> MutexGuard<'_, VecDeque<Arc<Recording>>> {
        self.recordings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn managers(&self) -> MutexGuard<'_, Vec<Arc<KnownManager>>> {
        self.managers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Panel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panel")
            .field("base", &self.0.base)
            .field("capacity", &self.0.capacity)
            .finish_non_exhaustive()
    }
}
