use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cloakroom_store::{Loaded, Record, Subject};
use smallvec::SmallVec;

use crate::{
    csrf::Seed,
    envelope::{Envelope, InvalidData},
    frames::Frames,
    journal::Journal,
    token::Secret,
};

/// What a request wants of one session.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) journal: Journal,
    pub(crate) reads: Reads,
    pub(crate) login: Option<Subject>,
    pub(crate) rotation: Option<Rotation>,
    pub(crate) persist: Option<Duration>,
    /// What the CSRF tokens are made of that this request has given out. In a box, since few ask
    /// for one, and changes are handed around.
    pub(crate) csrf_seed: Option<Box<Seed>>,
    /// Those who wait to hear that these changes are stored.
    pub(crate) claims: Vec<Claim>,
}

/// Whether a change is stored: not what is dropped because the session is gone.
#[derive(Default, Clone)]
pub(crate) struct Claim(Arc<AtomicBool>);

impl Claim {
    pub(crate) fn is_stored(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// In the order of their strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rotation {
    /// A derived secret, because it was time; the previous one stays good for a grace.
    Due,
    /// The same, because the application asked for it.
    Derived,
    /// A new epoch.
    Revoking,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.journal.is_empty()
            && self.login.is_none()
            && self.rotation.is_none()
            && self.persist.is_none()
            && self.csrf_seed.is_none()
    }

    /// Whether values are changed, and nothing is done with the whole session.
    pub(crate) fn is_of_values_alone(&self) -> bool {
        !self.journal.is_empty()
            && self.login.is_none()
            && self.rotation.is_none()
            && self.persist.is_none()
            && self.csrf_seed.is_none()
    }

    /// Puts later changes after these.
    pub(crate) fn append(&mut self, later: Self) {
        self.journal.append(later.journal);
        self.reads.append(later.reads);
        self.login = later.login.or(self.login.take());
        self.rotation = self.rotation.max(later.rotation);
        self.persist = later.persist.or(self.persist);
        self.csrf_seed = later.csrf_seed.or(self.csrf_seed.take());
        self.claims.extend(later.claims);
    }

    /// The session is as these changes want it.
    pub(crate) fn note_stored(&self) {
        for claim in &self.claims {
            claim.0.store(true, Ordering::Release);
        }
    }
}

/// Which keys a request has read: hashes, so that reading allocates nothing.
#[derive(Default, Clone)]
pub(crate) struct Reads {
    keys: SmallVec<[u64; 4]>,
    all: bool,
}

impl Reads {
    pub(crate) fn add(&mut self, key: &str) {
        let hash = hash(key);
        if !self.all && !self.keys.contains(&hash) {
            self.keys.push(hash);
        }
    }

    pub(crate) fn add_all(&mut self) {
        self.all = true;
        self.keys.clear();
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.all || self.keys.contains(&hash(key))
    }

    fn append(&mut self, later: Self) {
        self.all |= later.all;
        self.keys.extend(later.keys);
    }
}

/// FNV-1a, over eight bytes at a time. A collision costs a needless event, or a needless 409 in a
/// strict namespace.
fn hash(key: &str) -> u64 {
    let (words, rest) = key.as_bytes().as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let rest = rest
        .iter()
        .fold(1, |word, byte| word << 8 | u64::from(*byte));
    words
        .chain([rest])
        .fold(0xcbf2_9ce4_8422_2325, |hash, word| {
            (hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
        })
}

/// A record, read.
#[derive(Clone)]
pub(crate) struct Stored {
    /// The record but for its data, which `frames` has: counting references to it twice would
    /// cost each read.
    pub(crate) meta: Loaded,
    pub(crate) frames: Frames,
}

impl Stored {
    pub(crate) fn read(mut loaded: Loaded) -> Result<Self, InvalidData> {
        let data = std::mem::take(&mut loaded.record.data);
        let (_, frames) = Envelope::decode(data)?;
        Ok(Self {
            meta: loaded,
            frames,
        })
    }

    /// The envelope, read anew: a copy of it would have to be moved with each record.
    pub(crate) fn envelope(&self) -> Envelope {
        let read = Envelope::read(self.frames.before());
        // It was read when the record was, or encoded when the record was made.
        read.map_or_else(|_| Envelope::default(), |(envelope, _)| envelope)
    }

    /// The envelope, where there is more in it than most have.
    pub(crate) fn options(&self) -> Option<Envelope> {
        Envelope::has_options(self.frames.before()).then(|| self.envelope())
    }

    /// The whole record.
    pub(crate) fn record(&self) -> Record {
        let mut record = self.meta.record.clone();
        record.data = self.frames.record_data();
        record
    }

    /// Takes over the times of a record that was touched.
    pub(crate) fn note_use(&mut self, touched: &Record) {
        self.meta.record.last_seen = touched.last_seen;
        self.meta.record.expires = touched.expires;
    }

    /// What a store is to find: its version and tag, without its data.
    pub(crate) fn expected(&self) -> Loaded {
        self.meta.clone()
    }
}

/// What the client holds of a session.
#[derive(Clone)]
pub(crate) struct Client {
    /// The epoch under which the request opened the session.
    pub(crate) epoch: u32,
    /// The secret that it came with; `None` for a client-side session.
    pub(crate) secret: Option<Secret>,
    pub(crate) presented: Presented,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presented {
    /// The current secret.
    Current,
    /// The previous secret, in its grace.
    Previous,
    /// The current secret, which this request's response hands out.
    Given,
    /// One that two rotations have replaced since.
    Other,
}
