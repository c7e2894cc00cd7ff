//! How a store comes by its connections. What it promises is the same.
#![allow(clippy::print_stdout)] // which way a test that fails was on

use std::fmt;

use cloakroom_postgres::{PostgresStore, PostgresStoreBuilder};

use super::{drop_table, patient};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Url,
    #[cfg(feature = "deadpool-postgres-0_14")]
    Deadpool,
    #[cfg(feature = "sqlx-0_9")]
    Sqlx,
}

impl Way {
    pub(crate) const ALL: &[Self] = &[
        Self::Url,
        #[cfg(feature = "deadpool-postgres-0_14")]
        Self::Deadpool,
        #[cfg(feature = "sqlx-0_9")]
        Self::Sqlx,
    ];

    /// By the name that it shows.
    pub(crate) fn named(name: &str) -> Self {
        let mut all = Self::ALL.iter();
        *all.find(|way| way.to_string() == name).unwrap()
    }

    /// Whether a connection takes a statement before the one before it is answered.
    pub(crate) fn is_pipelined(self) -> bool {
        match self {
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx => false,
            _ => true,
        }
    }

    /// The table of a test that runs in each way.
    pub(crate) fn table(self, name: &str) -> String {
        format!("{name}_{self}")
    }

    pub(crate) fn builder(self, url: &str) -> PostgresStoreBuilder {
        match self {
            Self::Url => PostgresStore::builder(url),
            #[cfg(feature = "deadpool-postgres-0_14")]
            Self::Deadpool => PostgresStore::from_deadpool_0_14(deadpool(url)),
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx => PostgresStore::from_sqlx_0_9(sqlx(url)),
        }
    }

    /// A store on a table of this test's and this way's own, which is made anew.
    pub(crate) async fn fresh(self, url: &str, name: &str) -> PostgresStoreBuilder {
        let table = self.table(name);
        drop_table(url, &table).await;
        println!("{self}");
        patient(self.builder(url).table(&table))
    }

    pub(crate) async fn store(self, url: &str, name: &str) -> PostgresStore {
        self.fresh(url, name).await.connect().await.unwrap()
    }
}

/// A part of the name of a table.
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url => "url",
            #[cfg(feature = "deadpool-postgres-0_14")]
            Self::Deadpool => "deadpool",
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx => "sqlx",
        })
    }
}

#[cfg(feature = "deadpool-postgres-0_14")]
pub(crate) fn deadpool(url: &str) -> deadpool_postgres::Pool {
    use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};

    let recycling_method = RecyclingMethod::Fast;
    let config = ManagerConfig { recycling_method };
    let manager = Manager::from_config(url.parse().unwrap(), tokio_postgres::NoTls, config);
    Pool::builder(manager).max_size(10).build().unwrap()
}

/// With the settings that it has by itself.
#[cfg(feature = "sqlx-0_9")]
pub(crate) fn sqlx(url: &str) -> sqlx_postgres::PgPool {
    sqlx_postgres::PgPool::connect_lazy(url).unwrap()
}
