//! Triggers by which the database itself tells who listens which rows have changed: whoever writes
//! them, by whatever program, in the transaction that changes them.

use std::time::Duration;

use cloakroom_store::StoreErrorKind;
use tokio::time::sleep;

use crate::{
    ConnectError,
    error::Failure,
    live::Live,
    migrate::{MOST_TRIES, is_contended},
    name::TableName,
    row,
    values::Row,
};

/// What the names of channels begin with. The number of the table, which the server has given it,
/// follows: two tables never have one channel, and no name is too long for it.
const CHANNEL: &str = "cloakroom_";

/// The most keys of one notification. A key takes at most 97 bytes of the 8000 that there are.
const MOST_KEYS: usize = 80;

/// For each statement, and the rows that it tells of. The rows of a statement that has changed
/// several are told together.
const EVENTS: [(&str, Option<&str>); 4] = [
    ("INSERT", Some("NEW")),
    ("UPDATE", Some("OLD")),
    ("DELETE", Some("OLD")),
    ("TRUNCATE", None),
];

/// What is told when anything may have changed.
pub(crate) const ALL: &str = "*";

/// What a question begins with, which is told to find out whether anything gets through.
pub(crate) const QUESTION: char = '?';

/// Whether and where changes of a table are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Telling {
    /// The number of the table, if there is one.
    table: Option<i64>,
    triggers: i64,
    has_no_listen: bool,
}

impl Telling {
    /// The statement that [`read`](Self::read) reads the answer of.
    pub(crate) fn query(table: &str) -> String {
        let names = EVENTS.map(|(event, _)| format!("'{}'", trigger(event)));
        format!(
            "SELECT c.oid::pg_catalog.int8, \
             (SELECT pg_catalog.count(*) FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid = c.oid \
             AND t.tgenabled IN ('O', 'A') AND t.tgname IN ({})), \
             pg_catalog.version() LIKE 'CockroachDB%' \
             FROM (SELECT pg_catalog.to_regclass('{table}')::pg_catalog.oid AS oid) AS c",
            names.join(", ")
        )
    }

    pub(crate) fn read(rows: &[Row]) -> Result<Self, Failure> {
        let answer = rows.first().ok_or_else(|| {
            Failure::said(StoreErrorKind::Other, "the server has answered nothing")
        })?;
        Ok(Self {
            table: row::column(answer, 0)?,
            triggers: row::column(answer, 1)?,
            has_no_listen: row::column(answer, 2)?,
        })
    }

    /// The channel, if all changes are told.
    pub(crate) fn channel(self) -> Result<String, Failure> {
        let unsupported = |what| Failure::said(StoreErrorKind::Unsupported, what);
        if self.has_no_listen {
            return Err(unsupported("CockroachDB has no LISTEN and NOTIFY"));
        }
        match self.table {
            Some(table) if usize::try_from(self.triggers) == Ok(EVENTS.len()) => {
                Ok(format!("{CHANNEL}{table}"))
            }
            _ => Err(unsupported(
                "the session table does not tell what changes: open a store on it with \
                 `tell_changes(true)`, or run what `PostgresStore::migrations_to_tell` prints",
            )),
        }
    }
}

/// Everything, for a person to run. It may run again.
pub(crate) fn print(name: &TableName) -> String {
    statements(name).join(";\n\n") + ";\n"
}

/// Sees to it that changes are told.
pub(crate) async fn set_up(
    live: &Live,
    name: &TableName,
    may_change: bool,
) -> Result<(), ConnectError> {
    let query = Telling::query(&name.to_string());
    let telling = async || Telling::read(&live.query_text(&query).await?);
    let found = telling().await.map_err(ConnectError::unreachable)?;
    match found.channel() {
        Ok(_) => return Ok(()),
        Err(failure) if found.has_no_listen => return Err(ConnectError::cannot_tell(failure)),
        Err(failure) if !may_change => return Err(ConnectError::not_telling(failure)),
        Err(_) => {}
    }
    let mut tries = 0;
    while let Err(failure) = change(live, name).await {
        tries += 1;
        if tries == MOST_TRIES || !is_contended(&failure) {
            return Err(ConnectError::not_telling(failure));
        }
        sleep(Duration::from_millis(u64::from(10 * tries))).await;
    }
    let made = telling().await.map_err(ConnectError::unreachable)?;
    // Somebody has disabled a trigger.
    made.channel().map(drop).map_err(ConnectError::not_telling)
}

async fn change(live: &Live, name: &TableName) -> Result<(), Failure> {
    for statement in statements(name) {
        live.run_text(&statement).await?;
    }
    Ok(())
}

fn statements(name: &TableName) -> [String; 2] {
    [function(name), triggers(name)]
}

/// What is no session is not told: nobody can ask for it, and it may be too long.
fn function(name: &TableName) -> String {
    let function = name.telling();
    format!(
        "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $tell$\n\
         DECLARE\n    \
         channel text := '{CHANNEL}' || TG_RELID::text;\n\
         BEGIN\n    \
         IF TG_OP = 'TRUNCATE' THEN\n        \
         PERFORM pg_catalog.pg_notify(channel, '{ALL}');\n        \
         RETURN NULL;\n    \
         END IF;\n    \
         PERFORM pg_catalog.pg_notify(channel, pg_catalog.string_agg(\n        \
         pg_catalog.encode(c.id || c.namespace, 'hex'), ','))\n    \
         FROM (SELECT id, namespace, (pg_catalog.row_number() OVER () - 1) / {MOST_KEYS} AS part\n        \
         FROM changed WHERE pg_catalog.octet_length(id) = 16\n        \
         AND pg_catalog.octet_length(namespace) BETWEEN 1 AND 32) AS c\n    \
         GROUP BY c.part;\n    \
         RETURN NULL;\n\
         END $tell$"
    )
}

/// All of them or none, without holding up writes for long.
fn triggers(name: &TableName) -> String {
    let function = name.telling();
    let mut script = format!(
        "DO $make$ BEGIN\n    \
         PERFORM pg_catalog.set_config('lock_timeout', '400ms', true);\n    \
         LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE;\n"
    );
    for (event, rows) in EVENTS {
        let trigger = trigger(event);
        let rows = rows.map_or(String::new(), |rows| {
            format!("REFERENCING {rows} TABLE AS changed ")
        });
        script.push_str(&format!(
            "    IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger \
             WHERE tgrelid = '{name}'::pg_catalog.regclass AND tgname = '{trigger}') THEN\n        \
             CREATE TRIGGER {trigger} AFTER {event} ON {name}\n        \
             {rows}FOR EACH STATEMENT EXECUTE FUNCTION {function}();\n    \
             END IF;\n"
        ));
    }
    script.push_str("END $make$");
    script
}

fn trigger(event: &str) -> String {
    format!("{CHANNEL}tell_{}", event.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_notification_is_too_long() {
        let longest = 2 * (16 + 32) + 1;
        assert!(MOST_KEYS * longest < 8_000);
        assert!(format!("{CHANNEL}{}", u32::MAX).len() < 64);
    }

    #[test]
    fn what_is_not_all_told_has_no_channel() {
        let telling = Telling {
            table: Some(7),
            triggers: 4,
            has_no_listen: false,
        };
        assert_eq!(telling.channel().unwrap(), "cloakroom_7");
        for (other, what) in [
            (
                Telling {
                    triggers: 3,
                    ..telling
                },
                "tell_changes",
            ),
            (
                Telling {
                    table: None,
                    ..telling
                },
                "tell_changes",
            ),
            (
                Telling {
                    has_no_listen: true,
                    ..telling
                },
                "CockroachDB",
            ),
        ] {
            let failure = other.channel().unwrap_err();
            assert_eq!(failure.kind, StoreErrorKind::Unsupported);
            assert!(format!("{failure:?}").contains(what));
        }
    }
}
