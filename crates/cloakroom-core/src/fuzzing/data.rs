use bytes::{Bytes, BytesMut};
use serde::de::IgnoredAny;

use crate::{codec::Codec, envelope::Envelope, frames};

/// Decodes a record's data. What can be decoded has one encoding.
pub fn envelope(bytes: &[u8]) {
    let data = Bytes::copy_from_slice(bytes);
    let Ok((envelope, frames)) = Envelope::decode(data.clone()) else {
        return;
    };
    let pairs: Vec<(&[u8], &[u8])> = frames.iter().collect();
    let mut encoded = envelope.encode(frames.byte_len());
    for (key, value) in &pairs {
        assert!(frames::put(&mut encoded, key, value));
    }
    assert_eq!(encoded, data);
    assert_eq!(frames.record_data(), data);
    let mut again = BytesMut::new();
    for (key, value) in &pairs {
        frames::put(&mut again, key, value);
        // Whatever a codec makes of it, it stays on the stack that it has.
        let _ = Codec::MessagePack.decode::<IgnoredAny>(value);
        let Ok(key) = std::str::from_utf8(key) else {
            continue;
        };
        let first = pairs.iter().find(|(other, _)| *other == key.as_bytes());
        let first = first.map(|(_, value)| *value);
        assert_eq!(frames.get(key), first);
        assert_eq!(frames.get_bytes(key).as_deref(), first);
    }
    assert_eq!(frames.byte_len(), again.len());
}
