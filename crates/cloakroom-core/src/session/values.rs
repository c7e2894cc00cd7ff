//! The dictionary.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use cloakroom_store::SessionId;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    handle::SessionHandle,
    key::{KeyName, KeyOf},
    state::{Live, SessionState},
};
use crate::{
    codec::{Codec, CodecFailure},
    commit::Claim,
    error::SessionError,
    event::EventKind,
    frames::frame_length,
    journal::Step,
    namespace::DecodePolicy,
};

impl SessionHandle {
    /// The value of a key; `None` when there is none.
    ///
    /// # Errors
    /// [`SessionError::Decode`] when the value is not of type `T`.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// session.insert("language", "de")?;
    /// let language: Option<String> = session.get("language")?;
    /// assert_eq!(language.as_deref(), Some("de"));
    /// assert!(session.get::<u32>("language").is_err());
    /// # Ok(())
    /// # });
    /// ```
    pub fn get<T: DeserializeOwned>(&self, key: impl KeyOf<T>) -> Result<Option<T>, SessionError> {
        let key = key.name();
        let value = {
            let mut live = self.0.live();
            live.changes.reads.add(key);
            live.copy_of_value(key)
        };
        // Decoding runs foreign code, so no lock is held.
        value.map_or(Ok(None), |bytes| self.decode(key, &bytes))
    }

    /// The value of a key, or the type's default when there is none.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// let hits: u32 = session.get_or_default("hits")?;
    /// assert_eq!(hits, 0);
    /// # Ok(())
    /// # });
    /// ```
    pub fn get_or_default<T: DeserializeOwned + Default>(
        &self,
        key: impl KeyOf<T>,
    ) -> Result<T, SessionError> {
        self.get(key).map(Option::unwrap_or_default)
    }

    /// Sets the value of a key. Setting what is there already is no change.
    ///
    /// When another request sets the same key at the same time, the last one wins; use
    /// [`update`](Self::update) for a value that depends on the value before.
    ///
    /// # Errors
    /// [`SessionError::Encode`], [`SessionError::TooLarge`] when the session would grow beyond its
    /// limit, and [`SessionError::HeadSent`] for the first change of a new session in a stream.
    /// Nothing has changed then.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// session.insert("language", "de")?;
    /// session.insert("sizes", [38, 39])?; // any serde type
    /// assert_eq!(session.len(), 2);
    /// # Ok(())
    /// # });
    /// ```
    pub fn insert<T: Serialize>(&self, key: impl KeyOf<T>, value: T) -> Result<(), SessionError> {
        let key = key.name();
        self.check_method("insert")?;
        let encoded = self.codec()?.encode(&value);
        let bytes = encoded.map_err(|failure| failure.of(key))?;
        let mut live = self.0.live();
        self.check_change(&live)?;
        self.check_size(&mut live, key, Some(&bytes))?;
        live.changes.journal.set(key, Some(bytes));
        Ok(())
    }

    /// Removes a key, and says whether it had a value.
    ///
    /// # Errors
    /// [`SessionError::HeadSent`] as [`insert`](Self::insert).
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// session.insert("coupon", "SPRING")?;
    /// assert!(session.remove("coupon")?);
    /// assert!(!session.remove("coupon")?); // there is none any more
    /// # Ok(())
    /// # });
    /// ```
    pub fn remove(&self, key: impl KeyName) -> Result<bool, SessionError> {
        self.check_method("remove")?;
        self.remove_unchecked(key.name())
    }

    /// The same on any method.
    pub(super) fn remove_unchecked(&self, key: &str) -> Result<bool, SessionError> {
        let mut live = self.0.live();
        if !live.contains(key) {
            return Ok(false);
        }
        self.check_change(&live)?;
        self.check_size(&mut live, key, None)?;
        live.changes.journal.set(key, None);
        Ok(true)
    }

    /// Removes a key, and gives the value that it had. Two requests at the same time may both get
    /// it: see [`take_once`](Self::take_once).
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`remove`](Self::remove); nothing is removed then.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// session.insert("notice", "Saved.")?;
    /// assert_eq!(session.take("notice")?, Some("Saved.".to_owned()));
    /// assert!(!session.contains("notice"));
    /// # Ok(())
    /// # });
    /// ```
    pub fn take<T: DeserializeOwned>(&self, key: impl KeyOf<T>) -> Result<Option<T>, SessionError> {
        let key = key.name();
        let value = self.get(key)?;
        self.remove(key)?;
        Ok(value)
    }

    /// Whether a key has a value.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// assert!(!session.contains("language"));
    /// session.insert("language", "de")?;
    /// assert!(session.contains("language"));
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn contains(&self, key: impl KeyName) -> bool {
        let key = key.name();
        let mut live = self.0.live();
        live.changes.reads.add(key);
        live.contains(key)
    }

    /// The keys that have a value, in no particular order.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// session.insert("language", "de")?;
    /// assert_eq!(session.keys(), ["language"]);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let mut live = self.0.live();
        live.changes.reads.add_all();
        live.keys()
    }

    /// How many keys have a value.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// session.insert("language", "de")?;
    /// session.insert("language", "fr")?;
    /// assert_eq!(session.len(), 1);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        let mut live = self.0.live();
        live.changes.reads.add_all();
        live.len()
    }

    /// Whether no key has a value.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// assert!(session.is_empty());
    /// session.insert("language", "de")?;
    /// assert!(!session.is_empty());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All keys and values. A type such as `serde_json::Value` takes values of any type.
    ///
    /// # Errors
    /// [`SessionError::Decode`] when some value is not of type `T`.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// session.insert("apples", 3)?;
    /// session.insert("pears", 4)?;
    /// let entries: Vec<(String, u32)> = session.entries()?;
    /// assert_eq!(entries.iter().map(|(_, count)| count).sum::<u32>(), 7);
    /// # Ok(())
    /// # });
    /// ```
    pub fn entries<T: DeserializeOwned>(&self) -> Result<Vec<(String, T)>, SessionError> {
        let pairs = {
            let mut live = self.0.live();
            live.changes.reads.add_all();
            live.entries()
        };
        pairs
            .into_iter()
            .filter_map(|(key, bytes)| {
                let value = self.decode(&key, &bytes).transpose()?;
                Some(value.map(|value| (key, value)))
            })
            .collect()
    }

    /// Removes all keys, those too that others add before this is committed. The session stays,
    /// with its id, its subject and its limits.
    ///
    /// # Errors
    /// [`SessionError::HeadSent`] for a client-side session in a stream.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// session.login("user-17")?;
    /// session.insert("draft", "Dear ..")?;
    /// session.clear()?;
    /// assert!(session.is_empty());
    /// assert!(session.subject().is_some());
    /// # Ok(())
    /// # });
    /// ```
    pub fn clear(&self) -> Result<(), SessionError> {
        self.check_method("clear")?;
        let mut live = self.0.live();
        if live.frames().is_none() && live.changes.journal.is_empty() {
            return Ok(());
        }
        self.check_change(&live)?;
        live.changes.journal.clear();
        live.size = None;
        Ok(())
    }

    /// Changes a value in place, beginning with the type's default when there is none, and gives
    /// what the closure returned.
    ///
    /// The closure may run again, on a fresh value, when another request or task changes the
    /// session at the same time: a hundred parallel increments make a hundred. So it should do
    /// nothing but change the value; what it returned in this call may differ from what it makes
    /// of the value in the end (see [`update_now`](Self::update_now)). No lock is held while it
    /// runs. A key without a value that is left at the default stays without one.
    ///
    /// # Errors
    /// [`SessionError::Decode`] when the value is not of type `T`, and as
    /// [`insert`](Self::insert). [`SessionError::Conflict`] when the value has changed each time
    /// that the closure ran, a hundred times: it changes the key by another way, most likely.
    /// Nothing has changed then.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// let hits = session.update("hits", |hits: &mut u32| {
    ///     *hits += 1;
    ///     *hits
    /// })?;
    /// assert_eq!(hits, 1);
    /// # Ok(())
    /// # });
    /// ```
    pub fn update<T, R>(
        &self,
        key: impl KeyOf<T>,
        change: impl Fn(&mut T) -> R + Send + 'static,
    ) -> Result<R, SessionError>
    where
        T: Serialize + DeserializeOwned + Default,
    {
        self.update_as(key.name(), change, None)
    }

    pub(super) fn update_as<T, R>(
        &self,
        key: &str,
        change: impl Fn(&mut T) -> R + Send + 'static,
        claim: Option<&Claim>,
    ) -> Result<R, SessionError>
    where
        T: Serialize + DeserializeOwned + Default,
    {
        self.check_method("update")?;
        let codec = self.codec()?;
        let discards = self.discards(key);
        let run = move |before: Option<&[u8]>| {
            let decoded = before.map(|bytes| codec.decode(bytes)).transpose();
            let mut value: T = match (decoded, &discards) {
                (Ok(value), _) => value.unwrap_or_default(),
                (Err(_), Some(discarding)) => {
                    discarding.tell();
                    T::default()
                }
                (Err(failure), None) => return Err(failure),
            };
            let untouched = match before {
                Some(_) => None,
                None => Some(codec.encode(&value)?),
            };
            let returned = change(&mut value);
            let after = codec.encode(&value)?;
            Ok((
                returned,
                (untouched.as_ref() != Some(&after)).then_some(after),
            ))
        };
        self.journal_update(key, run, claim)
    }

    /// Runs a change without a lock, and again if another task has changed the value meanwhile. The
    /// claim learns whether it is stored: another task of this request may commit it, or in vain.
    pub(super) fn journal_update<R>(
        &self,
        key: &str,
        run: impl Fn(Option<&[u8]>) -> Result<(R, Option<Bytes>), CodecFailure> + Send + 'static,
        claim: Option<&Claim>,
    ) -> Result<R, SessionError> {
        for _ in 0..MAX_RUNS {
            let before = {
                let live = self.0.live();
                self.check_change(&live)?;
                live.value(key)
            };
            let (returned, after) = run(before.as_deref()).map_err(|failure| failure.of(key))?;
            let mut live = self.0.live();
            if live.value(key) != before {
                continue;
            }
            self.check_change(&live)?;
            self.check_size(&mut live, key, after.as_ref())?;
            let step: Step = Box::new(move |before| run(before).map(|(_, after)| after));
            live.changes.journal.update(key, step, after);
            live.changes.claims.extend(claim.cloned());
            return Ok(returned);
        }
        Err(SessionError::Conflict {
            namespace: self.0.name().to_owned(),
            key: key.to_owned(),
        })
    }

    /// Whether what one request takes no other gets: not where the session is in its cookie.
    pub(super) fn has_store(&self) -> bool {
        let namespace = self.0.namespace();
        namespace.is_ok_and(|namespace| namespace.store().is_some())
    }

    pub(super) fn codec(&self) -> Result<Codec, SessionError> {
        self.0.namespace().map(|namespace| namespace.settings.codec)
    }

    /// `None` when the value is of another type and counts as none.
    pub(super) fn decode<T: DeserializeOwned>(
        &self,
        key: &str,
        bytes: &[u8],
    ) -> Result<Option<T>, SessionError> {
        let failure = match self.codec()?.decode(bytes) {
            Ok(value) => return Ok(Some(value)),
            Err(failure) => failure,
        };
        match self.discards(key) {
            Some(discarding) => {
                discarding.tell();
                Ok(None)
            }
            None => Err(failure.of(key)),
        }
    }

    /// Whether a value of another type counts as none.
    fn discards(&self, key: &str) -> Option<Discarding> {
        let policy = self.0.config()?.settings.on_undecodable;
        (policy == DecodePolicy::Discard).then(|| Discarding {
            session: Arc::downgrade(&self.0),
            id: self.id(),
            key: key.to_owned(),
        })
    }

    /// Refuses a change that makes the session too large, and notes its new size.
    fn check_size(
        &self,
        live: &mut Live,
        key: &str,
        value: Option<&Bytes>,
    ) -> Result<(), SessionError> {
        let namespace = self.0.namespace()?;
        let before = live.size.unwrap_or_else(|| live.byte_len());
        let replaced = live
            .value(key)
            .map_or(0, |old| frame_length(key.as_bytes(), &old));
        let added = value.map_or(0, |new| frame_length(key.as_bytes(), new));
        let after = before.saturating_sub(replaced) + added;
        let limit = namespace.settings.max_size;
        let error = match after > before && after > limit {
            true => Some((after, limit)),
            false => namespace.cookie_overflow(live.stored(), after),
        };
        match error {
            Some((size, limit)) if after > before => Err(SessionError::TooLarge {
                namespace: namespace.name().to_owned(),
                size,
                limit,
            }),
            _ if key.len() > usize::from(u16::MAX) => Err(SessionError::TooLarge {
                namespace: namespace.name().to_owned(),
                size: key.len(),
                limit: usize::from(u16::MAX),
            }),
            _ => {
                live.size = Some(after);
                Ok(())
            }
        }
    }
}

/// A closure that changes its own key by another way than its argument would run for ever.
const MAX_RUNS: usize = 100;

/// Tells that a value is discarded, without the lock of the session, which a commit may hold then.
/// Weak, since the session's journal may hold it.
struct Discarding {
    session: Weak<SessionState>,
    id: Option<SessionId>,
    key: String,
}

impl Discarding {
    fn tell(&self) {
        if let Some(session) = self.session.upgrade() {
            let engine = session.engine();
            engine.emit_key(session.name(), self.id, &self.key, EventKind::Discarded);
            session.tell_discarded(self.id, &self.key);
        }
    }
}
