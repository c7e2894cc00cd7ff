//! What makes copies void: a mark per group of keys, which goes up with every change.
//!
//! A copy is stamped with the mark as it was before the back was asked, and it is good while the
//! mark is the same. So a change makes void what is in the front and what is on its way there, at
//! once, without asking the front, and without a list of keys that would have to be bounded.

use std::sync::atomic::{AtomicU64, Ordering};

use cloakroom_store::Key;

/// How many groups of keys there are. Keys of a group share their fate: with a hundred thousand
/// copies, a change costs somebody else's copy in three of four cases.
const GROUPS: usize = 1 << 17;

pub(crate) struct Marks(Box<[AtomicU64]>);

impl Marks {
    pub(crate) fn new() -> Self {
        Self((0..GROUPS).map(|_| AtomicU64::new(0)).collect())
    }

    /// The mark of a key's group.
    pub(crate) fn of(&self, key: &Key) -> u64 {
        self.at(key).map_or(0, |mark| mark.load(Ordering::Acquire))
    }

    /// Something has changed under a key. Gives the mark as it is now.
    pub(crate) fn change(&self, key: &Key) -> u64 {
        self.at(key).map_or(0, |mark| {
            mark.fetch_add(1, Ordering::AcqRel).wrapping_add(1)
        })
    }

    /// A change begins: the copies of before are void, and so are those that are made until it
    /// ends, however it ends.
    pub(crate) fn begin<'a>(&'a self, key: &'a Key) -> Changing<'a> {
        Changing {
            marks: self,
            key,
            began: self.change(key),
            has_ended: false,
        }
    }

    fn at(&self, key: &Key) -> Option<&AtomicU64> {
        self.0.get(bits(key) % GROUPS)
    }
}

/// A change that is under way.
pub(crate) struct Changing<'a> {
    marks: &'a Marks,
    key: &'a Key,
    began: u64,
    has_ended: bool,
}

impl Changing<'_> {
    /// The mark of copies from before the change.
    pub(crate) fn before(&self) -> u64 {
        self.began.wrapping_sub(1)
    }

    /// The change has ended. If no other has begun or ended meanwhile, the answer is the mark for
    /// copies of what it has left.
    pub(crate) fn end(mut self) -> Option<u64> {
        self.has_ended = true;
        let now = self.marks.change(self.key);
        (now == self.began.wrapping_add(1)).then_some(now)
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.marks.change(self.key);
        }
    }
}

/// Random bits of a key, from the end of its id: it was drawn by a cryptographic generator, and
/// the tables of others go by its beginning.
pub(crate) fn bits(key: &Key) -> usize {
    let [.., a, b, c, d] = *key.id.as_bytes();
    usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use cloakroom_store::{NamespaceId, SessionId};

    use super::*;

    fn key(id: u8) -> Key {
        Key::new(
            NamespaceId::new("cart").unwrap(),
            SessionId::from_bytes([id; 16]),
        )
    }

    #[test]
    fn a_change_alone_leaves_a_mark_to_use() {
        let marks = Marks::new();
        let before = marks.of(&key(1));
        let key_1 = key(1);
        let changing = marks.begin(&key_1);
        assert_eq!(changing.before(), before);
        let during = marks.of(&key_1);
        assert_ne!(during, before);
        let after = changing.end().unwrap();
        assert_ne!(after, during);
        assert_eq!(marks.of(&key_1), after);
        assert_eq!(marks.of(&key(2)), 0);
    }

    #[test]
    fn changes_at_the_same_time_leave_none() {
        let marks = Marks::new();
        let key = key(1);
        let (first, second) = (marks.begin(&key), marks.begin(&key));
        assert!(first.end().is_none());
        assert!(second.end().is_none());
        let third = marks.begin(&key);
        marks.change(&key); // somebody else's
        assert!(third.end().is_none());
    }

    #[test]
    fn a_change_that_is_dropped_has_changed_something() {
        let marks = Marks::new();
        let key = key(1);
        let changing = marks.begin(&key);
        let during = marks.of(&key);
        drop(changing);
        assert_ne!(marks.of(&key), during);
    }
}
