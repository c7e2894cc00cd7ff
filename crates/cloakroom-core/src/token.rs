use std::{fmt, ops::Deref};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom_store::SessionId;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, block_api::compress256};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const HASH_DOMAIN: &[u8] = b"cloakroom secret 1";
const ROTATION_DOMAIN: &[u8] = b"cloakroom rotation 1";

/// What the client holds: a public id and a secret.
///
/// Neither `Debug` nor anything else shows the secret; a transport alone reads it.
///
/// ```
/// use cloakroom_core::Token;
/// let token = Token::parse("A".repeat(Token::LENGTH).as_bytes()).unwrap();
/// assert_eq!(token.id().to_string(), "0".repeat(32));
/// assert!(Token::parse(b"forged").is_none());
/// ```
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
        // Nothing is wiped here: the request's header has the same bytes.
        let bytes = decode(text.try_into().ok()?)?;
        let (id, secret) = bytes.split_first_chunk::<16>()?;
        let secret = secret.first_chunk::<32>()?;
        Some(Self::new(SessionId::from_bytes(*id), Secret::new(secret)))
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
        let mut bytes = [0; 48];
        let (id, secret) = bytes.split_at_mut(16);
        id.copy_from_slice(self.id.as_bytes());
        let (words, _) = secret.as_chunks_mut::<8>();
        for (target, word) in words.iter_mut().zip(self.secret.0) {
            *target = word.to_ne_bytes();
        }
        let mut text = [0; Self::LENGTH];
        // 48 bytes fill 64 characters exactly.
        let _ = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        Revealed(text)
    }
}

/// Decodes base64url, in constant time. A third of what a decoder for any length takes.
fn decode(text: &[u8; Token::LENGTH]) -> Option<[u8; 48]> {
    let mut values = [0; Token::LENGTH];
    let mut all = 0;
    for (value, digit) in values.iter_mut().zip(text) {
        *value = value_of_digit(*digit);
        all |= *value;
    }
    let mut bytes = [0; 48];
    let (groups, _) = values.as_chunks::<4>();
    let (targets, _) = bytes.as_chunks_mut::<3>();
    for (target, &[a, b, c, d]) in targets.iter_mut().zip(groups) {
        *target = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
    }
    // Whatever is no digit has set the upper bits.
    (all < 64).then_some(bytes)
}

/// 0 to 63, or 255. Without a branch, so that the compiler does many at once.
fn value_of_digit(digit: u8) -> u8 {
    let in_range = |first: u8, count: u8, value: u8| {
        let offset = digit.wrapping_sub(first);
        let mask = u8::from(offset < count).wrapping_neg();
        mask & !offset.wrapping_add(value)
    };
    !(in_range(b'A', 26, 0)
        | in_range(b'a', 26, 26)
        | in_range(b'0', 10, 52)
        | in_range(b'-', 1, 62)
        | in_range(b'_', 1, 63))
}

/// A token's text. Not wiped, since the response's header has the same bytes.
pub(crate) struct Revealed([u8; Token::LENGTH]);

impl Deref for Revealed {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.id)
    }
}

/// 32 bytes that the client alone knows. As words, since bytes would be wiped one at a time.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Secret([u64; 4]);

impl Secret {
    pub(crate) fn new(bytes: &[u8; 32]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        let mut secret = [0; 4];
        for (target, word) in secret.iter_mut().zip(words) {
            *target = u64::from_ne_bytes(*word);
        }
        Self(secret)
    }

    /// What the record holds of it.
    pub(crate) fn hash(&self, hasher: &SecretHasher) -> SecretHash {
        // Not wiped, as in `Token::parse`.
        let mut block = PADDED;
        let (words, _) = block.as_chunks_mut::<8>();
        for (target, word) in words.iter_mut().zip(self.0) {
            *target = word.to_ne_bytes();
        }
        let mut state = hasher.0;
        compress256(&mut state, &[block]);
        SecretHash::of_state(state)
    }

    /// The secret that a rotation with this nonce leads to: whoever holds this one and finds the
    /// nonce in the record comes to the same next one.
    pub(crate) fn next(&self, nonce: &[u8; 16]) -> Option<Self> {
        let key = Zeroizing::new(self.0.map(u64::to_ne_bytes));
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_flattened()).ok()?;
        mac.update(ROTATION_DOMAIN);
        mac.update(nonce);
        Some(Self::new(&mac.finalize().into_bytes().into()))
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
///
/// The message has two blocks of SHA-256: the domain and the namespace, which are hashed once, and
/// the secret with its padding. So a hash is one compression and no buffering.
#[derive(Clone)]
pub(crate) struct SecretHasher([u32; 8]);

/// FIPS 180-4, section 5.3.3.
const INITIAL_STATE: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Room for a secret, and what ends a message of 96 bytes: a one bit, zeros, its length in bits.
const PADDED: [u8; 64] = {
    let mut block = [0; 64];
    block[32] = 0x80;
    block[62] = 3;
    block
};

impl SecretHasher {
    pub(crate) fn new(namespace: &str) -> Self {
        let mut block = [0; 64];
        let parts = HASH_DOMAIN.iter().chain(namespace.as_bytes());
        for (target, byte) in block.iter_mut().zip(parts) {
            *target = *byte;
        }
        let mut state = INITIAL_STATE;
        compress256(&mut state, &[block]);
        Self(state)
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

impl SecretHash {
    fn of_state(state: [u32; 8]) -> Self {
        let mut bytes = [0; 32];
        let (words, _) = bytes.as_chunks_mut::<4>();
        for (target, word) in words.iter_mut().zip(state) {
            *target = word.to_be_bytes();
        }
        Self(bytes)
    }
}

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
    use sha2::Digest;

    use super::*;

    fn token() -> Token {
        Token::new(SessionId::from_bytes([1; 16]), Secret::new(&[2; 32]))
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
        let secret = Secret::new(&[2; 32]);
        let (cart, account) = (SecretHasher::new("cart"), SecretHasher::new("account"));
        assert_eq!(secret.hash(&cart), secret.hash(&SecretHasher::new("cart")));
        assert_ne!(secret.hash(&cart), secret.hash(&account));
        assert_ne!(secret.hash(&cart), Secret::new(&[3; 32]).hash(&cart));
    }

    #[test]
    fn hashes_differ_in_every_bit() {
        let hash = Secret::new(&[2; 32]).hash(&SecretHasher::new("cart"));
        for bit in 0..256 {
            let mut other = hash;
            other.0[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(hash, other);
        }
    }

    #[test]
    fn the_hash_is_sha_256_of_domain_namespace_and_secret() {
        let bytes: [u8; 32] = std::array::from_fn(|n| n.try_into().unwrap());
        let mut message = [HASH_DOMAIN, b"cart"].concat();
        message.resize(64, 0);
        message.extend(bytes);
        let hash = Secret::new(&bytes).hash(&SecretHasher::new("cart"));
        assert_eq!(hash.0[..], Sha256::digest(message)[..]);
    }

    #[test]
    fn decodes_as_base64url_does() {
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        for byte in 0..=u8::MAX {
            for at in [0, 1, 2, 3, 40, 63] {
                let mut text = *b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
                text[at] = byte;
                let expected = engine.decode(text).ok();
                assert_eq!(
                    decode(&text).map(|bytes| bytes.to_vec()),
                    expected,
                    "{byte}"
                );
            }
        }
    }

    #[test]
    fn the_longest_namespace_fits_the_block() {
        let longest = cloakroom_store::NamespaceId::MAX_LENGTH;
        assert!(HASH_DOMAIN.len() + longest <= 64);
        let names = ["x".repeat(longest), "x".repeat(longest - 1)];
        let [a, b] = names.map(|name| Secret::new(&[2; 32]).hash(&SecretHasher::new(&name)));
        assert_ne!(a, b);
    }

    #[test]
    fn the_next_secret_follows_from_secret_and_nonce() {
        let secret = Secret::new(&[2; 32]);
        assert_eq!(secret.next(&[1; 16]), secret.next(&[1; 16]));
        assert_ne!(secret.next(&[1; 16]), secret.next(&[2; 16]));
        assert_ne!(secret.next(&[1; 16]), Secret::new(&[3; 32]).next(&[1; 16]));
    }
}
