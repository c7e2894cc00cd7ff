//! What is kept in the front: the back's record, with a head before its data that says what the
//! record can't.

use bytes::{Buf, Bytes};
use cloakroom_store::Tag;

/// Of which state of the world a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// See [`Trust`](crate::trust::Trust).
    pub(crate) era: u64,
    /// See [`Marks`](crate::marks::Marks).
    pub(crate) mark: u64,
}

impl From<(u64, u64)> for Stamp {
    fn from((era, mark): (u64, u64)) -> Self {
        Self { era, mark }
    }
}

/// What a copy has before its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) stamp: Stamp,
    /// When the back was asked, or told.
    pub(crate) sent: u64,
    /// The back's.
    pub(crate) tag: Tag,
}

impl Head {
    /// Era, mark, time, whether there is a tag, tag.
    const LENGTH: usize = 8 + 8 + 8 + 1 + 8;

    /// Data with this head. Only this copies them.
    pub(crate) fn put_before(self, data: &[u8]) -> Bytes {
        let Self { stamp, sent, tag } = self;
        let mut bytes = Vec::with_capacity(Self::LENGTH + data.len());
        bytes.extend_from_slice(&stamp.era.to_le_bytes());
        bytes.extend_from_slice(&stamp.mark.to_le_bytes());
        bytes.extend_from_slice(&sent.to_le_bytes());
        bytes.push(u8::from(tag.get().is_some()));
        bytes.extend_from_slice(&tag.get().unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(data);
        bytes.into()
    }

    /// Takes the head off; `None` when nobody of this crate has put it there.
    pub(crate) fn take_off(data: &mut Bytes) -> Option<Self> {
        let stamp = Stamp {
            era: data.try_get_u64_le().ok()?,
            mark: data.try_get_u64_le().ok()?,
        };
        let sent = data.try_get_u64_le().ok()?;
        let has_tag = data.try_get_u8().ok()?;
        let tag = data.try_get_u64_le().ok()?;
        let tag = match has_tag {
            0 => Tag::NONE,
            1 => Tag::new(tag),
            _ => return None,
        };
        Some(Self { stamp, sent, tag })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(tag: Tag) -> Head {
        Head {
            stamp: Stamp { era: 1, mark: 2 },
            sent: 3,
            tag,
        }
    }

    #[test]
    fn nothing_is_lost_on_the_way() {
        for tag in [Tag::NONE, Tag::new(0), Tag::new(u64::MAX)] {
            for data in [&b"data"[..], b""] {
                let mut bytes = head(tag).put_before(data);
                assert_eq!(Head::take_off(&mut bytes), Some(head(tag)));
                assert_eq!(bytes, data);
            }
        }
    }

    #[test]
    fn what_is_no_copy_has_no_head() {
        let bytes = head(Tag::NONE).put_before(b"");
        for length in 0..Head::LENGTH {
            assert_eq!(Head::take_off(&mut bytes.slice(..length)), None);
        }
        let mut odd = bytes.to_vec();
        odd[24] = 2;
        assert_eq!(Head::take_off(&mut odd.into()), None);
    }
}
