//! The table, made and changed by versions. Every statement may run again, and several programs
//! may run them at the same time: no locks are needed, which not every engine has.

use std::time::Duration;

use tokio::time::sleep;

use crate::{ConnectError, error::Failure, live::Live, name::TableName, row};

/// The version that this program needs.
const KNOWN: i32 = 1;

/// How often statements are tried that others run at the same time.
pub(crate) const MOST_TRIES: u32 = 20;

/// The statements that lead to a version, for a database that has the one before it.
fn statements(name: &TableName, version: i32) -> Vec<String> {
    match version {
        1 => first(name),
        _ => Vec::new(),
    }
}

fn first(name: &TableName) -> Vec<String> {
    let table = name.table();
    vec![
        format!(
            "CREATE TABLE IF NOT EXISTS {name} (\n    \
             id bytea NOT NULL,\n    \
             namespace bytea NOT NULL,\n    \
             version bigint NOT NULL,\n    \
             created bigint NOT NULL,\n    \
             last_seen bigint NOT NULL,\n    \
             expires bigint NOT NULL,\n    \
             subject bytea,\n    \
             data bytea NOT NULL,\n    \
             PRIMARY KEY (id, namespace)\n)"
        ),
        format!("CREATE INDEX IF NOT EXISTS \"{table}_expires\" ON {name} (expires ASC)"),
        format!(
            "CREATE INDEX IF NOT EXISTS \"{table}_subject\" ON {name} (subject, namespace, id) \
             WHERE subject IS NOT NULL"
        ),
    ]
}

/// Before all versions.
fn preparation(name: &TableName) -> Vec<String> {
    let schema = name.schema();
    let schema = schema.map(|schema| format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\""));
    let versions = name.versions();
    let versions =
        format!("CREATE TABLE IF NOT EXISTS {versions} (version bigint NOT NULL PRIMARY KEY)");
    schema.into_iter().chain([versions]).collect()
}

fn record(name: &TableName, version: i32) -> String {
    let versions = name.versions();
    format!("INSERT INTO {versions} (version) VALUES ({version}) ON CONFLICT DO NOTHING")
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

/// Sees to it that the table has the known version.
pub(crate) async fn run(
    live: &Live,
    name: &TableName,
    may_change: bool,
) -> Result<(), ConnectError> {
    let found = version(live, name).await;
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

async fn version(live: &Live, name: &TableName) -> Result<i32, Failure> {
    let versions = name.versions();
    let sql = format!("SELECT max(version) FROM {versions}");
    match live.query_text(&sql).await {
        Ok(rows) => {
            let Some(answer) = rows.first() else {
                return Ok(0);
            };
            let version: Option<i64> = row::column(answer, 0)?;
            Ok(i32::try_from(version.unwrap_or(0)).unwrap_or(i32::MAX))
        }
        // undefined_table, invalid_schema_name
        Err(failure)
            if ["42P01", "3F000"]
                .iter()
                .any(|code| failure.is_sql_state(code)) =>
        {
            Ok(0)
        }
        Err(failure) => Err(failure),
    }
}

async fn change(live: &Live, name: &TableName, found: i32) -> Result<(), Failure> {
    for statement in preparation(name) {
        live.run_text(&statement).await?;
    }
    for version in found + 1..=KNOWN {
        for statement in statements(name, version) {
            live.run_text(&statement).await?;
        }
        live.run_text(&record(name, version)).await?;
    }
    Ok(())
}

/// `IF NOT EXISTS` does not keep two that create the same thing apart.
pub(crate) fn is_contended(failure: &Failure) -> bool {
    // unique_violation, duplicate_table, duplicate_object, duplicate_schema,
    // internal_error ("tuple concurrently updated"), serialization_failure, deadlock_detected,
    // lock_not_available
    const CODES: [&str; 8] = [
        "23505", "42P07", "42710", "42P06", "XX000", "40001", "40P01", "55P03",
    ];
    CODES.iter().any(|code| failure.is_sql_state(code))
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
        assert!(script.starts_with("CREATE SCHEMA IF NOT EXISTS \"app\";\n"));
        assert!(script.contains("ON \"app\".\"sessions\" (expires ASC);"));
    }
}
