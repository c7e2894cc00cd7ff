use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use cloakroom_memory::MemoryStore;
use cloakroom_store::{
    Cursor, EXPIRY_MARGIN, Freshness, Key, Loaded, NamespaceId, Operation, Page, Record, Store,
    StoreError, StoreErrorKind, Subject, Summary, Tag, Timestamp,
};

use crate::defect::Defect::{self, *};

/// A memory store that keeps the contract, except for one defect.
#[derive(Debug)]
pub(crate) struct BrokenStore {
    good: MemoryStore,
    defect: Defect,
    /// All that was ever written, or tried to be, for defects that can't let go of it.
    history: Mutex<Vec<(Key, Record)>>,
    /// An index that is written after the record.
    late_index: Mutex<BTreeMap<Key, Record>>,
    lock: tokio::sync::Semaphore,
}

type Answer<T> = Result<T, StoreError>;

impl BrokenStore {
    pub(crate) fn new(defect: Defect) -> Self {
        Self {
            good: MemoryStore::new(),
            defect,
            history: Mutex::default(),
            late_index: Mutex::default(),
            lock: tokio::sync::Semaphore::new(1),
        }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    fn history(&self) -> Vec<(Key, Record)> {
        self.history.lock().unwrap().clone()
    }

    fn remember(&self, key: &Key, record: &Record) {
        self.history.lock().unwrap().push((*key, record.clone()));
    }

    fn first(&self, key: &Key) -> Option<Record> {
        let history = self.history();
        let found = history.iter().find(|(other, _)| other == key);
        found.map(|(_, record)| record.clone())
    }

    async fn get(&self, key: &Key) -> Answer<Option<Loaded>> {
        self.good.load(key, Freshness::Latest).await
    }

    /// Writes whatever is there.
    async fn put(&self, key: &Key, record: &Record) -> Answer<Tag> {
        self.good.delete(key).await?;
        self.good.create(key, record).await
    }

    /// Takes a lock that stays taken when the future is dropped.
    async fn lock_badly(&self) {
        if self.has(KeepsALock) {
            self.lock.acquire().await.unwrap().forget();
            pause().await;
            self.lock.add_permits(1);
        }
    }

    async fn index_later(&self, key: &Key, record: Option<&Record>) {
        if self.has(IndexesLater) {
            pause().await;
            let mut index = self.late_index.lock().unwrap();
            match record {
                Some(record) => drop(index.insert(*key, record.clone())),
                None => drop(index.remove(key)),
            }
        }
    }

    /// What the store makes of a key and a record.
    fn damage(&self, key: &Key, record: &Record) -> (Key, Record) {
        let (mut key, mut record) = (*key, record.clone());
        let time = Timestamp::from_millis;
        let most = time(u64::MAX / 2);
        match self.defect {
            IgnoresNamespaces => key.namespace = NamespaceId::new("all").unwrap(),
            TakesDataForText => {
                let text = String::from_utf8_lossy(&record.data).into_owned();
                record.data = text.into();
            }
            CutsData => record.data.truncate(1024 * 1024 - 1),
            TrimsSubjects => {
                let trimmed = record
                    .subject
                    .as_ref()
                    .map(|s| s.as_str().trim().to_owned());
                record.subject = trimmed.and_then(|text| Subject::new(&text).ok());
            }
            KeepsSeconds => record.created = time(record.created.as_millis() / 1000 * 1000),
            KeepsSignedTimes => record.last_seen = record.last_seen.min(most),
            TakesZeroForNever if record.expires == Timestamp::EPOCH => {
                record.expires = Timestamp::MAX;
            }
            _ => {}
        }
        (key, record)
    }

    async fn page(&self, listed: Answer<Page>, limit: usize) -> Answer<Page> {
        let mut page = listed?;
        if self.has(ListsNothing) {
            return Ok(Page::default());
        }
        if self.has(ListsTheFirstTimes) {
            for summary in &mut page.sessions {
                let first = self.first(&summary.key).unwrap();
                *summary = Summary::new(summary.key, &first);
            }
        }
        if self.has(PagesAreTooLong) && page.next.is_some() && page.sessions.len() == limit {
            page.sessions.push(page.sessions[0].clone());
        }
        Ok(page)
    }

    /// What a cursor becomes where it is not checked.
    fn cursor(&self, after: Option<&Cursor>) -> Option<Cursor> {
        let is_good =
            |bytes: &[u8]| matches!(bytes, [b's' | b'k', _, _, rest @ ..] if rest.len() >= 14);
        let cursor = after?;
        if self.has(PanicsAtCursors) {
            assert!(is_good(cursor.as_bytes()), "what a cursor");
        }
        if self.has(TakesAnyCursor) && !is_good(cursor.as_bytes()) {
            return None;
        }
        let mut bytes = cursor.as_bytes().to_vec();
        if self.has(RepeatsTheLast) {
            bytes[16] = bytes[16].wrapping_sub(1);
        }
        Some(Cursor::new(bytes.into()))
    }

    async fn numbered(&self, all: Page, after: Option<&Cursor>, limit: usize) -> Answer<Page> {
        let number = |cursor: &Cursor| std::str::from_utf8(cursor.as_bytes()).ok()?.parse().ok();
        let skip: usize = after.and_then(number).unwrap_or(0);
        let sessions = all.sessions.into_iter().skip(skip).take(limit);
        let sessions: Vec<Summary> = sessions.collect();
        let next = (sessions.len() == limit).then(|| (skip + limit).to_string());
        Ok(Page::new(
            sessions,
            next.map(|text| Cursor::new(text.into())),
        ))
    }
}

impl Store for BrokenStore {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Answer<Option<Loaded>> {
        if self.has(KeepsALock) {
            let _turn = self.lock.acquire().await.unwrap();
        }
        let first = self.first(key);
        let (key, _) = self.damage(key, &blank());
        let found = self.get(&key).await?;
        let Some(loaded) = found else {
            return match self.defect {
                LoadFailsOnMissing => Err(StoreError::new(StoreErrorKind::Other, Operation::Load)),
                _ => Ok(None),
            };
        };
        let expires = loaded.record.expires;
        Ok(match self.defect {
            LoadPanics => panic!("out of cheese"),
            LoadHidesTheExpired if is_long_expired(expires) => None,
            LoadHidesTheJustExpired if expires < now() && !is_long_expired(expires) => None,
            AnswersFromCopies if freshness == Freshness::Any => first.map(Loaded::new),
            LoadConsumes => {
                self.good.delete(&key).await?;
                Some(loaded)
            }
            _ => Some(loaded),
        })
    }

    async fn create(&self, key: &Key, record: &Record) -> Answer<Tag> {
        let taken = || StoreError::new(StoreErrorKind::AlreadyExists, Operation::Create);
        let was_there = self.first(key).is_some();
        let (key, record) = &self.damage(key, record);
        let before = self.get(key).await?;
        self.remember(key, record);
        self.lock_badly().await;
        match (self.defect, before) {
            (CreateOverwrites, Some(_)) => return self.put(key, record).await,
            (CreateOverwritesTheExpired, Some(old)) if is_long_expired(old.record.expires) => {
                return self.put(key, record).await;
            }
            (LeavesTombstones, None) if was_there => return Err(taken()),
            (TakesNoZeroId, _) if *key.id.as_bytes() == [0; 16] => return Err(taken()),
            (ChecksBeforeCreate, None) => {
                pause().await;
                return self.put(key, record).await;
            }
            (WritesInTwoSteps, None) => {
                let mut half = record.clone();
                half.data.clear();
                let loaded = Loaded::new(half.clone());
                self.good.create(key, &half).await?;
                pause().await;
                return self.good.replace(key, record, &loaded).await;
            }
            _ => {}
        }
        let tag = self.good.create(key, record).await?;
        self.index_later(key, Some(record)).await;
        Ok(match self.defect {
            GivesAWrongTag => Tag::new(1),
            _ => tag,
        })
    }

    async fn replace(&self, key: &Key, record: &Record, expected: &Loaded) -> Answer<Tag> {
        let conflict = || StoreError::new(StoreErrorKind::Conflict, Operation::Replace);
        let (key, record) = &self.damage(key, record);
        let before = self.get(key).await?;
        let mut record = record.clone();
        self.lock_badly().await;
        if self.has(GivesAWrongTag) && expected.tag.get().is_some() {
            return Err(conflict());
        }
        let was_there = self.first(key).is_some();
        let version = expected.record.version;
        let knew = |version| {
            self.history()
                .iter()
                .any(|(k, r)| k == key && r.version == version)
        };
        let known = knew(version);
        self.remember(key, &record);
        match (self.defect, &before) {
            (ReplaceCreates, None) => return self.put(key, &record).await,
            (ReplaceBringsBack, None) if was_there => return self.put(key, &record).await,
            (ReplaceIgnoresVersions, Some(_)) => return self.put(key, &record).await,
            (ReplaceTakesWhatIsThereAlready, Some(old)) if old.record == record => {
                return Ok(Tag::NONE);
            }
            (ReplaceKnowsAllVersionsOfAKey, Some(_)) if known => {
                return self.put(key, &record).await;
            }
            (ReplaceComparesRounded, Some(old)) => {
                let significant = |bits: u64| bits >> 12;
                if significant(old.record.version.to_bits()) == significant(version.to_bits()) {
                    return self.put(key, &record).await;
                }
            }
            (ReplaceComparesTimes, Some(old)) if old.record.expires != expected.record.expires => {
                return Err(conflict());
            }
            (ReplaceComparesData, Some(old)) if old.record.data != expected.record.data => {
                return Err(conflict());
            }
            (ReplaceKeepsTheSubject, Some(old)) if record.subject.is_none() => {
                record.subject = old.record.subject.clone();
            }
            (ReplaceJudgesExpiry, Some(old)) if old.record.expires < now() => {
                return Err(conflict());
            }
            (ChecksBeforeReplace, Some(old)) if old.record.version == version => {
                pause().await;
                return self.put(key, &record).await;
            }
            (WritesInTwoSteps, Some(old)) if old.record.version == version => {
                let mut half = record.clone();
                half.data = old.record.data.clone();
                self.good.replace(key, &half, expected).await?;
                pause().await;
                return self.good.replace(key, &record, &Loaded::new(half)).await;
            }
            _ => {}
        }
        let tag = self.good.replace(key, &record, expected).await?;
        self.index_later(key, Some(&record)).await;
        Ok(tag)
    }

    async fn touch(&self, key: &Key, record: &Record, expected: &Loaded) -> Answer<bool> {
        let (key, record) = &self.damage(key, record);
        self.remember(key, record);
        let Some(Loaded {
            record: mut kept, ..
        }) = self.get(key).await?
        else {
            return Ok(self.has(TouchCreates) && self.put(key, record).await.is_ok());
        };
        let short = |millis| EXPIRY_MARGIN - Duration::from_millis(millis);
        let margin = match self.defect {
            TouchKnowsNoMargin => Duration::ZERO,
            TouchMarginIsShort => short(1),
            TouchMarginIsLong => EXPIRY_MARGIN + Duration::from_millis(1),
            TouchRevives => Duration::MAX,
            _ => EXPIRY_MARGIN,
        };
        let is_expected = kept.version == expected.record.version || self.has(TouchIgnoresVersions);
        if !is_expected || kept.expires.saturating_add(margin) < record.last_seen {
            return Ok(false);
        }
        kept.last_seen = kept.last_seen.max(record.last_seen);
        kept.expires = kept.expires.max(record.expires);
        match self.defect {
            TouchDoesNothing => return Ok(true),
            TouchMovesExpiryBack => kept.expires = record.expires,
            TouchMovesLastSeenBack => kept.last_seen = record.last_seen,
            TouchWritesAll => kept = record.clone(),
            ChecksBeforeTouch => pause().await,
            TouchIgnoresVersions | TouchMarginIsLong | TouchRevives => {}
            _ => return self.good.touch(key, record, expected).await,
        }
        self.put(key, &kept).await?;
        Ok(true)
    }

    async fn delete(&self, key: &Key) -> Answer<bool> {
        let (key, _) = &self.damage(key, &blank());
        let before = self.get(key).await?;
        self.lock_badly().await;
        match (self.defect, before) {
            (DeleteDoesNothing, before) => return Ok(before.is_some()),
            (DeleteFailsOnMissing, None) => {
                return Err(StoreError::new(StoreErrorKind::Other, Operation::Delete));
            }
            (DeleteSparesTheReplaced, Some(old)) if self.first(key) != Some(old.record.clone()) => {
                return Ok(false);
            }
            (DeleteSparesTheExpired, Some(old)) if old.record.expires < now() => return Ok(false),
            (DeletesTheSubjectsSessions, Some(old)) => {
                for (other, _) in self.history() {
                    let is_same = |l: Loaded| l.record.subject == old.record.subject;
                    if self.get(&other).await?.is_some_and(is_same) && other != *key {
                        self.good.delete(&other).await?;
                    }
                }
            }
            (ChecksBeforeDelete, before) => {
                pause().await;
                self.good.delete(key).await?;
                return Ok(before.is_some());
            }
            _ => {}
        }
        let deleted = self.good.delete(key).await;
        self.index_later(key, None).await;
        deleted
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Answer<usize> {
        let later = now.saturating_add(Duration::from_millis(1));
        match self.defect {
            SweepDoesNothing => Ok(0),
            SweepMiscounts => self.good.sweep(now, limit).await.map(|_| 0),
            SweepAddsTheMargin => {
                let now = now.saturating_add(EXPIRY_MARGIN);
                self.good.sweep(now, limit).await
            }
            SweepRemovesWhatExpiresNow => self.good.sweep(later, limit).await,
            SweepKnowsNoLimit => self.good.sweep(now, usize::MAX).await,
            SweepGoesByTheFirstTimes | ChecksBeforeSweep => {
                let mut expired = Vec::new();
                for (key, first) in self.history() {
                    let kept = self.get(&key).await?.map(|loaded| loaded.record);
                    let judged = match self.has(ChecksBeforeSweep) {
                        true => kept,
                        false => Some(first),
                    };
                    expired.extend(judged.filter(|record| record.expires < now).map(|_| key));
                }
                if self.has(ChecksBeforeSweep) {
                    pause().await;
                }
                let mut removed = 0;
                for key in expired.iter().take(limit) {
                    removed += usize::from(self.good.delete(key).await?);
                }
                Ok(removed)
            }
            _ => self.good.sweep(now, limit).await,
        }
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Answer<Page> {
        let list =
            async |after, limit| self.good.by_subject(namespace, subject, after, limit).await;
        let is_here = |key: &Key| key.namespace.as_str() == namespace;
        let fold = |subject: &Subject| subject.as_str().to_lowercase();
        let owner_in_history = |(key, record): &(Key, Record)| match (self.defect, &record.subject)
        {
            (FoldsSubjects, Some(other)) => is_here(key) && fold(other) == fold(subject),
            (ListsAllNamespaces, Some(other)) => other == subject,
            (_, other) => is_here(key) && other.as_ref() == Some(subject),
        };
        match self.defect {
            PagesByNumber => return self.numbered(list(None, 10_000).await?, after, limit).await,
            PagesByLastUse => {
                return Ok(by_last_use(list(None, 10_000).await?, after, limit));
            }
            LogoutLeavesTheIndex | SweepLeavesTheIndex | IndexesWhatFailed | FoldsSubjects
            | ListsAllNamespaces => {
                let mut page = Page::default();
                for (key, record) in self
                    .history()
                    .clone()
                    .iter()
                    .filter(|p| owner_in_history(p))
                {
                    page.sessions.retain(|summary| summary.key != *key);
                    page.sessions.push(Summary::new(*key, record));
                }
                return Ok(page);
            }
            IndexesLater => {
                let index = self.late_index.lock().unwrap();
                let mut entries: Vec<_> = index.iter().collect();
                entries.retain(|(key, record)| {
                    is_here(key) && record.subject.as_ref() == Some(subject)
                });
                let sessions = entries
                    .iter()
                    .map(|(key, record)| Summary::new(**key, record));
                return Ok(Page::new(sessions.collect(), None));
            }
            _ => {}
        }
        let after = self.cursor(after);
        self.page(list(after.as_ref(), limit).await, limit).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Answer<Page> {
        if self.has(PagesByNumber) {
            let all = self.good.scan(None, 10_000).await?;
            return self.numbered(all, after, limit).await;
        }
        let after = self.cursor(after);
        let listed = self.good.scan(after.as_ref(), limit).await;
        let mut page = self.page(listed, limit).await?;
        match self.defect {
            ScanHidesTheExpired => page.sessions.retain(|s| !is_long_expired(s.expires)),
            ScanShowsOnlySubjects => page.sessions.retain(|s| s.subject.is_some()),
            _ => {}
        }
        Ok(page)
    }
}

/// A page that goes on after the last use of the last session before.
fn by_last_use(all: Page, after: Option<&Cursor>, limit: usize) -> Page {
    let place = |session: &Summary| {
        let used = session.last_seen.as_millis();
        format!("{used:020} {}", session.key.id)
    };
    let mut sessions = all.sessions;
    sessions.sort_by_key(place);
    sessions
        .retain(|session| after.is_none_or(|after| place(session).as_bytes() > after.as_bytes()));
    let more_follow = sessions.len() > limit;
    sessions.truncate(limit);
    let next = sessions.last().filter(|_| more_follow);
    let next = next.map(|last| Cursor::new(place(last).into()));
    Page::new(sessions, next)
}

/// Lets others run between a check and what follows from it.
async fn pause() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

fn blank() -> Record {
    let time = Timestamp::EPOCH;
    Record::new(
        cloakroom_store::Version::from_bits(0),
        time,
        time,
        "".into(),
    )
}

fn is_long_expired(expires: Timestamp) -> bool {
    expires.saturating_add(EXPIRY_MARGIN) < now()
}

#[expect(clippy::disallowed_methods, reason = "the cases go by the real time")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::EPOCH.saturating_add(since)
}
