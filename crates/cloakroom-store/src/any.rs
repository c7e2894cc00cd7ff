use std::{
    cell::Cell,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    Cursor, Freshness, Key, Loaded, Page, Record, Store, StoreError, Subject, Tag, Timestamp,
};

/// The boxed future of a call to an [`AnyStore`].
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// Any [`Store`], its type erased, cheap to clone.
///
/// Its own methods take key and record by value and give a `'static` future, which can be kept,
/// polled and dropped without the store at hand. It is a [`Store`] too.
///
///
/// Calls that do not borrow it:
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/store.rs")); }
/// # use {cloakroom_store::*, doc::MapStore};
/// # let (key, record) = doc::key_and_record();
/// # doc::block_on(async {
/// let store = AnyStore::new(MapStore::default());
/// store.create(key, record.clone()).await?;
/// let loaded = store.load(key, Freshness::Any).await?.unwrap();
///
/// let mut touched = record.clone();
/// touched.last_seen = Timestamp::from_millis(2_000);
/// assert!(store.touch(key, touched, loaded.clone()).await?);
///
/// let mut changed = record;
/// changed.version = Version::from_bits(2);
/// changed.data = "four apples".into();
/// store.replace(key, changed, loaded).await?;
///
/// assert_eq!(store.sweep(Timestamp::from_millis(3_000), 10).await?, 0);
/// assert!(store.delete(key).await?);
/// assert!(store.load(key, Freshness::Latest).await?.is_none());
/// # Ok::<(), StoreError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct AnyStore {
    // A future keeps the store alive. One reference count for all threads would be the one cache
    // line that every request of every core writes to, so there are several, each on its own.
    stripes: Arc<[Arc<dyn Erased>; STRIPES]>,
}

const STRIPES: usize = 16;

impl AnyStore {
    /// Erases the type of a store. [`Store::into_any`] does the same and does not wrap twice.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/store.rs")); }
    /// # use {cloakroom_store::*, doc::MapStore};
    /// let once = AnyStore::new(MapStore::default());
    /// let twice = AnyStore::new(once.clone()); // asks `once`, which asks the map
    /// assert!(!twice.is_same(&once));
    /// assert!(once.clone().into_any().is_same(&once));
    /// ```
    pub fn new(store: impl Store) -> Self {
        let store = Arc::new(store);
        let stripe = |_| -> Arc<dyn Erased> { Arc::new(Stripe(Arc::clone(&store))) };
        Self {
            stripes: Arc::new(std::array::from_fn(stripe)),
        }
    }

    /// Whether two values are clones of one.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/store.rs")); }
    /// # use {cloakroom_store::*, doc::MapStore};
    /// let store = MapStore::default().into_any();
    /// assert!(store.is_same(&store.clone()));
    /// assert!(!store.is_same(&MapStore::default().into_any()));
    /// ```
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.stripes, &other.stripes)
    }

    /// [`Store::load`]
    pub fn load(&self, key: Key, freshness: Freshness) -> StoreFuture<Option<Loaded>> {
        self.stripe().load(key, freshness)
    }

    /// [`Store::create`]
    pub fn create(&self, key: Key, record: Record) -> StoreFuture<Tag> {
        self.stripe().create(key, record)
    }

    /// [`Store::replace`]
    pub fn replace(&self, key: Key, record: Record, expected: Loaded) -> StoreFuture<Tag> {
        self.stripe().replace(key, record, expected)
    }

    /// [`Store::touch`]
    pub fn touch(&self, key: Key, record: Record, expected: Loaded) -> StoreFuture<bool> {
        self.stripe().touch(key, record, expected)
    }

    /// [`Store::delete`]
    pub fn delete(&self, key: Key) -> StoreFuture<bool> {
        self.stripe().delete(key)
    }

    /// [`Store::sweep`]
    pub fn sweep(&self, now: Timestamp, limit: usize) -> StoreFuture<usize> {
        self.stripe().sweep(now, limit)
    }

    /// [`Store::by_subject`]
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/store.rs")); }
    /// # use {cloakroom_store::*, doc::MapStore};
    /// # let (key, record) = doc::key_and_record();
    /// # doc::block_on(async {
    /// # let store = MapStore::default().into_any();
    /// let subject = Subject::new("user-17").unwrap();
    /// let listed = store.by_subject("cart".to_owned(), subject, None, 10).await;
    /// let error = listed.unwrap_err(); // from a store without a listing
    /// assert_eq!(error.kind(), StoreErrorKind::Unsupported);
    /// # Ok::<(), StoreError>(())
    /// # }).unwrap();
    /// ```
    pub fn by_subject(
        &self,
        namespace: String,
        subject: Subject,
        after: Option<Cursor>,
        limit: usize,
    ) -> StoreFuture<Page> {
        self.stripe().by_subject(namespace, subject, after, limit)
    }

    /// [`Store::scan`]
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/store.rs")); }
    /// # use {cloakroom_store::*, doc::MapStore};
    /// # let (key, record) = doc::key_and_record();
    /// # doc::block_on(async {
    /// # let store = MapStore::default().into_any();
    /// let listed = store.scan(None, 10).await;
    /// let error = listed.unwrap_err(); // from a store without a listing
    /// assert_eq!(error.kind(), StoreErrorKind::Unsupported);
    /// # Ok::<(), StoreError>(())
    /// # }).unwrap();
    /// ```
    pub fn scan(&self, after: Option<Cursor>, limit: usize) -> StoreFuture<Page> {
        self.stripe().scan(after, limit)
    }

    fn stripe(&self) -> Arc<dyn Erased> {
        let [first, ..] = &*self.stripes;
        let index = STRIPE.with(Cell::get) % STRIPES;
        Arc::clone(self.stripes.get(index).unwrap_or(first))
    }
}

impl fmt::Debug for AnyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, ..] = &*self.stripes;
        first.debug(f)
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for AnyStore {
    fn answers_from_copies(&self) -> bool {
        self.stripe().answers_from_copies()
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Result<Option<Loaded>, StoreError> {
        self.load(*key, freshness).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        self.create(*key, record.clone()).await
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        self.replace(*key, record.clone(), expected.clone()).await
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        self.touch(*key, record.clone(), expected.clone()).await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        self.delete(*key).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.sweep(now, limit).await
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.by_subject(namespace.to_owned(), subject.clone(), after.cloned(), limit)
            .await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.scan(after.cloned(), limit).await
    }

    fn into_any(self) -> AnyStore {
        self
    }
}

thread_local! {
    static STRIPE: Cell<usize> = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Cell::new(NEXT.fetch_add(1, Ordering::Relaxed))
    };
}

// Two cache lines, so that neither a neighbour nor the prefetcher shares the count.
#[repr(align(128))]
struct Stripe<S>(Arc<S>);

trait Erased: Send + Sync {
    fn answers_from_copies(&self) -> bool;
    fn load(self: Arc<Self>, key: Key, freshness: Freshness) -> StoreFuture<Option<Loaded>>;
    fn create(self: Arc<Self>, key: Key, record: Record) -> StoreFuture<Tag>;
    fn replace(self: Arc<Self>, key: Key, record: Record, expected: Loaded) -> StoreFuture<Tag>;
    fn touch(self: Arc<Self>, key: Key, record: Record, expected: Loaded) -> StoreFuture<bool>;
    fn delete(self: Arc<Self>, key: Key) -> StoreFuture<bool>;
    fn sweep(self: Arc<Self>, now: Timestamp, limit: usize) -> StoreFuture<usize>;
    fn by_subject(
        self: Arc<Self>,
        namespace: String,
        subject: Subject,
        after: Option<Cursor>,
        limit: usize,
    ) -> StoreFuture<Page>;
    fn scan(self: Arc<Self>, after: Option<Cursor>, limit: usize) -> StoreFuture<Page>;
    fn debug(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl<S: Store> Erased for Stripe<S> {
    fn answers_from_copies(&self) -> bool {
        self.0.answers_from_copies()
    }

    fn load(self: Arc<Self>, key: Key, freshness: Freshness) -> StoreFuture<Option<Loaded>> {
        Box::pin(async move { self.0.load(&key, freshness).await })
    }

    fn create(self: Arc<Self>, key: Key, record: Record) -> StoreFuture<Tag> {
        Box::pin(async move { self.0.create(&key, &record).await })
    }

    fn replace(self: Arc<Self>, key: Key, record: Record, expected: Loaded) -> StoreFuture<Tag> {
        Box::pin(async move { self.0.replace(&key, &record, &expected).await })
    }

    fn touch(self: Arc<Self>, key: Key, record: Record, expected: Loaded) -> StoreFuture<bool> {
        Box::pin(async move { self.0.touch(&key, &record, &expected).await })
    }

    fn delete(self: Arc<Self>, key: Key) -> StoreFuture<bool> {
        Box::pin(async move { self.0.delete(&key).await })
    }

    fn sweep(self: Arc<Self>, now: Timestamp, limit: usize) -> StoreFuture<usize> {
        Box::pin(async move { self.0.sweep(now, limit).await })
    }

    fn by_subject(
        self: Arc<Self>,
        namespace: String,
        subject: Subject,
        after: Option<Cursor>,
        limit: usize,
    ) -> StoreFuture<Page> {
        Box::pin(async move {
            self.0
                .by_subject(&namespace, &subject, after.as_ref(), limit)
                .await
        })
    }

    fn scan(self: Arc<Self>, after: Option<Cursor>, limit: usize) -> StoreFuture<Page> {
        Box::pin(async move { self.0.scan(after.as_ref(), limit).await })
    }

    fn debug(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
