//! Who takes part for each store.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use cloakroom_memcached::MemcachedStore;
use cloakroom_memory::MemoryStore;
use cloakroom_mysql::MysqlStore;
use cloakroom_postgres::PostgresStore;
use cloakroom_redis::RedisStore;
use cloakroom_sqlite::SqliteStore;
use cloakroom_tiered::TieredStore;

use crate::counter::Counter;
use crate::peers::Peers;
use crate::raw::{self, Mysql, Postgres, Redis, Sqlite, memcached::Memcached};
use crate::subject::{BEST, DEFAULT, Group, MEMORY, OURS, Subject, UNWATCHED};

/// What opening a group needs.
pub(crate) struct Setup<'a> {
    pub(crate) peers: &'a Rc<Peers>,
    /// For databases that are files.
    pub(crate) folder: &'a Path,
    pub(crate) width: usize,
    pub(crate) is_shared: bool,
}

/// The variable that has the address of the store's server.
fn variable(store: &str) -> Option<&'static str> {
    match store {
        "redis" | "tiered" => Some("CLOAKROOM_TEST_REDIS_URL"),
        "postgres" => Some("CLOAKROOM_TEST_POSTGRES_URL"),
        "mysql" => Some("CLOAKROOM_TEST_MYSQL_URL"),
        "memcached" => Some("CLOAKROOM_TEST_MEMCACHED_URL"),
        _ => None,
    }
}

impl Setup<'_> {
    /// The error says which address is missing.
    pub(crate) async fn open(&self, store: &str) -> Result<Group, String> {
        let url = match variable(store) {
            Some(variable) => {
                std::env::var(variable).map_err(|_| format!("{variable} is not set"))?
            }
            None => self.folder.display().to_string(),
        };
        Ok(match store {
            "redis" => self.redis(&url).await,
            "postgres" => self.postgres(&url).await,
            "mysql" => self.mysql(&url).await,
            "sqlite" => self.sqlite(&url).await,
            "memcached" => self.memcached(&url).await,
            _ => self.tiered(&url).await,
        })
    }

    fn crew(&self) -> (usize, bool) {
        (self.width, self.is_shared)
    }

    /// tower-sessions' store, as its documentation sets it up and as it is fastest.
    fn both_peers(&self, store: &str, url: &str) -> [Subject; 2] {
        [(DEFAULT, "default"), (BEST, "best")]
            .map(|(name, settings)| self.peers.open(name, store, settings, url, self.crew()))
    }

    async fn redis(&self, url: &str) -> Group {
        let alone = redis_connection(url).await;
        let worker = async |number, changes| Redis::new(alone.clone(), number, changes).await;
        let store = RedisStore::connect(url).await.expect("connected");
        let mut subjects = vec![
            Subject::raw(self.width, worker).await,
            Subject::ours(OURS, store, self.crew()).await,
        ];
        subjects.extend(self.both_peers("redis", url));
        let counter = Counter::Redis(redis_connection(url).await);
        Group { subjects, counter }
    }

    async fn postgres(&self, url: &str) -> Group {
        let table = raw::PostgresTable::new(url).await;
        let worker = async |number, changes| Postgres::new(table.clone(), number, changes).await;
        let store = PostgresStore::connect(url).await.expect("connected");
        let mut subjects = vec![
            Subject::raw(self.width, worker).await,
            Subject::ours(OURS, store, self.crew()).await,
        ];
        subjects.extend(self.both_peers("postgres", url));
        let counter = Counter::Postgres(raw::postgres(url).await);
        Group { subjects, counter }
    }

    async fn mysql(&self, url: &str) -> Group {
        let table = raw::MysqlTable::new(url).await;
        let worker = async |number, changes| Mysql::new(&table, number, changes).await;
        let store = MysqlStore::connect(url).await.expect("connected");
        let mut subjects = vec![
            Subject::raw(self.width, worker).await,
            Subject::ours(OURS, store, self.crew()).await,
        ];
        subjects.extend(self.both_peers("mysql", url));
        let counter = Counter::Mysql(raw::mysql(url).await);
        Group { subjects, counter }
    }

    async fn sqlite(&self, folder: &str) -> Group {
        let table = raw::SqliteTable::new(self.folder);
        let worker = async |number, changes| Sqlite::new(&table, number, changes);
        let store = SqliteStore::open(self.folder.join("cloakroom.db")).expect("opened");
        let mut subjects = vec![
            Subject::raw(self.width, worker).await,
            Subject::ours(OURS, store.clone(), self.crew()).await,
        ];
        subjects.extend(self.both_peers("sqlite", folder));
        let counter = Counter::Sqlite(store);
        Group { subjects, counter }
    }

    /// tower-sessions has no store for it.
    async fn memcached(&self, url: &str) -> Group {
        let worker = async |number, changes| Memcached::new(url, number, changes).await;
        let store = MemcachedStore::connect(url).await.expect("connected");
        let subjects = vec![
            Subject::raw(self.width, worker).await,
            Subject::ours(OURS, store, self.crew()).await,
        ];
        let counter = Counter::Memcached(Memcached::new(url, 0, false).await);
        Group { subjects, counter }
    }

    /// Memory in front of Redis.
    async fn tiered(&self, url: &str) -> Group {
        let back = async |prefix| {
            let store = RedisStore::builder(url).prefix(prefix).connect().await;
            store.expect("connected")
        };
        let watched = TieredStore::builder(MemoryStore::new(), back("watched").await);
        let watched = watched.watch().build();
        while !watched.trusts_front() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let aged = TieredStore::new(MemoryStore::new(), back("aged").await);
        let subjects = vec![
            Subject::bare(self.width).await,
            Subject::ours(MEMORY, MemoryStore::new(), self.crew()).await,
            Subject::ours(OURS, watched, self.crew()).await,
            Subject::ours(UNWATCHED, aged, self.crew()).await,
            self.peers.open(BEST, "tiered", "best", url, self.crew()),
        ];
        let counter = Counter::Redis(redis_connection(url).await);
        Group { subjects, counter }
    }
}

async fn redis_connection(url: &str) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(url).expect("an address");
    let connection = client.get_multiplexed_async_connection().await;
    connection.expect("connected")
}
