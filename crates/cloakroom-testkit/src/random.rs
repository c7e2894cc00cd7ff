use std::hash::{BuildHasher, Hasher, RandomState};

use bytes::Bytes;

/// The SplitMix64 generator: small, fast and the same everywhere, so that a seed replays a test.
///
/// For tests only. It is no source of secrets.
///
/// ```
/// use cloakroom_testkit::SplitMix64;
/// let mut first = SplitMix64::new(7);
/// let mut again = SplitMix64::new(7);
/// assert_eq!(first.next_u64(), again.next_u64());
/// assert!(first.below(10) < 10);
/// assert_eq!(first.bytes(20).len(), 20);
/// ```
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// A generator that always gives the same numbers for a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, or 0 when `bound` is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        match self.next_u64().checked_rem(bound) {
            Some(number) => number,
            None => 0,
        }
    }

    /// So many bytes.
    pub fn bytes(&mut self, length: usize) -> Bytes {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let missing = length - bytes.len();
            bytes.extend(self.next_u64().to_le_bytes().into_iter().take(missing));
        }
        Bytes::from(bytes)
    }
}

/// A seed that differs from run to run.
pub(crate) fn fresh_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A seed of its own for a part of a test.
pub(crate) fn seed_for(seed: u64, part: &str) -> u64 {
    let mix = |seed, byte| SplitMix64::new(seed ^ u64::from(byte)).next_u64();
    part.bytes().fold(seed, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_reference() {
        let mut random = SplitMix64::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
        assert_eq!(random.bytes(11).len(), 11);
        assert_eq!(random.below(0), 0);
    }
}
