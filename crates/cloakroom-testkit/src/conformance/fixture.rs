use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use cloakroom_store::{
    Freshness, Key, Loaded, NamespaceId, Record, SessionId, Store, Subject, Timestamp, Version,
};

use super::{
    Capabilities,
    case::{CaseResult, check},
};
use crate::random::SplitMix64;

/// What a case works with: a store, and keys and records that no other case uses.
pub(super) struct Fixture<S>(Arc<Inner<S>>);

struct Inner<S> {
    store: Arc<S>,
    others: Vec<Arc<S>>,
    capabilities: Capabilities,
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

impl<S: Store> Fixture<S> {
    /// A fixture for a store and other handles to its data.
    pub(super) fn new(
        store: Arc<S>,
        others: Vec<Arc<S>>,
        capabilities: Capabilities,
        seed: u64,
    ) -> Self {
        let mut random = SplitMix64::new(seed);
        Self(Arc::new(Inner {
            store,
            others,
            capabilities,
            namespace: namespace(&format!("t{:016x}", random.next_u64())),
            now: now(),
            random: Mutex::new(random),
            keys: Mutex::default(),
        }))
    }

    pub(super) fn store(&self) -> &S {
        &self.0.store
    }

    /// One of the stores, for the task of this number.
    pub(super) fn instance(&self, task: usize) -> Arc<S> {
        let index = task % (self.0.others.len() + 1);
        let other = index.checked_sub(1).and_then(|at| self.0.others.get(at));
        Arc::clone(other.unwrap_or(&self.0.store))
    }

    pub(super) fn max_data(&self) -> Option<usize> {
        self.0.capabilities.max_data
    }

    pub(super) fn lists_subjects(&self) -> bool {
        self.0.capabilities.by_subject
    }

    /// The time by the clock of this machine when the case began.
    pub(super) fn now(&self) -> Timestamp {
        self.0.now
    }

    /// A time in the last century: what expired then is of no interest to other cases.
    pub(super) fn ancient(&self) -> Timestamp {
        Timestamp::from_millis(100_000_000 + self.below(900_000_000_000))
    }

    pub(super) fn namespace(&self) -> NamespaceId {
        self.0.namespace
    }

    /// Another namespace, whose name begins with the name of the first.
    pub(super) fn other_namespace(&self) -> NamespaceId {
        namespace(&format!("{}-a", self.0.namespace))
    }

    /// A key that nobody uses.
    pub(super) fn key(&self) -> Key {
        let mut id = [0; 16];
        id.copy_from_slice(&self.random().bytes(16));
        self.key_of(self.0.namespace, SessionId::from_bytes(id))
    }

    pub(super) fn key_of(&self, namespace: NamespaceId, id: SessionId) -> Key {
        let key = Key::new(namespace, id);
        lock(&self.0.keys).push(key);
        key
    }

    /// A living record without a subject.
    pub(super) fn record(&self) -> Record {
        let now = self.0.now;
        let mut random = self.random();
        let length = 1 + random.below(300);
        let mut record = Record::new(
            Version::from_bits(random.next_u64()),
            now.saturating_sub(Duration::from_millis(600_123)),
            now.saturating_add(Duration::from_millis(3_600_456)),
            random.bytes(usize::try_from(length).unwrap_or(1)),
        );
        record.last_seen = now.saturating_sub(Duration::from_millis(300_789));
        record
    }

    /// A living record of a subject.
    pub(super) fn record_of(&self, subject: &Subject) -> Record {
        let mut record = self.record();
        record.subject = Some(subject.clone());
        record
    }

    /// A record that expires at this time and was last seen then.
    pub(super) fn record_until(&self, expires: Timestamp) -> Record {
        let mut record = self.record();
        record.created = expires.saturating_sub(Duration::from_secs(3600));
        record.last_seen = expires.saturating_sub(Duration::from_secs(1800));
        record.expires = expires;
        record
    }

    /// A record with this data.
    pub(super) fn record_with(&self, data: impl Into<Bytes>) -> Record {
        let mut record = self.record();
        record.data = data.into();
        record
    }

    /// A subject that nobody uses, whose text ends with `name`.
    pub(super) fn subject(&self, name: &str) -> CaseResult<Subject> {
        let text = format!("{:016x}{name}", self.random().next_u64());
        Subject::new(&text).map_err(|error| error.to_string().into())
    }

    pub(super) fn version(&self) -> Version {
        Version::from_bits(self.random().next_u64())
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.random().below(bound)
    }

    pub(super) fn bytes(&self, length: usize) -> Bytes {
        self.random().bytes(length)
    }

    /// Creates a record and gives what is loaded then.
    pub(super) async fn create(&self, key: &Key, record: &Record) -> CaseResult<Loaded> {
        self.store().create(key, record).await?;
        self.holds(key, record).await
    }

    /// Creates a record under a new key.
    pub(super) async fn create_new(&self, record: &Record) -> CaseResult<(Key, Loaded)> {
        let key = self.key();
        let loaded = self.create(&key, record).await?;
        Ok((key, loaded))
    }

    pub(super) async fn load(&self, key: &Key) -> CaseResult<Option<Loaded>> {
        Ok(self.store().load(key, Freshness::Latest).await?)
    }

    /// Checks that the store holds exactly this record.
    pub(super) async fn holds(&self, key: &Key, record: &Record) -> CaseResult<Loaded> {
        let Some(loaded) = self.load(key).await? else {
            return Err(format!("{key} is gone instead of {record:?}").into());
        };
        check_same(key, &loaded.record, record)?;
        Ok(loaded)
    }

    /// Checks that the store holds nothing.
    pub(super) async fn holds_nothing(&self, key: &Key) -> CaseResult {
        let loaded = self.load(key).await?;
        check(loaded.is_none(), || {
            format!("{key} is there, which should not be: {loaded:?}")
        })
    }

    /// Deletes what the case has created, as far as that is possible in this time.
    pub(super) async fn clean_up(&self, limit: Duration) {
        let keys = std::mem::take(&mut *lock(&self.0.keys));
        let delete_all = async {
            for key in keys {
                // The case has found what there is to find.
                let _ = self.store().delete(&key).await;
            }
        };
        let _ = tokio::time::timeout(limit, delete_all).await;
    }

    fn random(&self) -> MutexGuard<'_, SplitMix64> {
        lock(&self.0.random)
    }
}

pub(super) fn check_same(key: &Key, found: &Record, expected: &Record) -> CaseResult {
    check(found == expected, || {
        let data = match found.data == expected.data {
            true => "",
            false => ", and the data differ",
        };
        format!("{key} is {found:?} instead of {expected:?}{data}")
    })
}

/// A namespace of a name that is known to be good.
pub(super) fn namespace(name: &str) -> NamespaceId {
    let valid = NamespaceId::new(name);
    #[expect(clippy::expect_used, reason = "only the cases' own names come here")]
    valid.expect("the names in the cases are valid")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server that expires records itself goes by the real time"
)]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::EPOCH.saturating_add(since.unwrap_or_default())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
