use std::{fmt, sync::Arc};

use cloakroom_store::{
    Cursor, EXPIRY_MARGIN, Freshness, Key, Loaded, Operation, Page, Record, Store, StoreError,
    StoreErrorKind, Subject, Tag, Timestamp,
};

use crate::{
    ConnectError, MysqlStoreBuilder, error::Failure, listing, migrate, name::TableName, row,
    shared::Shared, sql::Query, sweep, wire::Answer,
};

/// Keeps sessions in a table of a MySQL database.
///
/// Cheap to clone; clones are one store and share its connections. Any number of stores, in any
/// number of processes, may use one table.
#[derive(Clone)]
pub struct MysqlStore {
    shared: Arc<Shared>,
}

impl MysqlStore {
    /// The table of a store that is not told another one.
    pub const DEFAULT_TABLE: &'static str = "cloakroom_sessions";

    /// Connects with the default settings, and makes the table if it is not there.
    ///
    /// The URL is `mysql://user:password@host:port/database`, with the parameters that
    /// [mysql_async](https://docs.rs/mysql_async/0.37/mysql_async/struct.Opts.html) knows; those
    /// about its pool and `max_allowed_packet` change nothing, and a socket of the server's is used
    /// only when `socket=` names it. Connections are encrypted when it says `require_ssl=true`, which
    /// needs the feature `tls`; the certificate and the host name are verified then, unless it also
    /// says `verify_ca=false` or `verify_identity=false`. Without it they are not encrypted.
    ///
    /// # Errors
    /// As [`MysqlStoreBuilder::connect`].
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), cloakroom_mysql::ConnectError> {
    /// use cloakroom_mysql::MysqlStore;
    ///
    /// let store = MysqlStore::connect("mysql://app:secret@localhost/shop").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::builder(url).connect().await
    }

    /// A store with other settings.
    pub fn builder(url: &str) -> MysqlStoreBuilder {
        MysqlStoreBuilder::from_url(url)
    }

    /// A store on connections of the application's own
    /// [`mysql_async::Pool`](https://docs.rs/mysql_async/0.37/mysql_async/struct.Pool.html).
    ///
    /// **What it takes of the pool.** Up to 4 connections
    /// ([`connections`](MysqlStoreBuilder::connections)) while there is much to do, and one more while
    /// it sweeps or lists. One that was not used for 10 s is closed, so that the pool may make another
    /// for somebody else; the last one stays, and is pinged instead. They count among the pool's
    /// `max`. Opening the store fails unless that has room for all of them and one more.
    ///
    /// **What a call costs and what is promised** is what the [crate's page](crate) says: a connection
    /// is taken once and used for many calls, so the pool's ping when it lends and its reset when it
    /// takes back cost a call nothing. Two things are different:
    /// - After an outage the store waits for its connections as all users of the pool do. Where handlers
    ///   hold all the others it has to wait until they give one back.
    /// - The pool's options are the application's: whether connections are encrypted, whether a socket
    ///   is used, and which database the table lies in, unless
    ///   [`schema`](MysqlStoreBuilder::schema) says so. `client_found_rows` may be on or off. Such a pool
    ///   is of one runtime, and so is a store on it.
    ///
    /// A connection has settings and statements of the store then, so it never goes back: when the
    /// store is done with it it is closed. **Drop the store, and what holds it, before
    /// `Pool::disconnect`**, which waits for all connections that were taken.
    ///
    /// ```no_run
    /// # async fn run(pool: mysql_async::Pool) -> Result<(), cloakroom_mysql::ConnectError> {
    /// use cloakroom_mysql::MysqlStore;
    ///
    /// let store = MysqlStore::from_mysql_async_0_37(pool).table("sessions").connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "mysql_async-0_37")]
    pub fn from_mysql_async_0_37(pool: mysql_async::Pool) -> MysqlStoreBuilder {
        MysqlStoreBuilder::from_pool(pool)
    }

    /// A store on connections of the application's own [sqlx](https://docs.rs/sqlx/0.9) pool, which is
    /// `sqlx::MySqlPool`.
    ///
    /// **What it takes of the pool.** Up to 4 connections
    /// ([`connections`](MysqlStoreBuilder::connections)) while there is much to do, and one more while
    /// it sweeps or lists. One that was not used for 10 s is closed, so that the pool may make another
    /// for somebody else; the last one stays, and is pinged instead. They count among the pool's
    /// `max_connections`. Opening the store fails unless that has room for all of them and one more.
    ///
    /// **What a call costs and what is promised** is what the [crate's page](crate) says: a connection
    /// is taken once and used for many calls, so neither `test_before_acquire` nor the ping with which
    /// sqlx takes a connection back costs a call anything. Three things are different:
    /// - After an outage the store waits for its connections as all users of the pool do. Where handlers
    ///   hold all the others it has to wait until they give one back.
    /// - sqlx does not say whether an answer without rows had columns. So a load, a listing or a look
    ///   for what has expired that is answered by a mere OK, as only a proxy can do that confuses answers,
    ///   finds nothing, where it is an error with a URL. Writes are checked in the same way.
    /// - Whether connections are encrypted, and which database the table lies in unless
    ///   [`schema`](MysqlStoreBuilder::schema) says so, is for the pool's options. Leave their
    ///   `statement_cache_capacity` above 20: else statements are prepared again and again.
    ///
    /// A connection has gone through the pool's `after_connect` and `before_acquire`. It has settings
    /// and statements of the store then, so it never goes back: when the store is done with it, and when
    /// the pool is closed, the connection is closed. The pool's `max_lifetime` and `idle_timeout` are for
    /// connections that lie in it, not for these.
    ///
    /// ```no_run
    /// # async fn run(pool: sqlx_mysql::MySqlPool) -> Result<(), cloakroom_mysql::ConnectError> {
    /// use cloakroom_mysql::MysqlStore;
    ///
    /// // let pool = sqlx::mysql::MySqlPoolOptions::new().max_connections(10).connect(url).await?;
    /// let store = MysqlStore::from_sqlx_0_9(pool).table("sessions").connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "sqlx-0_9")]
    pub fn from_sqlx_0_9(pool: sqlx_mysql::MySqlPool) -> MysqlStoreBuilder {
        MysqlStoreBuilder::from_sqlx(pool)
    }

    /// The SQL that makes the table, for a database administrator to run. It may run again, and
    /// brings a table of any earlier version up to date.
    ///
    /// # Errors
    /// When a name is not 1 to 48 lower-case letters, digits and `_`, no digit first.
    ///
    /// ```
    /// use cloakroom_mysql::MysqlStore;
    ///
    /// let sql = MysqlStore::migrations(Some("web"), "sessions")?;
    /// assert!(sql.contains("CREATE TABLE IF NOT EXISTS `web`.`sessions`"));
    /// # Ok::<(), cloakroom_mysql::ConnectError>(())
    /// ```
    pub fn migrations(schema: Option<&str>, table: &str) -> Result<String, ConnectError> {
        Ok(migrate::print(&TableName::new(schema, table)?))
    }

    pub(crate) fn new(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    fn check_size(&self, record: &Record, operation: Operation) -> Result<(), StoreError> {
        let (size, limit) = (record.data.len(), self.shared.settings.max_data_size);
        if size > limit {
            let source = format!("the record has {size} bytes of data, {limit} are allowed");
            return Err(StoreError::new(StoreErrorKind::TooLarge, operation).with_source(source));
        }
        Ok(())
    }
}

impl Store for MysqlStore {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, key: &Key, _: Freshness) -> Result<Option<Loaded>, StoreError> {
        let load = async {
            let values = || row::key(key).to_vec();
            let answer = self.shared.quick.read(Query::Load, values).await?;
            let found = answer.rows.into_iter().next();
            let record = found.map(row::record).transpose()?;
            Ok(record.map(Loaded::new))
        };
        self.shared.quickly(Operation::Load, load).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        self.check_size(record, Operation::Create)?;
        let values = || [&row::columns(record)[..], &row::key(key)].concat();
        let judge = |answer: Result<Answer, Failure>| match answer {
            Ok(_) => Ok(true),
            Err(failure) if failure.is_duplicate() => Ok(false),
            Err(failure) => Err(failure),
        };
        let created = self
            .shared
            .write(Operation::Create, key, Query::Create, values, judge);
        match created.await? {
            true => Ok(Tag::NONE),
            false => Err(StoreError::new(
                StoreErrorKind::AlreadyExists,
                Operation::Create,
            )),
        }
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        self.check_size(record, Operation::Replace)?;
        let expected = row::version(expected.record.version);
        let values = || {
            let expected = std::slice::from_ref(&expected);
            [&row::columns(record)[..], &row::key(key), expected].concat()
        };
        let replaced =
            self.shared
                .write(Operation::Replace, key, Query::Replace, values, has_found);
        match replaced.await? {
            true => Ok(Tag::NONE),
            false => Err(StoreError::new(
                StoreErrorKind::Conflict,
                Operation::Replace,
            )),
        }
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let deadline = record.last_seen.saturating_sub(EXPIRY_MARGIN);
        let values = || {
            let [id, namespace] = row::key(key);
            vec![
                row::time(record.last_seen),
                row::time(record.expires),
                id,
                namespace,
                row::version(expected.record.version),
                row::time(deadline),
            ]
        };
        self.shared
            .write(Operation::Touch, key, Query::Touch, values, has_found)
            .await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        self.shared.delete(key).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        sweep::sweep(&self.shared, now, limit).await
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        listing::by_subject(&self.shared, namespace, subject, after, limit).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        listing::scan(&self.shared, after, limit).await
    }
}

fn has_found(answer: Result<Answer, Failure>) -> Result<bool, Failure> {
    answer.map(|answer| answer.affected > 0)
}

impl fmt::Debug for MysqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.shared.settings;
        f.debug_struct("MysqlStore")
            .field("table", &settings.table)
            .field("connections", &settings.connections)
            .field("timeout", &settings.timeout)
            .field("max_data_size", &settings.max_data_size)
            .finish_non_exhaustive()
    }
}
