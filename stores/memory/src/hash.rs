use std::hash::{BuildHasherDefault, Hash, Hasher};

use cloakroom_store::Key;

/// A key whose hash is the beginning of its id.
///
/// Ids that reach a store were drawn by the engine from a cryptographic generator, so a client
/// can't choose them to collide, and a hash of them would only cost time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HashedKey(pub(crate) Key);

pub(crate) type BuildIdHasher = BuildHasherDefault<IdHasher>;

impl HashedKey {
    pub(crate) fn bits(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = *self.0.id.as_bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

impl Hash for HashedKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.bits());
    }
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    // Never called by `HashedKey`; the trait asks for it.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}
