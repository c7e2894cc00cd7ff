//! Values of settings out of their texts. The errors say what to write.

use std::time::Duration;

/// `30m`: a whole number and a unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if unit.is_empty() && !number.is_empty() {
        return Err(bare_number(number));
    }
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => 0,
    };
    if milliseconds == 0 || number.is_empty() {
        return Err(format!(
            "{text:?} is no duration: write a whole number and one of ms, s, m, h and d, as in 30m"
        ));
    }
    let number: Option<u64> = number.parse().ok();
    let duration = number.and_then(|number| number.checked_mul(milliseconds));
    let duration = duration.ok_or_else(|| format!("{text:?} is too long"))?;
    Ok(Duration::from_millis(duration))
}

pub(super) fn bare_number(number: &str) -> String {
    format!(
        "{number} is ambiguous, it has no unit: write {number}s, {number}m, {number}h or {number}d"
    )
}

/// `64KiB`: a whole number and a unit.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if unit.is_empty() && !number.is_empty() {
        return Err(bare_size(number));
    }
    let unit: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "K" | "k" | "KB" | "kB" | "kb" => {
            return Err(format!(
                "{text:?} is ambiguous, K may be 1000 or 1024: write {number}KiB for 1024, or the \
                 number of bytes, as in 64000B"
            ));
        }
        _ => 0,
    };
    if unit == 0 || number.is_empty() {
        return Err(format!(
            "{text:?} is no size: write a whole number and one of B, KiB, MiB and GiB, as in 64KiB"
        ));
    }
    let number: Option<u64> = number.parse().ok();
    let size = number.and_then(|number| number.checked_mul(unit));
    size.ok_or_else(|| format!("{text:?} is too large"))
}

pub(super) fn bare_size(number: &str) -> String {
    format!("{number} is ambiguous, it has no unit: write {number}B for bytes, or KiB, MiB or GiB")
}

pub(super) fn count(text: &str) -> Result<u64, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if is_number => Ok(number),
        _ => Err(format!("{text:?} is no whole number")),
    }
}

pub(super) fn bool(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

/// A bool as Beaker reads it.
pub(super) fn loose_bool(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" | "t" | "1" => Some(true),
        "false" | "no" | "off" | "n" | "f" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_unit() {
        for (text, seconds) in [
            ("0s", 0),
            ("90s", 90),
            ("30m", 1800),
            ("12h", 43_200),
            ("30d", 2_592_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for text in [
            "",
            "m",
            "30",
            "30 m",
            "1h30m",
            "1.5h",
            "-1s",
            "30M",
            "30min",
            "٣s",
            "18446744073709551615d",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_one_unit() {
        for (text, bytes) in [
            ("1B", 1),
            ("64KiB", 65_536),
            ("1MiB", 1 << 20),
            ("2GiB", 2 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "KiB",
            "64",
            "64K",
            "64KB",
            "64kib",
            "1.5MiB",
            "18446744073709551615GiB",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_are_digits() {
        assert_eq!(count("8"), Ok(8));
        for text in ["", "+8", "-1", "8.0", "99999999999999999999"] {
            assert!(count(text).is_err(), "{text}");
        }
    }
}
