//! An application whose time stands still and whose randomness repeats, so that every finding
//! can be had again.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use cloakroom_store::{
    Freshness, Key, Loaded, Operation, Record, Store, StoreError, StoreErrorKind, Tag, Timestamp,
};
use tokio::runtime::{Builder, Runtime};

use super::input::Response;
use crate::{
    clock::Clock,
    event::{Event, EventKind, Observer},
    head::ResponseHeader,
    manager::{SessionManager, SessionManagerBuilder},
    random::{Random, RandomError},
};

/// What time it is.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(super) struct Application {
    pub(super) manager: SessionManager,
    pub(super) store: Kept,
    pub(super) random: Repeatable,
    pub(super) losses: Losses,
    pub(super) runtime: Runtime,
}

impl Application {
    pub(super) fn new(
        configure: impl FnOnce(SessionManagerBuilder, &Kept) -> SessionManagerBuilder,
    ) -> Self {
        let store = Kept::default();
        let random = Repeatable::default();
        let losses = Losses::default();
        let builder = SessionManager::builder()
            .clock(Still)
            .random(random.clone())
            .observer(losses.clone())
            // A busy machine is no finding.
            .open_deadline(Duration::from_secs(60))
            .commit_deadline(Duration::from_secs(60))
            .call_deadline(Duration::from_secs(60));
        let manager = configure(builder, &store).build();
        Self {
            manager: manager.expect("the configuration is fine"),
            store,
            random,
            losses,
            runtime: Builder::new_current_thread()
                .enable_time()
                .build()
                .expect("a runtime without sockets needs nothing"),
        }
    }
}

/// The value of each cookie that a response sets.
pub(super) fn cookies_set(response: &Response) -> Vec<(&str, &str)> {
    let cookies = response
        .0
        .iter()
        .filter(|(header, _)| *header == ResponseHeader::SetCookie);
    let pair = |(_, text): &'_ (_, String)| text.split(';').next().map(str::len);
    cookies
        .filter_map(|cookie| cookie.1.get(..pair(cookie)?)?.split_once('='))
        .collect()
}

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// The same bytes in every run, each different from those before (splitmix64).
#[derive(Debug, Clone, Default)]
pub(super) struct Repeatable(Arc<AtomicU64>);

impl Repeatable {
    pub(super) fn begin_again(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl Random for Repeatable {
    fn fill(&self, target: &mut [u8]) -> Result<(), RandomError> {
        for chunk in target.chunks_mut(8) {
            let step = 0x9e37_79b9_7f4a_7c15;
            let mut word = self.0.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            for (target, byte) in chunk.iter_mut().zip((word ^ (word >> 31)).to_le_bytes()) {
                *target = byte;
            }
        }
        Ok(())
    }
}

/// Whether changes were void, or a session that has expired was asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Losses(Arc<AtomicBool>);

impl Losses {
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Observer for Losses {
    fn on_event(&self, event: &Event<'_>) {
        if matches!(
            event.kind,
            EventKind::Void(_) | EventKind::Lost | EventKind::Expired
        ) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// Records in memory, which count how often they are written.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Records>>);

#[derive(Debug, Default)]
struct Records {
    records: BTreeMap<Key, Record>,
    writes: usize,
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn writes(&self) -> usize {
        self.lock().writes
    }

    pub(super) fn clear(&self) {
        self.lock().records.clear();
    }

    pub(super) fn put(&self, key: Key, record: Record) {
        self.lock().records.insert(key, record);
    }

    pub(super) fn get(&self, key: &Key) -> Option<Record> {
        self.lock().records.get(key).cloned()
    }

    pub(super) fn all(&self) -> Vec<Record> {
        self.lock().records.values().cloned().collect()
    }
}

impl Store for Kept {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, key: &Key, _: Freshness) -> Result<Option<Loaded>, StoreError> {
        Ok(self.lock().records.get(key).cloned().map(Loaded::new))
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        let mut kept = self.lock();
        kept.writes += 1;
        if kept.records.contains_key(key) {
            let kind = StoreErrorKind::AlreadyExists;
            return Err(StoreError::new(kind, Operation::Create));
        }
        kept.records.insert(*key, record.clone());
        Ok(Tag::NONE)
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        let mut kept = self.lock();
        kept.writes += 1;
        match kept.records.get_mut(key) {
            Some(there) if there.version == expected.record.version => *there = record.clone(),
            _ => {
                return Err(StoreError::new(
                    StoreErrorKind::Conflict,
                    Operation::Replace,
                ));
            }
        }
        Ok(Tag::NONE)
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let mut kept = self.lock();
        kept.writes += 1;
        match kept.records.get_mut(key) {
            Some(there) if there.version == expected.record.version => {
                there.last_seen = there.last_seen.max(record.last_seen);
                there.expires = there.expires.max(record.expires);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let mut kept = self.lock();
        kept.writes += 1;
        Ok(kept.records.remove(key).is_some())
    }

    async fn sweep(&self, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }
}
