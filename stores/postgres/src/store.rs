use std::{fmt, sync::Arc};

use cloakroom_store::{
    Cursor, Freshness, Key, Loaded, Operation, Page, Record, Store, StoreError, StoreErrorKind,
    Subject, Tag, Timestamp,
};

use crate::{
    ConnectError, PostgresStoreBuilder, call::Change, listing, migrate, name::TableName,
    shared::Shared, sweep, tell,
};

/// Keeps sessions in a table of a PostgreSQL database.
///
/// Cheap to clone; clones are one store and share its connections. Any number of stores, in any
/// number of processes, may use one table.
#[derive(Clone)]
pub struct PostgresStore {
    shared: Arc<Shared>,
}

impl PostgresStore {
    /// The table of a store that is not told another one.
    pub const DEFAULT_TABLE: &'static str = "cloakroom_sessions";

    /// Connects with the default settings, and makes the table if it is not there.
    ///
    /// The URL is `postgres://user:password@host:port/database`, with the parameters that
    /// [tokio-postgres](https://docs.rs/tokio-postgres/0.7/tokio_postgres/config/struct.Config.html)
    /// knows: several hosts and `target_session_attrs=read-write` follow a primary. Connections
    /// are encrypted when it says `sslmode=require`, which needs the feature `tls`; the
    /// certificate and the host name are verified then. Without it they are not encrypted.
    ///
    /// # Errors
    /// As [`PostgresStoreBuilder::connect`].
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), cloakroom_postgres::ConnectError> {
    /// use cloakroom_postgres::PostgresStore;
    ///
    /// let store = PostgresStore::connect("postgres://app:secret@localhost/shop").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::builder(url).connect().await
    }

    /// A store with other settings.
    pub fn builder(url: &str) -> PostgresStoreBuilder {
        PostgresStoreBuilder::from_url(url)
    }

    /// A store on connections of the application's own pool.
    ///
    /// It takes `readers` + `writers` connections out of the pool and one more when it sweeps or
    /// lists, and keeps them: give the pool room for that. It configures their sessions, so when
    /// it is done with one it does not go back, and the pool makes another.
    ///
    /// ```no_run
    /// # async fn run(pool: deadpool_postgres::Pool) -> Result<(), cloakroom_postgres::ConnectError> {
    /// use cloakroom_postgres::PostgresStore;
    ///
    /// let store = PostgresStore::from_deadpool_0_14(pool).table("sessions").connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "deadpool-postgres-0_14")]
    pub fn from_deadpool_0_14(pool: deadpool_postgres::Pool) -> PostgresStoreBuilder {
        PostgresStoreBuilder::from_pool(pool)
    }

    /// A store on connections of the application's own [sqlx](https://docs.rs/sqlx/0.9) pool, which is
    /// `sqlx::PgPool`.
    ///
    /// **What it takes of the pool.** One connection for loads
    /// ([`readers`](PostgresStoreBuilder::readers)), one for writes
    /// ([`writers`](PostgresStoreBuilder::writers)), and one more while it sweeps or lists and for 10 s
    /// after that. They count among the pool's `max_connections`, and the store keeps them: no handler
    /// that holds the others can keep a session waiting, and neither `test_before_acquire` nor the ping
    /// with which sqlx takes a connection back costs a call anything. Opening the store fails unless
    /// the pool has room for one more.
    ///
    /// **What a call costs** is what it costs with a URL: one prepared statement. A connection of sqlx
    /// has one at a time, so loads that wait while one is under way go out together with the next, as
    /// writes do, up to 64. One that was quiet for 10 s is asked for a sign of life in the background.
    ///
    /// **What it promises** is what the [crate's page](crate#what-it-promises) says, with two
    /// differences:
    /// - A connection that ends while it is quiet is noticed when it is next used or asked for a sign of
    ///   life. A load is then sent again on another, and all that have not answered since are
    ///   replaced. A create or a delete that comes first is `Unavailable`: once for each writer, after a
    ///   quiet restart of the server.
    /// - After an outage the store waits for its connections as all users of the pool do. Where handlers
    ///   hold all the others it has to wait until they give one back.
    ///
    /// A connection has gone through the pool's `after_connect` and `before_acquire`. It has settings
    /// and statements of the store then, so it never goes back: when the store is done with it, and when
    /// the pool is closed, the connection is closed. The pool's `max_lifetime` and `idle_timeout` are for
    /// connections that lie in it, not for these.
    ///
    /// The builder's [`prepared(false)`](PostgresStoreBuilder::prepared) is refused: behind PgBouncer in
    /// transaction mode open the store with a URL. [`Watch`](cloakroom_store::Watch) needs one, too.
    ///
    /// ```no_run
    /// # async fn run(pool: sqlx_postgres::PgPool) -> Result<(), cloakroom_postgres::ConnectError> {
    /// use cloakroom_postgres::PostgresStore;
    ///
    /// // let pool = sqlx::postgres::PgPoolOptions::new().max_connections(10).connect(url).await?;
    /// let store = PostgresStore::from_sqlx_0_9(pool).table("sessions").connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "sqlx-0_9")]
    pub fn from_sqlx_0_9(pool: sqlx_postgres::PgPool) -> PostgresStoreBuilder {
        PostgresStoreBuilder::from_sqlx(pool)
    }

    /// The SQL that makes the table, for a database administrator to run. It may run again, and
    /// brings a table of any earlier version up to date.
    ///
    /// # Errors
    /// When a name is not 1 to 48 lower-case letters, digits and `_`, no digit first.
    ///
    /// ```
    /// use cloakroom_postgres::PostgresStore;
    ///
    /// let sql = PostgresStore::migrations(Some("web"), "sessions")?;
    /// assert!(sql.contains(r#"CREATE TABLE IF NOT EXISTS "web"."sessions""#));
    /// # Ok::<(), cloakroom_postgres::ConnectError>(())
    /// ```
    pub fn migrations(schema: Option<&str>, table: &str) -> Result<String, ConnectError> {
        Ok(migrate::print(&TableName::new(schema, table)?))
    }

    /// The SQL that has the database tell what changes in the table, for the owner of the table to
    /// run after [`migrations`](Self::migrations): a function, and triggers that run it. It may run
    /// again. What it does and costs is said at
    /// [`tell_changes`](PostgresStoreBuilder::tell_changes).
    ///
    /// # Errors
    /// As [`migrations`](Self::migrations).
    ///
    /// ```
    /// use cloakroom_postgres::PostgresStore;
    ///
    /// let sql = PostgresStore::migrations_to_tell(Some("web"), "sessions")?;
    /// assert!(sql.contains(r#"AFTER DELETE ON "web"."sessions""#));
    /// # Ok::<(), cloakroom_postgres::ConnectError>(())
    /// ```
    pub fn migrations_to_tell(schema: Option<&str>, table: &str) -> Result<String, ConnectError> {
        Ok(tell::print(&TableName::new(schema, table)?))
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

impl Store for PostgresStore {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, key: &Key, _: Freshness) -> Result<Option<Loaded>, StoreError> {
        let load = async {
            let record = self.shared.reader()?.load(key).await?;
            Ok(record.map(Loaded::new))
        };
        self.shared.quickly(Operation::Load, load).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        self.check_size(record, Operation::Create)?;
        let create = Change::Create(record.clone());
        match self.shared.write(Operation::Create, key, create).await? {
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
        let replace = Change::replace(record, expected);
        match self.shared.write(Operation::Replace, key, replace).await? {
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
        let touch = Change::touch(record, expected);
        self.shared.write(Operation::Touch, key, touch).await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        self.shared
            .write(Operation::Delete, key, Change::Delete)
            .await
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

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.shared.settings;
        f.debug_struct("PostgresStore")
            .field("table", &settings.table)
            .field("readers", &settings.readers)
            .field("writers", &settings.writers)
            .field("timeout", &settings.timeout)
            .field("max_data_size", &settings.max_data_size)
            .finish_non_exhaustive()
    }
}
