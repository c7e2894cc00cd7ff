//! Pieces of HTML that carry a token.

use std::fmt::{self, Display, Write};

/// A hidden field.
pub(crate) fn hidden_field(name: &str, value: &str) -> String {
    let (name, value) = (Escaped(name), Escaped(value));
    format!(r#"<input type="hidden" name="{name}" value="{value}">"#)
}

/// The tag that opens a form which is posted to `url`, and the hidden field.
pub(crate) fn open_form(url: &str, hidden_field: &str) -> String {
    let url = Escaped(url);
    format!(r#"<form method="post" action="{url}">{hidden_field}"#)
}

/// Text as it stands in an attribute between double quotes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            char => f.write_char(char),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_an_attribute() {
        let evil = r#"/a?b=1&c="><script>'"#;
        let form = open_form(evil, &hidden_field("csrf_token", "abc-_"));
        let expected = concat!(
            r#"<form method="post" action="/a?b=1&amp;c=&quot;&gt;&lt;script&gt;&#39;">"#,
            r#"<input type="hidden" name="csrf_token" value="abc-_">"#
        );
        assert_eq!(form, expected);
    }
}
