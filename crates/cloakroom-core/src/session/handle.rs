use std::{fmt, sync::Arc};

use cloakroom_store::{SessionId, Subject, Timestamp};

use super::state::{Base, Live, SessionState};
use crate::{commit, error::SessionError, subjects::Subjects};

/// A session, as a request uses it. Cheap to clone; clones are the same session.
///
/// It is like a dictionary whose values are of any serde type. Reading and changing are
/// synchronous: the session is loaded, and changes go into a journal that is committed before the
/// response's head is sent. [`save`](Self::save) commits earlier, or later where the response
/// streams.
///
/// ```
/// # use cloakroom_core::{SessionError, SessionHandle};
/// fn add(cart: &SessionHandle, item: String) -> Result<usize, SessionError> {
///     cart.update("items", move |items: &mut Vec<String>| {
///         items.push(item.clone());
///         items.len()
///     })
/// }
/// ```
///
/// Besides the values it has what is known of the session:
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
/// # doc::example(async |session, _| {
/// assert_eq!(session.namespace(), "account");
/// assert!(session.is_new());
/// assert_eq!(session.id(), None); // until it is committed
/// assert_eq!(session.subject(), None); // until somebody logs in
/// assert_eq!(session.created(), session.last_seen());
/// assert!(session.expires() > session.created());
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
pub struct SessionHandle(pub(super) Arc<SessionState>);

impl SessionHandle {
    pub(crate) fn new(state: Arc<SessionState>) -> Self {
        Self(state)
    }

    /// The name of the namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.0.name()
    }

    /// The public id; `None` until a new session is committed. It opens nothing.
    #[must_use]
    pub fn id(&self) -> Option<SessionId> {
        self.0.live().id()
    }

    /// Whether there was no good session, so that this one begins with this request.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.0.live().is_new()
    }

    /// When the session began.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        let live = self.0.live();
        let stored = live.stored();
        stored.map_or(live.opened, |stored| stored.meta.record.created)
    }

    /// When it was last used before this request, to within the touch threshold.
    #[must_use]
    pub fn last_seen(&self) -> Timestamp {
        let live = self.0.live();
        let stored = live.stored();
        stored.map_or(live.opened, |stored| stored.meta.record.last_seen)
    }

    /// When it ends by its limits, unless it is used.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        let live = self.0.live();
        match (live.stored(), self.0.namespace()) {
            (Some(stored), _) => stored.meta.record.expires,
            (None, Ok(namespace)) => namespace.settings.limits.expires(live.opened, live.opened),
            (None, Err(_)) => live.opened,
        }
    }

    /// Whom it belongs to: the subject of the last login.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        self.0.live().subject().cloned()
    }

    /// Commits the changes now, not with the response's head: for streams, server-sent events and
    /// WebSockets, and where the answer depends on what others do at the same time.
    ///
    /// A token that has to be sent goes out with the head, if that is still to be sent. With
    /// nothing to write it does nothing.
    ///
    /// Cancel safety: dropping the future does not stop a commit halfway; it goes on as a task of
    /// the current tokio runtime.
    ///
    /// # Errors
    /// [`SessionError::Store`] when the store fails: the changes stay in the journal for another
    /// try. When it is not known whether they were stored, another try may count an `update`
    /// twice. [`SessionError::Ended`] when the session was ended or logged in anew meanwhile,
    /// [`SessionError::Conflict`] in strict namespaces, and [`SessionError::TooLarge`] when the
    /// session has grown too large together with the changes of others: the changes are dropped.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// session.insert("step", 1)?;
    /// session.save().await?; // before the work that takes long
    /// assert!(session.id().is_some());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn save(&self) -> Result<(), SessionError> {
        commit::save(&self.0).await.map_err(|failure| failure.error)
    }

    /// The sessions of this namespace by whom they belong to, such as those of
    /// [`subject`](Self::subject).
    ///
    /// # Errors
    /// [`SessionError::Unsupported`] in a client-side namespace.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// # session.login("user-17")?;
    /// # let session = browser.next().await;
    /// let subject = session.subject().ok_or("nobody is logged in")?;
    /// let devices = session.subjects()?.sessions_of(&subject, None, 20).await?;
    /// assert_eq!(Some(devices.sessions[0].id), session.id());
    /// # Ok(())
    /// # });
    /// ```
    pub fn subjects(&self) -> Result<Subjects, SessionError> {
        Subjects::new(self.0.manager.share(), self.0.index, self.0.trace.clone())
    }

    /// Ends all other sessions of this session's subject, and says how many there were: for a new
    /// password. What this request has changed so far, a login included, is committed before.
    ///
    /// # Errors
    /// As [`save`](Self::save), [`subjects`](Self::subjects) and [`Subjects::end_others`].
    /// [`SessionError::Unsupported`] when nobody is logged in, and [`SessionError::Ended`] when
    /// the session itself was ended or logged in anew meanwhile: then no other is ended.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// # let mut thief = browser.clone();
    /// # thief.again().await.login("user-17")?;
    /// # thief.end().await;
    /// // The visitor has set a new password.
    /// session.login("user-17")?;
    /// assert_eq!(session.end_others().await?, 1);
    /// # assert!(thief.again().await.is_new());
    /// # assert!(!browser.next().await.is_new());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn end_others(&self) -> Result<usize, SessionError> {
        let subjects = self.subjects()?;
        self.save().await?;
        let (keep, epoch, subject) = self.logged_in()?;
        subjects.check(keep, epoch).await?;
        subjects.end_others(&subject, keep).await
    }

    /// The session's id, epoch and subject, as it is stored.
    fn logged_in(&self) -> Result<(SessionId, u32, Subject), SessionError> {
        let live = self.0.live();
        if let Base::Void(reason) = live.base {
            drop(live);
            return Err(self.0.void(reason));
        }
        if let Base::Opened { id, stored, client } = &live.base
            && let Some(subject) = &stored.meta.record.subject
        {
            return Ok((*id, client.epoch, subject.clone()));
        }
        Err(SessionError::Unsupported {
            namespace: self.0.name().to_owned(),
            operation: "end_others",
            hint: "nobody is logged in, so there are no others: ask subject() first",
        })
    }

    pub(super) fn is_client_side(&self) -> bool {
        let namespace = self.0.namespace();
        namespace.is_ok_and(|namespace| namespace.store().is_none())
    }

    /// What changes a session can't be done by a safe method where the namespace refuses it.
    pub(super) fn check_method(&self, operation: &'static str) -> Result<(), SessionError> {
        match self.0.ticket.is_read_only {
            true => Err(SessionError::SafeMethod {
                namespace: self.0.name().to_owned(),
                operation,
            }),
            false => Ok(()),
        }
    }

    /// What needs a cookie can't be done when the head has been sent.
    pub(super) fn check_head(
        &self,
        live: &Live,
        operation: &'static str,
    ) -> Result<(), SessionError> {
        match live.head_sent {
            true => Err(SessionError::HeadSent {
                namespace: self.0.name().to_owned(),
                operation,
            }),
            false => Ok(()),
        }
    }

    /// A change of a session that exists needs no cookie.
    pub(super) fn check_change(&self, live: &Live) -> Result<(), SessionError> {
        match live.base {
            Base::New => self.check_head(live, "the first change"),
            _ if self.is_client_side() => self.check_head(live, "a change"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = self.0.live();
        f.debug_struct("Session")
            .field("namespace", &self.0.name())
            .field("id", &live.id())
            .field("len", &live.len())
            .finish_non_exhaustive()
    }
}
