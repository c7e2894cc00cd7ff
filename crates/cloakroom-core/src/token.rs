use std::{fmt, ops::Deref};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom_store::SessionId;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const HASH_DOMAIN: &[u8] = b"cloakroom secret 1";
const ROTATION_DOMAIN: &[u8] = b"cloakroom rotation 1";

/// What the client holds: a public id and a secret.
///
/// Neither `Debug` nor anything else shows the secret; a transport alone reads it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    id: SessionId,
    secret: Secret,
}

impl Token {
    /// The length of a token on the wire: 64 characters of base64url.
    pub const LENGTH: usize = 64;

    pub(crate) fn new(id: SessionId, secret: Secret) -> Self {
        Self { id, secret }
    }

    /// Reads a token. Anything but exactly 64 characters of base64url is none.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != Self::LENGTH {
            return None;
        }
        let mut bytes = Zeroizing::new([0; 48]);
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut *bytes).ok()?;
        if length != bytes.len() {
            return None;
        }
        let (id, secret) = bytes.split_first_chunk::<16>()?;
        let secret = secret.first_chunk::<32>()?;
        Some(Self::new(SessionId::from_bytes(*id), Secret(*secret)))
    }

    /// The public id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The token as it goes to the client.
    pub(crate) fn reveal(&self) -> Revealed {
        let mut bytes = Zeroizing::new([0; 48]);
        let parts = self.id.as_bytes().iter().chain(&self.secret.0);
        for (target, byte) in bytes.iter_mut().zip(parts) {
            *target = *byte;
        }
        let mut text = Zeroizing::new([0; Self::LENGTH]);
        // 48 bytes fill 64 characters exactly.
        let _ = URL_SAFE_NO_PAD.encode_slice(*bytes, &mut *text);
        Revealed(text)
    }
}

/// A token's text, wiped when it has been sent.
pub(crate) struct Revealed(Zeroizing<[u8; Token::LENGTH]>);

impl Deref for Revealed {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&*self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.id)
    }
}

/// 32 bytes that the client alone knows.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Secret([u8; 32]);

impl Secret {
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What the record holds of it.
    pub(crate) fn hash(&self, hasher: &SecretHasher) -> SecretHash {
        let mut hash = hasher.0.clone();
        hash.update(self.0);
        SecretHash(hash.finalize().into())
    }

    /// The secret that a rotation with this nonce leads to: whoever holds this one and finds the
    /// nonce in the record comes to the same next one.
    pub(crate) fn next(&self, nonce: &[u8; 16]) -> Option<Self> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(ROTATION_DOMAIN);
        mac.update(nonce);
        Some(Self(mac.finalize().into_bytes().into()))
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Hashes the secrets of one namespace: a token of one namespace opens nothing in another.
#[derive(Clone)]
pub(crate) struct SecretHasher(Sha256);

impl SecretHasher {
    /// The domain and the namespace fill one block of SHA-256, which is hashed here, once.
    pub(crate) fn new(namespace: &str) -> Self {
        let mut block = [0; 64];
        let parts = HASH_DOMAIN.iter().chain(namespace.as_bytes());
        for (target, byte) in block.iter_mut().zip(parts) {
            *target = *byte;
        }
        let mut hash = Sha256::new();
        hash.update(block);
        Self(hash)
    }
}

impl fmt::Debug for SecretHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHasher")
    }
}

/// SHA-256 of a secret. Compared in constant time.
#[derive(Clone, Copy)]
pub(crate) struct SecretHash(pub(crate) [u8; 32]);

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        // Eight bytes at a time, which is as constant and several times as fast.
        let (ours, _) = self.0.as_chunks::<8>();
        let (theirs, _) = other.0.as_chunks::<8>();
        let pairs = ours.iter().zip(theirs);
        let equal = pairs.fold(Choice::from(1), |equal, (a, b)| {
            equal & u64::from_le_bytes(*a).ct_eq(&u64::from_le_bytes(*b))
        });
        equal.into()
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token::new(SessionId::from_bytes([1; 16]), Secret([2; 32]))
    }

    #[test]
    fn round_trips_in_exactly_64_characters() {
        let text = token().reveal();
        assert_eq!(text.len(), Token::LENGTH);
        assert_eq!(Token::parse(text.as_bytes()), Some(token()));
    }

    #[test]
    fn anything_else_is_no_token() {
        let text = token().reveal().to_owned();
        for bad in [
            "",
            " ",
            &text[1..],
            &format!("{text}A"),
            &format!("{}=", &text[1..]),
            &format!("{}+", &text[1..]),
            &format!("{}/", &text[1..]),
            &format!("{}\0", &text[1..]),
            &format!("{} ", &text[1..]),
            "../../../../../../../../../../../../../../../../../../etc/passwd",
        ] {
            assert_eq!(Token::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn debug_shows_the_id_alone() {
        let shown = format!("{:?} {:?}", token(), token().secret());
        assert_eq!(shown, format!("Token({}) Secret(..)", token().id()));
    }

    #[test]
    fn the_hash_binds_the_namespace() {
        let secret = Secret([2; 32]);
        let (cart, account) = (SecretHasher::new("cart"), SecretHasher::new("account"));
        assert_eq!(secret.hash(&cart), secret.hash(&SecretHasher::new("cart")));
        assert_ne!(secret.hash(&cart), secret.hash(&account));
        assert_ne!(secret.hash(&cart), Secret([3; 32]).hash(&cart));
    }

    #[test]
    fn hashes_differ_in_every_bit() {
        let hash = Secret([2; 32]).hash(&SecretHasher::new("cart"));
        for bit in 0..256 {
            let mut other = hash;
            other.0[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(hash, other);
        }
    }

    #[test]
    fn the_longest_namespace_fits_the_block() {
        let longest = cloakroom_store::NamespaceId::MAX_LENGTH;
        assert!(HASH_DOMAIN.len() + longest <= 64);
        let names = ["x".repeat(longest), "x".repeat(longest - 1)];
        let [a, b] = names.map(|name| Secret([2; 32]).hash(&SecretHasher::new(&name)));
        assert_ne!(a, b);
    }

    #[test]
    fn the_next_secret_follows_from_secret_and_nonce() {
        let secret = Secret([2; 32]);
        assert_eq!(secret.next(&[1; 16]), secret.next(&[1; 16]));
        assert_ne!(secret.next(&[1; 16]), secret.next(&[2; 16]));
        assert_ne!(secret.next(&[1; 16]), Secret([3; 32]).next(&[1; 16]));
    }
}
