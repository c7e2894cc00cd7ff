//! The names of everything in the folder. None is made from bytes of a client: a namespace is
//! checked, an id is 16 bytes shown as hex, a subject is hashed.

use std::io;

use cloakroom_store::{Key, NamespaceId, SessionId, Subject};
use sha2::{Digest, Sha256};

/// The file that writers of a leaf folder lock.
pub(crate) const LOCK: &str = ".lock";
/// The folder of a namespace's index by subject.
pub(crate) const SUBJECTS: &str = ".subjects";

/// One of the 256 folders of a namespace that hold its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Leaf {
    pub(crate) namespace: NamespaceId,
    pub(crate) first_byte: u8,
}

impl Leaf {
    pub(crate) fn of(key: &Key) -> Self {
        let [first_byte, ..] = *key.id.as_bytes();
        Self {
            namespace: key.namespace,
            first_byte,
        }
    }

    /// The leaf folder with these two levels of names, if they are such names.
    pub(crate) fn named(namespace: NamespaceId, [upper, lower]: [&str; 2]) -> Option<Self> {
        let first_byte = hex_digit(upper)? << 4 | hex_digit(lower)?;
        Some(Self {
            namespace,
            first_byte,
        })
    }

    /// The two levels of folders.
    pub(crate) fn names(&self) -> [String; 2] {
        let byte = self.first_byte;
        [format!("{:x}", byte >> 4), format!("{:x}", byte & 0xf)]
    }
}

fn hex_digit(name: &str) -> Option<u8> {
    match name.as_bytes() {
        [digit @ b'0'..=b'9'] => Some(digit - b'0'),
        [letter @ b'a'..=b'f'] => Some(letter - b'a' + 10),
        _ => None,
    }
}

/// The two levels of folders of a subject's sessions.
pub(crate) fn subject_names(subject: &Subject) -> [String; 2] {
    let hash = Sha256::digest(subject.as_str());
    let name: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    [name.chars().take(2).collect(), name]
}

/// A name that no other write of any process has.
pub(crate) fn temporary_name() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    let unique = SessionId::from_bytes(bytes);
    Ok(format!(".{unique}.tmp"))
}

pub(crate) fn is_temporary(name: &str) -> bool {
    let unique = name.strip_prefix('.').and_then(|n| n.strip_suffix(".tmp"));
    unique.is_some_and(|unique| SessionId::parse(unique).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_plain(name: &str) -> bool {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_hexdigit())
    }

    #[test]
    fn names_are_hex_whatever_the_id_and_the_subject() {
        let namespace = NamespaceId::new("cart").unwrap();
        for bytes in [
            *b"../../etc/passwd",
            [0; 16],
            *b"C:\\windows\\aux.\0",
            [0xff; 16],
        ] {
            let key = Key::new(namespace, SessionId::from_bytes(bytes));
            let [x, y] = Leaf::of(&key).names();
            assert!(is_plain(&x) && is_plain(&y) && x.len() + y.len() == 2);
            assert!(key.id.to_string().starts_with(&format!("{x}{y}")));
        }
        for subject in ["../../etc/passwd", "/", "..", ".", "a\0b", "NUL"] {
            let [short, long] = subject_names(&Subject::new(subject).unwrap());
            assert!(is_plain(&long) && long.len() == 64 && long.starts_with(&short));
        }
    }

    #[test]
    fn subjects_are_named_by_their_sha_256() {
        let [short, long] = subject_names(&Subject::new("abc").unwrap());
        assert_eq!(short, "ba");
        assert_eq!(
            long,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn leaves_are_told_by_their_names() {
        let namespace = NamespaceId::new("cart").unwrap();
        for first_byte in 0..=255 {
            let leaf = Leaf {
                namespace,
                first_byte,
            };
            let names = leaf.names();
            let [upper, lower] = &names;
            assert_eq!(Leaf::named(namespace, [upper, lower]), Some(leaf));
        }
        for other in ["", "g", "A", "00", ".", SUBJECTS] {
            assert_eq!(Leaf::named(namespace, ["0", other]), None);
            assert_eq!(Leaf::named(namespace, [other, "0"]), None);
        }
    }

    #[test]
    fn temporary_names_are_told_from_others() {
        assert!(is_temporary(&temporary_name().unwrap()));
        assert_ne!(temporary_name().unwrap(), temporary_name().unwrap());
        for other in [LOCK, SUBJECTS, ".x.tmp", "x.tmp", ".tmp", ""] {
            assert!(!is_temporary(other), "{other}");
        }
    }
}
