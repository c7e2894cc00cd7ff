//! A visitor of an application whose requests a panel records.

use std::{borrow::Cow, net::IpAddr};

use cloakroom_core::{
    Namespace, Outcome, RequestSessions, ResponseHead, ResponseHeader, Scheme, SessionManager,
};
use cloakroom_memory::MemoryStore;
use cloakroom_panel::{KeptHead, Panel, PanelBody, PanelRequest, PanelResponse, respond};
use cloakroom_testkit::SpyStore;

pub(crate) const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// An application with a `cart`, and an `account` for https.
pub(crate) struct Application {
    pub(crate) panel: Panel,
    pub(crate) store: SpyStore<MemoryStore>,
    manager: SessionManager,
}

impl Application {
    pub(crate) fn new() -> Self {
        let store = SpyStore::new(MemoryStore::new());
        let account = Namespace::new("account", store.clone());
        let manager = SessionManager::builder()
            .namespace(account.only_if(|request| request.is_https()))
            .namespace(Namespace::new("cart", store.clone()).insecure_http())
            .build();
        Self {
            panel: Panel::builder().capacity(5).build().unwrap(),
            manager: manager.unwrap(),
            store,
        }
    }

    /// One request: puts `value` under `key` into the cart, or opens nothing without one. Gives its
    /// number, and the cookie that it was sent.
    pub(crate) async fn visit(
        &self,
        path: &str,
        cookie: &str,
        change: Option<(&str, &str)>,
    ) -> (u64, String) {
        let mut head = KeptHead::new("GET", path, None, Scheme::Http);
        head.add_header("host", b"localhost:3000");
        head.add_header("cookie", cookie.as_bytes());
        let recording = self.panel.begin(head.clone(), Some(HERE));
        let sessions = RequestSessions::begin_traced(&self.manager, recording.clone());
        let all = sessions.judge_all(&head);
        if let Some((key, value)) = change {
            let cart = all.open("cart").await.unwrap().unwrap();
            cart.insert(key, value).unwrap();
        }
        let _ = sessions.commit(Outcome::of_status(200)).await;
        let mut response = Response::default();
        sessions.finish(&mut response);
        recording.answered(200, |name| {
            (name == "content-type").then_some(&b"text/html"[..])
        });
        (recording.number(), response.cookie())
    }

    /// Asks the panel, from this machine.
    pub(crate) async fn get(&self, target: &str) -> PanelResponse {
        self.ask("GET", target, Some(HERE), "").await
    }

    /// Sends a form of the panel's own.
    pub(crate) async fn post(&self, target: &str, form: &str) -> PanelResponse {
        self.ask("POST", target, Some(HERE), form).await
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        target: &str,
        peer: Option<IpAddr>,
        form: &str,
    ) -> PanelResponse {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let path = format!("/_cloakroom{path}");
        let mut head = KeptHead::new(method, &path, query, Scheme::Http);
        head.add_header("host", b"localhost:3000");
        head.add_header("sec-fetch-site", b"same-origin");
        let request = PanelRequest {
            head: &head,
            peer,
            body: Some(form.as_bytes()),
        };
        let answer = respond(&self.panel, &request);
        answer.await
    }

    /// What a form of the panel's own carries: it is on its pages.
    pub(crate) async fn token(&self) -> String {
        let page = full(self.get("/").await);
        let (_, rest) = page.split_once("name=\"token\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

pub(crate) fn full(response: PanelResponse) -> String {
    match response.body {
        PanelBody::Full(text) => text,
        PanelBody::Feed(_) => panic!("it is a feed"),
    }
}

pub(crate) fn header<'a>(response: &'a PanelResponse, name: &str) -> &'a str {
    let mut named = response.headers.iter().filter(|(other, _)| *other == name);
    let (_, value) = named.next().unwrap_or_else(|| panic!("there is no {name}"));
    assert_eq!(named.next(), None, "{name} is there twice");
    value
}

#[derive(Default)]
pub(crate) struct Response(Vec<(ResponseHeader, String)>);

impl Response {
    /// The value of a header.
    pub(crate) fn value(&self, header: &str) -> &str {
        let mut named = self.0.iter().filter(|(name, _)| name.name() == header);
        &named.next().unwrap().1
    }

    /// The cookie that a browser sends back; nothing when none was set.
    fn cookie(&self) -> String {
        let mut cookies = self
            .0
            .iter()
            .filter(|(name, _)| *name == ResponseHeader::SetCookie);
        let cookie = cookies
            .next()
            .map(|(_, value)| value.split(';').next().unwrap());
        cookie.unwrap_or_default().to_owned()
    }
}

impl ResponseHead for Response {
    fn values(&self, header: ResponseHeader, visit: &mut dyn FnMut(&[u8])) {
        for (_, value) in self.0.iter().filter(|(other, _)| *other == header) {
            visit(value.as_bytes());
        }
    }

    fn append(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        self.0.push((header, value.into_owned()));
    }

    fn replace(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        self.0.retain(|(other, _)| *other != header);
        self.append(header, value);
    }
}
