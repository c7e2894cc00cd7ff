//! A connection of the application's own sqlx pool.

use std::future::poll_fn;

use cloakroom_store::StoreErrorKind;
use mysql_async::Value;
use sqlx_core::{
    Either, arguments::Arguments as _, connection::Connection as _, error::Error,
    executor::Executor as _, pool::PoolConnection, query::query_with, raw_sql::raw_sql,
    row::Row as _, sql_str::AssertSqlSafe, type_info::TypeInfo as _, value::ValueRef as _,
};
use sqlx_mysql::{MySql, MySqlArguments, MySqlConnection, MySqlPool, MySqlRow};
use tokio::runtime::Handle;

use super::{Answer, Row};
use crate::error::Failure;

pub(crate) struct Sqlx {
    /// There until it is closed.
    connection: Option<PoolConnection<MySql>>,
    pool: MySqlPool,
    runtime: Handle,
}

impl Sqlx {
    /// It never goes back to the pool: it has settings and statements of the store, and may be in the
    /// middle of one.
    pub(crate) fn new(mut connection: PoolConnection<MySql>, pool: &MySqlPool) -> Self {
        connection.close_on_drop();
        Self {
            connection: Some(connection),
            pool: pool.clone(),
            runtime: Handle::current(),
        }
    }

    pub(super) async fn run(&mut self, text: &str, values: Vec<Value>) -> Result<Answer, Failure> {
        self.fetch(text, values, true).await
    }

    pub(super) async fn query(&mut self, sql: &str) -> Result<Vec<Row>, Failure> {
        Ok(self.fetch(sql, Vec::new(), false).await?.rows)
    }

    async fn fetch(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        is_kept: bool,
    ) -> Result<Answer, Failure> {
        let query = query_with(AssertSqlSafe(sql), arguments(values)?).persistent(is_kept);
        let mut answers = self.connection()?.fetch_many(query);
        let (mut rows, mut affected, mut columns) = (Vec::new(), 0, None);
        while let Some(answer) = poll_fn(|context| answers.as_mut().poll_next(context)).await {
            match answer? {
                Either::Left(done) => affected += done.rows_affected(),
                Either::Right(row) => {
                    columns = Some(row.columns().len());
                    rows.push(read(&row)?);
                }
            }
        }
        Ok(Answer {
            rows,
            affected: usize::try_from(affected).unwrap_or(usize::MAX),
            columns,
        })
    }

    pub(super) async fn execute(&mut self, sql: &str) -> Result<(), Failure> {
        let done = self
            .connection()?
            .execute(raw_sql(AssertSqlSafe(sql)))
            .await;
        Ok(done.map(drop)?)
    }

    pub(super) async fn ping(&mut self) -> Result<(), Failure> {
        Ok(self.connection()?.ping().await?)
    }

    fn connection(&mut self) -> Result<&mut MySqlConnection, Failure> {
        let gone = || Failure::said(StoreErrorKind::Unavailable, "the connection is gone");
        self.connection.as_deref_mut().ok_or_else(gone)
    }

    /// Who closes a pool waits for all of its connections.
    pub(super) fn is_closed(&self) -> bool {
        self.pool.is_closed()
    }
}

impl Drop for Sqlx {
    /// The pool needs a runtime to close it, and a store may be dropped outside of one.
    fn drop(&mut self) {
        let _runtime = self.runtime.enter();
        self.connection = None;
    }
}

fn arguments(values: Vec<Value>) -> Result<MySqlArguments, Failure> {
    let mut arguments = MySqlArguments::default();
    for value in values {
        let added = match value {
            Value::Bytes(bytes) => arguments.add(bytes),
            Value::UInt(number) => arguments.add(number),
            Value::Int(number) => arguments.add(number),
            _ => arguments.add(None::<Vec<u8>>),
        };
        added.map_err(|error| Failure::new(StoreErrorKind::Other, Error::Encode(error)))?;
    }
    Ok(arguments)
}

fn read(row: &MySqlRow) -> Result<Row, Error> {
    let values = (0..row.columns().len()).map(|index| {
        let value = row.try_get_raw(index)?;
        let (is_null, kind) = (value.is_null(), value.type_info());
        Ok(match kind.name() {
            _ if is_null => Value::NULL,
            name if name.ends_with("INT UNSIGNED") => Value::UInt(row.try_get_unchecked(index)?),
            name if name.ends_with("INT") => Value::Int(row.try_get_unchecked(index)?),
            _ => Value::Bytes(row.try_get_unchecked(index)?),
        })
    });
    values.collect::<Result<Vec<Value>, Error>>().map(Row)
}
