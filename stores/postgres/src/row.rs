//! Records as columns. Times and versions are 64 bits of which the columns know 63 and a sign:
//! versions only need to differ, and times past the year 292 million are negative.

use std::{error::Error, fmt};

use crate::{
    error::Failure,
    values::{Column, Row},
};
use bytes::Bytes;
use cloakroom_store::{
    Key, NamespaceId, Record, SessionId, StoreErrorKind, Subject, Summary, Timestamp, Version,
};

pub(crate) const fn time(time: Timestamp) -> i64 {
    time.as_millis().cast_signed()
}

/// A time that columns are compared with, where the exact distance does not matter any more.
pub(crate) fn bound(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) const fn version(version: Version) -> i64 {
    version.to_bits().cast_signed()
}

pub(crate) fn subject(record: &Record) -> Option<&[u8]> {
    let subject = record.subject.as_ref();
    subject.map(|subject| subject.as_str().as_bytes())
}

/// The answer to a load.
pub(crate) fn record(row: &Row) -> Result<Record, Failure> {
    let version = Version::from_bits(column::<i64>(row, 0)?.cast_unsigned());
    let data = Bytes::copy_from_slice(column(row, 5)?);
    let mut record = Record::new(version, read_time(row, 1)?, read_time(row, 3)?, data);
    record.last_seen = read_time(row, 2)?;
    record.subject = read_subject(row, 4)?;
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
    let id = column::<&[u8]>(row, 0)?;
    Ok(id.try_into().ok().map(SessionId::from_bytes))
}

fn namespace(row: &Row) -> Result<Option<NamespaceId>, Failure> {
    let name = std::str::from_utf8(column(row, 1)?).ok();
    Ok(name.and_then(|name| NamespaceId::new(name).ok()))
}

fn read_time(row: &Row, index: usize) -> Result<Timestamp, Failure> {
    let millis = column::<i64>(row, index)?.cast_unsigned();
    Ok(Timestamp::from_millis(millis))
}

fn read_subject(row: &Row, index: usize) -> Result<Option<Subject>, Failure> {
    let Some(bytes) = column::<Option<&[u8]>>(row, index)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(bytes).map_err(|_| corrupt("the subject is not UTF-8"))?;
    match Subject::new(text) {
        Ok(subject) => Ok(Some(subject)),
        Err(_) => Err(corrupt("the subject is empty or longer than 255 bytes")),
    }
}

/// A column that holds NULL or has another type is corrupt.
pub(crate) fn column<'a, T: Column<'a>>(row: &'a Row, index: usize) -> Result<T, Failure> {
    row.column(index)
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
