//! Records as columns.

use std::{error::Error, fmt};

use bytes::Bytes;
use cloakroom_store::{
    Key, NamespaceId, Record, SessionId, StoreErrorKind, Subject, Summary, Timestamp, Version,
};
use mysql_async::Value;

use crate::{error::Failure, wire::Row};

pub(crate) const fn time(time: Timestamp) -> Value {
    Value::UInt(time.as_millis())
}

pub(crate) const fn version(version: Version) -> Value {
    Value::UInt(version.to_bits())
}

pub(crate) fn count(count: usize) -> Value {
    Value::UInt(u64::try_from(count).unwrap_or(u64::MAX))
}

pub(crate) fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

/// `id`, `namespace`
pub(crate) fn key(key: &Key) -> [Value; 2] {
    [
        bytes(key.id.as_bytes()),
        bytes(key.namespace.as_str().as_bytes()),
    ]
}

/// `version`, `created`, `last_seen`, `expires`, `subject`, `data`
pub(crate) fn columns(record: &Record) -> [Value; 6] {
    let subject = record.subject.as_ref();
    [
        version(record.version),
        time(record.created),
        time(record.last_seen),
        time(record.expires),
        subject.map_or(Value::NULL, |subject| bytes(subject.as_str().as_bytes())),
        bytes(&record.data),
    ]
}

/// The answer to a load.
pub(crate) fn record(mut row: Row) -> Result<Record, Failure> {
    let data = match row.take(5) {
        Some(Value::Bytes(data)) => Bytes::from(data),
        _ => return Err(corrupt("the data is missing")),
    };
    let version = Version::from_bits(number(&row, 0)?);
    let mut record = Record::new(version, read_time(&row, 1)?, read_time(&row, 3)?, data);
    record.last_seen = read_time(&row, 2)?;
    record.subject = read_subject(&row, 4)?;
    Ok(record)
}

/// A line of a listing; `None` for one that no store has written.
pub(crate) fn summary(row: &Row) -> Result<Option<Summary>, Failure> {
    let (Some(id), Some(namespace)) = (id(row)?, namespace(row)?) else {
        return Ok(None);
    };
    let Ok(subject) = read_subject(row, 5) else {
        return Ok(None);
    };
    let (created, expires) = (read_time(row, 2)?, read_time(row, 4)?);
    let mut record = Record::new(Version::from_bits(0), created, expires, Bytes::new());
    record.last_seen = read_time(row, 3)?;
    record.subject = subject;
    Ok(Some(Summary::new(Key::new(namespace, id), &record)))
}

fn id(row: &Row) -> Result<Option<SessionId>, Failure> {
    Ok(text(row, 0)?.try_into().ok().map(SessionId::from_bytes))
}

fn namespace(row: &Row) -> Result<Option<NamespaceId>, Failure> {
    let name = std::str::from_utf8(text(row, 1)?).ok();
    Ok(name.and_then(|name| NamespaceId::new(name).ok()))
}

fn read_time(row: &Row, index: usize) -> Result<Timestamp, Failure> {
    number(row, index).map(Timestamp::from_millis)
}

fn read_subject(row: &Row, index: usize) -> Result<Option<Subject>, Failure> {
    if matches!(row.get(index), Some(Value::NULL)) {
        return Ok(None);
    }
    let text = std::str::from_utf8(text(row, index)?);
    let text = text.map_err(|_| corrupt("the subject is not UTF-8"))?;
    match Subject::new(text) {
        Ok(subject) => Ok(Some(subject)),
        Err(_) => Err(corrupt("the subject is empty or longer than 255 bytes")),
    }
}

fn number(row: &Row, index: usize) -> Result<u64, Failure> {
    match row.get(index) {
        Some(Value::UInt(number)) => Ok(*number),
        Some(Value::Int(number)) if *number >= 0 => Ok(number.unsigned_abs()),
        _ => Err(corrupt("a number is missing or of another type")),
    }
}

/// A column of bytes.
pub(crate) fn text(row: &Row, index: usize) -> Result<&[u8], Failure> {
    match row.get(index) {
        Some(Value::Bytes(bytes)) => Ok(bytes),
        _ => Err(corrupt("bytes are missing or of another type")),
    }
}

/// A number of whatever type.
pub(crate) fn count_of(row: &Row, index: usize) -> Option<usize> {
    match row.get(index)? {
        Value::UInt(number) => usize::try_from(*number).ok(),
        Value::Int(number) => usize::try_from(*number).ok(),
        Value::Bytes(digits) => std::str::from_utf8(digits).ok()?.parse().ok(),
        _ => None,
    }
}

fn corrupt(what: &'static str) -> Failure {
    Failure::new(StoreErrorKind::Corrupt, NotARecord(what))
}

#[derive(Debug)]
struct NotARecord(&'static str);

impl fmt::Display for NotARecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for NotARecord {}
