use std::sync::atomic::{AtomicU64, Ordering};

use cloakroom_store::Key;

use crate::marks::bits;

/// What a [`TieredStore`](crate::TieredStore) has done since it was made.
///
/// Each load of [`Freshness::Any`](cloakroom_store::Freshness::Any) is a hit, a miss, joined or
/// bypassed. Loads of `Latest` are none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Loads that the front has answered.
    pub hits: u64,
    /// Loads for which the back was asked.
    pub misses: u64,
    /// Loads that were given the answer of a miss for the same key that was under way.
    pub joined: u64,
    /// Loads for which the back was asked because it could not be listened to, so that the front
    /// was not trusted.
    pub bypassed: u64,
    /// Changes that the back has told, those of this process included. That everything may have
    /// changed counts one.
    pub invalidations: u64,
    /// Calls of the front that failed or took too long. Calls that were not made, because the
    /// front has failed several times, do not count.
    pub front_errors: u64,
}

/// What is counted for every load is counted in several places, or all cores would write to one
/// cache line.
#[derive(Default)]
pub(crate) struct Counters {
    loads: [Loads; STRIPES],
    pub(crate) invalidations: Counter,
}

const STRIPES: usize = 16;

// Two cache lines, so that neither a neighbour nor the prefetcher shares them.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Loads {
    pub(crate) hits: Counter,
    pub(crate) misses: Counter,
    pub(crate) joined: Counter,
    pub(crate) bypassed: Counter,
}

#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counters {
    /// The counters for loads of a key.
    pub(crate) fn of(&self, key: &Key) -> &Loads {
        let [first, ..] = &self.loads;
        self.loads.get(bits(key) % STRIPES).unwrap_or(first)
    }

    pub(crate) fn stats(&self, front_errors: u64) -> Stats {
        let mut stats = Stats {
            invalidations: self.invalidations.get(),
            front_errors,
            ..Stats::default()
        };
        for loads in &self.loads {
            stats.hits += loads.hits.get();
            stats.misses += loads.misses.get();
            stats.joined += loads.joined.get();
            stats.bypassed += loads.bypassed.get();
        }
        stats
    }
}

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
