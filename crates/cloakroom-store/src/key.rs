use std::{error::Error, fmt};

/// The public id of a session: 16 random bytes that name its record for its whole life.
///
/// It opens nothing and is safe to log, to index and to show. `Display` gives 32 hex digits.
///
/// ```
/// use cloakroom_store::SessionId;
/// let id = SessionId::from_bytes([0xab; 16]);
/// assert_eq!(id.as_bytes(), &[0xab; 16]);
/// assert_eq!(id.to_string(), "ab".repeat(16));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// From 32 lower-case hex digits, as `Display` writes them; `None` for anything else.
    ///
    /// ```
    /// use cloakroom_store::SessionId;
    /// let id = SessionId::from_bytes([0xab; 16]);
    /// assert_eq!(SessionId::parse(&id.to_string()), Some(id));
    /// assert_eq!(SessionId::parse("../../etc/passwd"), None);
    /// ```
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
        if pairs.len() != 16 || !rest.is_empty() {
            return None;
        }
        let mut bytes = [0; 16];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = (hex_digit(*high)? << 4) | hex_digit(*low)?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The name of a namespace in the form that a [`Key`] holds: checked, and copied, not counted.
///
/// 1 to 32 bytes: a lower-case letter, then lower-case letters, digits, `-` and `_`. Such a name
/// is safe in a cookie name, a file name on any system, an SQL string and a Redis key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespaceId {
    bytes: [u8; Self::MAX_LENGTH],
    length: u8,
}

impl NamespaceId {
    /// The longest name, in bytes.
    pub const MAX_LENGTH: usize = 32;

    /// Checks a name.
    ///
    /// # Errors
    /// When `name` is empty, longer than [`NamespaceId::MAX_LENGTH`] bytes, or has characters
    /// other than those above.
    ///
    /// ```
    /// use cloakroom_store::NamespaceId;
    /// assert_eq!(NamespaceId::new("cart").unwrap().as_str(), "cart");
    /// assert!(NamespaceId::new("../cart").is_err());
    /// ```
    pub fn new(name: &str) -> Result<Self, InvalidNamespace> {
        let invalid = || InvalidNamespace {
            name: name.chars().take(Self::MAX_LENGTH).collect(),
        };
        let is_allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        let source = name.as_bytes();
        let starts_with_letter = source.first().is_some_and(u8::is_ascii_lowercase);
        let length = u8::try_from(source.len()).map_err(|_| invalid())?;
        let mut bytes = [0; Self::MAX_LENGTH];
        let target = bytes.get_mut(..source.len()).ok_or_else(invalid)?;
        if !starts_with_letter || !source.iter().copied().all(is_allowed) {
            return Err(invalid());
        }
        target.copy_from_slice(source);
        Ok(Self { bytes, length })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.length))
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

impl fmt::Display for NamespaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for NamespaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A namespace has a name that it can't have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidNamespace {
    name: String,
}

impl fmt::Display for InvalidNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no name for a namespace: use 1 to {} lower-case letters, digits, - and _, \
             a letter first",
            self.name,
            NamespaceId::MAX_LENGTH
        )
    }
}

impl Error for InvalidNamespace {}

/// Names one record of a store: a namespace and a session's public id.
///
/// ```
/// use cloakroom_store::{Key, NamespaceId, SessionId};
/// let key = Key::new(NamespaceId::new("cart")?, SessionId::from_bytes([7; 16]));
/// assert_eq!(key.to_string(), "cart:07070707070707070707070707070707");
/// # Ok::<(), cloakroom_store::InvalidNamespace>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The namespace.
    pub namespace: NamespaceId,
    /// The session's public id.
    pub id: SessionId,
}

impl Key {
    /// A key.
    #[must_use]
    pub const fn new(namespace: NamespaceId, id: SessionId) -> Self {
        Self { namespace, id }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.namespace, self.id)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_parsed_strictly() {
        let id = SessionId::from_bytes([7; 16]);
        let hex = id.to_string();
        assert_eq!(hex.len(), 32);
        assert_eq!(SessionId::parse(&hex), Some(id));
        for bad in [
            "",
            &hex[1..],
            &format!("{hex}0"),
            &hex.replace('7', "G"),
            &hex.replace('7', "A"),
        ] {
            assert_eq!(SessionId::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn namespace_names_are_checked() {
        for good in ["a", "cart", "admin-2", "a_b", &"x".repeat(32)] {
            assert_eq!(NamespaceId::new(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "Cart",
            "1a",
            "-a",
            "a b",
            "a/b",
            "..",
            "é",
            "a\0",
            &"x".repeat(33),
            &"x".repeat(300),
        ] {
            assert!(NamespaceId::new(bad).is_err(), "{bad:?}");
        }
    }
}
