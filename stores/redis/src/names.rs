//! The names of keys.
//!
//! `{prefix}:s:{namespace}:{id}` is a record, `{prefix}:u:{namespace}:{subject}` the index of a
//! subject. A namespace has no colon and an id has 32 digits, so no two names are alike.

use cloakroom_store::{Key, NamespaceId, SessionId, Subject};

/// What all keys of a store begin with.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
}

/// The longest prefix, in bytes.
const MAX_PREFIX: usize = 64;

impl Names {
    /// Checks a prefix. No character of it means anything in a pattern or to a cluster.
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

    pub(crate) fn record(&self, key: &Key) -> Vec<u8> {
        let namespace = key.namespace.as_str().as_bytes();
        let prefix = self.prefix.as_bytes();
        let mut name = Vec::with_capacity(prefix.len() + namespace.len() + 36);
        name.extend_from_slice(prefix);
        name.extend_from_slice(b":s:");
        name.extend_from_slice(namespace);
        name.push(b':');
        // What `Display` of an id writes, in a tenth of the time.
        let digit = |four: u8| b'0' + four + u8::from(four > 9) * (b'a' - b'9' - 1);
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(key.id.as_bytes()) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
        }
        name.extend_from_slice(&digits);
        name
    }

    pub(crate) fn index(&self, namespace: &NamespaceId, subject: &Subject) -> Vec<u8> {
        format!("{}:u:{namespace}:{subject}", self.prefix).into_bytes()
    }

    /// What the names of all records begin with.
    pub(crate) fn record_prefix(&self) -> String {
        format!("{}:s:", self.prefix)
    }

    /// The pattern that all records match.
    pub(crate) fn record_pattern(&self) -> String {
        self.record_prefix() + "*"
    }

    /// The key of a record; `None` when the name is none of ours.
    pub(crate) fn read_record(&self, name: &[u8]) -> Option<Key> {
        let name = std::str::from_utf8(name).ok()?;
        let rest = name.strip_prefix(&self.prefix)?.strip_prefix(":s:")?;
        let (namespace, id) = rest.split_once(':')?;
        let namespace = NamespaceId::new(namespace).ok()?;
        Some(Key::new(namespace, SessionId::parse(id)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_back_and_nothing_else_is() {
        let names = Names::new("shop:1".to_owned()).unwrap();
        let namespace = NamespaceId::new("cart").unwrap();
        let mut id = [0x0f_u8; 16];
        (1..16).for_each(|index| id[index] = id[index - 1].wrapping_add(0x9b));
        let key = Key::new(namespace, SessionId::from_bytes(id));
        let name = names.record(&key);
        assert_eq!(name, format!("shop:1:s:{key}").as_bytes());
        assert!(name.starts_with(b"shop:1:s:cart:0faa45e0"));
        assert_eq!(names.read_record(&name), Some(key));

        let other = Names::new("shop".to_owned()).unwrap();
        assert_eq!(other.read_record(&name), None);
        let subject = Subject::new(&"a".repeat(32)).unwrap();
        let index = names.index(&namespace, &subject);
        assert_eq!(names.read_record(&index), None);
        for bad in [&b"\xff"[..], b"", b"shop:1:s:cart:", b"shop:1:s:Cart:00"] {
            assert_eq!(names.read_record(bad), None);
        }
    }

    #[test]
    fn prefixes_are_checked() {
        for good in ["cloakroom", "a:b/c-d_e.f", &"x".repeat(64)] {
            assert!(Names::new(good.to_owned()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a*",
            "a?",
            "[a]",
            "{a}",
            "a b",
            "é",
            "a\n",
            &"x".repeat(65),
        ] {
            assert!(Names::new(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
