//! A connection of one of the drivers, and what they have in common.

mod driver;
#[cfg(feature = "sqlx-0_9")]
mod sqlx;

use mysql_async::Value;

pub(crate) use self::driver::Driver;
#[cfg(feature = "sqlx-0_9")]
pub(crate) use self::sqlx::Sqlx;
use crate::{error::Failure, sql::Query};

/// A connection.
pub(crate) enum Wire {
    Driver(Driver),
    #[cfg(feature = "sqlx-0_9")]
    Sqlx(Sqlx),
}

/// What a statement has found or changed.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    /// How many rows were found by an update, changed or not, or added or removed.
    pub(crate) affected: usize,
    /// How many columns the answer has; `None` where the driver does not say.
    pub(crate) columns: Option<usize>,
}

/// A row of an answer.
#[derive(Debug)]
pub(crate) struct Row(Vec<Value>);

impl Row {
    pub(crate) fn get(&self, index: usize) -> Option<&Value> {
        self.0.get(index)
    }

    /// The value, which is NULL from now on.
    pub(crate) fn take(&mut self, index: usize) -> Option<Value> {
        let value = self.0.get_mut(index)?;
        Some(std::mem::replace(value, Value::NULL))
    }
}

impl Wire {
    /// Runs a statement that is prepared once. A connection on which this was dropped is of no more use.
    pub(crate) async fn run(
        &mut self,
        query: Query,
        text: &str,
        values: Vec<Value>,
    ) -> Result<Answer, Failure> {
        match self {
            Self::Driver(driver) => driver.run(query, text, values).await,
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx(sqlx) => sqlx.run(text, values).await,
        }
    }

    /// Runs what has no answer.
    pub(crate) async fn execute(&mut self, sql: &str) -> Result<(), Failure> {
        match self {
            Self::Driver(driver) => driver.query(sql).await.map(drop),
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx(sqlx) => sqlx.execute(sql).await,
        }
    }

    /// Runs a statement that is not needed again.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<Vec<Row>, Failure> {
        match self {
            Self::Driver(driver) => driver.query(sql).await,
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx(sqlx) => sqlx.query(sql).await,
        }
    }

    pub(crate) async fn ping(&mut self) -> Result<(), Failure> {
        match self {
            Self::Driver(driver) => driver.ping().await,
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx(sqlx) => sqlx.ping().await,
        }
    }

    /// How many connections the driver's pool may have that this one is of.
    #[cfg(feature = "mysql_async-0_37")]
    pub(crate) fn pool_size(&self) -> Option<usize> {
        match self {
            Self::Driver(driver) => driver.pool_size(),
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx(_) => None,
        }
    }

    /// Closes a connection that has not answered in time.
    pub(crate) fn abandon(self) {
        match self {
            Self::Driver(driver) => driver.abandon(),
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx(sqlx) => drop(sqlx),
        }
    }

    /// Whether it is closed, as far as can be seen from here.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Driver(driver) => driver.is_closed(),
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx(sqlx) => sqlx.is_closed(),
        }
    }
}
