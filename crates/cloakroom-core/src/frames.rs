//! The user's map as length-prefixed frames, so that one key is read without decoding the others.
//!
//! A frame is the key's length (`u16`), the value's length (`u32`), both little-endian, the key
//! (UTF-8) and the value, encoded by the namespace's codec.

use bytes::{BufMut, Bytes, BytesMut};

const HEAD: usize = 6;

/// Frames whose lengths have been checked, in the record's data behind the envelope.
#[derive(Clone, Default)]
pub(crate) struct Frames {
    data: Bytes,
    start: usize,
}

/// Bytes that are no frames.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvalidFrames;

impl Frames {
    /// Checks the lengths of all frames from `start` on, and decodes nothing.
    pub(crate) fn parse(data: Bytes, start: usize) -> Result<Self, InvalidFrames> {
        let mut rest = data.get(start..).ok_or(InvalidFrames)?;
        while !rest.is_empty() {
            let (_, _, after) = split(rest).ok_or(InvalidFrames)?;
            rest = after;
        }
        Ok(Self { data, start })
    }

    /// What stands before the frames.
    pub(crate) fn before(&self) -> &[u8] {
        self.data.get(..self.start).unwrap_or_default()
    }

    /// The data of the whole record.
    pub(crate) fn record_data(&self) -> Bytes {
        self.data.clone()
    }

    fn bytes(&self) -> &[u8] {
        self.data.get(self.start..).unwrap_or_default()
    }

    pub(crate) fn get(&self, key: &str) -> Option<&[u8]> {
        self.value(key.as_bytes())
    }

    pub(crate) fn value(&self, key: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// The value as a slice of the record, not a copy.
    pub(crate) fn get_bytes(&self, key: &str) -> Option<Bytes> {
        self.get(key).map(|value| self.slice(value))
    }

    /// A value of these frames as a slice of the record.
    pub(crate) fn slice(&self, value: &[u8]) -> Bytes {
        self.data.slice_ref(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.bytes();
        std::iter::from_fn(move || {
            let (key, value, after) = split(rest)?;
            rest = after;
            Some((key, value))
        })
    }

    /// Like [`iter`](Self::iter), each value as a slice of the record, not a copy.
    pub(crate) fn iter_bytes(&self) -> impl Iterator<Item = (&[u8], Bytes)> {
        self.iter()
            .map(|(key, value)| (key, self.data.slice_ref(value)))
    }

    pub(crate) fn byte_len(&self) -> usize {
        self.bytes().len()
    }
}

/// The bytes that a frame takes.
pub(crate) fn frame_length(key: &[u8], value: &[u8]) -> usize {
    HEAD + key.len() + value.len()
}

/// Appends a frame. `false`, and nothing is written, when a length does not fit.
pub(crate) fn put(target: &mut BytesMut, key: &[u8], value: &[u8]) -> bool {
    let (Ok(key_length), Ok(value_length)) = (u16::try_from(key.len()), u32::try_from(value.len()))
    else {
        return false;
    };
    target.put_u16_le(key_length);
    target.put_u32_le(value_length);
    target.put_slice(key);
    target.put_slice(value);
    true
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (&[k0, k1, v0, v1, v2, v3], rest) = bytes.split_first_chunk::<HEAD>()?;
    let key_length = usize::from(u16::from_le_bytes([k0, k1]));
    let value_length = usize::try_from(u32::from_le_bytes([v0, v1, v2, v3])).ok()?;
    let (key, rest) = rest.split_at_checked(key_length)?;
    let (value, rest) = rest.split_at_checked(value_length)?;
    Some((key, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(pairs: &[(&str, &[u8])]) -> Frames {
        let mut bytes = BytesMut::new();
        for (key, value) in pairs {
            assert!(put(&mut bytes, key.as_bytes(), value));
        }
        Frames::parse(bytes.freeze(), 0).unwrap()
    }

    #[test]
    fn one_key_is_read_without_the_others() {
        let frames = frames(&[("a", b"1"), ("", b""), ("b\0=&", b"\0\xff")]);
        assert_eq!(frames.iter().count(), 3);
        assert_eq!(frames.get("a"), Some(&b"1"[..]));
        assert_eq!(frames.get(""), Some(&b""[..]));
        assert_eq!(frames.get_bytes("b\0=&").unwrap(), &b"\0\xff"[..]);
        assert_eq!(frames.get("c"), None);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let whole = frames(&[("key", b"value"), ("k", b"v")]).data;
        let ends = [0, HEAD + 8, whole.len()];
        for length in 0..=whole.len() {
            let parsed = Frames::parse(whole.slice(..length), 0);
            assert_eq!(parsed.is_ok(), ends.contains(&length), "{length}");
        }
    }

    #[test]
    fn lengths_beyond_the_end_are_errors() {
        for bytes in [&b"\xff\xff\0\0\0\0"[..], b"\0\0\xff\xff\xff\xff"] {
            assert!(Frames::parse(Bytes::from_static(bytes), 0).is_err());
        }
    }
}
