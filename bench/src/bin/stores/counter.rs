//! What a server has been told, as it counts itself.

use std::collections::BTreeMap;
use std::time::Duration;

use cloakroom_load::Crew;
use cloakroom_sqlite::SqliteStore;
use mysql_async::prelude::Queryable;
use redis::aio::MultiplexedConnection;
use tokio_postgres::Client;

use crate::raw::memcached::Memcached;
use crate::subject::Subject;

/// Who counts.
pub(crate) enum Counter {
    Redis(MultiplexedConnection),
    Postgres(Client),
    Mysql(mysql_async::Conn),
    Memcached(Memcached),
    /// There is no server; our store counts its own statements.
    Sqlite(SqliteStore),
}

type Counts = BTreeMap<String, u64>;

/// How long a counted round takes.
const TIME: Duration = Duration::from_millis(300);

/// Long enough for each connection to be used.
const BRIEFLY: Duration = Duration::from_millis(2);

impl Counter {
    /// What the server counts for each request of `crew`; nothing if nobody has counted.
    pub(crate) async fn count(&mut self, crew: &mut dyn Crew, width: usize) -> String {
        let mut requests = 0;
        requests += self.settle(crew, width).await;
        let before = self.read().await;
        requests += crew.round(width, TIME).await.requests;
        self.settle(crew, width).await;
        let after = self.read().await;
        let told = after.into_iter().filter_map(|(name, count)| {
            let count = count - before.get(&name).copied().unwrap_or(0);
            let each = count as f64 / requests as f64;
            (each >= 0.005).then(|| format!("{name} {each:.2}"))
        });
        let told: Vec<String> = told.collect();
        match told.is_empty() {
            true if matches!(self, Self::Sqlite(_)) => "-".to_owned(),
            true => "0".to_owned(),
            false => told.join(", "),
        }
    }

    /// Has nearly everything told that anybody has done before.
    pub(crate) async fn begin(&self, subjects: &mut [Subject], width: usize) {
        for subject in subjects {
            self.settle(&mut *subject.read, width).await;
            self.settle(&mut *subject.change, width).await;
        }
    }

    /// A process of PostgreSQL tells what it has counted with its first statement after a second,
    /// and of the statements behind that one the next time. Gives the number of the latter, nearly.
    async fn settle(&self, crew: &mut dyn Crew, width: usize) -> u64 {
        if !matches!(self, Self::Postgres(_)) {
            return 0;
        }
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        crew.round(width, BRIEFLY).await.requests
    }

    async fn read(&mut self) -> Counts {
        match self {
            Self::Redis(connection) => redis_counts(connection).await,
            Self::Postgres(client) => postgres_counts(client).await,
            Self::Mysql(connection) => mysql_counts(connection).await,
            Self::Memcached(connection) => connection.counts().await,
            Self::Sqlite(store) => {
                let stats = store.stats();
                let counts = [
                    ("statements", stats.statements),
                    ("commits", stats.commits),
                    ("reads handed over", stats.reads_on_thread),
                ];
                counts.map(|(name, count)| (name.to_owned(), count)).into()
            }
        }
    }
}

async fn redis_counts(connection: &mut MultiplexedConnection) -> Counts {
    let info: String = redis::cmd("INFO")
        .arg("commandstats")
        .query_async(connection)
        .await
        .expect("counts");
    let counts = info.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let (count, _) = rest.split_once(',')?;
        Some((name.to_owned(), count.parse().ok()?))
    });
    counts.filter(|(name, _)| name != "info").collect()
}

async fn postgres_counts(client: &Client) -> Counts {
    let counts = "SELECT xact_commit + xact_rollback, wal_sync FROM pg_stat_database, pg_stat_wal \
                  WHERE datname = current_database()";
    let row = client.query_one(counts, &[]).await.expect("counts");
    let names = ["transactions", "syncs of the log"];
    let count = |index| row.get::<_, i64>(index) as u64;
    BTreeMap::from([
        (names[0].to_owned(), count(0)),
        (names[1].to_owned(), count(1)),
    ])
}

async fn mysql_counts(connection: &mut mysql_async::Conn) -> Counts {
    let counts: Vec<(String, String)> = connection
        .query(
            "SHOW GLOBAL STATUS WHERE Variable_name LIKE 'Com\\_%' \
             OR Variable_name = 'Innodb_os_log_fsyncs'",
        )
        .await
        .expect("counts");
    let counts = counts.into_iter().filter_map(|(name, count)| {
        let name = name.trim_start_matches("Com_").to_owned();
        Some((name, count.parse().ok()?))
    });
    counts.filter(|(name, _)| name != "show_status").collect()
}
