//! The SQL, one statement a call.
//!
//! Times and versions are 64 bits without a sign, SQLite's integers have one: a time from
//! 2^63 milliseconds on is negative. `(time < 0, time)` has the right order.

use crate::schema::Table;

#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) load: String,
    pub(crate) create: String,
    pub(crate) replace: String,
    pub(crate) touch: String,
    pub(crate) delete: String,
    pub(crate) sweep: String,
    pub(crate) by_subject: String,
    pub(crate) scan: String,
}

impl Statements {
    pub(crate) fn new(table: &Table) -> Self {
        let name = table.as_str();
        Self {
            load: format!(
                "SELECT version, created, last_seen, expires, subject, data FROM \"{name}\" \
                 WHERE namespace = ?1 AND id = ?2"
            ),
            create: format!(
                "INSERT INTO \"{name}\" \
                 (namespace, id, version, created, last_seen, expires, subject, data) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (namespace, id) DO NOTHING"
            ),
            replace: format!(
                "UPDATE \"{name}\" SET version = ?3, created = ?4, last_seen = ?5, expires = ?6, \
                 subject = ?7, data = ?8 WHERE namespace = ?1 AND id = ?2 AND version = ?9"
            ),
            touch: format!(
                "UPDATE \"{name}\" SET \
                 last_seen = CASE WHEN (last_seen < 0, last_seen) < (?3 < 0, ?3) \
                 THEN ?3 ELSE last_seen END, \
                 expires = CASE WHEN (expires < 0, expires) < (?4 < 0, ?4) \
                 THEN ?4 ELSE expires END \
                 WHERE namespace = ?1 AND id = ?2 AND version = ?5 \
                 AND (expires < 0, expires) >= (?6 < 0, ?6)"
            ),
            delete: format!("DELETE FROM \"{name}\" WHERE namespace = ?1 AND id = ?2"),
            // The lock of the one statement covers the judgement and the deletion.
            sweep: format!(
                "DELETE FROM \"{name}\" WHERE rowid IN \
                 (SELECT rowid FROM \"{name}\" WHERE expires BETWEEN ?1 AND ?2 LIMIT ?3)"
            ),
            // The index by name: after an ANALYZE that met few subjects the planner may choose
            // to read the whole namespace.
            by_subject: format!(
                "SELECT namespace, id, created, last_seen, expires, subject FROM \"{name}\" \
                 INDEXED BY \"{name}_subject\" \
                 WHERE namespace = ?1 AND subject = ?2 AND id > ?3 ORDER BY id LIMIT ?4"
            ),
            // A subject that is longer than any is not read: SQLite would give up the listing.
            scan: format!(
                "SELECT namespace, id, created, last_seen, expires, \
                 iif(octet_length(subject) < 1024, subject, iif(subject IS NULL, NULL, x'')) \
                 FROM \"{name}\" WHERE (namespace, id) > (?1, ?2) ORDER BY namespace, id LIMIT ?3"
            ),
        }
    }

    pub(crate) fn all(&self) -> [&str; 8] {
        [
            &self.load,
            &self.create,
            &self.replace,
            &self.touch,
            &self.delete,
            &self.sweep,
            &self.by_subject,
            &self.scan,
        ]
    }
}
