//! The token in a form.

use std::{future::poll_fn, pin::pin};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use cloakroom_core::{Csrf, CsrfRefusal};
use http::{HeaderMap, header};
use http_body::Body;

/// Whether the body is a form whose fields can be read.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The whole body, if it has at most `limit` bytes. Reads no more than that.
pub(crate) async fn read<B: Body>(body: B, limit: usize) -> Result<Bytes, CsrfRefusal> {
    let is_too_large = |size: u64| usize::try_from(size).map_or(true, |size| size > limit);
    if is_too_large(body.size_hint().lower()) {
        return Err(CsrfRefusal::BodyTooLarge);
    }
    let mut body = pin!(body);
    let mut bytes = BytesMut::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let frame = frame.map_err(|_| CsrfRefusal::UnreadableBody)?;
        if let Ok(data) = frame.into_data() {
            if bytes.len().saturating_add(data.remaining()) > limit {
                return Err(CsrfRefusal::BodyTooLarge);
            }
            bytes.put(data);
        }
    }
    Ok(bytes.freeze())
}

/// The one token of a form.
pub(super) fn token_of_form(form: &[u8]) -> Result<String, CsrfRefusal> {
    let fields = form_urlencoded::parse(form);
    let mut tokens = fields.filter(|(name, _)| name == Csrf::FIELD);
    match (tokens.next(), tokens.next()) {
        (None, _) => Err(CsrfRefusal::NoToken),
        (Some((_, token)), None) => Ok(token.into_owned()),
        _ => Err(CsrfRefusal::SeveralTokens),
    }
}

/// The one token of a header; `None` when there is no such header.
pub(super) fn token_of_header<'a>(
    headers: &'a HeaderMap,
    name: &header::HeaderName,
) -> Option<Result<&'a str, CsrfRefusal>> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return Some(Err(CsrfRefusal::SeveralTokens));
    }
    Some(value.to_str().map_err(|_| CsrfRefusal::MalformedToken))
}

/// A form without the fields that have a token: the others as they were sent.
#[cfg(feature = "axum")]
pub(super) fn without_token(form: &[u8]) -> Vec<u8> {
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
    use http::HeaderValue;

    use super::*;

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
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
            assert_eq!(is_form(&headers), expected, "{value}");
        }
        assert!(!is_form(&HeaderMap::new()));
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

    #[cfg(feature = "axum")]
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

    #[cfg(feature = "axum")]
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
