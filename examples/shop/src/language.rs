//! The languages of the shop.

use std::{cmp::Reverse, time::Duration};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Language {
    #[default]
    English,
    German,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::German];

    pub(crate) fn of_code(code: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|language| language.code() == code)
    }

    /// The language of the shop that a browser likes best, by its `Accept-Language`: for
    /// `de-AT, en;q=0.5` it is German.
    pub(crate) fn of_browser(accepted: &str) -> Option<Self> {
        let wish = |part: &str| {
            let (range, weight) = part.split_once(';').unwrap_or((part, "q=1"));
            let primary = range.trim().split('-').next()?.to_ascii_lowercase();
            Some((thousandths(weight)?, Self::of_code(&primary)?))
        };
        let mut wishes: Vec<_> = accepted.split(',').filter_map(wish).collect();
        // Of equal wishes the first one counts, and what has no weight is not wanted.
        wishes.sort_by_key(|(weight, _)| Reverse(*weight));
        let (weight, language) = wishes.first()?;
        (*weight > 0).then_some(*language)
    }

    pub(crate) fn code(self) -> &'static str {
        self.say("en", "de")
    }

    pub(crate) fn name(self) -> &'static str {
        self.say("English", "Deutsch")
    }

    pub(crate) fn say(self, english: &'static str, german: &'static str) -> &'static str {
        match self {
            Self::English => english,
            Self::German => german,
        }
    }

    pub(crate) fn ago(self, time: Duration) -> String {
        let minutes = time.as_secs() / 60;
        let time = match (minutes / 60, minutes % 60) {
            (0, 0) => return self.say("just now", "gerade eben").to_owned(),
            (0, minutes) => format!("{minutes} min"),
            (hours, minutes) => format!("{hours} h {minutes} min"),
        };
        match self {
            Self::English => format!("{time} ago"),
            Self::German => format!("vor {time}"),
        }
    }

    pub(crate) fn price(self, cents: u32) -> String {
        let (whole, rest) = (cents / 100, cents % 100);
        match self {
            Self::English => format!("€{whole}.{rest:02}"),
            Self::German => format!("{whole},{rest:02} €"),
        }
    }
}

/// The weight of a wish, such as `q=0.5` (RFC 9110, 12.4.2).
fn thousandths(weight: &str) -> Option<u32> {
    let weight = weight.trim().strip_prefix("q=")?;
    let (whole, rest) = weight.split_once('.').unwrap_or((weight, ""));
    let is_weight = ["0", "1"].contains(&whole)
        && rest.len() <= 3
        && rest.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths: u32 = format!("{whole}{rest:0<3}").parse().ok()?;
    (is_weight && thousandths <= 1000).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_the_language_that_they_like_best() {
        for (accepted, language) in [
            ("de", Some(Language::German)),
            ("de-AT, en;q=0.5", Some(Language::German)),
            ("DE-at;q=0.5 , EN ; q=0.50", Some(Language::German)),
            ("en-GB,en;q=0.9,de;q=0.8", Some(Language::English)),
            ("fr, it;q=0.9, de;q=0.1, en;q=0.05", Some(Language::German)),
            ("en;q=0.2, de;q=0.21", Some(Language::German)),
            ("de;q=0", None),
            ("fr-CH, fr;q=0.9, *;q=0.5", None),
            ("", None),
            ("deutsch", None),
            (
                "de;q=2, de;q=1.5, de;q=0.1234, de;q=x, de;level=1, ;, -, é",
                None,
            ),
        ] {
            assert_eq!(Language::of_browser(accepted), language, "{accepted}");
        }
    }
}
