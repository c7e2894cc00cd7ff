use std::time::Duration;

/// A duration as people write it: `30d`, in the largest unit of which it is a whole number.
pub(super) fn spoken(duration: Duration) -> String {
    const UNITS: [(u128, &str); 5] = [
        (24 * 60 * 60 * 1000, "d"),
        (60 * 60 * 1000, "h"),
        (60 * 1000, "m"),
        (1000, "s"),
        (1, "ms"),
    ];
    let milliseconds = duration.as_millis();
    let is_whole = duration.subsec_nanos().is_multiple_of(1_000_000);
    let mut units = UNITS.iter();
    let unit = units.find(|(unit, _)| milliseconds.is_multiple_of(*unit));
    match unit.filter(|_| is_whole && milliseconds > 0) {
        Some((unit, name)) => format!("{}{name}", milliseconds / unit),
        None => format!("{duration:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{days, hours, minutes};

    #[test]
    fn the_largest_unit_that_fits() {
        for (duration, expected) in [
            (days(30), "30d"),
            (hours(36), "36h"),
            (minutes(90), "90m"),
            (Duration::from_secs(90), "90s"),
            (Duration::from_millis(1500), "1500ms"),
            (Duration::from_micros(1500), "1.5ms"),
            (Duration::ZERO, "0ns"),
        ] {
            assert_eq!(spoken(duration), expected);
        }
    }
}
