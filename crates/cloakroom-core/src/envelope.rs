//! What the engine keeps in a record beside the user's map. `docs/format.md` describes it.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use cloakroom_store::Timestamp;

use crate::{frames::Frames, token::SecretHash};

const FORMAT: u8 = 1;
const HAS_SECRET: u8 = 1;
const HAS_PREVIOUS: u8 = 2;
const HAS_LIFETIME: u8 = 4;

/// The longest envelope, in bytes.
const MAX_LENGTH: usize = 46 + 48 + 40 + 8;

#[derive(Clone, Debug, Default)]
pub(crate) struct Envelope {
    /// Goes up with each new epoch; what opened the session under another one is void.
    pub(crate) epoch: u32,
    pub(crate) epoch_began: Timestamp,
    /// When the absolute limit began: at creation or login.
    pub(crate) limit_began: Timestamp,
    pub(crate) rotated: Timestamp,
    pub(crate) csrf_seed: [u8; 16],
    /// `None` in a client-side session.
    pub(crate) secret: Option<StoredSecret>,
    /// This session's own lifetime, set by `persist`.
    pub(crate) lifetime: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(crate) struct StoredSecret {
    pub(crate) hash: SecretHash,
    /// What the current secret was derived with from the previous one.
    pub(crate) nonce: [u8; 16],
    pub(crate) previous: Option<Previous>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Previous {
    pub(crate) hash: SecretHash,
    pub(crate) good_until: Timestamp,
}

/// Bytes that are no session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvalidData;

impl Envelope {
    /// The most bytes that the envelope of a client-side session takes.
    #[cfg(feature = "client-side")]
    pub(crate) const CLIENT_SIDE_LENGTH: usize = 46 + 8;

    /// A buffer that begins with this envelope and has room for `frames` bytes more.
    pub(crate) fn encode(&self, frames: usize) -> BytesMut {
        let previous = self.secret.as_ref().and_then(|secret| secret.previous);
        let mut flags = 0;
        for (is_there, flag) in [
            (self.secret.is_some(), HAS_SECRET),
            (previous.is_some(), HAS_PREVIOUS),
            (self.lifetime.is_some(), HAS_LIFETIME),
        ] {
            if is_there {
                flags |= flag;
            }
        }
        let mut bytes = BytesMut::with_capacity(MAX_LENGTH + frames);
        bytes.put_u8(FORMAT);
        bytes.put_u8(flags);
        bytes.put_u32_le(self.epoch);
        bytes.put_u64_le(self.epoch_began.as_millis());
        bytes.put_u64_le(self.limit_began.as_millis());
        bytes.put_u64_le(self.rotated.as_millis());
        bytes.put_slice(&self.csrf_seed);
        if let Some(secret) = &self.secret {
            bytes.put_slice(&secret.hash.0);
            bytes.put_slice(&secret.nonce);
        }
        if let Some(previous) = previous {
            bytes.put_slice(&previous.hash.0);
            bytes.put_u64_le(previous.good_until.as_millis());
        }
        if let Some(lifetime) = self.lifetime {
            bytes.put_u64_le(u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX));
        }
        bytes
    }

    /// Splits a record's data into the envelope and the user's map, and checks the lengths.
    pub(crate) fn decode(data: Bytes) -> Result<(Self, Frames), InvalidData> {
        let (envelope, start) = Self::read(&data)?;
        let frames = Frames::parse(data, start).map_err(|_| InvalidData)?;
        Ok((envelope, frames))
    }

    /// Whether there is a previous secret, or a lifetime of the session's own, in the envelope at
    /// the beginning of a record's data: most have neither.
    pub(crate) fn has_options(data: &[u8]) -> bool {
        !matches!(data, [_, flags, ..] if flags & (HAS_PREVIOUS | HAS_LIFETIME) == 0)
    }

    /// The envelope at the beginning of a record's data, and where it ends.
    pub(crate) fn read(data: &[u8]) -> Result<(Self, usize), InvalidData> {
        let mut reader = Reader(data);
        let [format, flags] = reader.array()?;
        if format != FORMAT || flags & !(HAS_SECRET | HAS_PREVIOUS | HAS_LIFETIME) != 0 {
            return Err(InvalidData);
        }
        let epoch = u32::from_le_bytes(reader.array()?);
        let epoch_began = reader.time()?;
        let limit_began = reader.time()?;
        let rotated = reader.time()?;
        let csrf_seed = reader.array()?;
        let mut secret = None;
        if flags & HAS_SECRET != 0 {
            secret = Some(StoredSecret {
                hash: SecretHash(reader.array()?),
                nonce: reader.array()?,
                previous: None,
            });
        }
        if flags & HAS_PREVIOUS != 0 {
            secret.as_mut().ok_or(InvalidData)?.previous = Some(Previous {
                hash: SecretHash(reader.array()?),
                good_until: reader.time()?,
            });
        }
        let mut lifetime = None;
        if flags & HAS_LIFETIME != 0 {
            lifetime = Some(Duration::from_millis(u64::from_le_bytes(reader.array()?)));
        }
        let envelope = Self {
            epoch,
            epoch_began,
            limit_began,
            rotated,
            csrf_seed,
            secret,
            lifetime,
        };
        Ok((envelope, data.len() - reader.0.len()))
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], InvalidData> {
        let (array, rest) = self.0.split_first_chunk().ok_or(InvalidData)?;
        self.0 = rest;
        Ok(*array)
    }

    fn time(&mut self) -> Result<Timestamp, InvalidData> {
        self.array()
            .map(u64::from_le_bytes)
            .map(Timestamp::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames;

    fn full() -> Envelope {
        Envelope {
            epoch: 7,
            epoch_began: Timestamp::from_millis(1),
            limit_began: Timestamp::from_millis(2),
            rotated: Timestamp::from_millis(3),
            csrf_seed: [4; 16],
            secret: Some(StoredSecret {
                hash: SecretHash([5; 32]),
                nonce: [6; 16],
                previous: Some(Previous {
                    hash: SecretHash([8; 32]),
                    good_until: Timestamp::from_millis(9),
                }),
            }),
            lifetime: Some(Duration::from_millis(10)),
        }
    }

    fn encoded(envelope: &Envelope) -> Bytes {
        let mut bytes = envelope.encode(0);
        frames::put(&mut bytes, b"k", b"v");
        bytes.freeze()
    }

    #[test]
    fn round_trips_with_and_without_the_optional_parts() {
        let mut envelope = full();
        for _ in 0..2 {
            let (decoded, frames) = Envelope::decode(encoded(&envelope)).unwrap();
            assert_eq!(format!("{decoded:?}"), format!("{envelope:?}"));
            assert_eq!(frames.get("k"), Some(&b"v"[..]));
            envelope.secret = None;
            envelope.lifetime = None;
        }
    }

    #[test]
    fn the_longest_fits_its_buffer() {
        assert_eq!(full().encode(0).len(), MAX_LENGTH);
    }

    #[test]
    fn every_truncation_of_the_envelope_is_an_error() {
        let bytes = full().encode(0).freeze();
        for length in 0..bytes.len() {
            assert!(Envelope::decode(bytes.slice(..length)).is_err(), "{length}");
        }
    }

    #[test]
    fn unknown_formats_and_flags_are_errors() {
        for (at, byte) in [(0, 0), (0, 2), (1, 8), (1, HAS_PREVIOUS)] {
            let mut bytes = encoded(&full()).to_vec();
            bytes[at] = byte;
            assert!(Envelope::decode(bytes.into()).is_err(), "{at} {byte}");
        }
    }
}
