//! The statements, in SQL that MySQL and MariaDB both know: no `RETURNING`, no `ON DUPLICATE KEY`.

use crate::name::TableName;

/// The most keys that one statement deletes.
pub(crate) const KEYS: usize = 50;

/// One of the statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Query {
    Load,
    Create,
    Replace,
    Touch,
    Delete,
    IsThere,
    FindExpired,
    DeleteExpired,
    DeleteAllExpired,
    BySubject,
    Scan,
}

impl Query {
    /// Whether it changes rows that are there.
    pub(crate) const fn is_update(self) -> bool {
        matches!(self, Self::Replace | Self::Touch)
    }

    /// Whether an answer with so many columns, to a statement that has changed so many rows, can be
    /// the answer to this one. Only a statement that changes nothing has columns, rows or not; where
    /// the driver does not count them without a row, they are not known.
    pub(crate) fn is_answered_by(self, columns: Option<usize>, affected: usize) -> bool {
        let has = |count| columns.is_none_or(|columns| columns == count);
        match self {
            Self::Load | Self::BySubject | Self::Scan => has(6) && affected == 0,
            Self::FindExpired => has(2) && affected == 0,
            Self::IsThere => has(1) && affected == 0,
            Self::Create => has(0) && affected == 1,
            Self::Replace | Self::Touch | Self::Delete | Self::DeleteExpired => {
                has(0) && affected <= 1
            }
            Self::DeleteAllExpired => has(0) && affected <= KEYS,
        }
    }
}

/// All statements on one table.
#[derive(Debug)]
pub(crate) struct Texts(Vec<(Query, String)>);

impl Texts {
    pub(crate) fn new(table: &TableName) -> Self {
        let table = table.to_string();
        let mut texts = single(&table);
        texts.extend(sweeping(&table));
        texts.extend(listing(&table));
        Self(texts)
    }

    pub(crate) fn get(&self, query: Query) -> Option<&str> {
        let found = self.0.iter().find(|(own, _)| *own == query);
        found.map(|(_, text)| text.as_str())
    }
}

fn single(table: &str) -> Vec<(Query, String)> {
    vec![
        (
            Query::Load,
            format!(
                "SELECT version, created, last_seen, expires, subject, data FROM {table} \
                 WHERE id = ? AND namespace = ?"
            ),
        ),
        (
            Query::Create,
            format!(
                "INSERT INTO {table} \
                 (version, created, last_seen, expires, subject, data, id, namespace) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            ),
        ),
        (
            Query::Replace,
            format!(
                "UPDATE {table} SET version = ?, created = ?, last_seen = ?, expires = ?, \
                 subject = ?, data = ? WHERE id = ? AND namespace = ? AND version = ?"
            ),
        ),
        (
            Query::Touch,
            format!(
                "UPDATE {table} SET last_seen = GREATEST(last_seen, ?), \
                 expires = GREATEST(expires, ?) \
                 WHERE id = ? AND namespace = ? AND version = ? AND expires >= ?"
            ),
        ),
        (
            Query::Delete,
            format!("DELETE FROM {table} WHERE id = ? AND namespace = ?"),
        ),
        (
            Query::IsThere,
            format!("SELECT 1 FROM {table} WHERE id = ? AND namespace = ?"),
        ),
    ]
}

/// What is locked is passed by when rows are looked for, and each is judged again as it is deleted.
/// Rows are deleted by their keys, so that they are locked in the order in which writes lock them.
fn sweeping(table: &str) -> Vec<(Query, String)> {
    let keys = vec!["(id = ? AND namespace = ?)"; KEYS].join(" OR ");
    vec![
        (
            Query::FindExpired,
            format!(
                "SELECT id, namespace FROM {table} WHERE expires < ? \
                 ORDER BY expires LIMIT ? FOR UPDATE SKIP LOCKED"
            ),
        ),
        (
            Query::DeleteExpired,
            format!("DELETE FROM {table} WHERE expires < ? AND id = ? AND namespace = ?"),
        ),
        (
            Query::DeleteAllExpired,
            format!("DELETE FROM {table} WHERE expires < ? AND ({keys})"),
        ),
    ]
}

fn listing(table: &str) -> Vec<(Query, String)> {
    let columns = "id, namespace, created, last_seen, expires, subject";
    vec![
        (
            Query::BySubject,
            format!(
                "SELECT {columns} FROM {table} WHERE subject = ? AND namespace = ? AND id > ? \
                 AND OCTET_LENGTH(id) = 16 ORDER BY id LIMIT ?"
            ),
        ),
        // A comparison of pairs would read the table from its beginning for each page. What has
        // another length was never written by a store.
        (
            Query::Scan,
            format!(
                "SELECT {columns} FROM {table} WHERE id >= ? AND (id > ? OR namespace > ?) \
                 AND OCTET_LENGTH(id) = 16 AND OCTET_LENGTH(namespace) BETWEEN 1 AND 32 \
                 ORDER BY id, namespace LIMIT ?"
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_statement_knows_its_answers() {
        let writes = [
            (Query::Create, 1..=1),
            (Query::Replace, 0..=1),
            (Query::Touch, 0..=1),
            (Query::Delete, 0..=1),
            (Query::DeleteExpired, 0..=1),
            (Query::DeleteAllExpired, 0..=50),
        ];
        for (query, changes) in writes {
            for affected in [0, 1, 2, 50, 51, usize::MAX] {
                let can_be = changes.contains(&affected);
                for columns in [Some(0), None] {
                    assert_eq!(query.is_answered_by(columns, affected), can_be, "{query:?}");
                }
                assert!(!query.is_answered_by(Some(6), affected), "{query:?}");
            }
        }
        let reads = [
            (Query::Load, 6),
            (Query::FindExpired, 2),
            (Query::IsThere, 1),
            (Query::BySubject, 6),
            (Query::Scan, 6),
        ];
        for (query, columns) in reads {
            assert!(query.is_answered_by(Some(columns), 0), "{query:?}");
            assert!(query.is_answered_by(None, 0), "{query:?}");
            assert!(!query.is_answered_by(Some(0), 0), "{query:?}");
            assert!(!query.is_answered_by(Some(0), 1), "{query:?}");
            assert!(!query.is_answered_by(None, 1), "{query:?}");
        }
    }
}
