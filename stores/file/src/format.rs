//! What is in a file: a head that names the key, the record, and a checksum over all.
//!
//! | bytes | content |
//! |---|---|
//! | 0..5 | `CLOAK` |
//! | 5 | version of this format, 1 |
//! | 6..8 | length of the summary: the record's own head and its subject |
//! | 8..12 | length of the record |
//! | 12..44 | namespace, filled up with zeros |
//! | 44..60 | id |
//! | 60..64 | CRC-32 of bytes 0..60 and of the summary |
//! | 64.. | the record, as `Record::encode` writes it |
//! | the last 4 | CRC-32 of all before |
//!
//! Numbers are little-endian. The first checksum lets listings and sweeps trust the times and the
//! subject without reading the data.

use std::{error::Error, fmt};

use bytes::{BufMut, Bytes, BytesMut};
use cloakroom_store::{FormatError, HEAD_LENGTH, Key, NamespaceId, Record, Subject};

const MAGIC: [u8; 5] = *b"CLOAK";
const VERSION: u8 = 1;
const CHECKED_LENGTH: usize = 60;
const FILE_HEAD_LENGTH: usize = CHECKED_LENGTH + 4;
const CHECKSUM_LENGTH: usize = 4;

/// The bytes at the beginning of a file that always hold its summary, if it has that many.
pub(crate) const SUMMARY_END: usize = FILE_HEAD_LENGTH + HEAD_LENGTH + Subject::MAX_LENGTH;

/// The longest file with `data` bytes of data.
pub(crate) const fn max_file_length(data: usize) -> usize {
    data.saturating_add(SUMMARY_END + CHECKSUM_LENGTH)
}

/// The content of the file of `key`.
pub(crate) fn encode(key: &Key, record: &Record) -> Result<Bytes, FormatError> {
    let subject = record.subject.as_ref().map_or(0, |s| s.as_str().len());
    let summary = u16::try_from(HEAD_LENGTH + subject).map_err(|_| FormatError::TooLarge)?;
    let length = u32::try_from(record.encoded_length()).map_err(|_| FormatError::TooLarge)?;
    let mut file = BytesMut::with_capacity(max_file_length(record.data.len()));
    file.put_slice(&MAGIC);
    file.put_u8(VERSION);
    file.put_u16_le(summary);
    file.put_u32_le(length);
    file.put_slice(&padded(&key.namespace));
    file.put_slice(key.id.as_bytes());
    file.put_u32_le(0);
    record.encode_into(&mut file)?;
    let checksum = summary_checksum(&file, usize::from(summary));
    if let Some(place) = file.get_mut(CHECKED_LENGTH..FILE_HEAD_LENGTH) {
        place.copy_from_slice(&checksum.to_le_bytes());
    }
    let checksum = crc32fast::hash(&file);
    file.put_u32_le(checksum);
    Ok(file.freeze())
}

/// The record in the file of `key`; its data is a slice of `file`.
pub(crate) fn decode(file: Bytes, key: &Key) -> Result<Record, Corruption> {
    let length = u64::try_from(file.len()).map_err(|_| Corruption::WrongLength)?;
    decode_summary(&file, length, key)?;
    let end = file.len().saturating_sub(CHECKSUM_LENGTH);
    let (content, checksum) = file
        .split_last_chunk::<CHECKSUM_LENGTH>()
        .ok_or(Corruption::WrongLength)?;
    if crc32fast::hash(content) != u32::from_le_bytes(*checksum) {
        return Err(Corruption::Checksum);
    }
    Record::decode(file.slice(FILE_HEAD_LENGTH..end)).map_err(Corruption::Record)
}

/// The record in the file of `key` without its data, from the beginning of the file.
pub(crate) fn decode_summary(
    beginning: &[u8],
    file_length: u64,
    key: &Key,
) -> Result<Record, Corruption> {
    let mut rest = beginning;
    let magic = take::<5>(&mut rest)?;
    let [version] = take::<1>(&mut rest)?;
    let summary_length = usize::from(u16::from_le_bytes(take(&mut rest)?));
    let record_length = u64::from(u32::from_le_bytes(take(&mut rest)?));
    let namespace = take::<{ NamespaceId::MAX_LENGTH }>(&mut rest)?;
    let id = take::<16>(&mut rest)?;
    let checksum = u32::from_le_bytes(take(&mut rest)?);
    if magic != MAGIC {
        return Err(Corruption::NotARecord);
    }
    if version != VERSION {
        return Err(Corruption::UnknownFormat(version));
    }
    let summary = rest.get(..summary_length).ok_or(Corruption::WrongLength)?;
    if summary_checksum(beginning, summary_length) != checksum {
        return Err(Corruption::Checksum);
    }
    if namespace != padded(&key.namespace) || id != *key.id.as_bytes() {
        return Err(Corruption::Foreign);
    }
    let around = FILE_HEAD_LENGTH + CHECKSUM_LENGTH;
    if u64::try_from(around).map(|around| around + record_length) != Ok(file_length) {
        return Err(Corruption::WrongLength);
    }
    let mut record = Record::decode_head(summary).map_err(Corruption::Record)?;
    let subject = summary.get(HEAD_LENGTH..).unwrap_or_default();
    if !subject.is_empty() {
        let subject = std::str::from_utf8(subject).ok();
        let subject = subject.and_then(|subject| Subject::new(subject).ok());
        record.subject = Some(subject.ok_or(Corruption::Record(FormatError::InvalidSubject))?);
    }
    Ok(record)
}

fn summary_checksum(file: &[u8], summary_length: usize) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(file.get(..CHECKED_LENGTH).unwrap_or_default());
    let summary = file.get(FILE_HEAD_LENGTH..FILE_HEAD_LENGTH + summary_length);
    hasher.update(summary.unwrap_or_default());
    hasher.finalize()
}

fn padded(namespace: &NamespaceId) -> [u8; NamespaceId::MAX_LENGTH] {
    let mut padded = [0; NamespaceId::MAX_LENGTH];
    for (target, byte) in padded.iter_mut().zip(namespace.as_str().bytes()) {
        *target = byte;
    }
    padded
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Corruption> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(Corruption::WrongLength)?;
    *bytes = rest;
    Ok(*taken)
}

/// Why a file holds no record of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Corruption {
    NotAFile,
    ForeignOwner,
    NotARecord,
    UnknownFormat(u8),
    WrongLength,
    TooLong,
    Checksum,
    Foreign,
    Record(FormatError),
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAFile => f.write_str("a link, folder or device stands where a file belongs"),
            Self::ForeignOwner => f.write_str("the file belongs to another user"),
            Self::NotARecord => f.write_str("the file was not written by this store"),
            Self::UnknownFormat(version) => write!(f, "unknown file format {version}"),
            Self::WrongLength => f.write_str("the file is torn"),
            Self::TooLong => f.write_str("the file is larger than the largest record allowed"),
            Self::Checksum => f.write_str("the file is damaged, its checksum is wrong"),
            Self::Foreign => f.write_str("the file is a copy of another session's file"),
            Self::Record(_) => f.write_str("the file is whole, but holds no record"),
        }
    }
}

impl Error for Corruption {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Record(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_store::{SessionId, Timestamp, Version};

    use super::*;

    fn key(namespace: &str, byte: u8) -> Key {
        let namespace = NamespaceId::new(namespace).unwrap();
        Key::new(namespace, SessionId::from_bytes([byte; 16]))
    }

    fn record(subject: Option<&str>) -> Record {
        let now = Timestamp::from_millis(7);
        let mut record = Record::new(Version::from_bits(9), now, now, "some data".into());
        record.subject = subject.map(|subject| Subject::new(subject).unwrap());
        record
    }

    fn summary(file: &[u8], key: &Key) -> Result<Record, Corruption> {
        let beginning = &file[..file.len().min(SUMMARY_END)];
        decode_summary(beginning, u64::try_from(file.len()).unwrap(), key)
    }

    #[test]
    fn format_1_is_fixed() {
        let file = encode(&key("cart", 0xab), &record(Some("ann"))).unwrap();
        assert_eq!(&file[..12], b"CLOAK\x01\x2b\x00\x34\x00\x00\x00");
        assert_eq!(&file[12..44], [b"cart".as_slice(), &[0; 28]].concat());
        assert_eq!(&file[44..60], [0xab; 16]);
        assert_eq!(&file[60..64], [0x85, 0xab, 0xcd, 0xd8]);
        assert_eq!(&file[64..116], record(Some("ann")).encode().unwrap());
        assert_eq!(&file[116..], [0x9a, 0x1c, 0x9b, 0x19]);
    }

    #[test]
    fn round_trips_with_and_without_subject() {
        let key = key("cart", 1);
        for subject in [None, Some("ann"), Some("é".repeat(127).as_str())] {
            let record = record(subject);
            let file = encode(&key, &record).unwrap();
            assert_eq!(decode(file.clone(), &key).unwrap(), record);
            let mut expected = record;
            expected.data = Bytes::new();
            assert_eq!(summary(&file, &key).unwrap(), expected);
        }
    }

    #[test]
    fn every_truncation_and_extension_is_an_error() {
        let key = key("cart", 1);
        let file = encode(&key, &record(Some("ann"))).unwrap();
        for length in 0..file.len() {
            assert!(decode(file.slice(..length), &key).is_err(), "{length}");
            assert!(summary(&file[..length], &key).is_err(), "{length}");
        }
        let longer = [&file[..], &[0]].concat();
        assert_eq!(summary(&longer, &key), Err(Corruption::WrongLength));
        assert_eq!(decode(longer.into(), &key), Err(Corruption::WrongLength));
    }

    #[test]
    fn every_flipped_bit_is_an_error() {
        let key = key("cart", 1);
        let record = record(Some("ann"));
        let file = encode(&key, &record).unwrap();
        for bit in 0..file.len() * 8 {
            let mut flipped = file.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // 107 bytes are its head, the record's head and the subject.
            assert_eq!(summary(&flipped, &key).is_err(), bit / 8 < 107, "bit {bit}");
            assert!(decode(flipped.into(), &key).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_copy_under_another_name_is_foreign() {
        let file = encode(&key("cart", 1), &record(None)).unwrap();
        for other in [key("cart", 2), key("carts", 1), key("car", 1)] {
            let error = decode(file.clone(), &other).unwrap_err();
            assert_eq!(error, Corruption::Foreign);
        }
    }
}
