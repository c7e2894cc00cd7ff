use std::{
    error::Error,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use cloakroom_store::{
    Freshness, Key, Loaded, NamespaceId, Record, SessionId, StoreError, Timestamp, Version, Watch,
};

use super::{CaseResult, LinkState, Settings, WatchConformance, listener::Listener, silence};
use crate::random::SplitMix64;

/// What a case works with: a store that listens, one that writes, and keys of its own.
pub(super) struct Fixture<S>(Arc<Inner<S>>);

struct Inner<S> {
    listener: S,
    writer: S,
    settings: Settings,
    namespace: NamespaceId,
    now: Timestamp,
    random: Mutex<SplitMix64>,
    keys: Mutex<Vec<Key>>,
}

impl<S> Clone for Fixture<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Watch> Fixture<S> {
    pub(super) fn new(listener: S, writer: S, settings: Settings, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        Self(Arc::new(Inner {
            listener,
            writer,
            settings,
            namespace: namespace(&format!("w{:016x}", random.next_u64())),
            now: now(),
            random: Mutex::new(random),
            keys: Mutex::default(),
        }))
    }

    /// The store that listens.
    pub(super) fn store(&self) -> &S {
        &self.0.listener
    }

    /// The store that writes, as another process.
    pub(super) fn writer(&self) -> &S {
        &self.0.writer
    }

    /// Begins to listen.
    pub(super) async fn watch(&self) -> CaseResult<Listener<S::Feed>> {
        let feed = self.store().watch().await?;
        Ok(Listener::new(feed))
    }

    /// Listens until everything from before is told.
    pub(super) async fn watch_from_now(&self) -> CaseResult<Listener<S::Feed>> {
        let mut listener = self.watch().await?;
        listener.settle().await?;
        listener.forget();
        Ok(listener)
    }

    /// How soon a change has to be told.
    pub(super) fn bound(&self) -> Duration {
        self.0.settings.within.unwrap_or(silence::<S>())
    }

    pub(super) fn most_kept(&self) -> usize {
        let declared = self.0.settings.most_kept;
        declared.unwrap_or(WatchConformance::<S>::DEFAULT_MOST_KEPT)
    }

    pub(super) async fn link(&self, state: LinkState) {
        if let Some(link) = &self.0.settings.link {
            (link.0)(state).await;
        }
    }

    /// A key that nobody uses.
    pub(super) fn key(&self) -> Key {
        self.key_of(self.0.namespace, self.id())
    }

    pub(super) fn id(&self) -> SessionId {
        let mut id = [0; 16];
        id.copy_from_slice(&lock(&self.0.random).bytes(16));
        SessionId::from_bytes(id)
    }

    pub(super) fn key_of(&self, namespace: NamespaceId, id: SessionId) -> Key {
        let key = Key::new(namespace, id);
        lock(&self.0.keys).push(key);
        key
    }

    pub(super) fn namespace(&self) -> NamespaceId {
        self.0.namespace
    }

    /// Another namespace, whose name begins with the name of the first.
    pub(super) fn other_namespace(&self) -> NamespaceId {
        namespace(&format!("{}-a", self.0.namespace))
    }

    /// A living record.
    pub(super) fn record(&self) -> Record {
        let mut random = lock(&self.0.random);
        let (version, length) = (random.next_u64(), 1 + random.below(300));
        let mut record = Record::new(
            Version::from_bits(version),
            self.0.now.saturating_sub(Duration::from_secs(600)),
            self.0.now.saturating_add(Duration::from_secs(3_600)),
            random.bytes(usize::try_from(length).unwrap_or(1)),
        );
        record.last_seen = self.0.now.saturating_sub(Duration::from_secs(300));
        record
    }

    /// A record under a key that nobody uses, as the writer loads it.
    pub(super) async fn created(&self) -> CaseResult<(Key, Loaded)> {
        let key = self.key();
        self.writer().create(&key, &self.record()).await?;
        let loaded = self.writer().load(&key, Freshness::Latest).await?;
        let loaded = loaded.ok_or("what was created is not there")?;
        Ok((key, loaded))
    }

    /// The record that a touch of this one writes.
    pub(super) fn touched(&self, record: &Record) -> Record {
        let mut record = record.clone();
        record.last_seen = self.0.now;
        record.expires = record.expires.saturating_add(Duration::from_secs(600));
        record
    }

    pub(super) async fn clean_up(&self) {
        let keys = std::mem::take(&mut *lock(&self.0.keys));
        for key in keys {
            // A store that fails here has failed the case already, or fails the next.
            let _ = self.writer().delete(&key).await;
        }
    }
}

/// Breaks and mends the network.
#[derive(Clone)]
pub(super) struct Link(Arc<Change>);

type Change = dyn Fn(LinkState) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

impl Link {
    pub(super) fn new<F>(change: impl Fn(LinkState) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(move |state| Box::pin(change(state))))
    }
}

/// What a store did wrong.
#[derive(Debug)]
pub(super) struct Finding(String);

impl Finding {
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl From<String> for Finding {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Finding {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<StoreError> for Finding {
    fn from(error: StoreError) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        Self(text)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server compares what is stored with its own clock"
)]
fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = now.unwrap_or_default().as_millis();
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

#[expect(clippy::expect_used, reason = "all names are those of this file")]
fn namespace(name: &str) -> NamespaceId {
    NamespaceId::new(name).expect("a good name")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
