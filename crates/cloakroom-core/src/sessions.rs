use crate::{
    error::SessionError,
    request::{RequestSessions, Unopened},
    session::SessionHandle,
};

/// All sessions of a request, by names that are known at run time. The extractor `Sessions` of an
/// integration is one; [`RequestSessions::judge_all`] makes it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SessionsHandle(RequestSessions);

impl SessionsHandle {
    pub(crate) fn new(judged: RequestSessions) -> Self {
        Self(judged)
    }

    /// Opens a session. `None` when its namespace is closed on this request. The session is the
    /// same for the rest of the request.
    ///
    /// Cancel safety: dropping the future leaves the session to the next who opens it.
    ///
    /// # Errors
    /// [`SessionError::UnknownNamespace`], [`SessionError::Store`] when the store does not answer
    /// in time, and [`SessionError::Corrupt`] where the namespace's policy says so.
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
    /// # let sessions = RequestSessions::begin(&manager).judge_all(&request);
    /// let cart = sessions.open("cart").await?.expect("it has no condition");
    /// cart.insert("items", 3)?;
    /// assert!(sessions.open("cart").await?.unwrap().contains("items")); // the same session
    /// assert!(sessions.open("admin").await?.is_none()); // its condition does not hold here
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn open(&self, name: &str) -> Result<Option<SessionHandle>, SessionError> {
        match self.0.state(name)? {
            Some(state) => Unopened(state).open().await.map(Some),
            None => Ok(None),
        }
    }

    /// Whether a namespace is open on this request: its condition holds. Loads nothing.
    ///
    /// # Errors
    /// [`SessionError::UnknownNamespace`].
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
    /// # let sessions = RequestSessions::begin(&manager).judge_all(&request);
    /// assert!(!sessions.is_open("admin")?); // its condition does not hold here
    /// assert!(sessions.is_open("acount").is_err()); // there is no such namespace
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn is_open(&self, name: &str) -> Result<bool, SessionError> {
        self.0.state(name).map(|state| state.is_some())
    }

    /// The names of all namespaces, those of outer layers first.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.0.names()
    }

    /// The names of the namespaces that this request has opened.
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
    /// # let sessions = RequestSessions::begin(&manager).judge_all(&request);
    /// sessions.open("cart").await?;
    /// assert_eq!(sessions.names(), ["cart", "admin"]);
    /// assert_eq!(sessions.opened(), ["cart"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn opened(&self) -> Vec<&str> {
        self.0.opened()
    }

    /// Ends the sessions of all namespaces that are open on this request. One that can't be ended
    /// does not stop the others; it is returned, with its name.
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
    /// # let sessions = RequestSessions::begin(&manager).judge_all(&request);
    /// let failures = sessions.end_all().await;
    /// assert!(failures.is_empty(), "{failures:?}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use = "some sessions may not have been ended"]
    pub async fn end_all(&self) -> Vec<(String, SessionError)> {
        let mut failures = Vec::new();
        for name in self.names() {
            if let Err(error) = self.end_session(name).await {
                failures.push((name.to_owned(), error));
            }
        }
        failures
    }

    async fn end_session(&self, name: &str) -> Result<(), SessionError> {
        let Some(state) = self.0.state(name)? else {
            return Ok(());
        };
        state.open_where_it_is().await?;
        SessionHandle::new(state).end()
    }
}
