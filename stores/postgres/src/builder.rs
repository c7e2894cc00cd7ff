use std::{fmt, num::NonZeroUsize, sync::Arc, time::Duration};

use tokio::runtime::Handle;

#[cfg(feature = "sqlx-0_9")]
use crate::sqlx_pool::SqlxPool;
use crate::{
    ConnectError, PostgresStore,
    live::{Live, Shop},
    migrate,
    name::TableName,
    shared::{Settings, Shared},
    source::Source,
    sql::Texts,
    tell,
};

/// For making tables, which takes as long as it takes.
const MIGRATION_LIMIT: Duration = Duration::from_secs(600);

/// How long each of the first connections may take, at least.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);

/// The settings of a [`PostgresStore`]; made by [`PostgresStore::builder`].
#[must_use]
pub struct PostgresStoreBuilder {
    origin: Origin,
    schema: Option<String>,
    table: String,
    readers: NonZeroUsize,
    writers: NonZeroUsize,
    timeout: Duration,
    slow_timeout: Duration,
    connect_timeout: Duration,
    max_data_size: usize,
    migrate: bool,
    is_prepared: bool,
    tell_changes: bool,
    #[cfg(feature = "tls")]
    tls_roots: Option<Vec<u8>>,
}

enum Origin {
    Url(String),
    #[cfg(feature = "deadpool-postgres-0_14")]
    Pool(deadpool_postgres::Pool),
    #[cfg(feature = "sqlx-0_9")]
    Sqlx(sqlx_postgres::PgPool),
}

impl PostgresStoreBuilder {
    pub(crate) fn from_url(url: &str) -> Self {
        Self::new(Origin::Url(url.to_owned()))
    }

    #[cfg(feature = "deadpool-postgres-0_14")]
    pub(crate) fn from_pool(pool: deadpool_postgres::Pool) -> Self {
        Self::new(Origin::Pool(pool))
    }

    /// What waits goes out together, so one connection of each kind carries much.
    #[cfg(feature = "sqlx-0_9")]
    pub(crate) fn from_sqlx(pool: sqlx_postgres::PgPool) -> Self {
        Self {
            readers: NonZeroUsize::MIN,
            writers: NonZeroUsize::MIN,
            ..Self::new(Origin::Sqlx(pool))
        }
    }

    fn new(origin: Origin) -> Self {
        const TWO: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);
        Self {
            origin,
            schema: None,
            table: PostgresStore::DEFAULT_TABLE.to_owned(),
            readers: TWO,
            writers: TWO,
            timeout: Duration::from_millis(450),
            slow_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
            max_data_size: 1 << 20,
            migrate: true,
            is_prepared: true,
            tell_changes: false,
            #[cfg(feature = "tls")]
            tls_roots: None,
        }
    }

    /// The schema of the table: 1 to 48 lower-case letters, digits and `_`, no digit first.
    /// Default: the first one of the user's `search_path`, which is `public` as a rule.
    pub fn schema(mut self, schema: &str) -> Self {
        self.schema = Some(schema.to_owned());
        self
    }

    /// The name of the table, with the same letters as a schema. A second table with `_schema`
    /// behind its name keeps the version. Default: [`PostgresStore::DEFAULT_TABLE`].
    pub fn table(mut self, table: &str) -> Self {
        table.clone_into(&mut self.table);
        self
    }

    /// How many connections serve loads, which are pipelined on them. Default: 2, and 1 of
    /// a sqlx pool.
    pub const fn readers(mut self, count: NonZeroUsize) -> Self {
        self.readers = count;
        self
    }

    /// How many connections serve writes, one statement at a time on each. Default: 2, and 1
    /// of a sqlx pool.
    ///
    /// More of them make smaller statements. Engines that shard want more; PostgreSQL does not.
    pub const fn writers(mut self, count: NonZeroUsize) -> Self {
        self.writers = count;
        self
    }

    /// How long a call may take, waiting for a connection, its turn and locked rows included,
    /// before it is `TimedOut`. Default: 450 ms, a little less than the engine waits.
    ///
    /// The server ends a statement after nine tenths of it (`statement_timeout`), and waits for a
    /// lock a quarter of it (`lock_timeout`).
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same for a page of a listing, and for each of the statements of a sweep. Default: 5 s.
    pub const fn slow_timeout(mut self, timeout: Duration) -> Self {
        self.slow_timeout = timeout;
        self
    }

    /// How long making a connection may take, with name resolution, TLS and authentication.
    /// Default: 1 s; the first ones have at least 5 s.
    ///
    /// A server that comes back within it is noticed when it has passed, at the latest. A call
    /// does not wait for a connection longer than its own timeout, but the connection is made all
    /// the same, for the next.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The most data that a record may hold, in bytes; writing more is `TooLarge`.
    /// Default: 1 MiB.
    pub const fn max_data_size(mut self, bytes: usize) -> Self {
        self.max_data_size = bytes;
        self
    }

    /// Whether [`connect`](Self::connect) makes the table and brings it up to date. Default: yes.
    ///
    /// With `false` it only looks whether the table has the right version. It also makes nothing
    /// when there is nothing to be made, so the user needs no right to create tables then.
    pub const fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// Whether statements are prepared and sessions configured. Default: yes.
    ///
    /// With `false` each call sends the text of its statement along, which the server parses and
    /// plans each time, and no session is changed. That is for a pooler that gives each statement
    /// another session, as PgBouncer does in transaction mode. Then set `statement_timeout`, and
    /// `lock_timeout`, for the user of the store (`ALTER ROLE .. SET ..`).
    pub const fn prepared(mut self, is_prepared: bool) -> Self {
        self.is_prepared = is_prepared;
        self
    }

    /// Whether [`connect`](Self::connect) has the database tell what changes in the table, for a
    /// cache in front that follows it with [`watch`](cloakroom_store::Watch::watch).
    /// Default: no.
    ///
    /// It makes a function, the table's name with `_tell` behind it, and triggers on the table that
    /// run it; with [`migrate(false)`](Self::migrate) it only looks whether they are there. **They
    /// belong to the table, not to this store**: what other programs write is told as well, those
    /// that do not have this setting, or run an older version, included. So no process can forget
    /// to tell. It suffices that one has this setting, and another without it changes nothing:
    /// the triggers stay, and with them what they cost all who write, until
    /// `DROP FUNCTION cloakroom_sessions_tell CASCADE`. [`PostgresFeed`](crate::PostgresFeed) says
    /// what that is.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), cloakroom_postgres::ConnectError> {
    /// use cloakroom_postgres::PostgresStore;
    ///
    /// let builder = PostgresStore::builder("postgres://app:secret@localhost/shop");
    /// let store = builder.tell_changes(true).connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub const fn tell_changes(mut self, tell: bool) -> Self {
        self.tell_changes = tell;
        self
    }

    /// The certificates, in PEM format, of which one has to vouch for the server's when the URL
    /// says `sslmode=require`. Default: those that the system trusts.
    #[cfg(feature = "tls")]
    pub fn tls_roots(mut self, pem: &[u8]) -> Self {
        self.tls_roots = Some(pem.to_vec());
        self
    }

    /// Connects, and makes the table or brings it up to date.
    ///
    /// # Errors
    /// When a setting is wrong, the server can't be reached or refuses the user, or the table is
    /// not there and can't be made, or is that of a newer version.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), cloakroom_postgres::ConnectError> {
    /// use std::time::Duration;
    /// use cloakroom_postgres::PostgresStore;
    ///
    /// let store = PostgresStore::builder("postgres://app@db.example.com/shop")
    ///     .schema("web")
    ///     .table("sessions")
    ///     .timeout(Duration::from_millis(300))
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(self) -> Result<PostgresStore, ConnectError> {
        let (patience, may_change) = (self.connect_timeout.max(FIRST_PATIENCE), self.migrate);
        let tell_changes = self.tell_changes;
        let (store, shop, name) = self.build()?;
        let live = Live::open(shop, &[], MIGRATION_LIMIT, patience).await;
        let live = live.map_err(ConnectError::unreachable)?;
        migrate::run(&live, &name, may_change).await?;
        if tell_changes {
            tell::set_up(&live, &name, may_change).await?;
        }
        drop(live);
        store
            .shared()
            .connect_all(patience)
            .await
            .map_err(ConnectError::unreachable)?;
        Ok(store)
    }

    /// A store that connects when it is first used, and neither makes the table nor looks at it:
    /// for a program that is to start whether the server is up or not.
    ///
    /// # Errors
    /// When a setting is wrong.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use cloakroom_postgres::PostgresStore;
    ///
    /// let builder = PostgresStore::builder("postgres://app@db.example.com/shop");
    /// let store = builder.connect_lazily()?;
    /// # Ok::<(), cloakroom_postgres::ConnectError>(())
    /// # }).unwrap();
    /// ```
    pub fn connect_lazily(self) -> Result<PostgresStore, ConnectError> {
        self.build().map(|(store, _, _)| store)
    }

    fn build(self) -> Result<(PostgresStore, Arc<Shop>, TableName), ConnectError> {
        Handle::try_current().map_err(|_| ConnectError::no_runtime())?;
        let name = TableName::new(self.schema.as_deref(), &self.table)?;
        let source = match &self.origin {
            Origin::Url(url) => Source::from_url(
                url,
                #[cfg(feature = "tls")]
                self.tls_roots.as_deref(),
            )?,
            #[cfg(feature = "deadpool-postgres-0_14")]
            Origin::Pool(pool) => Source::Pool(pool.clone()),
            #[cfg(feature = "sqlx-0_9")]
            Origin::Sqlx(pool) => Source::Sqlx(self.check_sqlx(pool)?),
        };
        let shop = Arc::new(Shop {
            source,
            texts: Texts::new(&name),
            connect_timeout: self.connect_timeout,
            is_prepared: self.is_prepared,
        });
        let settings = Settings {
            table: name.to_string(),
            readers: self.readers,
            writers: self.writers,
            timeout: self.timeout,
            slow_timeout: self.slow_timeout,
            max_data_size: self.max_data_size,
        };
        let store = PostgresStore::new(Shared::new(&shop, settings));
        Ok((store, shop, name))
    }
}

#[cfg(feature = "sqlx-0_9")]
impl PostgresStoreBuilder {
    /// Looks whether a pool is of use with these settings.
    fn check_sqlx(&self, pool: &sqlx_postgres::PgPool) -> Result<SqlxPool, ConnectError> {
        if !self.is_prepared {
            return Err(ConnectError::always_prepared());
        }
        let pool = SqlxPool::new(pool.clone());
        let kept = self.readers.get().saturating_add(self.writers.get());
        // One to sweep and list, and one for the application.
        let needed = kept.saturating_add(2);
        if usize::try_from(pool.size()).is_ok_and(|size| size < needed) {
            return Err(ConnectError::small_pool(pool.size(), needed));
        }
        Ok(pool)
    }
}

/// Shows nothing of the URL.
impl fmt::Debug for PostgresStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStoreBuilder")
            .field("schema", &self.schema)
            .field("table", &self.table)
            .field("readers", &self.readers)
            .field("writers", &self.writers)
            .field("timeout", &self.timeout)
            .field("slow_timeout", &self.slow_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("max_data_size", &self.max_data_size)
            .field("migrate", &self.migrate)
            .field("prepared", &self.is_prepared)
            .field("tell_changes", &self.tell_changes)
            .finish_non_exhaustive()
    }
}
