//! Whether copies may be used at all.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

/// The era that is now, and until when it lasts without a word from the back.
///
/// A copy belongs to the era in which the back was asked for it, and is good in that era alone. An
/// era is an odd number; while the number is even nothing is trusted. The first is drawn at random,
/// so that copies that others have left in a front are of no era of this one.
pub(crate) struct Trust {
    era: AtomicU64,
    until: AtomicU64,
}

impl Trust {
    /// Trust that never ends.
    pub(crate) fn forever() -> Self {
        Self {
            era: AtomicU64::new(random() | 1),
            until: AtomicU64::new(u64::MAX),
        }
    }

    /// None so far.
    pub(crate) fn none() -> Self {
        Self {
            era: AtomicU64::new(random() & !1),
            until: AtomicU64::new(0),
        }
    }

    /// Whether there is trust, if it lasts.
    pub(crate) fn is_there(&self) -> bool {
        self.era.load(Ordering::Acquire) & 1 == 1
    }

    /// The era, if there is trust and it lasts.
    pub(crate) fn era(&self, now: u64) -> Option<u64> {
        let era = self.era.load(Ordering::Acquire);
        (era & 1 == 1 && now < self.until.load(Ordering::Acquire)).then_some(era)
    }

    /// The back is listened to from now on.
    pub(crate) fn begin(&self, until: u64) {
        self.until.store(until, Ordering::Release);
        self.change(|era| era | 1);
    }

    /// The back was heard of in time, or too late: then it may have changed meanwhile.
    pub(crate) fn extend(&self, now: u64, until: u64) {
        if now >= self.until.swap(until, Ordering::AcqRel) {
            self.begin_anew();
        }
    }

    /// Everything may have changed.
    pub(crate) fn begin_anew(&self) {
        self.change(|era| era.wrapping_add(2));
    }

    /// The back can't be listened to any more.
    pub(crate) fn end(&self) {
        self.change(|era| era.wrapping_add(era & 1));
    }

    fn change(&self, to: impl Fn(u64) -> u64) {
        let to = |era| Some(to(era));
        // The closure always gives a value, so this can't fail.
        let _ = self
            .era
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, to);
    }
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_eras_are_the_same() {
        let trust = Trust::none();
        assert_eq!(trust.era(0), None);
        trust.begin(10);
        let first = trust.era(9).unwrap();
        trust.begin_anew();
        let second = trust.era(9).unwrap();
        trust.end();
        trust.end();
        assert_eq!(trust.era(9), None);
        trust.begin(10);
        let third = trust.era(9).unwrap();
        assert!(first != second && second != third && third != first);
    }

    #[test]
    fn trust_lasts_as_long_as_the_back_is_heard_of() {
        let trust = Trust::none();
        trust.begin(10);
        let era = trust.era(9);
        assert!(era.is_some());
        assert_eq!(trust.era(10), None);
        trust.extend(9, 19);
        assert_eq!(trust.era(18), era);
        assert_eq!(trust.era(19), None);
        trust.extend(19, 29); // too late: something may have been served too long
        assert!(trust.era(19).is_some() && trust.era(19) != era);
    }

    #[test]
    fn others_have_other_eras() {
        assert_ne!(Trust::forever().era(0), Trust::forever().era(0));
    }
}
