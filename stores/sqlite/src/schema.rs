//! The table: its name, its versions, and how a database gets from one to the next.

use std::{sync::Arc, time::Duration};

use rusqlite::{ErrorCode, OptionalExtension, TransactionBehavior};

use crate::{
    connection::{Connection, Settings},
    error::{Reason, code},
};

/// The newest schema.
const NEWEST: i64 = 1;

/// How long a program that starts waits for another that migrates, or holds the database.
pub(crate) const STARTING: Duration = Duration::from_secs(10);

/// A checked name of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table(Arc<str>);

impl Table {
    /// 1 to 63 bytes: a lower-case letter or `_`, then those and digits; not a name of SQLite's.
    pub(crate) fn new(name: &str) -> Result<Self, Reason> {
        let is_first = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_';
        let is_allowed = |byte: &u8| is_first(byte) || byte.is_ascii_digit();
        let bytes = name.as_bytes();
        let is_good = bytes.len() <= 63
            && bytes.first().is_some_and(is_first)
            && bytes.iter().all(is_allowed)
            && !name.starts_with("sqlite_");
        match is_good {
            true => Ok(Self(Arc::from(name))),
            false => Err(Reason::TableName(name.chars().take(64).collect())),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Everything, for a person to run. It may run again.
    pub(crate) fn print(&self) -> String {
        let scripts = (1..).zip(self.migrations());
        let scripts = scripts.map(|(version, script)| format!("-- version {version}\n{script}"));
        scripts.collect::<Vec<_>>().join("\n")
    }

    /// What brings an empty database to schema 1, that to schema 2, and so on. Each may run again.
    fn migrations(&self) -> Vec<String> {
        let name = self.as_str();
        vec![format!(
            "CREATE TABLE IF NOT EXISTS \"{name}\" (\n    \
                 namespace TEXT NOT NULL,\n    \
                 id BLOB NOT NULL CHECK (length(id) = 16),\n    \
                 version INTEGER NOT NULL, -- 64 random bits\n    \
                 created INTEGER NOT NULL, -- milliseconds since 1970-01-01 UTC, as all times\n    \
                 last_seen INTEGER NOT NULL,\n    \
                 expires INTEGER NOT NULL,\n    \
                 subject TEXT,\n    \
                 data BLOB NOT NULL,\n    \
                 PRIMARY KEY (namespace, id)\n\
             ) STRICT;\n\
             CREATE INDEX IF NOT EXISTS \"{name}_expires\" ON \"{name}\" (expires);\n\
             CREATE INDEX IF NOT EXISTS \"{name}_subject\" ON \"{name}\" (namespace, subject, id)\n    \
                 WHERE subject IS NOT NULL;\n\
             CREATE TABLE IF NOT EXISTS \"{name}_schema\" (version INTEGER PRIMARY KEY) STRICT;\n\
             INSERT INTO \"{name}_schema\" (version) VALUES (1) ON CONFLICT DO NOTHING;\n"
        )]
    }
}

/// Brings the database to the newest schema, or only checks that it is there.
///
/// Several processes may do so at the same time: one does it, the others wait and find it done.
pub(crate) fn prepare(
    connection: &mut Connection,
    table: &Table,
    may_migrate: bool,
) -> Result<(), Reason> {
    let found = version(connection.raw(), table)?;
    if found < NEWEST && may_migrate {
        migrate(connection, table)?;
    }
    match version(connection.raw(), table)? {
        NEWEST => Ok(()),
        found if found > NEWEST => Err(Reason::Newer {
            table: table.as_str().to_owned(),
            found,
            known: NEWEST,
        }),
        found => Err(Reason::NotMigrated {
            table: table.as_str().to_owned(),
            found,
            needed: NEWEST,
        }),
    }
}

/// Finds out now, and not later, whether a table or an index of that name is somebody else's.
pub(crate) fn check(connection: &Connection, settings: &Settings) -> Result<(), Reason> {
    for sql in settings.statements.all() {
        let prepared = connection.raw().prepare(sql);
        prepared.map_err(|error| foreign(error, &settings.table))?;
    }
    Ok(())
}

/// SQLite has no code of its own for a table, a column or an index that is not there.
fn foreign(error: rusqlite::Error, table: &Table) -> Reason {
    match code(&error) {
        Some(ErrorCode::Unknown) => Reason::Foreign {
            table: table.as_str().to_owned(),
            error,
        },
        _ => Reason::Sqlite(error),
    }
}

/// The schema that is there; 0 when there is none.
fn version(connection: &rusqlite::Connection, table: &Table) -> Result<i64, Reason> {
    let is_there = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let schema = format!("{}_schema", table.as_str());
    let is_there = connection.query_row(is_there, [&schema], |_| Ok(()));
    if is_there.optional().map_err(Reason::Sqlite)?.is_none() {
        return Ok(0);
    }
    let newest = format!("SELECT coalesce(max(version), 0) FROM \"{schema}\"");
    let newest = connection.query_row(&newest, [], |row| row.get(0));
    newest.map_err(Reason::Sqlite)
}

fn migrate(connection: &mut Connection, table: &Table) -> Result<(), Reason> {
    let transaction = connection
        .raw_mut()
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(Reason::Sqlite)?;
    let found = version(&transaction, table)?;
    let done = usize::try_from(found).unwrap_or(0);
    for migration in table.migrations().iter().skip(done) {
        let ran = transaction.execute_batch(migration);
        ran.map_err(|error| foreign(error, table))?;
    }
    transaction.commit().map_err(Reason::Sqlite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tables_are_checked() {
        for good in [
            "a",
            "_",
            "cloakroom_sessions",
            "order",
            "t2",
            &"x".repeat(63),
        ] {
            assert_eq!(Table::new(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "2t",
            "T",
            "a b",
            "a\"",
            "a;drop table b",
            "é",
            "a\0",
            "a-b",
            "main.a",
            "sqlite_schema",
            &"x".repeat(64),
        ] {
            assert!(Table::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn each_migration_ends_with_its_version() {
        let migrations = Table::new("t").unwrap().migrations();
        assert_eq!(i64::try_from(migrations.len()).unwrap(), NEWEST);
        for (number, migration) in (1..).zip(migrations) {
            let record = format!("VALUES ({number}) ON CONFLICT DO NOTHING;\n");
            assert!(migration.ends_with(&record), "{migration}");
        }
    }
}
