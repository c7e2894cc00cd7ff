//! Sealing a record into a cookie: encrypted and authenticated, or signed and readable.
//!
//! A sealed value is base64url of `format (1) ‖ key id (4) ‖ nonce (12) ‖ ciphertext and tag`, or
//! of `format (1) ‖ key id (4) ‖ payload ‖ HMAC-SHA-256`. The format byte tells the two apart;
//! the namespace, not the value, decides which one is accepted.

use std::fmt;

use aes_gcm_siv::{
    Aes256GcmSiv,
    aead::{AeadInOut, KeyInit},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    cookie::MAX_COOKIE_LENGTH,
    keys::{KeyId, KeyRing},
    random::{self, Random, RandomError},
};

const ENCRYPTED: u8 = 1;
const SIGNED: u8 = 2;
const HEAD: usize = 5;
const NONCE: usize = 12;
const TAG: usize = 16;
const MAC: usize = 32;

/// How a client-side session is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    Encrypted,
    Signed,
}

/// Seals for one cookie of one namespace; what it seals is worthless anywhere else.
pub(crate) struct Sealer {
    protection: Protection,
    keys: Vec<SealingKey>,
    associated: Vec<u8>,
}

struct SealingKey {
    id: [u8; 4],
    cipher: Cipher,
}

enum Cipher {
    Encrypted(Box<Aes256GcmSiv>),
    Signed(Box<Hmac<Sha256>>),
}

/// What a sealed value belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) application: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) cookie: &'a str,
}

impl Sealer {
    pub(crate) fn new(keys: &KeyRing, protection: Protection, context: Context<'_>) -> Self {
        let associated = associated_data(protection, context);
        let keys = keys
            .keys()
            .iter()
            .filter_map(|key| {
                let subkey = key.subkey(&[&associated]);
                let cipher = match protection {
                    Protection::Encrypted => {
                        Cipher::Encrypted(Box::new(Aes256GcmSiv::new_from_slice(&*subkey).ok()?))
                    }
                    Protection::Signed => Cipher::Signed(Box::new(
                        <Hmac<Sha256> as KeyInit>::new_from_slice(&*subkey).ok()?,
                    )),
                };
                let id = key.id().0;
                Some(SealingKey { id, cipher })
            })
            .collect();
        Self {
            protection,
            keys,
            associated,
        }
    }

    /// The keys, the current one first.
    pub(crate) fn key_ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(|key| KeyId(key.id))
    }

    /// Whether clients can read what is sealed.
    pub(crate) fn is_readable(&self) -> bool {
        self.protection == Protection::Signed
    }

    /// The length of the sealed form of `payload` bytes.
    pub(crate) fn sealed_length(&self, payload: usize) -> usize {
        let overhead = match self.protection {
            Protection::Encrypted => NONCE + TAG,
            Protection::Signed => MAC,
        };
        ((HEAD + overhead + payload) * 4).div_ceil(3)
    }

    /// Seals with the current key.
    pub(crate) fn seal(
        &self,
        payload: &[u8],
        random: &dyn Random,
    ) -> Result<Zeroizing<String>, SealError> {
        let key = self.keys.first().ok_or(SealError::NoKey)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD + NONCE + payload.len() + MAC));
        match &key.cipher {
            Cipher::Encrypted(cipher) => {
                let nonce: [u8; NONCE] = random::bytes(random).map_err(SealError::Random)?;
                let mut text = Zeroizing::new(Vec::with_capacity(payload.len() + TAG));
                text.extend_from_slice(payload);
                cipher
                    .encrypt_in_place(&nonce.into(), &self.associated, &mut *text)
                    .map_err(|_| SealError::NoKey)?;
                bytes.push(ENCRYPTED);
                bytes.extend_from_slice(&key.id);
                bytes.extend_from_slice(&nonce);
                bytes.extend_from_slice(&text);
            }
            Cipher::Signed(mac) => {
                bytes.push(SIGNED);
                bytes.extend_from_slice(&key.id);
                bytes.extend_from_slice(payload);
                let tag = self.mac(mac, payload).finalize().into_bytes();
                bytes.extend_from_slice(&tag);
            }
        }
        Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(&*bytes)))
    }

    /// Opens what any key of the ring has sealed for this cookie; `None` for everything else,
    /// with no word on why.
    pub(crate) fn open(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if sealed.len() > MAX_COOKIE_LENGTH {
            return None;
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(sealed).ok()?);
        let (&[format, k0, k1, k2, k3], body) = bytes.split_first_chunk::<HEAD>()?;
        let expected = match self.protection {
            Protection::Encrypted => ENCRYPTED,
            Protection::Signed => SIGNED,
        };
        if format != expected {
            return None;
        }
        let is_named = |key: &&SealingKey| key.id == [k0, k1, k2, k3];
        self.keys
            .iter()
            .filter(is_named)
            .find_map(|key| self.open_with(key, body))
    }

    fn open_with(&self, key: &SealingKey, body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match &key.cipher {
            Cipher::Encrypted(cipher) => {
                let (nonce, text) = body.split_first_chunk::<NONCE>()?;
                let mut text = Zeroizing::new(text.to_vec());
                cipher
                    .decrypt_in_place(&(*nonce).into(), &self.associated, &mut *text)
                    .ok()?;
                Some(text)
            }
            Cipher::Signed(mac) => {
                let (payload, tag) = body.split_last_chunk::<MAC>()?;
                self.mac(mac, payload).verify_slice(tag).ok()?;
                Some(Zeroizing::new(payload.to_vec()))
            }
        }
    }

    fn mac(&self, keyed: &Hmac<Sha256>, payload: &[u8]) -> Hmac<Sha256> {
        let mut mac = keyed.clone();
        mac.update(&self.associated);
        mac.update(payload);
        mac
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({:?}, {} keys)", self.protection, self.keys.len())
    }
}

/// Each part with its length before it, so that no two contexts give the same bytes.
fn associated_data(protection: Protection, context: Context<'_>) -> Vec<u8> {
    let purpose = match protection {
        Protection::Encrypted => "session encrypted 1",
        Protection::Signed => "session signed 1",
    };
    let parts = [
        "cloakroom",
        purpose,
        context.application,
        context.namespace,
        context.cookie,
    ];
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

#[derive(Debug)]
pub(crate) enum SealError {
    NoKey,
    Random(RandomError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keys::SecretKey, random::OsRandom};

    const BOTH: [Protection; 2] = [Protection::Encrypted, Protection::Signed];

    fn context() -> Context<'static> {
        Context {
            application: "app",
            namespace: "prefs",
            cookie: "__Host-prefs",
        }
    }

    fn ring() -> KeyRing {
        KeyRing::new(SecretKey::generate().unwrap())
    }

    fn seal(sealer: &Sealer, payload: &[u8]) -> String {
        sealer.seal(payload, &OsRandom).unwrap().to_string()
    }

    #[test]
    fn round_trips_at_the_announced_length() {
        for protection in BOTH {
            let sealer = Sealer::new(&ring(), protection, context());
            for length in [0, 1, 2, 3, 100, 3000] {
                let payload = vec![7; length];
                let sealed = seal(&sealer, &payload);
                assert_eq!(sealed.len(), sealer.sealed_length(length));
                assert_eq!(*sealer.open(sealed.as_bytes()).unwrap(), payload);
            }
        }
    }

    #[test]
    fn no_flipped_bit_is_accepted() {
        for protection in BOTH {
            let sealer = Sealer::new(&ring(), protection, context());
            let sealed = URL_SAFE_NO_PAD.decode(seal(&sealer, b"payload")).unwrap();
            for bit in 0..sealed.len() * 8 {
                let mut forged = sealed.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                let forged = URL_SAFE_NO_PAD.encode(forged);
                assert!(sealer.open(forged.as_bytes()).is_none(), "bit {bit}");
            }
        }
    }

    #[test]
    fn cve_2025_47275_truncated_tags_are_refused() {
        for protection in BOTH {
            let sealer = Sealer::new(&ring(), protection, context());
            let sealed = URL_SAFE_NO_PAD.decode(seal(&sealer, b"payload")).unwrap();
            for length in 0..sealed.len() {
                let cut = URL_SAFE_NO_PAD.encode(&sealed[..length]);
                assert!(sealer.open(cut.as_bytes()).is_none(), "{length}");
            }
        }
    }

    #[test]
    fn cve_2020_15128_a_value_is_worthless_in_another_context() {
        let keys = ring();
        let contexts = [
            context(),
            Context {
                application: "other",
                ..context()
            },
            Context {
                namespace: "cart",
                ..context()
            },
            Context {
                cookie: "prefs",
                ..context()
            },
            Context {
                application: "appp",
                namespace: "refs",
                ..context()
            },
        ];
        let sealers: Vec<Sealer> = BOTH
            .into_iter()
            .flat_map(|p| contexts.map(|c| Sealer::new(&keys, p, c)))
            .collect();
        for (i, sealing) in sealers.iter().enumerate() {
            let sealed = seal(sealing, b"payload");
            for (j, opening) in sealers.iter().enumerate() {
                assert_eq!(opening.open(sealed.as_bytes()).is_some(), i == j, "{i} {j}");
            }
        }
    }

    #[test]
    fn cve_2025_47278_the_first_key_seals_and_all_open() {
        let (old, new) = (
            SecretKey::generate().unwrap(),
            SecretKey::generate().unwrap(),
        );
        for protection in BOTH {
            let before = Sealer::new(&KeyRing::new(old.clone()), protection, context());
            let ring = KeyRing::new(new.clone()).with_older(old.clone());
            let during = Sealer::new(&ring, protection, context());
            let after = Sealer::new(&KeyRing::new(new.clone()), protection, context());
            let sealed_before = seal(&before, b"x");
            let sealed_during = seal(&during, b"x");
            assert!(during.open(sealed_before.as_bytes()).is_some());
            assert!(after.open(sealed_during.as_bytes()).is_some());
            assert!(before.open(sealed_during.as_bytes()).is_none());
            assert!(after.open(sealed_before.as_bytes()).is_none());
        }
    }

    #[test]
    fn cve_2012_3458_equal_sessions_seal_to_unrelated_bytes() {
        let sealer = Sealer::new(&ring(), Protection::Encrypted, context());
        let (a, b) = (seal(&sealer, &[0; 64]), seal(&sealer, &[0; 64]));
        let equal = a
            .bytes()
            .zip(b.bytes())
            .skip(8)
            .filter(|(a, b)| a == b)
            .count();
        assert!(equal < 30, "{equal} of {} characters are equal", a.len());
        assert!(!a.contains("AAAAAAAA"));
    }

    #[test]
    fn oversized_values_are_refused_before_they_are_decoded() {
        let sealer = Sealer::new(&ring(), Protection::Encrypted, context());
        assert!(sealer.open(&vec![b'A'; MAX_COOKIE_LENGTH + 1]).is_none());
    }
}
