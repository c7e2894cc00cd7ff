use std::{fmt::Debug, future::Future};

use bytes::Bytes;

use crate::{
    AnyStore, Key, Loaded, Operation, Record, StoreError, StoreErrorKind, Subject, Tag, Timestamp,
};

/// Keeps records.
///
/// Implement the methods as plain `async fn`. Every rule below is a case of `cloakroom-testkit`.
///
/// All methods may be called at the same time, for the same key too, from several processes where
/// the store is shared by them. Each call takes effect as a whole or not at all. A call whose
/// future is dropped has happened or has not happened; it never happens later than the store
/// itself needs for it, and it leaves no lock behind.
///
/// A store never sends a create or a replace again whose outcome it does not know, and has its
/// driver do the same: it answers [`Unavailable`](StoreErrorKind::Unavailable) or
/// [`TimedOut`](StoreErrorKind::TimedOut), and the engine finds out with a load.
///
/// # What the engine does with one
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/store.rs")); }
/// # use {cloakroom_store::*, doc::MapStore};
/// # let (key, record) = doc::key_and_record();
/// # doc::block_on(async {
/// let store = MapStore::default();
/// assert!(!store.answers_from_copies());
///
/// store.create(&key, &record).await?;
/// let again = store.create(&key, &record).await.unwrap_err();
/// assert_eq!(again.kind(), StoreErrorKind::AlreadyExists);
/// let loaded = store.load(&key, Freshness::Any).await?.unwrap();
/// assert_eq!(loaded.record, record);
///
/// let mut touched = record.clone();
/// touched.last_seen = Timestamp::from_millis(2_000);
/// assert!(store.touch(&key, &touched, &loaded).await?);
///
/// let mut changed = record.clone();
/// changed.version = Version::from_bits(2);
/// store.replace(&key, &changed, &loaded).await?;
/// let too_late = store.replace(&key, &changed, &loaded).await.unwrap_err();
/// assert_eq!(too_late.kind(), StoreErrorKind::Conflict);
///
/// assert!(store.delete(&key).await?);
/// assert_eq!(store.sweep(Timestamp::from_millis(100_000), 10).await?, 0);
///
/// let store = store.into_any(); // what the engine keeps
/// # Ok::<(), StoreError>(())
/// # }).unwrap();
/// ```
pub trait Store: Debug + Send + Sync + 'static {
    /// Whether [`load`](Store::load) with [`Freshness::Any`] may answer from a cache or a
    /// replica. Where it does not, the engine saves itself a second look.
    fn answers_from_copies(&self) -> bool;

    /// What is there, expired or not; `None` when there is no record.
    ///
    /// # Errors
    /// Only when the store could not answer; `Corrupt` when what is there is no record.
    fn load(
        &self,
        key: &Key,
        freshness: Freshness,
    ) -> impl Future<Output = Result<Option<Loaded>, StoreError>> + Send;

    /// Inserts a record.
    ///
    /// # Errors
    /// `AlreadyExists` when the key is taken, by an expired record too: never an overwrite.
    fn create(
        &self,
        key: &Key,
        record: &Record,
    ) -> impl Future<Output = Result<Tag, StoreError>> + Send;

    /// Replaces a record if what is there is what `expected` says. It never creates one.
    ///
    /// Version and tag say what is expected; its data may be missing, here and in
    /// [`touch`](Store::touch).
    ///
    /// # Errors
    /// `Conflict` when something else is there, or nothing.
    fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> impl Future<Output = Result<Tag, StoreError>> + Send;

    /// Moves `last_seen` and `expires` forward to those of `record`, if the version of what is
    /// there is the expected one and it has not expired more than
    /// [`EXPIRY_MARGIN`](crate::EXPIRY_MARGIN) before `record.last_seen`. Neither time moves
    /// back, and nothing else changes, the version included. `false` otherwise, without a retry.
    ///
    /// # Errors
    /// Only when the store could not answer.
    fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Removes a record, whatever it holds. Deleting what is not there succeeds and says `false`.
    ///
    /// # Errors
    /// Only when the store could not answer.
    fn delete(&self, key: &Key) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Removes up to `limit` records whose `expires` is before `now`, judging each again as it
    /// deletes it, and says how many. `Ok(0)` where the store expires them itself.
    ///
    /// The engine has subtracted [`EXPIRY_MARGIN`](crate::EXPIRY_MARGIN) from `now` already.
    ///
    /// # Errors
    /// When the store could not answer.
    fn sweep(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// The sessions of a subject in a namespace, up to `limit` a page, `after` the page before.
    /// A session that lives through all pages is on one of them, and none is on two.
    ///
    /// # Errors
    /// `Unsupported` from stores that can't list, which is the default.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/store.rs")); }
    /// # use {cloakroom_store::*, doc::MapStore};
    /// # let (key, record) = doc::key_and_record();
    /// # doc::block_on(async {
    /// # let store = MapStore::default();
    /// let subject = Subject::new("user-17").unwrap();
    /// let error = store.by_subject("cart", &subject, None, 10).await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Unsupported); // the default
    /// # Ok::<(), StoreError>(())
    /// # }).unwrap();
    /// ```
    fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send {
        let _ = (namespace, subject, after, limit);
        unsupported(Operation::BySubject)
    }

    /// Pages through all that is there, up to `limit` records a page. A record that lives
    /// through all pages is on one of them, and none is on two.
    ///
    /// # Errors
    /// `Unsupported` from stores that can't list, which is the default.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/store.rs")); }
    /// # use {cloakroom_store::*, doc::MapStore};
    /// # let (key, record) = doc::key_and_record();
    /// # doc::block_on(async {
    /// # let store = MapStore::default();
    /// let error = store.scan(None, 10).await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Unsupported); // the default
    /// # Ok::<(), StoreError>(())
    /// # }).unwrap();
    /// ```
    fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send {
        let _ = (after, limit);
        unsupported(Operation::Scan)
    }

    /// This store in its type-erased form.
    fn into_any(self) -> AnyStore
    where
        Self: Sized,
    {
        AnyStore::new(self)
    }
}

/// How fresh an answer has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// A copy will do, if the store has one.
    Any,
    /// Neither a cache nor a replica may answer.
    Latest,
}

/// One page of a listing.
///
/// ```
/// use cloakroom_store::{Page, Summary};
/// # use cloakroom_store::{Cursor, Key, NamespaceId, Record, SessionId, Timestamp, Version};
/// # let key = Key::new(NamespaceId::new("cart").unwrap(), SessionId::from_bytes([7; 16]));
/// # let now = Timestamp::from_millis(1_000);
/// # let record = Record::new(Version::from_bits(1), now, now, "data".into());
/// let last = Page::new(vec![Summary::new(key, &record)], None);
/// assert_eq!(last.sessions[0].key, key);
/// assert!(last.next.is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Page {
    /// What is on this page. It may be empty although pages follow.
    pub sessions: Vec<Summary>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<Cursor>,
}

impl Page {
    /// A page.
    #[must_use]
    pub const fn new(sessions: Vec<Summary>, next: Option<Cursor>) -> Self {
        Self { sessions, next }
    }
}

/// A session as a listing shows it: everything but its data.
///
/// ```
/// use cloakroom_store::Summary;
/// # use cloakroom_store::{Key, NamespaceId, Record, SessionId, Timestamp, Version};
/// # let key = Key::new(NamespaceId::new("cart").unwrap(), SessionId::from_bytes([7; 16]));
/// # let now = Timestamp::from_millis(1_000);
/// # let record = Record::new(Version::from_bits(1), now, now, "data".into());
/// let summary = Summary::new(key, &record);
/// assert_eq!((summary.key, summary.expires), (key, record.expires));
/// assert!(summary.subject.is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Its key.
    pub key: Key,
    /// When it began.
    pub created: Timestamp,
    /// When it was last used.
    pub last_seen: Timestamp,
    /// When it ends by its limits; possibly in the past.
    pub expires: Timestamp,
    /// Whom it belongs to.
    pub subject: Option<Subject>,
}

impl Summary {
    /// The summary of a record.
    #[must_use]
    pub fn new(key: Key, record: &Record) -> Self {
        Self {
            key,
            created: record.created,
            last_seen: record.last_seen,
            expires: record.expires,
            subject: record.subject.clone(),
        }
    }
}

/// Where a listing goes on. Only the store that made it knows what is in it.
///
/// ```
/// use bytes::Bytes;
/// use cloakroom_store::Cursor;
/// let after_row_17 = Cursor::new(Bytes::from_static(b"17"));
/// assert_eq!(after_row_17.as_bytes(), b"17");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor(Bytes);

impl Cursor {
    /// From the store's own bytes.
    #[must_use]
    pub const fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The store's own bytes. They may come back from outside, so check them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn unsupported(
    operation: Operation,
) -> impl Future<Output = Result<Page, StoreError>> + Send + 'static {
    let error = StoreError::new(StoreErrorKind::Unsupported, operation);
    std::future::ready(Err(error))
}
