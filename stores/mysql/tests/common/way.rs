//! How a store comes by its connections. What it promises is the same.
#![allow(clippy::print_stdout)] // which way a test that fails was on

use std::fmt;

use cloakroom_mysql::{MysqlStore, MysqlStoreBuilder};

use super::{drop_table, patient};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Url,
    #[cfg(feature = "mysql_async-0_37")]
    Pool,
    #[cfg(feature = "sqlx-0_9")]
    Sqlx,
}

impl Way {
    pub(crate) const ALL: &[Self] = &[
        Self::Url,
        #[cfg(feature = "mysql_async-0_37")]
        Self::Pool,
        #[cfg(feature = "sqlx-0_9")]
        Self::Sqlx,
    ];

    /// By the name that it shows.
    pub(crate) fn named(name: &str) -> Self {
        let mut all = Self::ALL.iter();
        *all.find(|way| way.to_string() == name).unwrap()
    }

    /// The table of a test that runs in each way.
    pub(crate) fn table(self, name: &str) -> String {
        format!("{name}_{self}")
    }

    /// Pools have the settings that they have by themselves, but for a socket that would lead past what
    /// stands between.
    pub(crate) fn builder(self, url: &str) -> MysqlStoreBuilder {
        match self {
            Self::Url => MysqlStore::builder(url),
            #[cfg(feature = "mysql_async-0_37")]
            Self::Pool => {
                let opts = mysql_async::Opts::from_url(url).unwrap();
                let opts = mysql_async::OptsBuilder::from_opts(opts).prefer_socket(false);
                MysqlStore::from_mysql_async_0_37(mysql_async::Pool::new(opts))
            }
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx => {
                let pool = sqlx_mysql::MySqlPool::connect_lazy(url).unwrap();
                MysqlStore::from_sqlx_0_9(pool)
            }
        }
    }

    /// A store on a table of this test's and this way's own, which is made anew.
    pub(crate) async fn fresh(self, url: &str, name: &str) -> MysqlStoreBuilder {
        let table = self.table(name);
        drop_table(url, &table).await;
        println!("{self}");
        patient(self.builder(url).table(&table))
    }

    pub(crate) async fn store(self, url: &str, name: &str) -> MysqlStore {
        self.fresh(url, name).await.connect().await.unwrap()
    }
}

/// A part of the name of a table.
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url => "url",
            #[cfg(feature = "mysql_async-0_37")]
            Self::Pool => "pool",
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx => "sqlx",
        })
    }
}
