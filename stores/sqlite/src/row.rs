//! Rows as records. A row that is none is `Corrupt`, never a panic.

use bytes::Bytes;
use cloakroom_store::{
    Key, Loaded, NamespaceId, Record, SessionId, Subject, Summary, Timestamp, Version,
};
use rusqlite::{ErrorCode, OptionalExtension, Row, types::ValueRef};

use crate::{
    connection::{Connection, Settings},
    error::{Failure, code},
};

/// The most sessions on a page, so that no listing reads for long.
const PAGE: usize = 500;

const TOO_LARGE: &str = "the row is larger than the store takes";

pub(crate) fn load(
    connection: &Connection,
    settings: &Settings,
    key: &Key,
) -> Result<Option<Loaded>, Failure> {
    let mut statement = connection.raw().prepare_cached(&settings.statements.load)?;
    let parameters = (key.namespace.as_str(), key.id.as_bytes().as_slice());
    let found = statement.query_row(parameters, |row| Ok(record(row, settings.max_data_size)));
    match found.optional() {
        Ok(record) => record.transpose().map(|record| record.map(Loaded::new)),
        Err(error) => Err(too_large_is_corrupt(error)),
    }
}

/// What a listing asks for, and where it goes on.
#[derive(Debug, Clone)]
pub(crate) enum Listing {
    BySubject {
        namespace: NamespaceId,
        subject: Subject,
        after: Option<SessionId>,
    },
    Scan {
        after: Option<Key>,
    },
}

/// A page, and the key of its last session when others may follow.
pub(crate) fn list(
    connection: &Connection,
    settings: &Settings,
    listing: &Listing,
    limit: usize,
) -> Result<(Vec<Summary>, Option<Key>), Failure> {
    let limit = limit.clamp(1, PAGE);
    // More than are asked for: rows that can't be read are passed over.
    let rows = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let statements = &settings.statements;
    let (mut statement, mut sessions) = (None, Vec::new());
    let mut rows = match listing {
        Listing::BySubject {
            namespace,
            subject,
            after,
        } => {
            let after = after.as_ref().map_or(&[][..], |id| id.as_bytes());
            let parameters = (namespace.as_str(), subject.as_str(), after, rows);
            let by_subject = connection.raw().prepare_cached(&statements.by_subject)?;
            statement.insert(by_subject).query(parameters)?
        }
        Listing::Scan { after } => {
            let namespace = after.as_ref().map_or("", |key| key.namespace.as_str());
            let id = after.as_ref().map_or(&[][..], |key| key.id.as_bytes());
            let scan = connection.raw().prepare_cached(&statements.scan)?;
            statement.insert(scan).query((namespace, id, rows))?
        }
    };
    let (mut seen, mut last, mut corrupt) = (0, None, None);
    while let Some(row) = rows.next().map_err(too_large_is_corrupt)? {
        // One row more tells that others follow.
        if seen >= limit && last.is_some() {
            return Ok((sessions, last));
        }
        seen += 1;
        match key(row) {
            Ok(key) => {
                last = Some(key);
                sessions.extend(summary(row, key));
            }
            Err(failure) => corrupt = Some(failure),
        }
    }
    match (seen > PAGE, last, corrupt) {
        (false, ..) => Ok((sessions, None)),
        // So many rows without a key: there is no telling where the next page begins.
        (true, None, Some(failure)) => Err(failure),
        (true, last, _) => Ok((sessions, last)),
    }
}

fn too_large_is_corrupt(error: rusqlite::Error) -> Failure {
    match code(&error) {
        Some(ErrorCode::TooBig) => Failure::corrupt(TOO_LARGE),
        _ => error.into(),
    }
}

fn record(row: &Row<'_>, max_data_size: usize) -> Result<Record, Failure> {
    let version = integer(row, 0)?;
    let (created, last_seen, expires) = (time(row, 1)?, time(row, 2)?, time(row, 3)?);
    let data = match row.get_ref(5)? {
        ValueRef::Blob(data) if data.len() > max_data_size => {
            return Err(Failure::corrupt(TOO_LARGE));
        }
        ValueRef::Blob(data) => Bytes::copy_from_slice(data),
        _ => return Err(Failure::corrupt("the data is no blob")),
    };
    let version = Version::from_bits(version.cast_unsigned());
    let mut record = Record::new(version, created, expires, data);
    record.last_seen = last_seen;
    record.subject = subject(row, 4)?;
    Ok(record)
}

fn key(row: &Row<'_>) -> Result<Key, Failure> {
    let namespace = text(row, 0)?.and_then(|name| NamespaceId::new(name).ok());
    let namespace = namespace.ok_or_else(|| Failure::corrupt("the namespace has no such name"))?;
    let id = match row.get_ref(1)? {
        ValueRef::Blob(id) => id.try_into().ok(),
        _ => None,
    };
    let id = id.ok_or_else(|| Failure::corrupt("the id is no blob of 16 bytes"))?;
    Ok(Key::new(namespace, SessionId::from_bytes(id)))
}

fn summary(row: &Row<'_>, key: Key) -> Result<Summary, Failure> {
    let version = Version::from_bits(0);
    let mut record = Record::new(version, time(row, 2)?, time(row, 4)?, Bytes::new());
    record.last_seen = time(row, 3)?;
    record.subject = subject(row, 5)?;
    Ok(Summary::new(key, &record))
}

fn subject(row: &Row<'_>, column: usize) -> Result<Option<Subject>, Failure> {
    let Some(text) = text(row, column)? else {
        return Ok(None);
    };
    let subject = Subject::new(text).map_err(|_| Failure::corrupt("the subject is too long"))?;
    Ok(Some(subject))
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<Option<&'a str>, Failure> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Failure::corrupt("a text is no UTF-8")),
        },
        _ => Err(Failure::corrupt("a text is none")),
    }
}

fn time(row: &Row<'_>, column: usize) -> Result<Timestamp, Failure> {
    let millis = integer(row, column)?;
    Ok(Timestamp::from_millis(millis.cast_unsigned()))
}

fn integer(row: &Row<'_>, column: usize) -> Result<i64, Failure> {
    match row.get_ref(column)? {
        ValueRef::Integer(integer) => Ok(integer),
        _ => Err(Failure::corrupt("a number is none")),
    }
}
