//! A connection of `mysql_async`, the store's own or of the application's pool.

use std::task::{Context, Waker};

use cloakroom_store::StoreErrorKind;
use mysql_async::{Conn, Statement, Value, prelude::Queryable};

use super::{Answer, Row};
use crate::{error::Failure, sql::Query};

pub(crate) struct Driver {
    /// There until it is closed.
    conn: Option<Conn>,
    statements: Vec<(Query, Statement)>,
    is_pooled: bool,
    /// An update answers with the rows that it has found, not only with those that it has changed.
    tells_found: bool,
}

impl Driver {
    pub(crate) fn new(conn: Conn, is_pooled: bool) -> Self {
        Self {
            tells_found: conn.opts().client_found_rows(),
            conn: Some(conn),
            statements: Vec::new(),
            is_pooled,
        }
    }

    /// How many connections its pool may have.
    #[cfg(feature = "mysql_async-0_37")]
    pub(super) fn pool_size(&self) -> Option<usize> {
        let opts = self
            .conn
            .as_ref()
            .filter(|_| self.is_pooled)
            .map(Conn::opts);
        opts.map(|opts| opts.pool_opts().constraints().max())
    }

    pub(super) async fn run(
        &mut self,
        query: Query,
        text: &str,
        values: Vec<Value>,
    ) -> Result<Answer, Failure> {
        let statement = self.statement(query, text).await?;
        let has_to_ask = !self.tells_found && query.is_update();
        let mut result = self.conn()?.exec_iter(statement, values).await?;
        let columns = Some(result.columns_ref().len());
        let rows: Vec<mysql_async::Row> = result.collect().await?;
        let affected = match has_to_ask {
            true => found(&result.info()).ok_or_else(Failure::no_answer)?,
            false => usize::try_from(result.affected_rows()).unwrap_or(usize::MAX),
        };
        result.drop_result().await?;
        Ok(Answer {
            rows: of_driver(rows),
            affected,
            columns,
        })
    }

    async fn statement(&mut self, query: Query, text: &str) -> Result<Statement, Failure> {
        if let Some((_, statement)) = self.statements.iter().find(|(own, _)| *own == query) {
            return Ok(statement.clone());
        }
        let statement = self.conn()?.prep(text).await?;
        self.statements.push((query, statement.clone()));
        Ok(statement)
    }

    pub(super) async fn query(&mut self, sql: &str) -> Result<Vec<Row>, Failure> {
        Ok(of_driver(self.conn()?.query(sql).await?))
    }

    pub(super) async fn ping(&mut self) -> Result<(), Failure> {
        Ok(self.conn()?.ping().await?)
    }

    /// Left to itself the driver waits for the rest of an answer that has begun, to take its leave
    /// properly; not while a command is under way.
    pub(super) fn abandon(mut self) {
        let mut context = Context::from_waker(Waker::noop());
        if let Some(conn) = self.conn.as_mut().filter(|_| !self.is_pooled) {
            drop(conn.ping().as_mut().poll(&mut context));
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.conn.as_ref().is_none_or(|conn| conn.is_disconnected())
    }

    fn conn(&mut self) -> Result<&mut Conn, Failure> {
        let gone = || Failure::said(StoreErrorKind::Unavailable, "the connection is gone");
        self.conn.as_mut().ok_or_else(gone)
    }
}

impl Drop for Driver {
    /// A connection with settings and statements of the store does not go back to its pool, and
    /// neither does one in the middle of a statement: the pool makes another.
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take_if(|_| self.is_pooled) {
            let mut context = Context::from_waker(Waker::noop());
            // It says goodbye if that can be done at once. Then nobody waits for it any more.
            let leaving = std::pin::pin!(conn.disconnect());
            drop(leaving.poll(&mut context));
        }
    }
}

fn of_driver(rows: Vec<mysql_async::Row>) -> Vec<Row> {
    rows.into_iter().map(|row| Row(row.unwrap())).collect()
}

/// How many rows an update has found, of what the server says of it: `Rows matched: 1  Changed: 0
/// Warnings: 0`, in the language of its messages.
fn found(info: &str) -> Option<usize> {
    let mut numbers = info.split(|letter: char| !letter.is_ascii_digit());
    numbers.find(|digits| !digits.is_empty())?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_is_how_many_were_found() {
        for (info, expected) in [
            ("Rows matched: 1  Changed: 0  Warnings: 0", Some(1)),
            ("Datensätze gefunden: 0  Geändert: 0  Warnungen: 0", Some(0)),
            ("一致した行(Rows matched): 40  変更: 12  警告: 3", Some(40)),
            ("", None),
            ("Rows matched: none", None),
            ("Rows matched: 99999999999999999999999", None),
        ] {
            assert_eq!(found(info), expected, "{info}");
        }
    }
}
