use std::{
    fmt,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cloakroom_store::{
    Change, Cursor, Feed, Freshness, Key, Loaded, Operation, Page, Record, Store, StoreError,
    StoreErrorKind, Subject, Tag, Timestamp, Watch,
};
use tokio::sync::broadcast;

pub(crate) const SILENCE: Duration = Duration::from_secs(2);

/// A store that tells what changes in it, as a server does whom several processes use. Clones are
/// one store.
pub(crate) struct ToldStore<S>(Arc<Inner<S>>);

impl<S> Clone for ToldStore<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<S> {
    store: S,
    link: Mutex<Link>,
    watchers: AtomicUsize,
}

struct Link {
    sender: broadcast::Sender<Change>,
    is_up: bool,
    is_frozen: bool,
}

impl<S> ToldStore<S> {
    pub(crate) fn new(store: S) -> Self {
        Self(Arc::new(Inner {
            store,
            link: Mutex::new(Link {
                sender: broadcast::channel(64).0,
                is_up: true,
                is_frozen: false,
            }),
            watchers: AtomicUsize::new(0),
        }))
    }

    /// The store itself, whose changes nobody is told.
    pub(crate) fn untold(&self) -> &S {
        &self.0.store
    }

    /// Breaks the feeds there are, and allows no others.
    pub(crate) fn cut(&self) {
        let mut link = self.0.link.lock().unwrap();
        link.sender = broadcast::channel(64).0;
        link.is_up = false;
    }

    /// Says nothing any more, without a sign of it.
    pub(crate) fn freeze(&self) {
        self.0.link.lock().unwrap().is_frozen = true;
    }

    /// Breaks the feeds there are and allows others.
    pub(crate) fn mend(&self) {
        let mut link = self.0.link.lock().unwrap();
        *link = Link {
            sender: broadcast::channel(64).0,
            is_up: true,
            is_frozen: false,
        };
    }

    /// How often somebody has begun to listen.
    pub(crate) fn watchers(&self) -> usize {
        self.0.watchers.load(Ordering::SeqCst)
    }

    pub(crate) fn tell(&self, change: Change) {
        let link = self.0.link.lock().unwrap();
        if !link.is_frozen {
            let _ = link.sender.send(change);
        }
    }
}

impl<S: Store> Watch for ToldStore<S> {
    type Feed = ToldFeed<S>;

    async fn watch(&self) -> Result<ToldFeed<S>, StoreError> {
        let link = self.0.link.lock().unwrap();
        if !link.is_up {
            return Err(StoreError::new(
                StoreErrorKind::Unavailable,
                Operation::Load,
            ));
        }
        self.0.watchers.fetch_add(1, Ordering::SeqCst);
        Ok(ToldFeed {
            store: self.clone(),
            receiver: link.sender.subscribe(),
        })
    }
}

pub(crate) struct ToldFeed<S> {
    store: ToldStore<S>,
    receiver: broadcast::Receiver<Change>,
}

impl<S: Store> Feed for ToldFeed<S> {
    const SILENCE: Duration = SILENCE;

    async fn next(&mut self) -> Result<Change, StoreError> {
        use broadcast::error::RecvError::{Closed, Lagged};
        let told = tokio::time::timeout(SILENCE / 4, self.receiver.recv()).await;
        if self.store.0.link.lock().unwrap().is_frozen {
            return pending().await;
        }
        match told {
            Ok(Ok(change)) => Ok(change),
            Ok(Err(Lagged(_))) => Ok(Change::All),
            Ok(Err(Closed)) => Err(StoreError::new(
                StoreErrorKind::Unavailable,
                Operation::Load,
            )),
            Err(_) => Ok(Change::Nothing),
        }
    }
}

impl<S: Store> fmt::Debug for ToldStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ToldStore").field(&self.0.store).finish()
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for ToldStore<S> {
    fn answers_from_copies(&self) -> bool {
        self.0.store.answers_from_copies()
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Result<Option<Loaded>, StoreError> {
        self.0.store.load(key, freshness).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        let created = self.0.store.create(key, record).await;
        self.tell(Change::Key(*key));
        created
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        let replaced = self.0.store.replace(key, record, expected).await;
        self.tell(Change::Key(*key));
        replaced
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let touched = self.0.store.touch(key, record, expected).await;
        self.tell(Change::Key(*key));
        touched
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let deleted = self.0.store.delete(key).await;
        self.tell(Change::Key(*key));
        deleted
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.0.store.sweep(now, limit).await
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let store = &self.0.store;
        store.by_subject(namespace, subject, after, limit).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.0.store.scan(after, limit).await
    }

    fn into_any(self) -> cloakroom_store::AnyStore {
        cloakroom_store::AnyStore::new(self)
    }
}
