use cloakroom_store::Record;

/// What a session is counted with besides its data, in bytes: its key and its record in a hash
/// table that is just half full. Measured, as is the next.
const OVERHEAD: usize = 336;

/// What a subject is counted with besides its text, in bytes: an entry of its own in the index of
/// subjects.
const SUBJECT_OVERHEAD: usize = 448;

/// The share of a shard in the bounds of the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) sessions: usize,
    pub(crate) bytes: usize,
}

impl Bounds {
    pub(crate) const MAX_SHARDS: usize = 64;
    // Random ids spread over shards unevenly, the more so the fewer there are in each. Smaller
    // shares than these would evict long before the bound is reached, or refuse usual records.
    const MIN_SESSIONS: usize = 1024;
    const MIN_BYTES: usize = 4 * 1024 * 1024;

    /// How many shards the bounds allow, a power of two, and the share of each.
    pub(crate) fn divide(self) -> (usize, Self) {
        let by_sessions = self.sessions / Self::MIN_SESSIONS;
        let by_bytes = self.bytes / Self::MIN_BYTES;
        let most = by_sessions.min(by_bytes).min(Self::MAX_SHARDS);
        let shards = most.checked_ilog2().map_or(1, |log| 1 << log);
        let share = Self {
            sessions: self.sessions / shards,
            bytes: self.bytes / shards,
        };
        (shards, share)
    }
}

/// What a record counts, in bytes.
pub(crate) fn weight(record: &Record) -> usize {
    let subject = record
        .subject
        .as_ref()
        .map_or(0, |subject| SUBJECT_OVERHEAD + subject.as_str().len());
    OVERHEAD + subject + record.data.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divide(sessions: usize, bytes: usize) -> (usize, usize, usize) {
        let (shards, share) = Bounds { sessions, bytes }.divide();
        (shards, share.sessions, share.bytes)
    }

    #[test]
    fn shares_never_exceed_the_bounds() {
        const MIB: usize = 1 << 20;
        assert_eq!(divide(1_000_000, 512 * MIB), (64, 15_625, 8 * MIB));
        assert_eq!(divide(5_000, 512 * MIB), (4, 1_250, 128 * MIB));
        assert_eq!(divide(1_000_000, 9 * MIB), (2, 500_000, 9 * MIB / 2));
        assert_eq!(divide(7, 1000), (1, 7, 1000));
        assert_eq!(divide(0, 0), (1, 0, 0));
        for sessions in [1, 1023, 1024, 3000, 77_777, usize::MAX] {
            let (shards, share, _) = divide(sessions, usize::MAX);
            assert!(shards.is_power_of_two() && shards * share <= sessions);
        }
    }
}
