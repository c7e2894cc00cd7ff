use std::fmt;

use bytes::Bytes;

use crate::{Subject, Timestamp};

/// What a store keeps for one session.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// Drawn anew for each write; what compare-and-swap compares.
    pub version: Version,
    /// When the session began.
    pub created: Timestamp,
    /// When it was last used, to within the touch threshold of its namespace.
    pub last_seen: Timestamp,
    /// When it ends by its limits.
    pub expires: Timestamp,
    /// Whom it belongs to after login.
    pub subject: Option<Subject>,
    /// The engine's; opaque to the store.
    pub data: Bytes,
}

impl Record {
    /// A record that is last seen when it is created and has no subject.
    ///
    /// ```
    /// use cloakroom_store::{Record, Timestamp, Version};
    /// let now = Timestamp::from_millis(1_000);
    /// let record = Record::new(Version::from_bits(1), now, now, "data".into());
    /// assert_eq!(record.last_seen, now);
    /// assert!(record.subject.is_none());
    /// ```
    #[must_use]
    pub const fn new(
        version: Version,
        created: Timestamp,
        expires: Timestamp,
        data: Bytes,
    ) -> Self {
        Self {
            version,
            created,
            last_seen: created,
            expires,
            subject: None,
            data,
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("version", &self.version)
            .field("created", &self.created)
            .field("last_seen", &self.last_seen)
            .field("expires", &self.expires)
            .field("subject", &self.subject)
            .field("data", &format_args!("{} bytes", self.data.len()))
            .finish()
    }
}

/// 64 random bits that no two writes of a key share.
///
/// ```
/// use cloakroom_store::Version;
/// let version = Version::from_bits(0x1f);
/// assert_eq!(version.to_bits(), 31); // for a database column
/// assert_ne!(version, Version::from_bits(0x20));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(u64);

impl Version {
    /// From its bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its bits.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What a store gave for a key, and what it later expects to find there.
///
/// ```
/// use cloakroom_store::{Loaded, Tag};
/// # use cloakroom_store::{Record, Timestamp, Version};
/// # let now = Timestamp::from_millis(1_000);
/// # let record = Record::new(Version::from_bits(1), now, now, "data".into());
/// assert_eq!(Loaded::new(record.clone()).tag, Tag::NONE);
/// assert_eq!(Loaded::with_tag(record, Tag::new(42)).tag.get(), Some(42));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loaded {
    /// The record.
    pub record: Record,
    /// The store's own mark of this state.
    pub tag: Tag,
}

impl Loaded {
    /// A record of a store that compares versions and needs no tag.
    #[must_use]
    pub const fn new(record: Record) -> Self {
        Self::with_tag(record, Tag::NONE)
    }

    /// A record with the store's own tag.
    #[must_use]
    pub const fn with_tag(record: Record, tag: Tag) -> Self {
        Self { record, tag }
    }
}

/// A mark that a store puts on a state of a record to recognize it by, such as memcached's `cas`.
///
/// It comes back to the store in `expected`. A store that does not learn the mark of what it has
/// just written answers [`Tag::NONE`] and compares versions when that comes back.
///
/// ```
/// use cloakroom_store::Tag;
/// let cas = Tag::new(42);
/// assert_eq!(cas.get(), Some(42));
/// assert_eq!(Tag::NONE.get(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tag(Option<u64>);

impl Tag {
    /// No mark.
    pub const NONE: Self = Self(None);

    /// A mark.
    #[must_use]
    pub const fn new(tag: u64) -> Self {
        Self(Some(tag))
    }

    /// The mark, if there is one.
    #[must_use]
    pub const fn get(self) -> Option<u64> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_data() {
        let now = Timestamp::from_millis(5);
        let record = Record::new(
            Version::from_bits(1),
            now,
            now,
            Bytes::from_static(b"hunter2"),
        );
        let shown = format!("{:?}", Loaded::new(record));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("7 bytes"), "{shown}");
    }
}
