//! When the server may drop a record.

use cloakroom_store::{EXPIRY_MARGIN, Record};

/// The first number that the server reads as a time, in seconds since 1970: less is from now.
const FIRST_TIME: u64 = 30 * 24 * 60 * 60 + 1;

/// The last one, in January 2038: it keeps them in 32 bits.
const LAST_TIME: u64 = 0x7fff_ffff;

const NEVER: u64 = 0;

/// Until when a record is needed, rounded up to a second, as the server takes it.
pub(crate) fn of_record(record: &Record) -> u64 {
    let until = record.expires.saturating_add(EXPIRY_MARGIN).as_millis();
    match until.div_ceil(1000) {
        // The engine judges by its own clock: to be kept too long costs memory, no more.
        LAST_TIME.. => NEVER,
        seconds => seconds.max(FIRST_TIME),
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_store::{Timestamp, Version};

    use super::*;

    fn until(millis: u64) -> u64 {
        let time = Timestamp::from_millis(millis);
        of_record(&Record::new(Version::from_bits(1), time, time, "".into()))
    }

    #[test]
    fn it_is_a_time_with_a_margin() {
        assert_eq!(until(1_800_000_000_000), 1_800_000_060);
        assert_eq!(until(1_800_000_000_001), 1_800_000_061);
    }

    #[test]
    fn long_ago_is_no_time_from_now() {
        for millis in [0, 1, 59_999, 1_000_000_000, (FIRST_TIME - 60) * 1000] {
            assert_eq!(until(millis), FIRST_TIME, "{millis}");
        }
        assert_eq!(until((FIRST_TIME - 59) * 1000), FIRST_TIME + 1);
    }

    #[test]
    fn what_the_server_can_not_count_never_expires_there() {
        assert_eq!(until((LAST_TIME - 61) * 1000), LAST_TIME - 1);
        for millis in [(LAST_TIME - 60) * 1000, 1 << 42, u64::MAX] {
            assert_eq!(until(millis), NEVER, "{millis}");
        }
    }
}
