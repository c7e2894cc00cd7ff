//! What is shown only when somebody asks for it.

use std::borrow::Cow;

use cloakroom_core::Token;

/// Parts of names whose values are as a rule secret.
const SECRET: [&str; 16] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "authorization",
    "credential",
    "private_key",
    "iban",
    "card_number",
    "cvv",
    "totp",
];

/// Which keys are masked: those whose names have one of these parts, in lower case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Masks(Vec<String>);

impl Masks {
    pub(crate) fn add(&mut self, part: &str) {
        self.0.push(part.to_lowercase());
    }

    /// Whether a name says that its value is secret.
    pub(crate) fn covers(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.parts().any(|part| name.contains(part))
    }

    /// Whether a value has a name in it that says so.
    pub(crate) fn covers_some_name(&self, json: &str) -> bool {
        let json = json.to_lowercase();
        self.parts().any(|part| {
            let mut places = json.match_indices(part);
            places.any(|(at, _)| is_name(json.get(at..).unwrap_or_default()))
        })
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        let own = self.0.iter().map(String::as_str);
        SECRET.into_iter().chain(own)
    }

    /// A query string with dots for the values of parameters that look secret. `parameters` are
    /// those that carry sessions.
    pub(crate) fn query(&self, query: &str, parameters: &[String]) -> String {
        let mut masked = String::with_capacity(query.len());
        for (n, pair) in query.split('&').enumerate() {
            if n > 0 {
                masked.push('&');
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let read = form_urlencoded::parse(pair.as_bytes()).next();
            let (plain_name, plain) = read.unwrap_or((Cow::Borrowed(name), Cow::Borrowed(value)));
            let is_secret = self.covers(&plain_name)
                || parameters.iter().any(|parameter| *parameter == plain_name)
                || Token::parse(plain.as_bytes()).is_some();
            if is_secret && !value.is_empty() {
                masked.push_str(name);
                masked.push_str("=\u{2026}");
            } else {
                masked.push_str(pair);
            }
        }
        masked
    }

    /// An address whose query string is masked.
    pub(crate) fn address(&self, address: &str, parameters: &[String]) -> String {
        let (before, fragment) = match address.split_once('#') {
            Some((before, fragment)) => (before, Some(fragment)),
            None => (address, None),
        };
        let mut masked = match before.split_once('?') {
            Some((path, query)) => format!("{path}?{}", self.query(query, parameters)),
            None => before.to_owned(),
        };
        if let Some(fragment) = fragment {
            masked.push('#');
            masked.push_str(fragment);
        }
        masked
    }
}

/// Whether the quoted text that `rest` is the end of is followed by a colon.
fn is_name(rest: &str) -> bool {
    let after = rest.split_once('"').map_or("", |(_, after)| after);
    after.starts_with(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_secret_are_masked() {
        let mut masks = Masks::default();
        masks.add("Shoe-Size");
        for (name, expected) in [
            ("password", true),
            ("newPassword2", true),
            ("ACCESS_TOKEN", true),
            ("my shoe-size", true),
            ("items", false),
            ("", false),
        ] {
            assert_eq!(masks.covers(name), expected, "{name}");
        }
    }

    #[test]
    fn names_inside_of_values_count_and_their_texts_do_not() {
        let masks = Masks::default();
        assert!(masks.covers_some_name(r#"{"user": {"password_hash": "x"}}"#));
        assert!(!masks.covers_some_name(r#"{"hint": "your password"}"#));
        assert!(!masks.covers_some_name(r#""password""#));
    }

    #[test]
    fn tokens_in_addresses_are_masked() {
        let masks = Masks::default();
        let token = "A".repeat(64);
        let own = ["sid".to_owned()];
        for (query, expected) in [
            ("page=2&sid=abc", "page=2&sid=\u{2026}"),
            ("s%69d=abc", "s%69d=\u{2026}"),
            ("reset_token=abc&x", "reset_token=\u{2026}&x"),
            (&format!("other={token}"), "other=\u{2026}"),
            ("", ""),
            ("&&a=1", "&&a=1"),
        ] {
            assert_eq!(masks.query(query, &own), expected);
        }
        assert_eq!(masks.address("/a?sid=1#b", &own), "/a?sid=\u{2026}#b");
    }
}
