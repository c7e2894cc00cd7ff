//! The statements. Nothing in them is special to PostgreSQL itself: no advisory locks, no `ctid`.

use std::sync::Arc;

use tokio_postgres::types::Type;

use crate::name::TableName;

/// One of the statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Query {
    Load,
    LoadAll,
    Create,
    Replace,
    Touch,
    Delete,
    CreateAlone,
    ReplaceAlone,
    TouchAlone,
    DeleteAlone,
    Sweep,
    FindExpired,
    DeleteExpired,
    BySubject,
    Scan,
    Ping,
}

/// What a connection for loads prepares at first use, and so on.
pub(crate) const READS: &[Query] = &[Query::Load, Query::Ping];
pub(crate) const WRITES: &[Query] = &[
    Query::Create,
    Query::Replace,
    Query::Touch,
    Query::Delete,
    Query::CreateAlone,
    Query::ReplaceAlone,
    Query::TouchAlone,
    Query::DeleteAlone,
];
pub(crate) const SLOW: &[Query] = &[
    Query::Sweep,
    Query::BySubject,
    Query::Scan,
    Query::FindExpired,
    Query::DeleteExpired,
];

/// The text of a statement and the types of its parameters.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) sql: Arc<str>,
    pub(crate) types: Vec<Type>,
}

/// All statements on one table.
#[derive(Debug)]
pub(crate) struct Texts(Vec<(Query, Text)>);

impl Texts {
    pub(crate) fn new(table: &TableName) -> Self {
        let table = table.to_string();
        let mut texts = single(&table);
        texts.extend(batched(&table));
        texts.extend(alone(&table));
        Self(texts)
    }

    pub(crate) fn get(&self, query: Query) -> Option<&Text> {
        let found = self.0.iter().find(|(own, _)| *own == query);
        found.map(|(_, text)| text)
    }
}

fn text(query: Query, sql: String, types: impl Into<Vec<Type>>) -> (Query, Text) {
    let (sql, types) = (sql.into(), types.into());
    (query, Text { sql, types })
}

fn single(table: &str) -> Vec<(Query, Text)> {
    use Type as T;
    // What has another length was never written by a store.
    let whole = "octet_length(id) = 16 AND octet_length(namespace) BETWEEN 1 AND 32";
    vec![
        text(
            Query::Load,
            format!(
                "SELECT version, created, last_seen, expires, subject, data FROM {table} \
                 WHERE id = $1 AND namespace = $2"
            ),
            [T::BYTEA, T::BYTEA],
        ),
        // Each row ends with the number of the load that it answers.
        text(
            Query::LoadAll,
            format!(
                "SELECT t.version, t.created, t.last_seen, t.expires, t.subject, t.data, n.number \
                 FROM unnest($1, $2) WITH ORDINALITY AS n (id, namespace, number) \
                 JOIN {table} AS t ON t.id = n.id AND t.namespace = n.namespace"
            ),
            [T::BYTEA_ARRAY, T::BYTEA_ARRAY],
        ),
        // In the subquery a row is judged as it is locked, in the DELETE as it is deleted.
        text(
            Query::Sweep,
            format!(
                "WITH expired AS (SELECT id, namespace FROM {table} \
                 WHERE expires >= 0 AND expires < $1 ORDER BY expires LIMIT $2 \
                 FOR UPDATE SKIP LOCKED) \
                 DELETE FROM {table} AS t USING expired AS e \
                 WHERE t.id = e.id AND t.namespace = e.namespace \
                 AND t.expires >= 0 AND t.expires < $1 RETURNING 1"
            ),
            [T::INT8, T::INT8],
        ),
        text(
            Query::FindExpired,
            format!(
                "SELECT id, namespace FROM {table} WHERE expires >= 0 AND expires < $1 \
                 ORDER BY expires LIMIT $2"
            ),
            [T::INT8, T::INT8],
        ),
        text(
            Query::DeleteExpired,
            format!(
                "DELETE FROM {table} WHERE id = $1 AND namespace = $2 \
                 AND expires >= 0 AND expires < $3 RETURNING 1"
            ),
            [T::BYTEA, T::BYTEA, T::INT8],
        ),
        text(
            Query::BySubject,
            format!(
                "SELECT id, namespace, created, last_seen, expires, subject FROM {table} \
                 WHERE subject = $1 AND namespace = $2 AND id > $3 AND octet_length(id) = 16 \
                 ORDER BY id LIMIT $4"
            ),
            [T::BYTEA, T::BYTEA, T::BYTEA, T::INT8],
        ),
        text(
            Query::Scan,
            format!(
                "SELECT id, namespace, created, last_seen, expires, subject FROM {table} \
                 WHERE (id, namespace) > ($1, $2) AND {whole} ORDER BY id, namespace LIMIT $3"
            ),
            [T::BYTEA, T::BYTEA, T::INT8],
        ),
        text(Query::Ping, "SELECT 1".to_owned(), []),
    ]
}

/// One statement for many calls. Each answers with the number of a call and whether it was
/// carried out; `false` says that its row is locked, and that it is to be sent again. A call that
/// is not in the answer found something else than it expected.
fn batched(table: &str) -> Vec<(Query, Text)> {
    use Type as T;
    let keys = [T::BYTEA_ARRAY, T::BYTEA_ARRAY];
    let record = [
        T::INT8_ARRAY,
        T::INT8_ARRAY,
        T::INT8_ARRAY,
        T::INT8_ARRAY,
        T::BYTEA_ARRAY,
        T::BYTEA_ARRAY,
    ];
    let same_key = "t.id = n.id AND t.namespace = n.namespace";
    let expected = format!("{same_key} AND t.version = n.expected");
    let touchable = format!("{expected} AND {}", still_lives("n.deadline"));
    vec![
        text(
            Query::Create,
            format!(
                "WITH n AS (SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) \
                 WITH ORDINALITY AS n \
                 (id, namespace, version, created, last_seen, expires, subject, data, number)), \
                 done AS (INSERT INTO {table} \
                 (id, namespace, version, created, last_seen, expires, subject, data) \
                 SELECT id, namespace, version, created, last_seen, expires, subject, data FROM n \
                 ORDER BY id, namespace ON CONFLICT DO NOTHING RETURNING id, namespace) \
                 SELECT n.number, true FROM n, done AS t WHERE {same_key}"
            ),
            [&keys[..], &record[..]].concat(),
        ),
        text(
            Query::Replace,
            skipping_locked(
                table,
                "(id, namespace, version, created, last_seen, expires, subject, data, expected, \
                 number)",
                9,
                &expected,
                &format!(
                    "UPDATE {table} AS t SET version = n.version, created = n.created, \
                     last_seen = n.last_seen, expires = n.expires, subject = n.subject, \
                     data = n.data FROM free AS n WHERE {expected} RETURNING n.number"
                ),
            ),
            [&keys[..], &record[..], &[T::INT8_ARRAY]].concat(),
        ),
        text(
            Query::Touch,
            skipping_locked(
                table,
                "(id, namespace, expected, last_seen, expires, deadline, number)",
                6,
                &touchable,
                &format!(
                    "UPDATE {table} AS t SET last_seen = {}, expires = {} \
                     FROM free AS n WHERE {touchable} RETURNING n.number",
                    later("t.last_seen", "n.last_seen"),
                    later("t.expires", "n.expires"),
                ),
            ),
            [
                &keys[..],
                &[T::INT8_ARRAY, T::INT8_ARRAY, T::INT8_ARRAY, T::INT8_ARRAY],
            ]
            .concat(),
        ),
        text(
            Query::Delete,
            skipping_locked(
                table,
                "(id, namespace, number)",
                2,
                same_key,
                &format!(
                    "DELETE FROM {table} AS t USING free AS n WHERE {same_key} RETURNING n.number"
                ),
            ),
            keys,
        ),
    ]
}

/// Changes the rows that nobody else has locked, and so never waits for a lock.
fn skipping_locked(
    table: &str,
    columns: &str,
    parameters: usize,
    found: &str,
    change: &str,
) -> String {
    let parameters: Vec<String> = (1..=parameters)
        .map(|number| format!("${number}"))
        .collect();
    let parameters = parameters.join(", ");
    format!(
        "WITH n AS (SELECT * FROM unnest({parameters}) WITH ORDINALITY AS n {columns}), \
         free AS (SELECT n.* FROM n JOIN {table} AS t ON {found} FOR UPDATE OF t SKIP LOCKED), \
         done AS ({change}) \
         SELECT done.number, true FROM done UNION ALL \
         SELECT n.number, false FROM n WHERE n.number NOT IN (SELECT done.number FROM done) \
         AND EXISTS (SELECT 1 FROM {table} AS t WHERE {found})"
    )
}

/// The same for one call, in the plainest SQL. A locked row is waited for.
fn alone(table: &str) -> Vec<(Query, Text)> {
    use Type as T;
    let key = [T::BYTEA, T::BYTEA];
    let record = [T::INT8, T::INT8, T::INT8, T::INT8, T::BYTEA, T::BYTEA];
    vec![
        text(
            Query::CreateAlone,
            format!(
                "INSERT INTO {table} \
                 (id, namespace, version, created, last_seen, expires, subject, data) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING 1"
            ),
            [&key[..], &record[..]].concat(),
        ),
        text(
            Query::ReplaceAlone,
            format!(
                "UPDATE {table} SET version = $3, created = $4, last_seen = $5, expires = $6, \
                 subject = $7, data = $8 WHERE id = $1 AND namespace = $2 AND version = $9 \
                 RETURNING 1"
            ),
            [&key[..], &record[..], &[T::INT8]].concat(),
        ),
        text(
            Query::TouchAlone,
            format!(
                "UPDATE {table} AS t SET last_seen = {}, expires = {} \
                 WHERE id = $1 AND namespace = $2 AND version = $3 AND {} RETURNING 1",
                later("t.last_seen", "$4"),
                later("t.expires", "$5"),
                still_lives("$6"),
            ),
            [&key[..], &[T::INT8, T::INT8, T::INT8, T::INT8]].concat(),
        ),
        text(
            Query::DeleteAlone,
            format!("DELETE FROM {table} WHERE id = $1 AND namespace = $2 RETURNING 1"),
            key,
        ),
    ]
}

/// The later of two times. Those past the largest number of the column are negative.
fn later(a: &str, b: &str) -> String {
    format!("CASE WHEN ({a} < 0) = ({b} < 0) THEN GREATEST({a}, {b}) ELSE LEAST({a}, {b}) END")
}

fn still_lives(deadline: &str) -> String {
    format!("(t.expires < 0 OR t.expires >= {deadline})")
}
