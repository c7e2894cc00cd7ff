//! A visitor for the tests of an application.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use cloakroom_core::{
    Outcome, ReadOnlySession, RequestHead, RequestSessions, ResponseHead, ResponseHeader, Scheme,
    SessionError, SessionHandle, SessionManager, Unopened,
};

/// A browser for the tests of an application: it makes the sessions that a test begins with, and
/// shows what became of them.
///
/// Its requests come over https, to `/` or the path of [`at`](Self::at). It keeps cookies by name
/// alone, whatever their path and domain.
///
/// ```
/// use cloakroom_core::{Namespace, SessionManager, hours};
/// use cloakroom_testkit::{TestBrowser, TestClock};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let clock = TestClock::default();
/// let sessions = SessionManager::builder()
///     .namespace(Namespace::new("account", cloakroom_memory::MemoryStore::new()))
///     .clock(clock.clone())
///     .build()?;
///
/// let mut browser = TestBrowser::new(&sessions);
/// browser.visit("account", async |session| session.login("ada")).await?;
/// // The application's turn: a request with `browser.cookie_header()`, and then
/// // browser.receive(response.headers().get_all("set-cookie"));
/// assert!(browser.cookie_header().starts_with("__Host-account="));
/// assert_eq!(browser.session("account").await?.subject().unwrap().as_str(), "ada");
///
/// clock.advance(hours(9));
/// assert!(browser.session("account").await?.is_new());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct TestBrowser {
    manager: SessionManager,
    path: String,
    cookies: BTreeMap<String, String>,
}

impl TestBrowser {
    /// A browser without cookies.
    #[must_use]
    pub fn new(manager: &SessionManager) -> Self {
        Self {
            manager: manager.clone(),
            path: "/".to_owned(),
            cookies: BTreeMap::new(),
        }
    }

    /// Sends its own requests to this path, for conditions that look at it.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Makes a request of which this is the handler, commits, and keeps the cookies.
    ///
    /// # Errors
    /// What the handler returns, and what opening and saving the session do;
    /// [`SessionError::Closed`] where the namespace's condition does not hold.
    pub async fn visit<T>(
        &mut self,
        namespace: &str,
        handler: impl AsyncFnOnce(&SessionHandle) -> Result<T, SessionError>,
    ) -> Result<T, SessionError> {
        let sessions = RequestSessions::begin(&self.manager);
        let session = self.unopened(&sessions, namespace)?.open().await?;
        let returned = handler(&session).await?;
        // What goes wrong at commit is told by this, as the verdict is a status alone.
        session.save().await?;
        let _ = sessions.commit(Outcome::Success).await;
        let mut head = SetCookies::default();
        sessions.finish(&mut head);
        self.receive(&head.0);
        Ok(returned)
    }

    /// A session as the next request would see it. Nothing is written, and its use is not noted.
    ///
    /// # Errors
    /// As [`visit`](Self::visit).
    pub async fn session(&self, namespace: &str) -> Result<ReadOnlySession, SessionError> {
        let sessions = RequestSessions::begin(&self.manager);
        let session = self.unopened(&sessions, namespace)?.open().await?;
        Ok(session.read_only())
    }

    /// The `Cookie` header of its next request.
    #[must_use]
    pub fn cookie_header(&self) -> String {
        let pairs = self.cookies.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    /// Takes the `Set-Cookie` headers of a response.
    pub fn receive(&mut self, set_cookies: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        for header in set_cookies {
            let header = String::from_utf8_lossy(header.as_ref()).into_owned();
            let (pair, attributes) = header.split_once(';').unwrap_or((&header, ""));
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let is_removal = |attribute: &str| attribute.trim().eq_ignore_ascii_case("Max-Age=0");
            if attributes.split(';').any(is_removal) {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn unopened(
        &self,
        sessions: &RequestSessions,
        namespace: &str,
    ) -> Result<Unopened, SessionError> {
        let head = Head {
            path: &self.path,
            cookies: self.cookie_header(),
        };
        let judged = sessions.judge(namespace, &head)?;
        judged.ok_or_else(|| SessionError::Closed {
            namespace: namespace.to_owned(),
        })
    }
}

/// Names the cookies, and shows no value: those are tokens.
impl fmt::Debug for TestBrowser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestBrowser")
            .field("path", &self.path)
            .field("cookies", &self.cookies.keys())
            .finish_non_exhaustive()
    }
}

struct Head<'a> {
    path: &'a str,
    cookies: String,
}

impl RequestHead for Head<'_> {
    /// No `GET`, which a namespace may forbid to change anything.
    fn method(&self) -> &str {
        "POST"
    }

    fn path(&self) -> &str {
        self.path
    }

    fn query(&self) -> Option<&str> {
        None
    }

    fn scheme(&self) -> Scheme {
        Scheme::Https
    }

    fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        if name == "cookie" {
            visit(self.cookies.as_bytes());
        }
    }
}

#[derive(Default)]
struct SetCookies(Vec<String>);

impl ResponseHead for SetCookies {
    fn values(&self, _: ResponseHeader, _: &mut dyn FnMut(&[u8])) {}

    fn append(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        if header == ResponseHeader::SetCookie {
            self.0.push(value.into_owned());
        }
    }

    fn replace(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        self.append(header, value);
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_core::Namespace;
    use cloakroom_memory::MemoryStore;

    use super::*;

    fn browser() -> (TestBrowser, MemoryStore) {
        let store = MemoryStore::new();
        let admin = Namespace::new("admin", store.clone())
            .only_if(|request| request.path() == "/admin")
            .refuse_changes_on_get();
        let manager = SessionManager::builder()
            .namespace(Namespace::new("cart", store.clone()))
            .namespace(admin)
            .build()
            .unwrap();
        (TestBrowser::new(&manager), store)
    }

    #[tokio::test]
    async fn what_one_request_stores_the_next_one_sees() {
        let (mut browser, store) = browser();
        let added = browser.visit("cart", async |cart| cart.insert("items", 3));
        added.await.unwrap();
        let cart = browser.session("cart").await.unwrap();
        assert_eq!(cart.get::<u32>("items").unwrap(), Some(3));
        let ended = browser.visit("cart", async |cart| cart.end());
        ended.await.unwrap();
        assert_eq!(browser.cookie_header(), "");
        assert!(browser.session("cart").await.unwrap().is_new());
        assert_eq!(store.stats().sessions, 0);
    }

    #[tokio::test]
    async fn conditions_see_the_path() {
        let (browser, _) = browser();
        let closed = browser.session("admin").await.unwrap_err();
        assert!(matches!(closed, SessionError::Closed { .. }));
        let mut browser = browser.at("/admin");
        let changed = browser.visit("admin", async |admin| admin.insert("note", 1));
        changed.await.unwrap();
        assert!(!format!("{browser:?}").contains(&browser.cookie_header()));
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told_and_keeps_nothing() {
        let (mut browser, store) = browser();
        let failed = browser.visit("cart", async |cart| {
            cart.insert("items", 3)?;
            cart.get::<String>("items").map(drop)
        });
        assert!(matches!(failed.await, Err(SessionError::Decode { .. })));
        assert_eq!(store.stats().sessions, 0);
        assert!(browser.session("unknown").await.is_err());
    }
}
