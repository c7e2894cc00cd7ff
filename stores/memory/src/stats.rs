use crate::shard::Reason;

/// What a [`MemoryStore`](crate::MemoryStore) holds, and what it has evicted since it was made.
///
/// Sessions that were deleted or swept are not evicted ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Sessions that are there, expired or not.
    pub sessions: usize,
    /// What they count, in bytes.
    pub bytes: usize,
    /// Expired sessions that had to go.
    pub evicted_expired: u64,
    /// Living sessions without a subject that had to go.
    pub evicted_anonymous: u64,
    /// Living sessions with a subject that had to go.
    pub evicted_logged_in: u64,
}

impl Stats {
    /// Adds the figures of another shard.
    pub(crate) fn add(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.bytes += other.bytes;
        self.evicted_expired += other.evicted_expired;
        self.evicted_anonymous += other.evicted_anonymous;
        self.evicted_logged_in += other.evicted_logged_in;
    }

    pub(crate) fn remove(&mut self, bytes: usize) {
        self.sessions -= 1;
        self.bytes -= bytes;
    }

    pub(crate) fn count_eviction(&mut self, reason: Reason) {
        *match reason {
            Reason::Expired => &mut self.evicted_expired,
            Reason::Anonymous => &mut self.evicted_anonymous,
            Reason::LoggedIn => &mut self.evicted_logged_in,
        } += 1;
    }
}
