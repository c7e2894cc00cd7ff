//! When changes are saved, and when there may be none.

use super::Namespace;

/// Which changes of a request are stored when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SaveMode {
    /// All, and nothing where nothing has changed.
    #[default]
    OnChange,
    /// Those alone that [`save`](crate::SessionHandle::save) has stored already; values changed
    /// after it are dropped, and it is an [`EventKind::NotSaved`](crate::EventKind::NotSaved).
    /// `login`, `rotate`, `persist` and a CSRF token count as a wish to save; `end` is carried out
    /// in any case.
    Explicit,
    /// All, and each use of a session: it is touched by every request that opens it, whatever the
    /// touch threshold, and a visitor without a session gets one. This costs a write per request,
    /// and a record per visitor, crawlers included.
    Always,
}

impl Namespace {
    /// Sets which changes of a request are stored when it ends.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cart = Namespace::new("cart", MemoryStore::new()).save_mode(SaveMode::Explicit);
    /// # doc::example_with(cart, async |session, mut browser| {
    /// session.insert("items", 3)?;
    /// session.save().await?;
    /// session.insert("coupon", "SPRING")?; // not saved
    /// # let session = browser.next().await;
    /// // In the next request:
    /// assert_eq!(session.keys(), ["items"]);
    /// # Ok(())
    /// # });
    /// ```
    pub fn save_mode(mut self, mode: SaveMode) -> Self {
        self.settings.save_mode = mode;
        self
    }

    /// Makes each change an error, [`SessionError::SafeMethod`](crate::SessionError::SafeMethod),
    /// on requests whose method is safe: `GET`, `HEAD`, `OPTIONS` and `TRACE` (RFC 9110, 9.2.1).
    /// So a link in a foreign page or a crawler changes nothing (ASVS 3.5.3).
    ///
    /// Flash messages are taken, a session is touched and a rotation that is due is made all the
    /// same. So is a session for a CSRF token, which a form needs before its first `POST`.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cart = Namespace::new("cart", MemoryStore::new()).refuse_changes_on_get();
    /// # doc::example_with(cart, async |session, _| {
    /// // The request is a GET.
    /// let error = session.insert("items", 3).unwrap_err();
    /// assert!(matches!(error, SessionError::SafeMethod { .. }));
    /// # Ok(())
    /// # });
    /// ```
    pub fn refuse_changes_on_get(mut self) -> Self {
        self.settings.refuses_changes_on_get = true;
        self
    }
}
