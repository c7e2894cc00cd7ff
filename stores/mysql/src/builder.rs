use std::{fmt, num::NonZeroUsize, sync::Arc, time::Duration};

use tokio::runtime::Handle;

#[cfg(feature = "mysql_async-0_37")]
use crate::lender::Lender;
use crate::{
    ConnectError, MysqlStore,
    live::{Live, Shop},
    migrate,
    name::TableName,
    shared::{Settings, Shared},
    source::Source,
    sql::Texts,
};

/// The longest of the timeouts.
const A_DAY: Duration = Duration::from_secs(86_400);

/// How long each of the first connections may take, at least.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);

/// The settings of a [`MysqlStore`]; made by [`MysqlStore::builder`].
#[must_use]
pub struct MysqlStoreBuilder {
    origin: Origin,
    schema: Option<String>,
    table: String,
    connections: NonZeroUsize,
    timeout: Duration,
    slow_timeout: Duration,
    connect_timeout: Duration,
    max_data_size: usize,
    migrate: bool,
    #[cfg(feature = "tls")]
    tls_roots: Option<Vec<u8>>,
}

enum Origin {
    Url(String),
    #[cfg(feature = "mysql_async-0_37")]
    Pool(mysql_async::Pool),
    #[cfg(feature = "sqlx-0_9")]
    Sqlx(sqlx_mysql::MySqlPool),
}

/// How many connections serve loads and writes when they are all the store's own, and of a pool.
const OWN: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);
#[cfg(any(feature = "mysql_async-0_37", feature = "sqlx-0_9"))]
const SHARED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);

impl MysqlStoreBuilder {
    pub(crate) fn from_url(url: &str) -> Self {
        Self::new(Origin::Url(url.to_owned()), OWN)
    }

    #[cfg(feature = "mysql_async-0_37")]
    pub(crate) fn from_pool(pool: mysql_async::Pool) -> Self {
        Self::new(Origin::Pool(pool), SHARED)
    }

    #[cfg(feature = "sqlx-0_9")]
    pub(crate) fn from_sqlx(pool: sqlx_mysql::MySqlPool) -> Self {
        Self::new(Origin::Sqlx(pool), SHARED)
    }

    fn new(origin: Origin, connections: NonZeroUsize) -> Self {
        Self {
            origin,
            schema: None,
            table: MysqlStore::DEFAULT_TABLE.to_owned(),
            connections,
            timeout: Duration::from_millis(450),
            slow_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
            max_data_size: 1 << 20,
            migrate: true,
            #[cfg(feature = "tls")]
            tls_roots: None,
        }
    }

    /// The schema of the table, which is a database in MySQL: 1 to 48 lower-case letters, digits
    /// and `_`, no digit first. Default: the database that the URL names.
    pub fn schema(mut self, schema: &str) -> Self {
        self.schema = Some(schema.to_owned());
        self
    }

    /// The name of the table, with the same letters as a schema. A second table with `_schema`
    /// behind its name keeps the version. Default: [`MysqlStore::DEFAULT_TABLE`].
    pub fn table(mut self, table: &str) -> Self {
        table.clone_into(&mut self.table);
        self
    }

    /// How many connections serve loads and writes, one statement at a time on each. They are made
    /// when they are needed. Sweeps and listings have one more. Default: 8, and 4 of a pool of the
    /// application's.
    pub const fn connections(mut self, count: NonZeroUsize) -> Self {
        self.connections = count;
        self
    }

    /// How long a call may take, waiting for a connection and for locked rows included, before it is
    /// `TimedOut`; at most a day. Default: 450 ms, a little less than the engine waits.
    ///
    /// MariaDB ends a statement after nine tenths of it (`max_statement_time`). MySQL ends reading
    /// ones so (`max_execution_time`), and the waiting for a locked row after 1 s.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = at_most_a_day(timeout);
        self
    }

    /// The same for a page of a listing, and for each of the statements of a sweep. Default: 5 s.
    pub const fn slow_timeout(mut self, timeout: Duration) -> Self {
        self.slow_timeout = at_most_a_day(timeout);
        self
    }

    /// How long making a connection may take, with name resolution, TLS and authentication.
    /// Default: 1 s; the first ones have at least 5 s.
    ///
    /// A server that comes back within it is noticed when it has passed, at the latest. A call
    /// does not wait for a connection longer than its own timeout, but the connection is made all
    /// the same, for the next.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = at_most_a_day(timeout);
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

    /// The certificates, in PEM format, of which one has to vouch for the server's when the URL says
    /// `require_ssl=true`. Default: those of
    /// [webpki-roots](https://docs.rs/webpki-roots), which browsers trust.
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
    /// # async fn run() -> Result<(), cloakroom_mysql::ConnectError> {
    /// use std::time::Duration;
    /// use cloakroom_mysql::MysqlStore;
    ///
    /// let store = MysqlStore::builder("mysql://app@db.example.com/shop")
    ///     .schema("web")
    ///     .table("sessions")
    ///     .timeout(Duration::from_millis(300))
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(self) -> Result<MysqlStore, ConnectError> {
        let (patience, may_change) = (self.connect_timeout.max(FIRST_PATIENCE), self.migrate);
        let (store, shop, name) = self.build()?;
        let live = Live::open(shop, migrate::LIMIT, patience).await;
        let mut live = live.map_err(ConnectError::unreachable)?;
        #[cfg(feature = "mysql_async-0_37")]
        if let Some(size) = live.pool_size() {
            check_size(size, store.shared().settings.connections)?;
        }
        migrate::run(&mut live, &name, may_change, patience).await?;
        drop(live);
        let renewed = store.shared().quick.renew(patience).await;
        renewed.map_err(ConnectError::unreachable)?;
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
    /// use cloakroom_mysql::MysqlStore;
    ///
    /// let builder = MysqlStore::builder("mysql://app@db.example.com/shop");
    /// let store = builder.connect_lazily()?;
    /// # Ok::<(), cloakroom_mysql::ConnectError>(())
    /// # }).unwrap();
    /// ```
    pub fn connect_lazily(self) -> Result<MysqlStore, ConnectError> {
        self.build().map(|(store, _, _)| store)
    }

    fn build(self) -> Result<(MysqlStore, Arc<Shop>, TableName), ConnectError> {
        Handle::try_current().map_err(|_| ConnectError::no_runtime())?;
        let name = TableName::new(self.schema.as_deref(), &self.table)?;
        let source = match self.origin {
            Origin::Url(url) => Source::from_url(
                &url,
                name.schema().is_none(),
                #[cfg(feature = "tls")]
                self.tls_roots,
            )?,
            #[cfg(feature = "mysql_async-0_37")]
            Origin::Pool(pool) => Source::Pool(Lender::new(pool)),
            #[cfg(feature = "sqlx-0_9")]
            Origin::Sqlx(pool) => {
                let size = pool.options().get_max_connections();
                check_size(
                    usize::try_from(size).unwrap_or(usize::MAX),
                    self.connections,
                )?;
                Source::Sqlx(pool)
            }
        };
        let shop = Arc::new(Shop {
            source,
            texts: Texts::new(&name),
            connect_timeout: self.connect_timeout,
        });
        let settings = Settings {
            table: name.to_string(),
            connections: self.connections,
            timeout: self.timeout,
            slow_timeout: self.slow_timeout,
            connect_timeout: self.connect_timeout,
            max_data_size: self.max_data_size,
        };
        let store = MysqlStore::new(Shared::new(&shop, settings));
        Ok((store, shop, name))
    }
}

/// One connection sweeps and lists, and one is for the application.
#[cfg(any(feature = "mysql_async-0_37", feature = "sqlx-0_9"))]
fn check_size(size: usize, connections: NonZeroUsize) -> Result<(), ConnectError> {
    let needed = connections.get().saturating_add(2);
    if size < needed {
        return Err(ConnectError::small_pool(size, needed));
    }
    Ok(())
}

const fn at_most_a_day(timeout: Duration) -> Duration {
    if timeout.as_secs() < A_DAY.as_secs() {
        timeout
    } else {
        A_DAY
    }
}

/// Shows nothing of the URL.
impl fmt::Debug for MysqlStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlStoreBuilder")
            .field("schema", &self.schema)
            .field("table", &self.table)
            .field("connections", &self.connections)
            .field("timeout", &self.timeout)
            .field("slow_timeout", &self.slow_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("max_data_size", &self.max_data_size)
            .field("migrate", &self.migrate)
            .finish_non_exhaustive()
    }
}
