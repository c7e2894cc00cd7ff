use super::input::Cookies;
use crate::{cookie::each_value, token::Token};
use cloakroom_store::SessionId;

/// Reads the cookies of several names from several `Cookie` headers, divided by line feeds, and
/// compares them with what a slow reading finds.
pub fn cookie_header(bytes: &[u8]) {
    let head = Cookies(
        bytes
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect(),
    );
    for name in ["__Host-account", "a", "__Secure-a"] {
        let mut found = Vec::new();
        each_value(&head, name, &mut |value| {
            let range = value.as_ptr_range();
            let is_inside = |header: &Vec<u8>| {
                let header = header.as_ptr_range();
                header.start <= range.start && range.end <= header.end
            };
            assert!(head.0.iter().any(is_inside), "a value that was not sent");
            found.push(value.to_vec());
        });
        assert_eq!(found, values(&head, name), "{name}");
    }
}

/// The values of a name: each pair is divided at its first `=`.
pub(super) fn values(head: &Cookies, name: &str) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    for pair in head
        .0
        .iter()
        .flat_map(|header| header.split(|b| *b == b';'))
    {
        let is_text = |byte: &u8| !byte.is_ascii_whitespace();
        let from = pair.iter().position(is_text).unwrap_or(pair.len());
        let to = pair.iter().rposition(is_text).map_or(from, |at| at + 1);
        let mut pair = pair.get(from..to).unwrap_or_default().to_vec();
        let Some(equals) = pair.iter().position(|byte| *byte == b'=') else {
            continue;
        };
        let value = pair.split_off(equals);
        if pair == name.as_bytes() {
            values.push(value.into_iter().skip(1).collect());
        }
    }
    values
}

/// Reads a token: exactly 64 characters of base64url are one, and it is written as it was read.
pub fn token(bytes: &[u8]) {
    let is_token = bytes.len() == Token::LENGTH
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let token = Token::parse(bytes);
    assert_eq!(token.is_some(), is_token);
    let Some(token) = token else {
        return;
    };
    assert_eq!(token.reveal().as_bytes(), bytes);
    let id = token.id().to_string();
    assert_eq!(SessionId::parse(&id), Some(token.id()));
    assert_eq!(format!("{token:?}"), format!("Token({id})"));
}
