//! What the writer carries out: one statement a call.

use cloakroom_store::{Key, Record, Timestamp, Version};
use rusqlite::Connection;

use crate::statements::Statements;

#[derive(Debug)]
pub(crate) enum Write {
    Create {
        key: Key,
        record: Record,
    },
    Replace {
        key: Key,
        record: Record,
        expected: Version,
    },
    Touch {
        key: Key,
        last_seen: Timestamp,
        expires: Timestamp,
        /// A record that expired before this is not touched.
        not_before: Timestamp,
        expected: Version,
    },
    Delete {
        key: Key,
    },
    Sweep {
        expired: Range,
        limit: usize,
    },
}

/// Times from the first to the last, both included, as the database has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range(i64, i64);

impl Range {
    /// All times before `now`. Those from 2^63 milliseconds on are negative, and a range of their
    /// own.
    pub(crate) fn before(now: Timestamp) -> Vec<Self> {
        match now.as_millis().checked_sub(1).map(u64::cast_signed) {
            None => Vec::new(),
            Some(last @ 0..) => vec![Self(0, last)],
            Some(last) => vec![Self(0, i64::MAX), Self(i64::MIN, last)],
        }
    }
}

impl Write {
    /// How many bytes wait with it.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Create { record, .. } | Self::Replace { record, .. } => record.data.len(),
            _ => 0,
        }
    }

    /// How many rows it has changed.
    pub(crate) fn execute(
        &self,
        connection: &Connection,
        sql: &Statements,
    ) -> rusqlite::Result<usize> {
        match self {
            Self::Create { key, record } => {
                let mut statement = connection.prepare_cached(&sql.create)?;
                statement.execute((
                    key.namespace.as_str(),
                    key.id.as_bytes().as_slice(),
                    record.version.to_bits().cast_signed(),
                    millis(record.created),
                    millis(record.last_seen),
                    millis(record.expires),
                    subject(record),
                    &*record.data,
                ))
            }
            Self::Replace {
                key,
                record,
                expected,
            } => {
                let mut statement = connection.prepare_cached(&sql.replace)?;
                statement.execute((
                    key.namespace.as_str(),
                    key.id.as_bytes().as_slice(),
                    record.version.to_bits().cast_signed(),
                    millis(record.created),
                    millis(record.last_seen),
                    millis(record.expires),
                    subject(record),
                    &*record.data,
                    expected.to_bits().cast_signed(),
                ))
            }
            Self::Touch {
                key,
                last_seen,
                expires,
                not_before,
                expected,
            } => {
                let mut statement = connection.prepare_cached(&sql.touch)?;
                statement.execute((
                    key.namespace.as_str(),
                    key.id.as_bytes().as_slice(),
                    millis(*last_seen),
                    millis(*expires),
                    expected.to_bits().cast_signed(),
                    millis(*not_before),
                ))
            }
            Self::Delete { key } => {
                let mut statement = connection.prepare_cached(&sql.delete)?;
                statement.execute((key.namespace.as_str(), key.id.as_bytes().as_slice()))
            }
            Self::Sweep { expired, limit } => {
                let mut statement = connection.prepare_cached(&sql.sweep)?;
                let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
                statement.execute((expired.0, expired.1, limit))
            }
        }
    }
}

fn millis(time: Timestamp) -> i64 {
    time.as_millis().cast_signed()
}

fn subject(record: &Record) -> Option<&str> {
    record.subject.as_ref().map(|subject| subject.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_all_times_before() {
        let before = |millis| Range::before(Timestamp::from_millis(millis));
        assert_eq!(before(0), []);
        assert_eq!(before(1), [Range(0, 0)]);
        assert_eq!(before(1 << 63), [Range(0, i64::MAX)]);
        let all = Range::before(Timestamp::MAX);
        assert_eq!(all, [Range(0, i64::MAX), Range(i64::MIN, -2)]);
    }
}
