//! The record's format, for any record and any bytes. `fuzz/` looks further.

use bytes::{Bytes, BytesMut};
use cloakroom_store::{HEAD_LENGTH, Record, Subject, Timestamp, Version};
use proptest::{collection::vec, option, prelude::*, sample::Index};

fn records() -> impl Strategy<Value = Record> {
    let subject = option::of("\\PC{1,60}");
    let data = vec(any::<u8>(), 0..300);
    (any::<[u64; 4]>(), subject, data).prop_map(|(numbers, subject, data)| {
        let [version, created, seen, expires] = numbers;
        let [created, seen, expires] = [created, seen, expires].map(Timestamp::from_millis);
        let mut record = Record::new(Version::from_bits(version), created, expires, data.into());
        record.last_seen = seen;
        record.subject = subject.and_then(|text| Subject::new(&text).ok());
        record
    })
}

/// What can be decoded has one encoding, and its head says the same as the whole.
fn check_decoding(bytes: &[u8]) -> Result<(), TestCaseError> {
    let head = Record::decode_head(bytes);
    let Ok(record) = Record::decode(Bytes::copy_from_slice(bytes)) else {
        return Ok(());
    };
    prop_assert_eq!(record.encode(), Ok(Bytes::copy_from_slice(bytes)));
    let mut expected = record;
    expected.subject = None;
    expected.data = Bytes::new();
    prop_assert_eq!(head, Ok(expected));
    Ok(())
}

proptest! {
    #[test]
    fn a_record_decodes_to_itself(record in records(), before in vec(any::<u8>(), 0..20)) {
        let bytes = record.encode().unwrap();
        prop_assert_eq!(bytes.len(), record.encoded_length());
        let mut target = BytesMut::from(&before[..]);
        record.encode_into(&mut target).unwrap();
        prop_assert_eq!(target, [&before[..], &bytes].concat());
        prop_assert_eq!(Record::decode(bytes), Ok(record));
    }

    #[test]
    fn any_bytes_are_an_error_or_an_encoding(bytes in vec(any::<u8>(), 0..100)) {
        check_decoding(&bytes)?;
    }

    #[test]
    fn so_are_records_with_a_changed_byte(record in records(), at: Index, byte: u8) {
        let mut bytes = record.encode().unwrap().to_vec();
        *at.get_mut(&mut bytes) = byte;
        check_decoding(&bytes)?;
    }

    #[test]
    fn every_cut_is_an_error(record in records(), at: Index) {
        let bytes = record.encode().unwrap();
        let length = at.index(bytes.len());
        let head = Record::decode_head(&bytes[..length]);
        prop_assert_eq!(head.is_ok(), length >= HEAD_LENGTH);
        prop_assert!(Record::decode(bytes.slice(..length)).is_err());
    }
}
