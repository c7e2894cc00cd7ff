//! When the server may drop what it holds.

use cloakroom_store::{EXPIRY_MARGIN, Record, Timestamp};

/// The latest time that a server takes, and that Lua can compute with: in the year 287396.
const LATEST: u64 = 1 << 53;

/// Until when a record is needed, as the argument of `PXAT`.
pub(crate) fn of_record(record: &Record) -> String {
    argument(record.expires)
}

/// Until when an index is needed for a record, as the argument of `PEXPIREAT`.
pub(crate) fn of_index(record: &Record) -> String {
    argument(Timestamp::from_millis(covered_until(record)))
}

/// Whether the expiry that `old` has given the index is too early for `new`.
///
/// An index lives at least as long as is covered by each record that it has a hint of: that holds
/// when a hint is added, and whoever makes a record cover more tells the index first. As long as
/// the lifetime is the same, that happens once in each, however often the session is touched.
pub(crate) fn needs_longer(old: &Record, new: &Record) -> bool {
    covered_until(new) > covered_until(old)
}

/// A time after the record's expiry that seldom changes: the next multiple of a step that is at
/// least as long as the time from `last_seen` to `expires`. A power of two, so that a multiple of a
/// step is one of all shorter steps: a record that comes nearer to its end never covers more.
fn covered_until(record: &Record) -> u64 {
    let expires = record.expires.as_millis();
    let lifetime = expires.saturating_sub(record.last_seen.as_millis());
    let step = lifetime.clamp(SHORTEST_STEP, LATEST).next_power_of_two();
    (expires / step).saturating_add(1).saturating_mul(step)
}

const SHORTEST_STEP: u64 = 1 << 16;

fn argument(expires: Timestamp) -> String {
    let until = expires.saturating_add(EXPIRY_MARGIN).as_millis();
    until.clamp(1, LATEST).to_string()
}

#[cfg(test)]
mod tests {
    use cloakroom_store::Version;

    use super::*;

    fn record(last_seen: u64, expires: u64) -> Record {
        let time = Timestamp::from_millis;
        let version = Version::from_bits(1);
        Record::new(version, time(last_seen), time(expires), "".into())
    }

    #[test]
    fn a_session_in_use_tells_its_index_once_in_a_lifetime() {
        let idle = 30 * 60_000;
        let mut told = 0;
        let mut old = record(1_000_000_007, 1_000_000_007 + idle);
        // Touched every three minutes for 100 lifetimes.
        for touch in 1..=1_000 {
            let now = 1_000_000_007 + touch * 180_000;
            let new = record(now, now + idle);
            told += u64::from(needs_longer(&old, &new));
            old = new;
        }
        assert!((50..=100).contains(&told), "{told}");
    }

    #[test]
    fn the_index_outlives_every_record() {
        let mut random = 1_u64;
        let mut next = |bound: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) % bound
        };
        for _ in 0..200 {
            let mut old = record(next(1 << 40), 0);
            old.expires = Timestamp::from_millis(old.last_seen.as_millis() + next(1 << 34));
            let mut index = covered_until(&old);
            for _ in 0..200 {
                let seen = old.last_seen.as_millis() + next(1 << 30);
                let magnitude = 10 + next(24);
                let lifetime = next(1 << magnitude);
                let new = record(seen, seen + lifetime);
                if needs_longer(&old, &new) {
                    index = index.max(covered_until(&new));
                }
                assert!(index > new.expires.as_millis(), "{old:?} {new:?}");
                old = new;
            }
        }
    }

    #[test]
    fn times_stay_where_servers_take_them() {
        assert_eq!(of_record(&record(0, 0)), "60000");
        assert_eq!(of_record(&record(0, u64::MAX)), LATEST.to_string());
        assert_eq!(of_index(&record(0, u64::MAX)), LATEST.to_string());
        assert_eq!(of_index(&record(u64::MAX, u64::MAX)), LATEST.to_string());
    }
}
