use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use cloakroom_store::{
    Cursor, EXPIRY_MARGIN, Freshness, HEAD_LENGTH, Key, Loaded, NamespaceId, Operation, Page,
    Record, Store, StoreError, StoreErrorKind, Subject, Tag, Timestamp,
};
use redis::Value;

use crate::{
    OpenError, RedisStoreBuilder, blob,
    call::Call,
    cursor::{self, Position},
    error::Unexpected,
    expiry,
    names::Names,
    script::Scripts,
    servers::Servers,
};

/// Keeps sessions in Redis or Valkey: one server, one that sentinels watch, or a cluster.
///
/// Cheap to clone; clones share their connections. Any number of stores, in one process or in many,
/// may use the same servers and prefix at the same time.
#[derive(Clone)]
pub struct RedisStore {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) servers: Servers,
    pub(crate) names: Names,
    pub(crate) scripts: Scripts,
    pub(crate) timeout: Duration,
    pub(crate) max_data_size: usize,
}

impl RedisStore {
    /// A store with the default settings whose server has answered.
    ///
    /// The forms of a URL are listed at the [crate](crate#urls).
    ///
    /// # Errors
    /// As [`RedisStoreBuilder::connect`].
    ///
    /// ```no_run
    /// use cloakroom_redis::RedisStore;
    /// # async fn open() -> Result<(), cloakroom_redis::OpenError> {
    /// let store = RedisStore::connect("redis://:password@localhost:6379/0").await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect(url: &str) -> Result<Self, OpenError> {
        Self::builder(url).connect().await
    }

    /// A store with other settings.
    pub fn builder(url: &str) -> RedisStoreBuilder {
        RedisStoreBuilder::new(url.to_owned())
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

impl Inner {
    fn call(&self, operation: Operation) -> Call {
        Call::new(operation, self.timeout)
    }

    fn max_length(&self) -> usize {
        let most = HEAD_LENGTH + Subject::MAX_LENGTH;
        self.max_data_size.saturating_add(most)
    }

    fn encode(&self, record: &Record, operation: Operation) -> Result<Bytes, StoreError> {
        let too_large = StoreError::new(StoreErrorKind::TooLarge, operation);
        let (size, limit) = (record.data.len(), self.max_data_size);
        if size > limit {
            let source = format!("the record has {size} bytes of data, {limit} are allowed");
            return Err(too_large.with_source(source));
        }
        record
            .encode()
            .map_err(|error| too_large.with_source(error))
    }

    async fn create(&self, call: &Call, key: &Key, record: &Record) -> Result<bool, StoreError> {
        let blob = self.encode(record, call.operation)?;
        self.hint(call, key, None, record).await?;
        let name = self.names.record(key);
        let mut set = redis::Cmd::with_capacity(6, blob.len() + name.len() + 64);
        set.arg("SET").arg(&name).arg(&blob[..]).arg("NX");
        set.arg("PXAT").arg(expiry::of_record(record));
        match self.servers.ask(call, &name, &set).await? {
            Value::Okay => Ok(true),
            Value::Nil => Ok(false),
            _ => Err(Unexpected::during(call.operation)),
        }
    }

    async fn replace(
        &self,
        call: &Call,
        key: &Key,
        record: &Record,
        expected: &Record,
    ) -> Result<bool, StoreError> {
        let blob = self.encode(record, call.operation)?;
        self.hint(call, key, Some(expected), record).await?;
        let name = self.names.record(key);
        let version = expected.version.to_bits().to_le_bytes();
        let expiry = expiry::of_record(record);
        let arguments: [&[u8]; 3] = [&version, &blob, expiry.as_bytes()];
        let script = &self.scripts.replace;
        is_one(
            self.servers.run(call, &name, script, &arguments).await?,
            call,
        )
    }

    async fn touch(
        &self,
        call: &Call,
        key: &Key,
        record: &Record,
        expected: &Record,
    ) -> Result<bool, StoreError> {
        let mut touched = expected.clone();
        touched.last_seen = touched.last_seen.max(record.last_seen);
        touched.expires = touched.expires.max(record.expires);
        self.hint(call, key, Some(expected), &touched).await?;
        let name = self.names.record(key);
        let little = |time: Timestamp| time.as_millis().to_le_bytes();
        let expiry = expiry::of_record(record);
        let arguments: [&[u8]; 5] = [
            &expected.version.to_bits().to_le_bytes(),
            &little(record.last_seen),
            &little(record.expires),
            &little(record.last_seen.saturating_sub(EXPIRY_MARGIN)),
            expiry.as_bytes(),
        ];
        let script = &self.scripts.touch;
        is_one(
            self.servers.run(call, &name, script, &arguments).await?,
            call,
        )
    }
}

fn is_one(answer: Value, call: &Call) -> Result<bool, StoreError> {
    match answer {
        Value::Int(number) => Ok(number == 1),
        _ => Err(Unexpected::during(call.operation)),
    }
}

impl Store for RedisStore {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, key: &Key, _: Freshness) -> Result<Option<Loaded>, StoreError> {
        let inner = &*self.inner;
        let call = inner.call(Operation::Load);
        let name = inner.names.record(key);
        let max_length = inner.max_length();
        // Of something larger than a record only so much is read as shows that it is.
        let mut get = redis::Cmd::with_capacity(4, name.len() + 32);
        get.arg("GETRANGE").arg(&name).arg(0).arg(max_length);
        let answer = inner.servers.ask(&call, &name, &get).await?;
        let bytes = blob::bytes(answer, call.operation)?;
        let record = blob::record(bytes, max_length, call.operation)?;
        Ok(record.map(Loaded::new))
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        let call = self.inner.call(Operation::Create);
        match self.inner.create(&call, key, record).await? {
            true => Ok(Tag::NONE),
            false => Err(StoreError::new(
                StoreErrorKind::AlreadyExists,
                call.operation,
            )),
        }
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        let call = self.inner.call(Operation::Replace);
        let expected = &expected.record;
        match self.inner.replace(&call, key, record, expected).await? {
            true => Ok(Tag::NONE),
            false => Err(StoreError::new(StoreErrorKind::Conflict, call.operation)),
        }
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let call = self.inner.call(Operation::Touch);
        let expected = &expected.record;
        self.inner.touch(&call, key, record, expected).await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let call = self.inner.call(Operation::Delete);
        let name = self.inner.names.record(key);
        let mut delete = redis::cmd("DEL");
        delete.arg(&name);
        is_one(self.inner.servers.ask(&call, &name, &delete).await?, &call)
    }

    async fn sweep(&self, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let after = after.map(cursor::read_of_subject).transpose()?;
        let Ok(namespace) = NamespaceId::new(namespace) else {
            return Ok(Page::default());
        };
        let call = self.inner.call(Operation::BySubject);
        self.inner
            .list(&call, namespace, subject, after, limit)
            .await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let after = after.map(Position::read).transpose()?;
        let call = self.inner.call(Operation::Scan);
        self.inner.walk(&call, after, limit).await
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("servers", &self.inner.servers)
            .field("prefix", &self.inner.names.prefix())
            .finish_non_exhaustive()
    }
}
