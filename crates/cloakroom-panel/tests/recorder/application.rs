//! An application whose requests a panel records.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use cloakroom_core::{
    Namespace, Outcome, RequestSessions, ResponseHead, ResponseHeader, Scheme, SessionHandle,
    SessionManager,
};
use cloakroom_memory::MemoryStore;
use cloakroom_panel::{
    KeptHead, Panel, PanelBody, PanelRequest, RecordedNamespace, RecordedRequest, Recording,
    respond,
};
use cloakroom_testkit::SpyStore;

pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// `account` on https alone, and `cart`.
pub(crate) struct Application {
    pub(crate) panel: Panel,
    pub(crate) manager: SessionManager,
    pub(crate) store: SpyStore<MemoryStore>,
    /// How often a condition was judged.
    pub(crate) judged: Arc<AtomicUsize>,
}

impl Application {
    pub(crate) fn new() -> Self {
        Self::with(Panel::builder().build().unwrap())
    }

    pub(crate) fn with(panel: Panel) -> Self {
        let store = SpyStore::new(MemoryStore::new());
        let judged = Arc::new(AtomicUsize::new(0));
        let counter = judged.clone();
        let account = Namespace::new("account", store.clone()).only_if(move |request| {
            counter.fetch_add(1, Ordering::SeqCst);
            request.is_https()
        });
        let cart = Namespace::new("cart", store.clone()).insecure_http();
        let manager = SessionManager::builder().namespace(account).namespace(cart);
        Self {
            panel,
            manager: manager.build().unwrap(),
            store,
            judged,
        }
    }

    pub(crate) fn begin(&self, head: KeptHead) -> Visit {
        let recording = self.panel.begin(head.clone(), Some(HERE));
        let sessions = RequestSessions::begin_traced(&self.manager, recording.clone());
        Visit {
            head,
            recording,
            sessions,
        }
    }

    /// A whole request that uses the cart; gives its cookie as a browser sends it.
    pub(crate) async fn visit(
        &self,
        cookie: &str,
        handler: impl FnOnce(&SessionHandle),
    ) -> (Arc<Recording>, String) {
        let visit = self.begin(get("/cart", cookie));
        handler(&visit.open("cart").await);
        let cookie = visit.finish(200).await;
        (visit.recording, cookie)
    }

    /// A page of the panel.
    pub(crate) async fn page(&self, target: &str) -> String {
        let path = format!("/_cloakroom{target}");
        let mut head = KeptHead::new("GET", &path, None, Scheme::Http);
        head.add_header("host", b"localhost");
        let request = PanelRequest {
            head: &head,
            peer: Some(HERE),
            body: Some(b""),
        };
        let answer = respond(&self.panel, &request).await;
        assert_eq!(answer.status, 200);
        match answer.body {
            PanelBody::Full(text) => text,
            PanelBody::Feed(_) => panic!("it is a feed"),
        }
    }
}

pub(crate) fn get(path: &str, cookie: &str) -> KeptHead {
    let mut head = KeptHead::new("GET", path, None, Scheme::Http);
    head.add_header("host", b"localhost:3000");
    if !cookie.is_empty() {
        head.add_header("cookie", cookie.as_bytes());
    }
    head
}

/// A request under way.
pub(crate) struct Visit {
    pub(crate) head: KeptHead,
    pub(crate) recording: Arc<Recording>,
    pub(crate) sessions: RequestSessions,
}

impl Visit {
    pub(crate) async fn open(&self, name: &str) -> SessionHandle {
        let judged = self.sessions.judge(name, &self.head).unwrap();
        judged.unwrap().open().await.unwrap()
    }

    /// Commits and answers; gives the cookie.
    pub(crate) async fn finish(&self, status: u16) -> String {
        let _ = self.sessions.commit(Outcome::of_status(status)).await;
        let mut response = Response::default();
        self.sessions.finish(&mut response);
        self.recording.answered(status, |_| None);
        let cookie = response
            .0
            .into_iter()
            .find(|(name, _)| *name == ResponseHeader::SetCookie);
        let pair = cookie.and_then(|(_, text)| text.split(';').next().map(str::to_owned));
        pair.unwrap_or_default()
    }
}

pub(crate) fn shown(recording: &Recording) -> RecordedRequest {
    recording.view(Clone::clone)
}

pub(crate) fn namespace(recording: &Recording, name: &str) -> RecordedNamespace {
    let request = shown(recording);
    let mut namespaces = request.namespaces.into_iter();
    namespaces
        .find(|namespace| namespace.name() == name)
        .unwrap()
}

#[derive(Default)]
struct Response(Vec<(ResponseHeader, String)>);

impl ResponseHead for Response {
    fn values(&self, header: ResponseHeader, visit: &mut dyn FnMut(&[u8])) {
        for (_, value) in self.0.iter().filter(|(name, _)| *name == header) {
            visit(value.as_bytes());
        }
    }

    fn append(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        self.0.push((header, value.into_owned()));
    }

    fn replace(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        self.0.retain(|(name, _)| *name != header);
        self.append(header, value);
    }
}
