//! The table, made and changed by versions. MySQL has no transactions for that, so every statement may
//! run again, and several programs may run them at the same time.

use std::time::Duration;

use mysql_async::Value;
use tokio::time::sleep;

use crate::{ConnectError, error::Failure, live::Live, name::TableName};

/// The version that this program needs.
const KNOWN: u64 = 1;

/// For making tables, which takes as long as it takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(600);

/// How often statements are tried that others run at the same time.
const MOST_TRIES: u32 = 20;

/// The statements that lead to a version, for a database that has the one before it.
fn statements(name: &TableName, version: u64) -> Vec<String> {
    match version {
        1 => first(name),
        _ => Vec::new(),
    }
}

fn first(name: &TableName) -> Vec<String> {
    let table = name.table();
    vec![format!(
        "CREATE TABLE IF NOT EXISTS {name} (\n    \
         id VARBINARY(16) NOT NULL,\n    \
         namespace VARBINARY(32) NOT NULL,\n    \
         version BIGINT UNSIGNED NOT NULL,\n    \
         created BIGINT UNSIGNED NOT NULL,\n    \
         last_seen BIGINT UNSIGNED NOT NULL,\n    \
         expires BIGINT UNSIGNED NOT NULL,\n    \
         subject VARBINARY(255),\n    \
         data LONGBLOB NOT NULL,\n    \
         PRIMARY KEY (id, namespace),\n    \
         KEY `{table}_expires` (expires),\n    \
         KEY `{table}_subject` (subject, namespace, id)\n\
         ) ENGINE = InnoDB"
    )]
}

/// Before all versions.
fn preparation(name: &TableName) -> Vec<String> {
    let schema = name.schema();
    let schema = schema.map(|schema| format!("CREATE DATABASE IF NOT EXISTS `{schema}`"));
    let versions = name.versions();
    let versions = format!(
        "CREATE TABLE IF NOT EXISTS {versions} \
         (version BIGINT UNSIGNED NOT NULL PRIMARY KEY) ENGINE = InnoDB"
    );
    schema.into_iter().chain([versions]).collect()
}

fn record(name: &TableName, version: u64) -> String {
    let versions = name.versions();
    format!("INSERT IGNORE INTO {versions} (version) VALUES ({version})")
}

/// Everything, for a person to run. It may run again.
pub(crate) fn print(name: &TableName) -> String {
    let mut script = String::new();
    for statement in preparation(name) {
        script.push_str(&format!("{statement};\n"));
    }
    for version in 1..=KNOWN {
        script.push_str(&format!("\n-- version {version}\n"));
        for statement in statements(name, version) {
            script.push_str(&format!("{statement};\n"));
        }
        script.push_str(&format!("{};\n", record(name, version)));
    }
    script
}

/// Sees to it that the table has the known version. A look at it has to be answered within `patience`.
pub(crate) async fn run(
    live: &mut Live,
    name: &TableName,
    may_change: bool,
    patience: Duration,
) -> Result<(), ConnectError> {
    let found = version(live, name, patience).await;
    let found = found.map_err(ConnectError::unreachable)?;
    if found > KNOWN {
        return Err(ConnectError::too_new(found, KNOWN));
    }
    if found == KNOWN {
        return Ok(());
    }
    if !may_change {
        return Err(ConnectError::not_migrated(found, KNOWN));
    }
    let mut tries = 0;
    while let Err(failure) = change(live, name, found).await {
        tries += 1;
        if tries == MOST_TRIES || !is_contended(&failure) {
            return Err(ConnectError::migration(failure));
        }
        sleep(Duration::from_millis(u64::from(10 * tries))).await;
    }
    Ok(())
}

async fn version(live: &mut Live, name: &TableName, patience: Duration) -> Result<u64, Failure> {
    let versions = name.versions();
    // As text, whatever the column may be.
    let sql = format!("SELECT CAST(MAX(version) AS CHAR) FROM {versions}");
    match live.query_text(&sql, patience).await {
        Ok(rows) => {
            let answer = rows.first().and_then(|answer| answer.get(0));
            let Some(Value::Bytes(digits)) = answer else {
                return Ok(0);
            };
            let digits = std::str::from_utf8(digits).ok();
            let version = digits.and_then(|digits| digits.parse().ok());
            Ok(version.unwrap_or(u64::MAX))
        }
        // ER_NO_SUCH_TABLE, ER_BAD_DB_ERROR; a user without rights on a table is not told whether it
        // is there (ER_TABLEACCESS_DENIED, ER_DBACCESS_DENIED)
        Err(failure) if matches!(failure.code, Some(1146 | 1049 | 1142 | 1044)) => Ok(0),
        Err(failure) => Err(failure),
    }
}

async fn change(live: &mut Live, name: &TableName, found: u64) -> Result<(), Failure> {
    for statement in preparation(name) {
        live.run_text(&statement, LIMIT).await?;
    }
    for version in found + 1..=KNOWN {
        for statement in statements(name, version) {
            live.run_text(&statement, LIMIT).await?;
        }
        live.run_text(&record(name, version), LIMIT).await?;
    }
    Ok(())
}

/// Somebody else is doing the same.
fn is_contended(failure: &Failure) -> bool {
    // ER_LOCK_DEADLOCK, ER_LOCK_WAIT_TIMEOUT, ER_TABLE_EXISTS_ERROR, ER_DB_CREATE_EXISTS,
    // ER_TABLE_DEF_CHANGED, ER_DUP_ENTRY
    matches!(failure.code, Some(1213 | 1205 | 1050 | 1007 | 1412 | 1062))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_statements() {
        let name = TableName::new(Some("app"), "sessions").unwrap();
        for version in 1..=KNOWN {
            assert!(!statements(&name, version).is_empty());
        }
        assert!(statements(&name, KNOWN + 1).is_empty());
        let script = print(&name);
        assert!(script.starts_with("CREATE DATABASE IF NOT EXISTS `app`;\n"));
        assert!(script.contains("KEY `sessions_expires` (expires)"));
    }
}
