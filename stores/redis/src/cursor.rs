//! Where listings go on. The first byte tells the two kinds apart.

use bytes::{Buf, BufMut, Bytes};
use cloakroom_store::{Cursor, Operation, SessionId, StoreError, StoreErrorKind};

const OF_SUBJECT: u8 = b's';
const OF_SCAN: u8 = b'k';

/// `s`, id
pub(crate) fn of_subject(last: SessionId) -> Cursor {
    let mut bytes = vec![OF_SUBJECT];
    bytes.extend_from_slice(last.as_bytes());
    Cursor::new(Bytes::from(bytes))
}

pub(crate) fn read_of_subject(cursor: &Cursor) -> Result<SessionId, StoreError> {
    match cursor.as_bytes().split_first() {
        Some((&OF_SUBJECT, id)) => <[u8; 16]>::try_from(id).ok().map(SessionId::from_bytes),
        _ => None,
    }
    .ok_or_else(|| invalid(Operation::BySubject))
}

/// Where a walk over the keys of all servers is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Position {
    /// Which server's keys.
    pub(crate) server: String,
    /// Which run of that server: the position means nothing to another.
    pub(crate) run: u64,
    /// What the server has said.
    pub(crate) cursor: u64,
    /// The step that `COUNT` asks for.
    pub(crate) step: u16,
    /// The hashes of keys that may come again from there, but have been on a page; the newest last.
    pub(crate) seen: Vec<u64>,
}

/// The most keys that a position remembers.
pub(crate) const MAX_SEEN: usize = 4 * 1024;

impl Position {
    /// `k`, run, cursor (8 bytes each), step (2), number of hashes (2), hashes (8 each), server
    pub(crate) fn to_cursor(&self) -> Cursor {
        let mut bytes = vec![OF_SCAN];
        bytes.put_u64(self.run);
        bytes.put_u64(self.cursor);
        bytes.put_u16(self.step);
        bytes.put_u16(u16::try_from(self.seen.len()).unwrap_or(u16::MAX));
        self.seen.iter().for_each(|hash| bytes.put_u64(*hash));
        bytes.extend_from_slice(self.server.as_bytes());
        Cursor::new(Bytes::from(bytes))
    }

    pub(crate) fn read(cursor: &Cursor) -> Result<Self, StoreError> {
        parse(cursor.as_bytes()).ok_or_else(|| invalid(Operation::Scan))
    }
}

fn parse(mut bytes: &[u8]) -> Option<Position> {
    if bytes.try_get_u8().ok()? != OF_SCAN {
        return None;
    }
    let run = bytes.try_get_u64().ok()?;
    let cursor = bytes.try_get_u64().ok()?;
    let step = bytes.try_get_u16().ok()?;
    let count = usize::from(bytes.try_get_u16().ok()?);
    let (hashes, server) = bytes.split_at_checked(count.checked_mul(8)?)?;
    let hashes = hashes.as_chunks::<8>().0.iter();
    if count > MAX_SEEN {
        return None;
    }
    Some(Position {
        server: std::str::from_utf8(server).ok()?.to_owned(),
        run,
        cursor,
        step,
        seen: hashes.map(|hash| u64::from_be_bytes(*hash)).collect(),
    })
}

fn invalid(operation: Operation) -> StoreError {
    StoreError::new(StoreErrorKind::Other, operation)
        .with_source("the cursor was not made by this listing of a Redis store")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_kind_is_read_back() {
        let id = SessionId::from_bytes([9; 16]);
        let position = Position {
            server: "10.0.0.1:7000".to_owned(),
            run: u64::MAX,
            cursor: 17,
            step: 512,
            seen: vec![1, u64::MAX, 2],
        };
        let cursor = position.to_cursor();
        assert_eq!(read_of_subject(&of_subject(id)).unwrap(), id);
        assert_eq!(Position::read(&cursor).unwrap(), position);
        assert!(read_of_subject(&cursor).is_err());
        assert!(Position::read(&of_subject(id)).is_err());
        for length in 0..45 {
            let cut = Cursor::new(Bytes::copy_from_slice(&cursor.as_bytes()[..length]));
            assert!(Position::read(&cut).is_err(), "{length}");
        }
    }
}
