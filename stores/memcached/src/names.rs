//! The names of keys: `{prefix}:{namespace}:{id}`.
//!
//! A namespace has no colon and an id has 32 digits, so no two names are alike, whatever the prefix
//! of another store is.

use cloakroom_store::{Key, NamespaceId};

/// What all keys of a store begin with.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
}

/// The longest prefix, in bytes.
const MAX_PREFIX: usize = 64;

/// The longest name. The server takes 250 bytes.
pub(crate) const MAX_NAME: usize = MAX_PREFIX + 1 + NamespaceId::MAX_LENGTH + 1 + 32;
const _: () = assert!(MAX_NAME <= 250);

impl Names {
    /// Checks a prefix. No character of it means anything to a server.
    pub(crate) fn new(prefix: String) -> Result<Self, String> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
        if prefix.is_empty() || prefix.len() > MAX_PREFIX || !prefix.bytes().all(allowed) {
            return Err(format!(
                "a prefix has 1 to {MAX_PREFIX} letters, digits and - _ . : /, which {:?} has not",
                prefix.chars().take(MAX_PREFIX).collect::<String>(),
            ));
        }
        Ok(Self { prefix })
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn record(&self, key: &Key) -> String {
        let mut name = String::with_capacity(MAX_NAME);
        name.push_str(&self.prefix);
        name.push(':');
        name.push_str(key.namespace.as_str());
        name.push(':');
        for byte in key.id.as_bytes() {
            name.push(digit(byte >> 4));
            name.push(digit(byte & 15));
        }
        name
    }
}

fn digit(nibble: u8) -> char {
    char::from(match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + (nibble - 10),
    })
}

#[cfg(test)]
mod tests {
    use cloakroom_store::SessionId;

    use super::*;

    fn key(namespace: &str, id: [u8; 16]) -> Key {
        Key::new(
            NamespaceId::new(namespace).unwrap(),
            SessionId::from_bytes(id),
        )
    }

    #[test]
    fn a_name_is_the_prefix_and_the_key() {
        let names = Names::new("my-app/1".to_owned()).unwrap();
        let key = key("cart", *b"\x00\x12\x9a\xaf\xff56789012345");
        assert_eq!(names.record(&key), format!("my-app/1:{key}"));
    }

    #[test]
    fn the_longest_name_is_short_enough() {
        let names = Names::new("x".repeat(MAX_PREFIX)).unwrap();
        let name = names.record(&key(&"y".repeat(NamespaceId::MAX_LENGTH), [7; 16]));
        assert_eq!(name.len(), MAX_NAME);
    }

    #[test]
    fn prefixes_are_checked() {
        for good in ["a", "a:b", "shop.example/1_2-3"] {
            assert!(Names::new(good.to_owned()).is_ok(), "{good}");
        }
        let long = "x".repeat(MAX_PREFIX + 1);
        for bad in ["", " ", "a b", "a\r\nflush_all", "é", "a\0", &long] {
            assert!(Names::new(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
