//! A session that is kept in its cookie: its id, then its record.

use bytes::{Bytes, BytesMut};
use cloakroom_store::{HEAD_LENGTH, Loaded, Record, SessionId};
use zeroize::Zeroizing;

use crate::{
    commit::Stored,
    cookie::{CookieSpec, MAX_COOKIE_LENGTH},
    envelope::Envelope,
    error::SessionError,
    random::{Random, RandomError},
    sealed::{SealError, Sealer},
};

const ID: usize = 16;

/// Opens a sealed session; `None` for whatever was not sealed for this cookie.
pub(crate) fn open(sealer: &Sealer, sealed: &[u8]) -> Option<(SessionId, Stored)> {
    let plain = sealer.open(sealed)?;
    let (id, record) = plain.split_first_chunk::<ID>()?;
    let record = Record::decode(Bytes::copy_from_slice(record)).ok()?;
    let stored = Stored::read(Loaded::new(record)).ok()?;
    Some((SessionId::from_bytes(*id), stored))
}

/// The size of the cookie of a session whose keys and values take `frames` bytes.
pub(crate) fn cookie_size(
    sealer: &Sealer,
    cookie: &CookieSpec,
    stored: Option<&Stored>,
    frames: usize,
) -> usize {
    let subject = stored.and_then(|stored| stored.meta.record.subject.as_ref());
    let head = HEAD_LENGTH + subject.map_or(0, |subject| subject.as_str().len());
    let envelope = Envelope::CLIENT_SIDE_LENGTH;
    cookie.name.len() + sealer.sealed_length(ID + head + envelope + frames)
}

/// Seals a session into the value of its cookie.
pub(crate) fn seal(
    sealer: &Sealer,
    cookie: &CookieSpec,
    namespace: &str,
    id: SessionId,
    record: &Record,
    random: &dyn Random,
) -> Result<Zeroizing<String>, SessionError> {
    let too_large = |size| SessionError::TooLarge {
        namespace: namespace.to_owned(),
        size,
        limit: MAX_COOKIE_LENGTH,
    };
    let size = cookie.name.len() + sealer.sealed_length(ID + record.encoded_length());
    if size > MAX_COOKIE_LENGTH {
        return Err(too_large(size));
    }
    let mut plain = BytesMut::with_capacity(ID + record.encoded_length());
    plain.extend_from_slice(id.as_bytes());
    record
        .encode_into(&mut plain)
        .map_err(|_| too_large(size))?;
    sealer.seal(&plain, random).map_err(|error| match error {
        SealError::Random(error) => SessionError::Random(error),
        SealError::NoKey => SessionError::Random(RandomError::new()),
    })
}
