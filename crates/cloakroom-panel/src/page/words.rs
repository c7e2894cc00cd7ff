//! Numbers as people read them.

use std::time::Duration;

use cloakroom_core::store::Timestamp;

/// How long something took, to three digits.
pub(super) fn took(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match duration.as_nanos() {
        0..1_000_000 => format!("{} µs", duration.as_micros()),
        1_000_000..10_000_000 => format!("{:.2} ms", seconds * 1e3),
        10_000_000..100_000_000 => format!("{:.1} ms", seconds * 1e3),
        100_000_000..1_000_000_000 => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}

/// A limit, in the largest unit that leaves nothing over.
pub(super) fn limit(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let seconds = duration.as_secs();
    if duration.subsec_millis() > 0 {
        return format!("{} ms", duration.as_millis());
    }
    let fits = |(unit, _): &&(u64, _)| seconds > 0 && seconds.is_multiple_of(*unit);
    match UNITS.iter().find(fits) {
        Some((unit, name)) => format!("{} {name}", seconds / unit),
        None => "0 s".to_owned(),
    }
}

/// A time that has passed, or is left, in its two largest units.
pub(super) fn span(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = duration.as_secs();
    let mut parts = Vec::new();
    for (unit, name) in UNITS {
        if rest >= unit && parts.len() < 2 {
            parts.push(format!("{} {name}", rest / unit));
        }
        rest %= unit;
    }
    match parts.is_empty() {
        true => "less than 1 s".to_owned(),
        false => parts.join(" "),
    }
}

/// A size.
pub(crate) fn bytes(count: usize) -> String {
    let tenths = |unit: usize| {
        let tenths = count.saturating_mul(10) / unit;
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{} KiB", tenths(1024)),
        _ => format!("{} MiB", tenths(1_048_576)),
    }
}

/// The time of day, in UTC, for readers without a script.
pub(super) fn clock(at: Timestamp) -> String {
    let millis = at.as_millis() % 86_400_000;
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{millis:03} UTC")
}

/// `1 request`, `2 requests`.
pub(super) fn counted(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (micros, text) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_234, "1.23 ms"),
            (12_345, "12.3 ms"),
            (123_456, "123 ms"),
            (1_234_567, "1.23 s"),
        ] {
            assert_eq!(took(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn limits() {
        for (millis, text) in [
            (0, "0 s"),
            (500, "500 ms"),
            (1_500, "1500 ms"),
            (90_000, "90 s"),
            (1_800_000, "30 min"),
            (43_200_000, "12 h"),
            (2_592_000_000, "30 d"),
        ] {
            assert_eq!(limit(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn spans() {
        for (seconds, text) in [
            (0, "less than 1 s"),
            (59, "59 s"),
            (1_799, "29 min 59 s"),
            (43_200, "12 h"),
            (2_591_999, "29 d 23 h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn sizes() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (4_300, "4.1 KiB"),
            (3_145_728, "3.0 MiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn times_of_day() {
        let at = |millis| clock(Timestamp::from_millis(millis));
        assert_eq!(at(0), "00:00:00.000 UTC");
        assert_eq!(at(1_763_765_432_109), "22:50:32.109 UTC");
    }
}
