use std::error::Error;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use smallvec::SmallVec;

use crate::error::SessionError;

/// How a namespace encodes the values of its sessions. Both formats describe themselves, so a
/// value can be shown without its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Codec {
    /// MessagePack, structs as maps with field names.
    #[default]
    MessagePack,
    /// JSON. Map keys become strings, and bytes lists of numbers.
    #[cfg(feature = "json")]
    Json,
}

pub(crate) type CodecError = Box<dyn Error + Send + Sync>;

/// A value that can't be encoded or decoded; whose it is, the caller knows.
#[derive(Debug)]
pub(crate) enum CodecFailure {
    Encode(CodecError),
    Decode(CodecError),
    /// A closure of the application panicked when it ran again.
    Panicked,
}

impl CodecFailure {
    pub(crate) fn of(self, key: &str) -> SessionError {
        let key = key.to_owned();
        match self {
            Self::Encode(source) => SessionError::Encode { key, source },
            Self::Decode(source) => SessionError::Decode { key, source },
            Self::Panicked => SessionError::Panicked { key },
        }
    }
}

impl Codec {
    pub(crate) fn encode<T: Serialize + ?Sized>(self, value: &T) -> Result<Bytes, CodecFailure> {
        // Most values are small: they cost the one allocation of their exact length.
        let mut scratch = SmallVec::<[u8; 128]>::new();
        let encoded = match self {
            Self::MessagePack => {
                let mut encoder = rmp_serde::Serializer::new(&mut scratch).with_struct_map();
                value.serialize(&mut encoder).map_err(CodecError::from)
            }
            #[cfg(feature = "json")]
            Self::Json => serde_json::to_writer(&mut scratch, value).map_err(CodecError::from),
        };
        encoded.map_err(CodecFailure::Encode)?;
        Ok(Bytes::copy_from_slice(&scratch))
    }

    pub(crate) fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, CodecFailure> {
        self.try_decode(bytes).map_err(CodecFailure::Decode)
    }

    /// The list of the elements of two encoded lists. The elements are neither decoded nor checked.
    pub(crate) fn join_lists(self, first: &[u8], second: &[u8]) -> Result<Bytes, CodecFailure> {
        let joined = match self {
            Self::MessagePack => join_message_pack(first, second),
            #[cfg(feature = "json")]
            Self::Json => join_json(first, second),
        };
        joined.ok_or_else(|| CodecFailure::Decode("the value is no list".into()))
    }

    fn try_decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, CodecError> {
        match self {
            Self::MessagePack => {
                let mut rest = bytes;
                let mut decoder = rmp_serde::Deserializer::new(&mut rest);
                // Deeper values than any application has overflow no stack.
                decoder.set_max_depth(MAX_DEPTH);
                let value = T::deserialize(&mut decoder)?;
                match rest.is_empty() {
                    true => Ok(value),
                    false => Err("there are bytes after the value".into()),
                }
            }
            #[cfg(feature = "json")]
            Self::Json => Ok(serde_json::from_slice(bytes)?),
        }
    }
}

pub(crate) const MAX_DEPTH: usize = 128;

fn join_message_pack(mut first: &[u8], mut second: &[u8]) -> Option<Bytes> {
    let before = rmp::decode::read_array_len(&mut first).ok()?;
    let count = before.checked_add(rmp::decode::read_array_len(&mut second).ok()?)?;
    let mut joined = Vec::with_capacity(5 + first.len() + second.len());
    rmp::encode::write_array_len(&mut joined, count).ok()?;
    joined.extend_from_slice(first);
    joined.extend_from_slice(second);
    Some(joined.into())
}

#[cfg(feature = "json")]
fn join_json(first: &[u8], second: &[u8]) -> Option<Bytes> {
    let elements = |list: &'_ [u8]| -> Option<Vec<u8>> {
        let list = list.trim_ascii().strip_prefix(b"[")?.strip_suffix(b"]")?;
        Some(list.trim_ascii().to_vec())
    };
    let mut lists = vec![elements(first)?, elements(second)?];
    lists.retain(|list| !list.is_empty());
    Some([b"[", lists.join(&b',').as_slice(), b"]"].concat().into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn codecs() -> Vec<Codec> {
        vec![
            Codec::MessagePack,
            #[cfg(feature = "json")]
            Codec::Json,
        ]
    }

    #[test]
    fn values_round_trip() {
        let value = BTreeMap::from([
            ("a".to_owned(), vec![1_u64, u64::MAX]),
            (String::new(), vec![]),
        ]);
        for codec in codecs() {
            let bytes = codec.encode(&value).unwrap();
            assert_eq!(
                codec.decode::<BTreeMap<String, Vec<u64>>>(&bytes).unwrap(),
                value
            );
            assert!(codec.decode::<u8>(&bytes).is_err());
        }
    }

    #[test]
    fn joined_lists_are_the_list_of_all() {
        let lists: [&[u32]; 4] = [&[], &[1], &[2; 15], &[3; 70_000]];
        for codec in codecs() {
            for (first, second) in lists.into_iter().flat_map(|a| lists.map(|b| (a, b))) {
                let encode = |list: &[u32]| codec.encode(list).unwrap();
                let joined = codec.join_lists(&encode(first), &encode(second));
                let all: Vec<u32> = codec.decode(&joined.unwrap()).unwrap();
                assert_eq!(all, [first, second].concat());
            }
        }
    }

    #[test]
    fn what_is_no_list_is_not_joined() {
        for codec in codecs() {
            let (text, list) = (codec.encode("a").unwrap(), codec.encode(&[1]).unwrap());
            assert!(codec.join_lists(&text, &list).is_err());
            assert!(codec.join_lists(&list, &text).is_err());
            assert!(codec.join_lists(&[], &list).is_err());
        }
    }

    #[test]
    fn trailing_bytes_are_an_error() {
        for codec in codecs() {
            let mut bytes = codec.encode(&1_u8).unwrap().to_vec();
            bytes.push(b'1');
            bytes.push(b' ');
            bytes.push(b'1');
            assert!(codec.decode::<u8>(&bytes).is_err());
        }
    }

    #[test]
    fn deep_nesting_is_an_error() {
        #[derive(serde::Deserialize)]
        #[expect(dead_code, reason = "only its depth matters")]
        struct Nested(Vec<Nested>);
        let deep = vec![0x91; 100_000];
        assert!(Codec::MessagePack.decode::<Nested>(&deep).is_err());
    }

    #[test]
    fn a_length_that_lies_reserves_no_memory() {
        let lying = [0xdd, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert!(Codec::MessagePack.decode::<Vec<u64>>(&lying).is_err());
    }
}
