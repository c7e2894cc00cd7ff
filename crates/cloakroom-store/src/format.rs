//! The one binary format of a record, for stores that keep a session as one blob.
//! `docs/format.md` describes it.

use std::{error::Error, fmt};

use bytes::{BufMut, Bytes, BytesMut};

use crate::{Record, Subject, Timestamp, Version};

/// The first byte of an encoded record.
pub const FORMAT_VERSION: u8 = 1;

/// The length of the fixed-width head of an encoded record, in bytes: enough to read the version
/// and the times without the rest.
pub const HEAD_LENGTH: usize = 40;

const HAS_SUBJECT: u8 = 1;

impl Record {
    /// Encodes the record.
    ///
    /// # Errors
    /// [`FormatError::TooLarge`] when the data has 4 GiB or more.
    ///
    /// ```
    /// use cloakroom_store::{Record, Timestamp, Version};
    /// let now = Timestamp::from_millis(1_000);
    /// let record = Record::new(Version::from_bits(1), now, now, "data".into());
    /// let bytes = record.encode().unwrap();
    /// assert_eq!(Record::decode(bytes).unwrap(), record);
    /// ```
    pub fn encode(&self) -> Result<Bytes, FormatError> {
        let mut bytes = BytesMut::with_capacity(self.encoded_length());
        self.encode_into(&mut bytes)?;
        Ok(bytes.freeze())
    }

    /// Encodes the record at the end of `target`.
    ///
    /// # Errors
    /// [`FormatError::TooLarge`] when the data has 4 GiB or more; nothing is written then.
    ///
    /// ```
    /// use cloakroom_store::{Record, Timestamp, Version};
    /// use bytes::BytesMut;
    /// # let now = Timestamp::from_millis(1_000);
    /// # let record = Record::new(Version::from_bits(1), now, now, "data".into());
    /// let mut frame = BytesMut::from("a prefix of the store's own:");
    /// let prefix = frame.len();
    /// record.encode_into(&mut frame).unwrap();
    /// assert_eq!(Record::decode(frame.freeze().slice(prefix..)).unwrap(), record);
    /// ```
    pub fn encode_into(&self, target: &mut BytesMut) -> Result<(), FormatError> {
        let subject = self.subject.as_ref().map_or("", Subject::as_str);
        let subject_length = u16::try_from(subject.len()).map_err(|_| FormatError::TooLarge)?;
        let data_length = u32::try_from(self.data.len()).map_err(|_| FormatError::TooLarge)?;
        target.reserve(self.encoded_length());
        target.put_u8(FORMAT_VERSION);
        target.put_u8(if self.subject.is_some() {
            HAS_SUBJECT
        } else {
            0
        });
        target.put_u16_le(subject_length);
        target.put_u32_le(data_length);
        target.put_u64_le(self.version.to_bits());
        target.put_u64_le(self.created.as_millis());
        target.put_u64_le(self.last_seen.as_millis());
        target.put_u64_le(self.expires.as_millis());
        target.put_slice(subject.as_bytes());
        target.put_slice(&self.data);
        Ok(())
    }

    /// The length of [`Record::encode`]'s result, in bytes.
    ///
    /// ```
    /// use cloakroom_store::{HEAD_LENGTH, Record, Timestamp, Version};
    /// # let now = Timestamp::from_millis(1_000);
    /// # let record = Record::new(Version::from_bits(1), now, now, "data".into());
    /// assert_eq!(record.encoded_length(), HEAD_LENGTH + "data".len());
    /// assert_eq!(record.encode().unwrap().len(), record.encoded_length());
    /// ```
    #[must_use]
    pub fn encoded_length(&self) -> usize {
        let subject = self.subject.as_ref().map_or(0, |s| s.as_str().len());
        HEAD_LENGTH + subject + self.data.len()
    }

    /// Decodes a record. The data is a slice of `bytes`, not a copy.
    ///
    /// # Errors
    /// Any byte string that [`Record::encode`] does not produce is a [`FormatError`].
    ///
    /// ```
    /// use cloakroom_store::{FormatError, Record, Timestamp, Version};
    /// # let now = Timestamp::from_millis(1_000);
    /// # let record = Record::new(Version::from_bits(1), now, now, "data".into());
    /// let bytes = record.encode().unwrap();
    /// assert_eq!(Record::decode(bytes.clone()), Ok(record));
    /// assert_eq!(Record::decode(bytes.slice(1..)), Err(FormatError::UnknownVersion(0)));
    /// ```
    pub fn decode(mut bytes: Bytes) -> Result<Self, FormatError> {
        let head = Head::read(&bytes)?;
        if bytes.len() != HEAD_LENGTH + head.subject_length + head.data_length {
            return Err(FormatError::WrongLength);
        }
        let data = bytes.split_off(HEAD_LENGTH + head.subject_length);
        let subject = match head.has_subject {
            true => Some(read_subject(bytes.get(HEAD_LENGTH..).unwrap_or_default())?),
            false => None,
        };
        Ok(Self {
            subject,
            data,
            ..head.record
        })
    }

    /// Decodes only the head: version and times. The subject is `None` and the data empty.
    ///
    /// # Errors
    /// [`FormatError`] when `bytes` is shorter than [`HEAD_LENGTH`] or begins with no such head.
    ///
    /// ```
    /// use cloakroom_store::{HEAD_LENGTH, Record, Timestamp, Version};
    /// # let now = Timestamp::from_millis(1_000);
    /// # let record = Record::new(Version::from_bits(1), now, now, "data".into());
    /// let bytes = record.encode().unwrap();
    /// let head = Record::decode_head(&bytes[..HEAD_LENGTH]).unwrap();
    /// assert_eq!(head.version, record.version);
    /// assert!(head.data.is_empty());
    /// ```
    pub fn decode_head(bytes: &[u8]) -> Result<Self, FormatError> {
        Ok(Head::read(bytes)?.record)
    }
}

struct Head {
    has_subject: bool,
    subject_length: usize,
    data_length: usize,
    record: Record,
}

impl Head {
    fn read(bytes: &[u8]) -> Result<Self, FormatError> {
        let (first, rest) = bytes.split_at_checked(8).ok_or(FormatError::WrongLength)?;
        let &[version, flags, s0, s1, d0, d1, d2, d3] = first else {
            return Err(FormatError::WrongLength);
        };
        if version != FORMAT_VERSION {
            return Err(FormatError::UnknownVersion(version));
        }
        if flags & !HAS_SUBJECT != 0 {
            return Err(FormatError::UnknownFlags(flags));
        }
        let subject_length = usize::from(u16::from_le_bytes([s0, s1]));
        if (flags & HAS_SUBJECT == 0) != (subject_length == 0) {
            return Err(FormatError::InvalidSubject);
        }
        let data_length = u32::from_le_bytes([d0, d1, d2, d3]);
        let numbers = rest.as_chunks::<8>().0;
        let &[version, created, last_seen, expires, ..] = numbers else {
            return Err(FormatError::WrongLength);
        };
        let time = |bytes| Timestamp::from_millis(u64::from_le_bytes(bytes));
        let version = Version::from_bits(u64::from_le_bytes(version));
        let mut record = Record::new(version, time(created), time(expires), Bytes::new());
        record.last_seen = time(last_seen);
        Ok(Self {
            has_subject: flags & HAS_SUBJECT != 0,
            subject_length,
            data_length: usize::try_from(data_length).map_err(|_| FormatError::WrongLength)?,
            record,
        })
    }
}

fn read_subject(bytes: &[u8]) -> Result<Subject, FormatError> {
    std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| Subject::new(text).ok())
        .ok_or(FormatError::InvalidSubject)
}

/// Bytes are no record, or a record is too large to encode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// The first byte names a format that this version does not know.
    UnknownVersion(u8),
    /// A flag is set that this version does not know.
    UnknownFlags(u8),
    /// There are fewer or more bytes than the head says.
    WrongLength,
    /// The subject is no UTF-8, or too long.
    InvalidSubject,
    /// A field does not fit the format.
    TooLarge,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownVersion(version) => write!(f, "unknown record format {version}"),
            Self::UnknownFlags(flags) => write!(f, "unknown record flags {flags:#04x}"),
            Self::WrongLength => f.write_str("the record is cut short or too long"),
            Self::InvalidSubject => f.write_str("the record's subject is invalid"),
            Self::TooLarge => f.write_str("the record is too large for its format"),
        }
    }
}

impl Error for FormatError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let mut record = Record::new(
            Version::from_bits(0x0102_0304_0506_0708),
            Timestamp::from_millis(1),
            Timestamp::from_millis(3),
            Bytes::from_static(b"data"),
        );
        record.last_seen = Timestamp::from_millis(2);
        record.subject = Some(Subject::new("ann").unwrap());
        record
    }

    #[test]
    fn format_1_is_fixed() {
        let bytes = record().encode().unwrap();
        let expected = b"\x01\x01\x03\x00\x04\x00\x00\x00\
            \x08\x07\x06\x05\x04\x03\x02\x01\
            \x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\
            anndata";
        assert_eq!(&bytes[..], expected);
        assert_eq!(bytes.len(), record().encoded_length());
    }

    #[test]
    fn round_trips_with_and_without_subject() {
        let mut record = record();
        assert_eq!(Record::decode(record.encode().unwrap()).unwrap(), record);
        record.subject = None;
        record.data = Bytes::new();
        assert_eq!(Record::decode(record.encode().unwrap()).unwrap(), record);
        let head = Record::decode_head(&record.encode().unwrap()).unwrap();
        assert_eq!(head.expires, record.expires);
    }

    #[test]
    fn every_truncation_and_extension_is_an_error() {
        let bytes = record().encode().unwrap();
        for length in 0..bytes.len() {
            let error = Record::decode(bytes.slice(..length)).unwrap_err();
            assert_eq!(error, FormatError::WrongLength, "{length}");
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert_eq!(Record::decode(longer.into()), Err(FormatError::WrongLength));
    }

    #[test]
    fn unknown_versions_flags_and_subjects_are_errors() {
        let with = |at: usize, byte: u8| {
            let mut bytes = record().encode().unwrap().to_vec();
            bytes[at] = byte;
            Record::decode(bytes.into())
        };
        assert_eq!(with(0, 2), Err(FormatError::UnknownVersion(2)));
        assert_eq!(with(1, 3), Err(FormatError::UnknownFlags(3)));
        assert_eq!(with(1, 0), Err(FormatError::InvalidSubject));
        assert_eq!(with(40, 0xff), Err(FormatError::InvalidSubject));
    }
}
