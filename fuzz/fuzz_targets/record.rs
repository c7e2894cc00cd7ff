#![no_main]

use cloakroom_store::{HEAD_LENGTH, Record};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let head = Record::decode_head(bytes);
    let Ok(record) = Record::decode(bytes.to_vec().into()) else {
        return;
    };
    // One record has one encoding.
    assert_eq!(record.encode().unwrap(), bytes);
    assert_eq!(record.encoded_length(), bytes.len());
    assert!(bytes.len() >= HEAD_LENGTH);
    let head = head.unwrap();
    assert_eq!(head.version, record.version);
    assert_eq!(
        (head.created, head.last_seen, head.expires),
        (record.created, record.last_seen, record.expires)
    );
    assert_eq!((head.subject, head.data.len()), (None, 0));
});
