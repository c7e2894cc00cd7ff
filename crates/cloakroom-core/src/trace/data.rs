use std::fmt;

use cloakroom_store::{Record, SessionId, Timestamp};

use super::json;
use crate::{
    codec::Codec,
    commit::Stored,
    frames::{Frames, frame_length},
    journal::Journal,
    session::Live,
};

/// What is in a session at one moment, lent to a [`Tracer`](crate::Tracer).
///
/// `Debug` shows no values.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    id: Option<SessionId>,
    record: Option<&'a Record>,
    frames: Option<&'a Frames>,
    journal: Option<&'a Journal>,
    has_subject: bool,
    codec: Codec,
}

impl<'a> Data<'a> {
    /// As the request sees it, changes included.
    pub(super) fn of(live: &'a Live, codec: Codec) -> Self {
        Self {
            id: live.id(),
            record: live.stored().map(|stored| &stored.meta.record),
            frames: live.frames(),
            journal: Some(&live.changes.journal),
            has_subject: live.subject().is_some(),
            codec,
        }
    }

    /// As it is stored.
    pub(super) fn of_stored(id: SessionId, stored: &'a Stored, codec: Codec) -> Self {
        let record = &stored.meta.record;
        Self {
            id: Some(id),
            record: Some(record),
            frames: Some(&stored.frames),
            journal: None,
            has_subject: record.subject.is_some(),
            codec,
        }
    }

    /// The public id; `None` while the session is new.
    #[must_use]
    pub fn id(&self) -> Option<SessionId> {
        self.id
    }

    /// Whether somebody has logged in.
    #[must_use]
    pub fn has_subject(&self) -> bool {
        self.has_subject
    }

    /// When the session began; `None` while it is new.
    #[must_use]
    pub fn created(&self) -> Option<Timestamp> {
        self.record.map(|record| record.created)
    }

    /// When its use was noted last.
    #[must_use]
    pub fn last_seen(&self) -> Option<Timestamp> {
        self.record.map(|record| record.last_seen)
    }

    /// When it ends by its limits, unless it is used.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        self.record.map(|record| record.expires)
    }

    /// Whether the request has changes that are not stored yet.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.journal.is_some_and(|journal| !journal.is_empty())
    }

    /// Shows each key and its value: first those that the request has changed.
    pub fn each(&self, visit: &mut dyn FnMut(&str, ValueView<'_>)) {
        let codec = self.codec;
        for (key, value) in self.journal.iter().flat_map(|journal| journal.keys()) {
            if let Some(bytes) = value {
                visit(key, ValueView { bytes, codec });
            }
        }
        let is_cleared = self.journal.is_some_and(Journal::is_cleared);
        let stored = self.frames.filter(|_| !is_cleared);
        for (key, bytes) in stored.iter().flat_map(|frames| frames.iter()) {
            let is_changed = |key| self.journal.is_some_and(|journal| journal.changes_key(key));
            if let Ok(key) = std::str::from_utf8(key)
                && !is_changed(key)
            {
                visit(key, ValueView { bytes, codec });
            }
        }
    }

    /// How many bytes all keys and values have, as the namespace's `max_size` counts them.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        let mut sum = 0;
        self.each(&mut |key, value| sum += frame_length(key.as_bytes(), value.bytes));
        sum
    }
}

impl fmt::Debug for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Data")
            .field("id", &self.id)
            .field("bytes", &self.byte_len())
            .finish_non_exhaustive()
    }
}

/// A value of a session. `Debug` does not show it.
#[derive(Clone, Copy)]
pub struct ValueView<'a> {
    bytes: &'a [u8],
    codec: Codec,
}

impl<'a> ValueView<'a> {
    /// The value as the namespace's codec has encoded it.
    #[must_use]
    pub fn encoded(&self) -> &'a [u8] {
        self.bytes
    }

    /// The value as JSON, as [`Codec::show`] gives it.
    #[must_use]
    pub fn show(&self, room: usize) -> ShownValue {
        self.codec.show(self.bytes, room)
    }
}

impl Codec {
    /// An encoded value as JSON, its first `room` bytes. Map keys that are no strings become
    /// strings, and bytes a string of hexadecimal digits. Bytes that are no value are shown as far
    /// as they can be read.
    ///
    /// ```
    /// use cloakroom_core::Codec;
    /// let encoded = [0x81, 0xa1, b'a', 0x92, 1, 2]; // MessagePack
    /// assert_eq!(Codec::MessagePack.show(&encoded, 100).json, r#"{"a": [1, 2]}"#);
    /// assert_eq!(Codec::MessagePack.show(&encoded, 6).json, r#"{"a": "#);
    /// ```
    #[must_use]
    pub fn show(self, encoded: &[u8], room: usize) -> ShownValue {
        json::show(self, encoded, room)
    }
}

impl fmt::Debug for ValueView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueView({} bytes)", self.bytes.len())
    }
}

/// A value as text.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShownValue {
    /// JSON; only its beginning when it is cut.
    pub json: String,
    /// There was more than room for it.
    pub is_cut: bool,
    /// It is not of the namespace's codec; the text is what could be read.
    pub is_undecodable: bool,
}

impl fmt::Debug for ShownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShownValue({} bytes)", self.json.len())
    }
}
