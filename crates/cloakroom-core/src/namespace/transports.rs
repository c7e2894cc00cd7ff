use super::Namespace;
use crate::transport::Transport;

impl Namespace {
    /// Sets how the token travels, in the place of the cookie: 1 to 8 transports in the order in
    /// which they count.
    ///
    /// What a request brings by any of them is tried, four candidates at most in all; two that
    /// open different sessions open none, and are an event. A new token goes back by those that
    /// have brought the session, and by no other: what is in an `HttpOnly` cookie is not to be in
    /// a header that scripts can read. Where none has, the first begins (see
    /// [`Transport::begins_if`]).
    ///
    /// A client-side namespace has its cookie alone.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let account = Namespace::new("account", MemoryStore::new()).transports([
    ///     Transport::cookie(Cookie::named("sid").same_site(SameSite::Strict)),
    ///     Transport::header("X-Session"),
    /// ]);
    /// let sessions = SessionManager::builder().namespace(account).build()?;
    /// assert_eq!(sessions.namespaces().next().unwrap().cookie_name(), Some("__Host-sid"));
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn transports(self, transports: impl IntoIterator<Item = Transport>) -> Self {
        Self {
            transports: Some(transports.into_iter().collect()),
            ..self
        }
    }
}
