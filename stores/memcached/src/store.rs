use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use cloakroom_store::{
    EXPIRY_MARGIN, Freshness, HEAD_LENGTH, Key, Loaded, Operation, Record, Store, StoreError,
    StoreErrorKind, Subject, Tag, Timestamp, Version,
};

use crate::{
    MemcachedStoreBuilder, OpenError,
    call::Call,
    command::{Command, Condition},
    error::{Unexpected, refused},
    expiry,
    link::Link,
    names::Names,
    reply::Reply,
};

/// Keeps sessions in memcached: one server.
///
/// Cheap to clone; clones share their connection. Any number of stores, in one process or in many,
/// may use the same server and prefix at the same time.
///
/// What it can and can't do is said at the [crate].
#[derive(Clone)]
pub struct MemcachedStore {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) link: Arc<Link>,
    pub(crate) names: Names,
    pub(crate) timeout: Duration,
    pub(crate) max_data_size: usize,
}

impl MemcachedStore {
    /// A store with the default settings whose server has answered.
    ///
    /// The forms of a URL are listed at the [crate](crate#urls).
    ///
    /// # Errors
    /// As [`MemcachedStoreBuilder::connect`].
    ///
    /// ```no_run
    /// use cloakroom_memcached::MemcachedStore;
    /// # async fn open() -> Result<(), cloakroom_memcached::OpenError> {
    /// let store = MemcachedStore::connect("memcache://localhost:11211").await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect(url: &str) -> Result<Self, OpenError> {
        Self::builder(url).connect().await
    }

    /// A store with other settings.
    ///
    /// ```
    /// use cloakroom_memcached::MemcachedStore;
    /// let store = MemcachedStore::builder("memcache://localhost").prefix("shop").build()?;
    /// # Ok::<(), cloakroom_memcached::OpenError>(())
    /// ```
    pub fn builder(url: &str) -> MemcachedStoreBuilder {
        MemcachedStoreBuilder::new(url.to_owned())
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }
}

/// What became of a write.
enum Written {
    /// It is kept, with this mark.
    Kept(Tag),
    /// Something else is there than was expected.
    Other,
    /// Nothing is there.
    Gone,
}

/// How often a write is tried that others overtake. Each time one of them has succeeded.
const MAX_OVERTAKEN: usize = 100;

impl Inner {
    fn call(&self, operation: Operation) -> Call {
        Call::new(operation, self.timeout)
    }

    fn encode(&self, record: &Record, call: &Call) -> Result<Bytes, StoreError> {
        let too_large = StoreError::new(StoreErrorKind::TooLarge, call.operation);
        let (size, limit) = (record.data.len(), self.max_data_size);
        if size > limit {
            let source = format!("the record has {size} bytes of data, {limit} are allowed");
            return Err(too_large.with_source(source));
        }
        record
            .encode()
            .map_err(|error| too_large.with_source(error))
    }

    /// What is there, and the mark that it has.
    async fn read(&self, call: &Call, name: &str) -> Result<Option<(Record, u64)>, StoreError> {
        let corrupt = StoreError::new(StoreErrorKind::Corrupt, call.operation);
        match self.link.ask(call, Command::get(name)).await? {
            // A server without marks gives all the same one.
            Reply::Value {
                mark: None | Some(0),
                ..
            } => Err(Unexpected::during(call.operation)),
            Reply::Value {
                mark: Some(mark),
                value,
            } => match Record::decode(value) {
                Ok(record) => Ok(Some((record, mark))),
                Err(error) => Err(corrupt.with_source(error)),
            },
            Reply::TooLong(length) => {
                let source = format!("it has {length} bytes; see max_data_size");
                Err(corrupt.with_source(source))
            }
            Reply::Absent => Ok(None),
            other => Err(not_asked_for(other, call)),
        }
    }

    async fn write(
        &self,
        call: &Call,
        name: &str,
        record: &Record,
        blob: Bytes,
        condition: Condition,
    ) -> Result<Written, StoreError> {
        let command = Command::set(name, blob, expiry::of_record(record), condition);
        match self.link.ask(call, command).await? {
            Reply::Done { mark } => {
                let tag = mark.filter(|mark| *mark != 0).map_or(Tag::NONE, Tag::new);
                Ok(Written::Kept(tag))
            }
            Reply::Taken | Reply::Changed => Ok(Written::Other),
            Reply::Absent => Ok(Written::Gone),
            other => Err(not_asked_for(other, call)),
        }
    }

    /// Writes `record` in the place of `expected`; `None` when something else is there.
    async fn replace(
        &self,
        call: &Call,
        name: &str,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Option<Tag>, StoreError> {
        let blob = self.encode(record, call)?;
        let mut mark = expected.tag.get();
        for _ in 0..MAX_OVERTAKEN {
            let known = match mark {
                Some(mark) => mark,
                None => match self.expected(call, name, expected.record.version).await? {
                    Some((_, mark)) => mark,
                    None => return Ok(None),
                },
            };
            let condition = Condition::Marked(known);
            let written = self.write(call, name, record, blob.clone(), condition);
            match written.await? {
                Written::Kept(tag) => return Ok(Some(tag)),
                // A touch changes the mark and not the version.
                Written::Other => mark = None,
                Written::Gone => return Ok(None),
            }
        }
        Ok(None)
    }

    async fn touch(
        &self,
        call: &Call,
        name: &str,
        record: &Record,
        version: Version,
    ) -> Result<bool, StoreError> {
        for _ in 0..MAX_OVERTAKEN {
            let Some((kept, mark)) = self.expected(call, name, version).await? else {
                return Ok(false);
            };
            if kept.expires.saturating_add(EXPIRY_MARGIN) < record.last_seen {
                return Ok(false);
            }
            let mut touched = kept.clone();
            touched.last_seen = touched.last_seen.max(record.last_seen);
            touched.expires = touched.expires.max(record.expires);
            if touched == kept {
                return Ok(true);
            }
            let blob = touched.encode().map_err(|error| {
                StoreError::new(StoreErrorKind::TooLarge, call.operation).with_source(error)
            })?;
            let condition = Condition::Marked(mark);
            match self.write(call, name, &touched, blob, condition).await? {
                Written::Kept(_) => return Ok(true),
                Written::Other => {}
                Written::Gone => return Ok(false),
            }
        }
        let error = StoreError::new(StoreErrorKind::TimedOut, call.operation);
        Err(error.with_source("others have changed the record each time"))
    }

    /// What is there if it has this version, and its mark.
    async fn expected(
        &self,
        call: &Call,
        name: &str,
        version: Version,
    ) -> Result<Option<(Record, u64)>, StoreError> {
        let found = self.read(call, name).await?;
        Ok(found.filter(|(record, _)| record.version == version))
    }
}

/// A reply that is none of those which the command has when all is well.
fn not_asked_for(reply: Reply, call: &Call) -> StoreError {
    match reply {
        Reply::Refused(refusal) => refused(refusal, call.operation),
        _ => Unexpected::during(call.operation),
    }
}

/// The longest value that can be a record with so much data.
pub(crate) fn max_value(max_data_size: usize) -> usize {
    max_data_size.saturating_add(HEAD_LENGTH + Subject::MAX_LENGTH)
}

impl Store for MemcachedStore {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, key: &Key, _: Freshness) -> Result<Option<Loaded>, StoreError> {
        let call = self.inner.call(Operation::Load);
        let name = self.inner.names.record(key);
        let found = self.inner.read(&call, &name).await?;
        Ok(found.map(|(record, mark)| Loaded::with_tag(record, Tag::new(mark))))
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        let call = self.inner.call(Operation::Create);
        let name = self.inner.names.record(key);
        let blob = self.inner.encode(record, &call)?;
        let written = self
            .inner
            .write(&call, &name, record, blob, Condition::Absent);
        match written.await? {
            Written::Kept(tag) => Ok(tag),
            Written::Other => Err(StoreError::new(
                StoreErrorKind::AlreadyExists,
                call.operation,
            )),
            Written::Gone => Err(Unexpected::during(call.operation)),
        }
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        let call = self.inner.call(Operation::Replace);
        let name = self.inner.names.record(key);
        let replaced = self.inner.replace(&call, &name, record, expected).await?;
        replaced.ok_or_else(|| StoreError::new(StoreErrorKind::Conflict, call.operation))
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let call = self.inner.call(Operation::Touch);
        let name = self.inner.names.record(key);
        let version = expected.record.version;
        self.inner.touch(&call, &name, record, version).await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let call = self.inner.call(Operation::Delete);
        let name = self.inner.names.record(key);
        match self.inner.link.ask(&call, Command::delete(&name)).await? {
            Reply::Done { .. } => Ok(true),
            Reply::Absent => Ok(false),
            other => Err(not_asked_for(other, &call)),
        }
    }

    async fn sweep(&self, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }
}

impl fmt::Debug for MemcachedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedStore")
            .field("link", &self.inner.link)
            .field("prefix", &self.inner.names.prefix())
            .field("max_data_size", &self.inner.max_data_size)
            .finish_non_exhaustive()
    }
}
