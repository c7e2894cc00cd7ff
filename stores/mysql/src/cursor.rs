//! Where listings go on: after a key. The first byte tells the two kinds apart.

use bytes::Bytes;
use cloakroom_store::{Cursor, NamespaceId, Operation, StoreError, StoreErrorKind};

const OF_SUBJECT: u8 = b's';
const OF_SCAN: u8 = b'k';

/// Before every id.
pub(crate) const START: &[u8] = &[];

/// `s`, id
pub(crate) fn of_subject(id: &[u8]) -> Cursor {
    make(OF_SUBJECT, id, &[])
}

/// `k`, id, name of the namespace. It need not be a good name: the listing passes by what others
/// have put into the table.
pub(crate) fn of_scan(id: &[u8], namespace: &[u8]) -> Cursor {
    make(OF_SCAN, id, namespace)
}

/// The id after which a listing of a subject goes on.
pub(crate) fn read_of_subject(cursor: Option<&Cursor>) -> Result<&[u8], StoreError> {
    match cursor.map(|cursor| split(cursor, OF_SUBJECT)) {
        None => Ok(START),
        Some(Some((id, []))) => Ok(id),
        Some(_) => Err(invalid(Operation::BySubject)),
    }
}

/// The id and the name after which a scan goes on.
pub(crate) fn read_of_scan(cursor: Option<&Cursor>) -> Result<(&[u8], &[u8]), StoreError> {
    match cursor.map(|cursor| split(cursor, OF_SCAN)) {
        None => Ok((START, START)),
        Some(Some((id, name))) if (1..=NamespaceId::MAX_LENGTH).contains(&name.len()) => {
            Ok((id, name))
        }
        Some(_) => Err(invalid(Operation::Scan)),
    }
}

fn make(kind: u8, id: &[u8], namespace: &[u8]) -> Cursor {
    Cursor::new(Bytes::from([&[kind], id, namespace].concat()))
}

fn split(cursor: &Cursor, kind: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = cursor.as_bytes().split_first()?;
    let (id, rest) = rest.split_at_checked(16)?;
    (*first == kind).then_some((id, rest))
}

fn invalid(operation: Operation) -> StoreError {
    StoreError::new(StoreErrorKind::Other, operation)
        .with_source("the cursor was not made by this listing of a MySQL store")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_kind_is_read_back() {
        let id = [9; 16];
        let (subject, scan) = (of_subject(&id), of_scan(&id, b"cart"));
        assert_eq!(read_of_subject(Some(&subject)).unwrap(), id);
        assert_eq!(read_of_scan(Some(&scan)).unwrap(), (&id[..], &b"cart"[..]));
        assert!(read_of_subject(Some(&scan)).is_err());
        assert!(read_of_scan(Some(&subject)).is_err());
        assert!(read_of_scan(Some(&of_scan(&id, &[b'x'; 33]))).is_err());
    }
}
