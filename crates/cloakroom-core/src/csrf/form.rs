//! The token in a form, and in a header.

use std::{error::Error, fmt};

use super::CsrfRefusal;
use crate::{head::RequestHead, session::Csrf};

/// Why the fields of a form can't be had, whatever its token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormError {
    /// The body is no `application/x-www-form-urlencoded`.
    NotAForm,
    /// It has more bytes than the framework reads.
    TooLarge,
    /// It can't be read: the client has left, or sends what is no body.
    Unreadable,
    /// A field is missing, or has a value that does not fit. The text is the decoder's; it may
    /// repeat what the client sent.
    Fields(String),
}

impl FormError {
    /// Why a framework reads no body, by the status that it answers with.
    ///
    /// ```
    /// use cloakroom_core::FormError;
    /// assert_eq!(FormError::of_body(413), FormError::TooLarge);
    /// assert_eq!(FormError::of_body(400), FormError::Unreadable);
    /// ```
    #[must_use]
    pub const fn of_body(status: u16) -> Self {
        match status {
            413 => Self::TooLarge,
            _ => Self::Unreadable,
        }
    }

    /// The HTTP status: 415, 413, 400 or 422.
    ///
    /// ```
    /// use cloakroom_core::FormError;
    /// assert_eq!(FormError::NotAForm.status(), 415);
    /// assert_eq!(FormError::Fields("missing field `name`".to_owned()).status(), 422);
    /// ```
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::NotAForm => 415,
            Self::TooLarge => 413,
            Self::Unreadable => 400,
            Self::Fields(_) => 422,
        }
    }

    pub(crate) const fn message(&self) -> &'static str {
        match self {
            Self::NotAForm => "This is no form.\n",
            Self::TooLarge => "The request is too large.\n",
            Self::Unreadable => "The request is incomplete.\n",
            Self::Fields(_) => "Something is missing in the form, or is not as it should be.\n",
        }
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAForm => f.write_str("the body is no form"),
            Self::TooLarge => f.write_str("the form has more bytes than are read"),
            Self::Unreadable => f.write_str("the form can't be read"),
            Self::Fields(error) => write!(f, "the fields do not fit: {error}"),
        }
    }
}

impl Error for FormError {}

/// What a request's head says of its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presented {
    /// There is such a header, and it alone counts.
    InHeader(Result<String, CsrfRefusal>),
    /// The body is a form, which may have it.
    InForm,
    /// There is no place for one.
    Nowhere,
}

impl Presented {
    pub(crate) fn read(head: &dyn RequestHead, header: &str) -> Self {
        let mut found = None;
        head.header(header, &mut |value| {
            found = Some(match found {
                Some(_) => Err(CsrfRefusal::SeveralTokens),
                None => match std::str::from_utf8(value) {
                    Ok(token) => Ok(token.to_owned()),
                    Err(_) => Err(CsrfRefusal::MalformedToken),
                },
            });
        });
        match found {
            Some(token) => Self::InHeader(token),
            None if is_form(head) => Self::InForm,
            None => Self::Nowhere,
        }
    }
}

/// Whether the body is a form whose fields can be read.
pub(crate) fn is_form(head: &dyn RequestHead) -> bool {
    let mut is_form = None;
    head.header("content-type", &mut |value| {
        let mut parts = value.split(|byte| *byte == b';');
        let essence = parts.next().unwrap_or_default().trim_ascii();
        let is = essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded");
        is_form.get_or_insert(is);
    });
    is_form.unwrap_or_default()
}

/// The one token of a form.
pub(crate) fn token_of_form(form: &[u8]) -> Result<String, CsrfRefusal> {
    let fields = form_urlencoded::parse(form);
    let mut tokens = fields.filter(|(name, _)| name == Csrf::FIELD);
    match (tokens.next(), tokens.next()) {
        (None, _) => Err(CsrfRefusal::NoToken),
        (Some((_, token)), None) => Ok(token.into_owned()),
        _ => Err(CsrfRefusal::SeveralTokens),
    }
}

/// A form without the fields that have a token: the others as they were sent.
pub(crate) fn without_token(form: &[u8]) -> Vec<u8> {
    let is_token = |field: &&[u8]| {
        let mut parsed = form_urlencoded::parse(field);
        parsed.next().is_some_and(|(name, _)| name == Csrf::FIELD)
    };
    let fields = form.split(|byte| *byte == b'&');
    let others: Vec<_> = fields.filter(|field| !is_token(field)).collect();
    others.join(&b'&')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Scheme;

    struct Head(Vec<(&'static str, &'static str)>);

    impl RequestHead for Head {
        fn method(&self) -> &str {
            "POST"
        }

        fn path(&self) -> &str {
            "/"
        }

        fn query(&self) -> Option<&str> {
            None
        }

        fn scheme(&self) -> Scheme {
            Scheme::Https
        }

        fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
            for (_, value) in self.0.iter().filter(|(own, _)| *own == name) {
                visit(value.as_bytes());
            }
        }
    }

    #[test]
    fn a_form_is_known_by_its_type() {
        for (value, expected) in [
            ("application/x-www-form-urlencoded", true),
            ("application/x-www-form-urlencoded; charset=UTF-8", true),
            ("Application/X-WWW-Form-URLEncoded ;charset=utf-8", true),
            ("application/x-www-form-urlencoded2", false),
            ("multipart/form-data; boundary=x", false),
            ("text/plain", false),
            ("text/plain; application/x-www-form-urlencoded", false),
            ("", false),
        ] {
            assert_eq!(
                is_form(&Head(vec![("content-type", value)])),
                expected,
                "{value}"
            );
        }
        assert!(!is_form(&Head(vec![])));
    }

    #[test]
    fn a_header_counts_before_a_form() {
        let form = ("content-type", "application/x-www-form-urlencoded");
        let token = |value| ("x-csrf-token", value);
        let read = |headers| Presented::read(&Head(headers), Csrf::HEADER);
        let in_header = |token: &str| Presented::InHeader(Ok(token.to_owned()));
        let several = Presented::InHeader(Err(CsrfRefusal::SeveralTokens));
        assert_eq!(read(vec![]), Presented::Nowhere);
        assert_eq!(read(vec![form]), Presented::InForm);
        assert_eq!(read(vec![form, token("a")]), in_header("a"));
        assert_eq!(read(vec![token("")]), in_header(""));
        assert_eq!(read(vec![token("a"), token("a")]), several);
        assert_eq!(read(vec![token("a"), token("b"), token("c")]), several);
    }

    #[test]
    fn a_form_has_one_token_however_it_is_encoded() {
        use CsrfRefusal::{NoToken, SeveralTokens};
        for (form, expected) in [
            ("csrf_token=abc", Ok("abc")),
            ("a=1&csrf_token=abc&b=2", Ok("abc")),
            ("csrf%5Ftoken=a%62c", Ok("abc")),
            ("csrf_token=", Ok("")),
            ("csrf_token", Ok("")),
            ("", Err(NoToken)),
            ("a=csrf_token", Err(NoToken)),
            ("Csrf_Token=abc", Err(NoToken)),
            ("csrf_token[]=abc", Err(NoToken)),
            ("csrf_token=abc&csrf_token=abc", Err(SeveralTokens)),
            ("csrf_token=abc&csrf%5ftoken=def", Err(SeveralTokens)),
        ] {
            let expected = expected.map(str::to_owned);
            assert_eq!(token_of_form(form.as_bytes()), expected, "{form}");
        }
    }

    #[test]
    fn the_other_fields_stay_as_they_are() {
        for (form, expected) in [
            ("a=1&csrf_token=abc&b=%20+x", "a=1&b=%20+x"),
            ("csrf%5Ftoken=abc&a=1", "a=1"),
            ("csrf_token=abc", ""),
            ("a=csrf_token&a=2", "a=csrf_token&a=2"),
            ("a&&b", "a&&b"),
        ] {
            assert_eq!(without_token(form.as_bytes()), expected.as_bytes());
        }
    }

    proptest::proptest! {
        /// Whatever a client sends: the token is what a form's parser sees, and is taken out.
        #[test]
        fn a_form_without_its_token_has_all_other_fields(
            form in "([a-c]|csrf|_token|csrf_token|%5[fF]|[=&+%;]|\\PC){0,30}",
        ) {
            let parse = |form: &[u8]| -> Vec<(String, String)> {
                form_urlencoded::parse(form).into_owned().collect()
            };
            let (tokens, others): (Vec<_>, Vec<_>) = parse(form.as_bytes())
                .into_iter()
                .partition(|(name, _)| name == Csrf::FIELD);
            proptest::prop_assert_eq!(parse(&without_token(form.as_bytes())), others);
            let found = token_of_form(form.as_bytes());
            proptest::prop_assert_eq!(found.is_ok(), tokens.len() == 1);
        }
    }
}
