use std::borrow::Cow;

use cloakroom_store::{SessionId, Subject, Timestamp};
use serde::de::DeserializeOwned;

use super::{
    handle::SessionHandle,
    key::{KeyName, KeyOf},
};
use crate::error::SessionError;

/// A session that can be read alone: for helpers and templates that are to change nothing.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
/// use cloakroom_core::{ReadOnlySession, SessionError};
///
/// fn greeting(session: &ReadOnlySession) -> Result<String, SessionError> {
///     let name: Option<String> = session.get("name")?;
///     Ok(name.map_or("Welcome!".to_owned(), |name| format!("Welcome, {name}!")))
/// }
///
/// # doc::example(async |session, _| {
/// session.insert("name", "Ada")?;
/// assert_eq!(greeting(&session.read_only())?, "Welcome, Ada!");
/// # Ok(())
/// # });
/// ```
///
/// It has nothing that changes the session:
///
/// ```compile_fail
/// # use cloakroom_core::{ReadOnlySession, SessionError};
/// fn rename(session: &ReadOnlySession) -> Result<(), SessionError> {
///     session.insert("name", "Ada")
/// }
/// ```
#[derive(Clone, Debug)]
pub struct ReadOnlySession(SessionHandle);

impl SessionHandle {
    /// The same session, to be read alone. It sees what other handles change.
    #[must_use]
    pub fn read_only(&self) -> ReadOnlySession {
        ReadOnlySession(self.clone())
    }
}

impl ReadOnlySession {
    /// As [`SessionHandle::get`].
    ///
    /// # Errors
    /// As [`SessionHandle::get`].
    pub fn get<T: DeserializeOwned>(&self, key: impl KeyOf<T>) -> Result<Option<T>, SessionError> {
        self.0.get(key)
    }

    /// As [`SessionHandle::get_or_default`].
    ///
    /// # Errors
    /// As [`SessionHandle::get`].
    pub fn get_or_default<T: DeserializeOwned + Default>(
        &self,
        key: impl KeyOf<T>,
    ) -> Result<T, SessionError> {
        self.0.get_or_default(key)
    }

    /// As [`SessionHandle::entries`].
    ///
    /// # Errors
    /// As [`SessionHandle::entries`].
    pub fn entries<T: DeserializeOwned>(&self) -> Result<Vec<(String, T)>, SessionError> {
        self.0.entries()
    }

    /// As [`SessionHandle::contains`].
    #[must_use]
    pub fn contains(&self, key: impl KeyName) -> bool {
        self.0.contains(key)
    }

    /// As [`SessionHandle::keys`].
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.0.keys()
    }

    /// As [`SessionHandle::len`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// As [`SessionHandle::is_empty`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As [`SessionHandle::namespace`].
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.0.namespace()
    }

    /// As [`SessionHandle::id`].
    #[must_use]
    pub fn id(&self) -> Option<SessionId> {
        self.0.id()
    }

    /// As [`SessionHandle::is_new`].
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.0.is_new()
    }

    /// As [`SessionHandle::created`].
    #[must_use]
    pub fn created(&self) -> Timestamp {
        self.0.created()
    }

    /// As [`SessionHandle::last_seen`].
    #[must_use]
    pub fn last_seen(&self) -> Timestamp {
        self.0.last_seen()
    }

    /// As [`SessionHandle::expires`].
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.0.expires()
    }

    /// As [`SessionHandle::url`].
    #[must_use]
    pub fn url<'a>(&self, url: &'a str) -> Cow<'a, str> {
        self.0.url(url)
    }

    /// As [`SessionHandle::subject`].
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        self.0.subject()
    }
}
