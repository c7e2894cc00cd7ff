//! A write that waits for its turn, and the columns of many.

use bytes::Bytes;
use cloakroom_store::{EXPIRY_MARGIN, Key, Loaded, Record};
use tokio::{sync::oneshot, time::Instant};

use crate::{error::Failure, row, sql::Query};

/// A write that somebody waits for.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) key: Key,
    pub(crate) change: Change,
    /// `true` when it was carried out, `false` when something else than expected was there.
    pub(crate) answer: oneshot::Sender<Result<bool, Failure>>,
    /// How often it was sent in vain.
    pub(crate) tries: u32,
    /// It is not sent again before.
    pub(crate) pause: Option<Instant>,
    /// It goes in a statement of its own.
    pub(crate) is_apart: bool,
}

/// What is to be written.
#[derive(Debug)]
pub(crate) enum Change {
    Create(Record),
    Replace { record: Record, expected: i64 },
    Touch(Touch),
    Delete,
}

#[derive(Debug)]
pub(crate) struct Touch {
    expected: i64,
    last_seen: i64,
    expires: i64,
    /// What expired before is not touched.
    deadline: i64,
}

impl Change {
    pub(crate) fn replace(record: &Record, expected: &Loaded) -> Self {
        Self::Replace {
            record: record.clone(),
            expected: row::version(expected.record.version),
        }
    }

    pub(crate) fn touch(record: &Record, expected: &Loaded) -> Self {
        Self::Touch(Touch {
            expected: row::version(expected.record.version),
            last_seen: row::time(record.last_seen),
            expires: row::time(record.expires),
            deadline: row::bound(record.last_seen.saturating_sub(EXPIRY_MARGIN)),
        })
    }

    /// The statement for many of its kind.
    pub(crate) const fn query(&self) -> Query {
        match self {
            Self::Create(_) => Query::Create,
            Self::Replace { .. } => Query::Replace,
            Self::Touch(_) => Query::Touch,
            Self::Delete => Query::Delete,
        }
    }

    /// The statement for it alone.
    pub(crate) const fn query_alone(&self) -> Query {
        match self {
            Self::Create(_) => Query::CreateAlone,
            Self::Replace { .. } => Query::ReplaceAlone,
            Self::Touch(_) => Query::TouchAlone,
            Self::Delete => Query::DeleteAlone,
        }
    }

    /// Whether of two calls for one key at the same time at most one is carried out, and the other
    /// can't be any more when the first was, nor when the first was refused.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Replace { expected: one, .. }, Self::Replace { expected: two, .. }) => {
                one == two
            }
            (Self::Delete, Self::Delete) => true,
            _ => false,
        }
    }

    /// About how many bytes it takes on the wire.
    pub(crate) fn size(&self) -> usize {
        const OVERHEAD: usize = 256;
        match self {
            Self::Create(record) | Self::Replace { record, .. } => OVERHEAD + record.data.len(),
            Self::Touch(_) | Self::Delete => OVERHEAD,
        }
    }

    fn record(&self) -> Option<&Record> {
        match self {
            Self::Create(record) | Self::Replace { record, .. } => Some(record),
            Self::Touch(_) | Self::Delete => None,
        }
    }
}

/// The columns of calls of one kind, in the order of the calls.
#[derive(Debug, Default)]
pub(crate) struct Columns<'a> {
    pub(crate) id: Vec<&'a [u8]>,
    pub(crate) namespace: Vec<&'a [u8]>,
    pub(crate) version: Vec<i64>,
    pub(crate) created: Vec<i64>,
    pub(crate) last_seen: Vec<i64>,
    pub(crate) expires: Vec<i64>,
    pub(crate) subject: Vec<Option<&'a [u8]>>,
    pub(crate) data: Vec<&'a [u8]>,
    pub(crate) expected: Vec<i64>,
    pub(crate) deadline: Vec<i64>,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(calls: &'a [Call]) -> Self {
        let mut columns = Self::default();
        for call in calls {
            columns.add(call);
        }
        columns
    }

    fn add(&mut self, call: &'a Call) {
        self.id.push(call.key.id.as_bytes());
        self.namespace.push(call.key.namespace.as_str().as_bytes());
        if let Some(record) = call.change.record() {
            self.version.push(row::version(record.version));
            self.created.push(row::time(record.created));
            self.last_seen.push(row::time(record.last_seen));
            self.expires.push(row::time(record.expires));
            self.subject.push(row::subject(record));
            self.data.push(data(&record.data));
        }
        match &call.change {
            Change::Replace { expected, .. } => self.expected.push(*expected),
            Change::Touch(touch) => {
                self.expected.push(touch.expected);
                self.last_seen.push(touch.last_seen);
                self.expires.push(touch.expires);
                self.deadline.push(touch.deadline);
            }
            Change::Create(_) | Change::Delete => {}
        }
    }
}

fn data(bytes: &Bytes) -> &[u8] {
    bytes
}
