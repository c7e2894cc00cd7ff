//! Where listings go on: after a session. The first byte tells the two kinds apart.

use bytes::Bytes;
use cloakroom_store::{Cursor, Key, NamespaceId, SessionId, StoreErrorKind};

use crate::error::Failure;

const OF_SUBJECT: u8 = b's';
const OF_SCAN: u8 = b'k';

/// `s`, id
pub(crate) fn of_subject(last: SessionId) -> Cursor {
    let mut bytes = vec![OF_SUBJECT];
    bytes.extend_from_slice(last.as_bytes());
    Cursor::new(Bytes::from(bytes))
}

/// `k`, id, name of the namespace
pub(crate) fn of_scan(last: &Key) -> Cursor {
    let mut bytes = vec![OF_SCAN];
    bytes.extend_from_slice(last.id.as_bytes());
    bytes.extend_from_slice(last.namespace.as_str().as_bytes());
    Cursor::new(Bytes::from(bytes))
}

pub(crate) fn read_of_subject(cursor: &Cursor) -> Result<SessionId, Failure> {
    match split(cursor, OF_SUBJECT) {
        Some((id, [])) => Ok(id),
        _ => Err(foreign()),
    }
}

pub(crate) fn read_of_scan(cursor: &Cursor) -> Result<Key, Failure> {
    split(cursor, OF_SCAN)
        .and_then(|(id, name)| {
            let name = std::str::from_utf8(name).ok()?;
            Some(Key::new(NamespaceId::new(name).ok()?, id))
        })
        .ok_or_else(foreign)
}

fn split(cursor: &Cursor, kind: u8) -> Option<(SessionId, &[u8])> {
    let (first, rest) = cursor.as_bytes().split_first()?;
    let (id, rest) = rest.split_first_chunk::<16>()?;
    (*first == kind).then_some((SessionId::from_bytes(*id), rest))
}

fn foreign() -> Failure {
    let source = "the cursor was not made by this listing of an SQLite store";
    Failure::because(StoreErrorKind::Other, source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_kind_is_read_back() {
        let id = SessionId::from_bytes([9; 16]);
        let key = Key::new(NamespaceId::new("cart").unwrap(), id);
        assert_eq!(read_of_subject(&of_subject(id)).unwrap(), id);
        assert_eq!(read_of_scan(&of_scan(&key)).unwrap(), key);
        assert!(read_of_subject(&of_scan(&key)).is_err());
        let failure = read_of_scan(&of_subject(id)).unwrap_err();
        assert_eq!(failure.kind(), StoreErrorKind::Other);
    }
}
