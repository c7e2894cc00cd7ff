//! The languages of the shop.

use std::time::Duration;

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
