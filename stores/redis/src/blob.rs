//! What lies under the key of a record.

use bytes::Bytes;
use cloakroom_store::{
    FormatError, HEAD_LENGTH, Key, Operation, Record, StoreError, StoreErrorKind, Subject, Summary,
};
use redis::Value;

use crate::error::Unexpected;

/// How many bytes a listing reads of each record: the head, and the longest subject.
pub(crate) const SUMMARY_LENGTH: usize = HEAD_LENGTH + Subject::MAX_LENGTH;

/// The bytes that a command answered.
pub(crate) fn bytes(answer: Value, operation: Operation) -> Result<Bytes, StoreError> {
    match answer {
        Value::BulkString(bytes) => Ok(Bytes::from(bytes)),
        _ => Err(Unexpected::during(operation)),
    }
}

/// A record; `None` when there are no bytes.
pub(crate) fn record(
    bytes: Bytes,
    max_length: usize,
    operation: Operation,
) -> Result<Option<Record>, StoreError> {
    let corrupt = StoreError::new(StoreErrorKind::Corrupt, operation);
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.len() > max_length {
        let source = format!("it has more than {max_length} bytes; see max_data_size");
        return Err(corrupt.with_source(source));
    }
    match Record::decode(bytes) {
        Ok(record) => Ok(Some(record)),
        Err(error) => Err(corrupt.with_source(error)),
    }
}

/// The summary of a record from its first [`SUMMARY_LENGTH`] bytes; `None` for what is no record.
pub(crate) fn summary(key: Key, bytes: &[u8]) -> Option<Summary> {
    let head = read_without_data(bytes).ok()?;
    Some(Summary::new(key, &head))
}

fn read_without_data(bytes: &[u8]) -> Result<Record, FormatError> {
    let mut head = Record::decode_head(bytes)?.encode()?.to_vec();
    let &[_, flags, s0, s1, ..] = bytes else {
        return Err(FormatError::WrongLength);
    };
    let length = usize::from(u16::from_le_bytes([s0, s1]));
    let subject = bytes.get(HEAD_LENGTH..HEAD_LENGTH.saturating_add(length));
    let subject = subject.ok_or(FormatError::WrongLength)?;
    if let [_, new_flags, n0, n1, ..] = head.as_mut_slice() {
        (*new_flags, *n0, *n1) = (flags, s0, s1);
    }
    head.extend_from_slice(subject);
    Record::decode(head.into())
}

#[cfg(test)]
mod tests {
    use cloakroom_store::{NamespaceId, SessionId, Timestamp, Version};

    use super::*;

    fn a_record(subject: Option<&str>) -> Record {
        let time = Timestamp::from_millis;
        let data = vec![7; 5_000].into();
        let mut record = Record::new(Version::from_bits(1), time(1), time(3), data);
        record.last_seen = time(2);
        record.subject = subject.map(|subject| Subject::new(subject).unwrap());
        record
    }

    #[test]
    fn a_summary_needs_only_the_beginning() {
        let id = SessionId::from_bytes([7; 16]);
        let key = Key::new(NamespaceId::new("cart").unwrap(), id);
        for subject in [None, Some("ann"), Some("x".repeat(255).as_str())] {
            let record = a_record(subject);
            let blob = record.encode().unwrap();
            let shown = summary(key, &blob[..SUMMARY_LENGTH]);
            assert_eq!(shown, Some(Summary::new(key, &record)));
            for length in 0..HEAD_LENGTH + subject.map_or(0, str::len) {
                assert_eq!(summary(key, &blob[..length]), None, "{length}");
            }
        }
        assert_eq!(summary(key, &[0xff; SUMMARY_LENGTH]), None);
    }

    #[test]
    fn what_is_no_record_is_corrupt() {
        let load = |bytes: Bytes| record(bytes, 100, Operation::Load);
        assert_eq!(load(Bytes::new()).unwrap(), None);
        for bad in [vec![1], vec![0; 40], vec![1; 101]] {
            let error = load(bad.into()).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        }
    }
}
