//! What is done with a whole session. It is carried out at commit, not before.

use std::time::Duration;

use cloakroom_store::Subject;

use super::{Base, handle::SessionHandle};
use crate::{
    commit::{Changes, Rotation as Kind},
    error::SessionError,
    event::VoidReason,
};

impl SessionHandle {
    /// Logs a subject in. The session gets a new secret, and every older token of it is void at
    /// once (ASVS 7.2.4); its absolute limit begins again. Values stay, unless another subject was
    /// logged in: then the old session is ended, and the new one begins empty.
    ///
    /// When somebody else ends the session or logs in before this is committed, the login makes a
    /// session of its own from this request's changes.
    ///
    /// # Errors
    /// [`SessionError::InvalidSubject`], [`SessionError::HeadSent`], and
    /// [`SessionError::Unsupported`] in a client-side namespace that does not accept replay.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// session.login("user-17")?;
    /// let subject = session.subject().unwrap();
    /// assert_eq!(subject.as_str(), "user-17");
    /// session.login(subject)?;
    /// assert!(session.login("").is_err());
    /// # Ok(())
    /// # });
    /// ```
    pub fn login<S>(&self, subject: S) -> Result<(), SessionError>
    where
        S: TryInto<Subject>,
        SessionError: From<S::Error>,
    {
        let subject = subject.try_into()?;
        self.check_method("login")?;
        self.check_replay("login")?;
        let mut live = self.0.live();
        self.check_head(&live, "login")?;
        // Whose a session is never changes, so that it can be ended by its subject and its id.
        if live.subject().is_some_and(|before| *before != subject) {
            live.end(self.key_namespace());
        }
        live.changes.login = Some(subject);
        Ok(())
    }

    /// Ends the session: its record is deleted and its cookie removed, whatever status the
    /// response has. It wins over a login on the same session that was committed before it.
    ///
    /// The handle goes on as a new session; what is stored in it from here on, such as a farewell
    /// message, begins one.
    ///
    /// When the store can't delete the record, the response is a 503 and the cookie is removed all
    /// the same.
    ///
    /// # Errors
    /// [`SessionError::Unsupported`] in a client-side namespace that does not accept replay: a
    /// copy of the cookie would stay good. [`SessionError::Ended`] when the session was logged in
    /// anew and this request has its token from before: it can't end what it no longer opens.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// session.insert("cart", "3 apples")?;
    /// # let session = browser.next().await;
    /// session.end()?;
    /// session.insert("notice", "Good-bye.")?; // begins a new session
    /// assert_eq!(session.keys(), ["notice"]);
    /// # let set_cookie = browser.end().await;
    /// # assert!(!set_cookie.contains("Max-Age=0"), "{set_cookie}");
    /// # Ok(())
    /// # });
    /// ```
    pub fn end(&self) -> Result<(), SessionError> {
        self.check_method("end")?;
        self.check_replay("end")?;
        let mut live = self.0.live();
        match live.base {
            Base::Void(reason @ (VoidReason::Late | VoidReason::NewEpoch)) => {
                drop(live);
                Err(self.0.void(reason))
            }
            _ => {
                live.end(self.key_namespace());
                Ok(())
            }
        }
    }

    /// The same as [`end`](Self::end), for sessions that have a subject.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// session.login("user-17")?;
    /// # let session = browser.next().await;
    /// # assert!(session.subject().is_some());
    /// session.logout()?;
    /// # let set_cookie = browser.end().await;
    /// // What the response has for the browser:
    /// assert!(set_cookie.ends_with("; Max-Age=0"));
    /// # Ok(())
    /// # });
    /// ```
    pub fn logout(&self) -> Result<(), SessionError> {
        self.end()
    }

    /// Gives the session a new secret. The previous one stays good for a grace: until 60 seconds
    /// after the new one was first seen. So parallel requests and lost responses lock nobody out.
    /// While a previous secret is good, this does nothing.
    ///
    /// Where the token may be in wrong hands, say `rotate()?.revoke()`.
    ///
    /// # Errors
    /// [`SessionError::HeadSent`], and [`SessionError::Unsupported`] in a client-side namespace
    /// that does not accept replay.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// # session.insert("known", true)?;
    /// # let session = browser.next().await;
    /// # let mut before = browser.clone();
    /// session.rotate()?;
    /// # assert!(browser.end().await.starts_with("__Host-account="));
    /// # let parallel = before.again().await;
    /// // A request that comes with the cookie from before, a moment later:
    /// assert!(!parallel.is_new());
    /// # Ok(())
    /// # });
    /// ```
    pub fn rotate(&self) -> Result<Rotation<'_>, SessionError> {
        self.check_method("rotate")?;
        self.check_replay("rotate")?;
        let mut live = self.0.live();
        self.check_head(&live, "rotate")?;
        live.changes.rotation = live.changes.rotation.max(Some(Kind::Derived));
        Ok(Rotation(self))
    }

    /// Gives this session a lifetime of its own, in place of the namespace's limits: it lasts this
    /// long from its creation or login, however little it is used, and its cookie is kept when the
    /// browser is closed, at most 400 days. It is what "keep me logged in" asks for.
    ///
    /// # Errors
    /// [`SessionError::HeadSent`], and [`SessionError::Unsupported`] for a lifetime of less than
    /// a second.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// use cloakroom_core::days;
    /// session.login("user-17")?;
    /// session.persist(days(14))?;
    /// # let set_cookie = browser.end().await;
    /// // What the response has for the browser:
    /// assert!(set_cookie.ends_with("; Max-Age=1209600"));
    /// # Ok(())
    /// # });
    /// ```
    pub fn persist(&self, lifetime: Duration) -> Result<(), SessionError> {
        if lifetime < Duration::from_secs(1) {
            return Err(SessionError::Unsupported {
                namespace: self.0.name().to_owned(),
                operation: "persist",
                hint: "a session lasts at least a second; to end one, use end()",
            });
        }
        self.check_method("persist")?;
        let mut live = self.0.live();
        self.check_head(&live, "persist")?;
        // As the record keeps it.
        let millis = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        live.changes.persist = Some(Duration::from_millis(millis));
        Ok(())
    }

    /// Forgets what this request has changed since the last save: values, a login, a rotation, a
    /// lifetime, and the session that a CSRF token was given out for. An `end` stays.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, _| {
    /// session.insert("items", 3)?;
    /// session.save().await?;
    /// session.insert("items", 4)?;
    /// session.revert();
    /// assert_eq!(session.get("items")?, Some(3));
    /// # Ok(())
    /// # });
    /// ```
    pub fn revert(&self) {
        let mut live = self.0.live();
        live.changes = Changes::default();
        live.size = None;
    }

    /// What a copy of a client-side session undoes is refused, unless that is accepted.
    pub(super) fn check_replay(&self, operation: &'static str) -> Result<(), SessionError> {
        match self.0.namespace()?.refuses_replay() {
            true => Err(SessionError::Unsupported {
                namespace: self.0.name().to_owned(),
                operation,
                hint: "the session is in its cookie, and a copy of that stays good: use a store, \
                       or accept_replay()",
            }),
            false => Ok(()),
        }
    }

    fn key_namespace(&self) -> Option<cloakroom_store::NamespaceId> {
        let namespace = self.0.namespace().ok()?;
        namespace.store().map(|_| namespace.id)
    }
}

/// A rotation that was asked for.
#[derive(Debug)]
pub struct Rotation<'a>(&'a SessionHandle);

impl Rotation<'_> {
    /// Voids every older token at once, without a grace, and whatever requests that came with one
    /// are about to change.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// # session.insert("known", true)?;
    /// # let session = browser.next().await;
    /// # let mut before = browser.clone();
    /// session.rotate()?.revoke();
    /// # assert!(browser.end().await.starts_with("__Host-account="));
    /// # let parallel = before.again().await;
    /// // A request that comes with the cookie from before, a moment later:
    /// assert!(parallel.is_empty());
    /// # assert!(!browser.again().await.is_empty());
    /// # Ok(())
    /// # });
    /// ```
    pub fn revoke(self) {
        let mut live = self.0.0.live();
        let changes: &mut Changes = &mut live.changes;
        changes.rotation = Some(Kind::Revoking);
    }
}
