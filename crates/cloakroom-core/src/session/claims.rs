//! What must be claimed at the store before the handler goes on.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::{handle::SessionHandle, key::KeyOf};
use crate::{commit::Claim, error::SessionError};

impl SessionHandle {
    /// Like [`update`](Self::update), and commits at once (with all other changes of this request):
    /// gives what the closure returned for the value that was stored.
    ///
    /// # Errors
    /// As [`update`](Self::update) and [`save`](Self::save). When the store fails, the change
    /// stays in the journal. [`SessionError::Ended`] too when another task of this request has
    /// ended the session, or has committed the change in vain.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// session.insert("seats", 10)?;
    /// # let session = browser.next().await;
    /// # let other = browser.again().await;
    /// # other.update_now("seats", |seats: &mut u32| *seats -= 1).await?;
    /// // Another request has taken a seat since this one has opened the session.
    /// let left = session.update_now("seats", |seats: &mut u32| {
    ///     *seats -= 1;
    ///     *seats
    /// });
    /// assert_eq!(left.await?, 8);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn update_now<T, R>(
        &self,
        key: impl KeyOf<T>,
        change: impl Fn(&mut T) -> R + Send + 'static,
    ) -> Result<R, SessionError>
    where
        T: Serialize + DeserializeOwned + Default,
        R: Send + 'static,
    {
        self.check_replay("update_now")?;
        let returned = Last::default();
        let last = returned.clone();
        let claim = Claim::default();
        let change = move |value: &mut T| last.set(change(value));
        self.update_as(key.name(), change, Some(&claim))?;
        self.save().await?;
        let returned = claim.is_stored().then(|| returned.take()).flatten();
        returned.ok_or_else(|| self.ended())
    }

    /// Removes a key and commits at once: of several requests that do it at the same time, one at
    /// most gets the value.
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`update_now`](Self::update_now). But when the store fails, the
    /// removal does not stay in the journal, unless this request has updated the key before: the
    /// value is there for another try, or the store has removed it all the same.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// session.insert("order", "3 apples")?;
    /// # let session = browser.next().await;
    /// # let other = browser.again().await;
    /// // The form is sent twice, and two requests ask at the same time.
    /// assert_eq!(session.take_once("order").await?, Some("3 apples".to_owned()));
    /// assert_eq!(other.take_once::<String>("order").await?, None);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn take_once<T: DeserializeOwned>(
        &self,
        key: impl KeyOf<T>,
    ) -> Result<Option<T>, SessionError> {
        self.check_method("take_once")?;
        self.claim(key.name()).await
    }

    /// The same on any method.
    pub(super) async fn claim<T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<T>, SessionError> {
        self.check_replay("take_once")?;
        if !self.contains(key) {
            return Ok(None);
        }
        let taken: Last<Option<Bytes>> = Last::default();
        let last = taken.clone();
        let claim = Claim::default();
        let take = move |before: Option<&[u8]>| {
            last.set(before.map(Bytes::copy_from_slice));
            Ok(((), None))
        };
        self.journal_update(key, take, Some(&claim))?;
        if let Err(error) = self.save().await {
            self.0.live().take_back(key, &claim);
            return Err(error);
        }
        if !claim.is_stored() {
            return Err(self.ended());
        }
        let bytes = taken.take().flatten();
        bytes.map_or(Ok(None), |bytes| self.decode(key, &bytes))
    }

    fn ended(&self) -> SessionError {
        SessionError::Ended {
            namespace: self.0.name().to_owned(),
        }
    }
}

/// What a closure returned when it ran last.
struct Last<R>(Arc<Mutex<Option<R>>>);

impl<R> Last<R> {
    fn set(&self, value: R) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    fn take(&self) -> Option<R> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<R> Default for Last<R> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<R> Clone for Last<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
