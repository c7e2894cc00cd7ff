//! A token is base64url of `mask ‖ (mask XOR mac)`: 86 characters that are others each time, so
//! that a compressed page does not tell them (BREACH). The mac is HMAC-SHA256 of what the token is
//! for, with the seed of the session as its key.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::CsrfRefusal;
use crate::{
    envelope::Envelope,
    frames::Frames,
    random::{Random, RandomError},
};

const DOMAIN: &[u8] = b"cloakroom csrf 1";

/// How many characters a token has.
const LENGTH: usize = 86;

const MAC: usize = 32;

/// What the tokens of a session are made of. Wiped when it is dropped.
#[derive(Clone)]
pub(crate) struct Seed(Zeroizing<[u8; 16]>);

/// What a token is good for.
#[derive(Clone, Copy)]
pub(crate) struct Purpose<'a> {
    pub(crate) namespace: &'a str,
    /// One action of the application; `None` for whatever asks for no certain one.
    pub(crate) action: Option<&'a str>,
}

impl Seed {
    pub(crate) fn draw(random: &dyn Random) -> Result<Self, RandomError> {
        let mut bytes = Zeroizing::new([0; 16]);
        random.fill(&mut *bytes)?;
        Ok(Self(bytes))
    }

    /// The seed of a record whose map is `frames`.
    pub(crate) fn of(frames: &Frames) -> Option<Self> {
        let (mut envelope, _) = Envelope::read(frames.before()).ok()?;
        let seed = Self(Zeroizing::new(envelope.csrf_seed));
        envelope.csrf_seed.zeroize();
        Some(seed)
    }

    pub(crate) fn bytes(&self) -> [u8; 16] {
        *self.0
    }

    /// A token, masked anew.
    pub(crate) fn token(
        &self,
        purpose: Purpose<'_>,
        random: &dyn Random,
    ) -> Result<String, RandomError> {
        let mut bytes = [0; 2 * MAC];
        let (mask, masked) = bytes.split_at_mut(MAC);
        random.fill(mask)?;
        let mac = self.mac(purpose);
        for ((target, mask), mac) in masked.iter_mut().zip(mask).zip(*mac) {
            *target = *mask ^ mac;
        }
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Compares in constant time, but for the form of the text.
    pub(crate) fn verify(&self, token: &str, purpose: Purpose<'_>) -> Result<(), CsrfRefusal> {
        if token.len() != LENGTH {
            return Err(CsrfRefusal::MalformedToken);
        }
        // A group of three bytes more, which the decoder may ask for.
        let mut bytes = [0; 2 * MAC + 3];
        let decoded = URL_SAFE_NO_PAD.decode_slice(token, &mut bytes);
        if decoded != Ok(2 * MAC) {
            return Err(CsrfRefusal::MalformedToken);
        }
        let (mask, masked) = bytes.split_at_mut(MAC);
        for (target, mask) in masked.iter_mut().zip(mask) {
            *target ^= *mask;
        }
        let is_equal = masked
            .first_chunk::<MAC>()
            .is_some_and(|theirs| theirs.ct_eq(&*self.mac(purpose)).into());
        match is_equal {
            true => Ok(()),
            false => Err(CsrfRefusal::WrongToken),
        }
    }

    fn mac(&self, purpose: Purpose<'_>) -> Zeroizing<[u8; MAC]> {
        // A key is padded to a block of SHA-256. Done here, there is no length to go wrong.
        let mut key = Zeroizing::new([0; 64]);
        for (target, byte) in key.iter_mut().zip(*self.0) {
            *target = byte;
        }
        let mut mac = Hmac::<Sha256>::new((&*key).into());
        mac.update(DOMAIN);
        mac.update(&[u8::try_from(purpose.namespace.len()).unwrap_or(u8::MAX)]);
        mac.update(purpose.namespace.as_bytes());
        // The action is the rest of the message, so that no two messages are the same.
        match purpose.action {
            None => mac.update(&[0]),
            Some(action) => {
                mac.update(&[1]);
                mac.update(action.as_bytes());
            }
        }
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

impl PartialEq for Seed {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::OsRandom;

    const CART: Purpose<'static> = Purpose {
        namespace: "cart",
        action: None,
    };

    fn seed(byte: u8) -> Seed {
        Seed(Zeroizing::new([byte; 16]))
    }

    fn for_action(namespace: &'static str, action: &'static str) -> Purpose<'static> {
        let action = Some(action);
        Purpose { namespace, action }
    }

    #[test]
    fn a_token_is_good_for_its_purpose_and_its_seed_alone() {
        let purposes = [
            CART,
            for_action("cart", ""),
            for_action("cart", "\0"),
            for_action("cart", "pay"),
            for_action("cart", "payments"),
            for_action("car", "tpay"),
            for_action("c", "art"),
            for_action("cart\u{1}", "pay"),
        ];
        for (made, purpose) in purposes.iter().enumerate() {
            let token = seed(1).token(*purpose, &OsRandom).unwrap();
            for (asked, purpose) in purposes.iter().enumerate() {
                let verified = seed(1).verify(&token, *purpose);
                assert_eq!(verified.is_ok(), made == asked, "{made} {asked}");
            }
            let other = seed(2).verify(&token, *purpose);
            assert_eq!(other, Err(CsrfRefusal::WrongToken));
        }
    }

    #[test]
    fn no_two_tokens_have_anything_in_common() {
        let tokens: Vec<_> = (0..200)
            .map(|_| seed(1).token(CART, &OsRandom).unwrap())
            .collect();
        // Each place has most of the 64 digits, so that no place tells anything.
        for at in 0..LENGTH - 1 {
            let digits: std::collections::HashSet<_> =
                tokens.iter().map(|token| token.as_bytes()[at]).collect();
            assert!(digits.len() > 40, "{at}: {}", digits.len());
        }
    }

    #[test]
    fn a_token_with_a_digit_changed_is_wrong() {
        let token = seed(1).token(CART, &OsRandom).unwrap();
        for at in 0..LENGTH {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'Q' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            if other != token {
                assert!(seed(1).verify(&other, CART).is_err(), "{at}");
            }
        }
    }

    #[test]
    fn whatever_is_no_token_is_malformed() {
        let token = seed(1).token(CART, &OsRandom).unwrap();
        assert_eq!(token.len(), LENGTH);
        for bad in [
            "",
            " ",
            &token[1..],
            &format!("{token}A"),
            &format!("{}=", &token[1..]),
            &format!("{}+", &token[1..]),
            &format!("{} ", &token[1..]),
            &format!("{}\0", &token[1..]),
            &format!("{}B", &token[..LENGTH - 1]), // bits that no byte has
            &"é".repeat(LENGTH / 2),
        ] {
            let verified = seed(1).verify(bad, CART);
            assert_eq!(verified, Err(CsrfRefusal::MalformedToken), "{bad:?}");
        }
    }

    #[test]
    fn the_mac_is_hmac_sha_256_of_the_seed() {
        let mut mac = Hmac::<Sha256>::new_from_slice(&[1; 16]).unwrap();
        mac.update(b"cloakroom csrf 1\x04cart\x01pay");
        let expected: [u8; MAC] = mac.finalize().into_bytes().into();
        assert_eq!(*seed(1).mac(for_action("cart", "pay")), expected);
    }

    #[test]
    fn without_random_bytes_there_is_no_token() {
        #[derive(Debug)]
        struct None;
        impl Random for None {
            fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
                Err(RandomError::new())
            }
        }
        assert!(seed(1).token(CART, &None).is_err());
        assert!(Seed::draw(&None).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_guessed_fails(text in ".{0,100}", bytes in any::<[[u8; MAC]; 2]>()) {
            prop_assert!(seed(1).verify(&text, CART).is_err());
            let guess = URL_SAFE_NO_PAD.encode(bytes.as_flattened());
            prop_assert_eq!(seed(1).verify(&guess, CART), Err(CsrfRefusal::WrongToken));
        }
    }
}
