// What the examples in this crate's documentation have around them, in hidden lines: a browser and
// its requests, one after the other. They include it:
//
//     mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }

use std::{borrow::Cow, error::Error};

use cloakroom_core::{
    Namespace, Outcome, RequestHead, RequestSessions, ResponseHead, ResponseHeader, Scheme,
    SessionError, SessionHandle, SessionManager, Verdict,
};
use cloakroom_memory::MemoryStore;

type Example = Result<(), Box<dyn Error>>;

/// Runs an example with the session of a browser's first request.
pub fn example(run: impl AsyncFnOnce(SessionHandle, Browser) -> Example) {
    let account = Namespace::new("account", MemoryStore::new());
    example_with(account, run);
}

/// The same with a namespace of the example's own.
pub fn example_with(
    namespace: Namespace,
    run: impl AsyncFnOnce(SessionHandle, Browser) -> Example,
) {
    let builder = SessionManager::builder().namespace(namespace);
    let mut browser = Browser::of(&builder.build().unwrap());
    block_on(async {
        let session = browser.open().await.unwrap();
        run(session, browser).await.unwrap();
    });
}

/// Runs an example that makes its own requests.
pub fn block_on<T>(run: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build();
    runtime.unwrap().block_on(run)
}

/// A browser with a request under way. A clone has the same cookie and the same request.
#[derive(Clone)]
pub struct Browser {
    manager: SessionManager,
    sessions: RequestSessions,
    request: Request,
}

impl Browser {
    pub fn of(manager: &SessionManager) -> Self {
        Self {
            manager: manager.clone(),
            sessions: RequestSessions::begin(manager),
            request: Request::default(),
        }
    }

    async fn open(&self) -> Result<SessionHandle, SessionError> {
        let first = self.manager.namespaces().next().unwrap();
        let unopened = self.sessions.judge(first.name(), &self.request);
        unopened?.unwrap().open().await
    }

    /// Ends the request, and gives the session of the next one.
    pub async fn next(&mut self) -> SessionHandle {
        self.end().await;
        self.again().await
    }

    /// Ends the request, and gives the `Set-Cookie` of its response.
    pub async fn end(&mut self) -> String {
        let mut response = Response::default();
        assert_eq!(self.commit(200).await.status(), None);
        self.sessions.finish(&mut response);
        let set_cookie = response.set_cookie.pop().unwrap_or_default();
        if let Some((pair, _)) = set_cookie.split_once(';') {
            self.request.cookie = pair.to_owned();
        }
        set_cookie
    }

    /// Commits the request's sessions, for its response to be answered with this status.
    pub async fn commit(&self, status: u16) -> Verdict {
        self.sessions.commit(Outcome::of_status(status)).await
    }

    /// Another request with the same cookie, at the same time.
    pub async fn again(&mut self) -> SessionHandle {
        self.try_again().await.unwrap()
    }

    pub async fn try_again(&mut self) -> Result<SessionHandle, SessionError> {
        self.sessions = RequestSessions::begin(&self.manager);
        self.open().await
    }
}

/// A request's head.
#[derive(Clone, Default)]
pub struct Request {
    pub cookie: String,
}

impl RequestHead for Request {
    fn method(&self) -> &str {
        "GET"
    }

    fn path(&self) -> &str {
        "/"
    }

    fn query(&self) -> Option<&str> {
        None
    }

    fn scheme(&self) -> Scheme {
        Scheme::Https
    }

    fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        if name == "cookie" && !self.cookie.is_empty() {
            visit(self.cookie.as_bytes());
        }
    }
}

/// A response's head.
#[derive(Default)]
pub struct Response {
    pub set_cookie: Vec<String>,
    pub vary: Vec<String>,
    pub others: Vec<(&'static str, String)>,
}

impl Response {
    /// The value of another header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.others.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| &**value)
    }

    fn of(&mut self, header: ResponseHeader) -> Option<&mut Vec<String>> {
        match header {
            ResponseHeader::SetCookie => Some(&mut self.set_cookie),
            ResponseHeader::Vary => Some(&mut self.vary),
            _ => None,
        }
    }
}

impl ResponseHead for Response {
    fn values(&self, _: ResponseHeader, _: &mut dyn FnMut(&[u8])) {}

    fn append(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        match self.of(header) {
            Some(values) => values.push(value.into_owned()),
            None => self.others.push((header.name(), value.into_owned())),
        }
    }

    fn replace(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        self.append(header, value);
    }
}
