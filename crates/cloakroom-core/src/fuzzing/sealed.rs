use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use super::{application::Repeatable, input::Input};
use crate::{
    client_side,
    cookie::{Cookie, CookieSpec, MAX_COOKIE_LENGTH},
    keys::{KeyRing, SecretKey},
    sealed::{Context, Protection, Sealer},
};

const NAMESPACE: &str = "prefs";

struct Sealers {
    cookie: CookieSpec,
    encrypted: Sealer,
    signed: Sealer,
    /// The same keys for other namespaces.
    foreign: [Sealer; 2],
}

static SEALERS: LazyLock<Sealers> = LazyLock::new(|| {
    let cookie = Cookie::default().compile(NAMESPACE, true);
    let cookie = cookie.expect("the default cookie is fine");
    let sealer = |protection, namespace: &str| {
        let context = Context {
            application: "app",
            namespace,
            cookie: &cookie.name,
        };
        Sealer::new(&keys(), protection, context)
    };
    let encrypted = sealer(Protection::Encrypted, NAMESPACE);
    let signed = sealer(Protection::Signed, NAMESPACE);
    let foreign = [
        sealer(Protection::Encrypted, "other"),
        sealer(Protection::Signed, "other"),
    ];
    Sealers {
        cookie,
        encrypted,
        signed,
        foreign,
    }
});

/// Keys that are always the same, and that no fuzzer finds.
pub(super) fn keys() -> KeyRing {
    let key = |name: &str| {
        SecretKey::from_bytes(&Sha256::digest(name)).expect("a hash looks random enough")
    };
    KeyRing::new(key("the current key")).with_older(key("an older key"))
}

/// Opens what was never sealed, and what was sealed and then changed: neither opens. What was
/// sealed opens to what it was.
pub fn unseal(bytes: &[u8]) {
    let sealers = &*SEALERS;
    for sealer in [&sealers.encrypted, &sealers.signed] {
        is_not_forged(sealer, bytes);
    }
    let mut input = Input::new(bytes);
    let sealer = match input.byte() % 2 {
        0 => &sealers.encrypted,
        _ => &sealers.signed,
    };
    let (at, removed, put) = (input.length(), input.byte(), input.short());
    let payload = input.rest();
    let random = Repeatable::default();
    let sealed = sealer.seal(payload, &random);
    let sealed = sealed.expect("there is a key and there are random bytes");
    assert_eq!(sealed.len(), sealer.sealed_length(payload.len()));
    let fits = sealed.len() <= MAX_COOKIE_LENGTH;
    let opened = sealer.open(sealed.as_bytes());
    assert_eq!(
        opened.as_ref().map(|opened| &opened[..]),
        fits.then_some(payload)
    );
    for foreign in &sealers.foreign {
        assert!(
            foreign.open(sealed.as_bytes()).is_none(),
            "in another namespace"
        );
    }
    let changed = splice(sealed.as_bytes(), at, removed, put);
    let is_same = changed == sealed.as_bytes();
    assert_eq!(sealer.open(&changed).is_some(), is_same && fits, "changed");
    session(sealer, &sealers.cookie, sealed.as_bytes(), payload);
}

/// What opens was sealed here: a fuzzer sees the operands of comparisons, the one below among them,
/// and gives what was sealed in one run as the input of another.
fn is_not_forged(sealer: &Sealer, bytes: &[u8]) {
    let Some(plain) = sealer.open(bytes) else {
        assert!(client_side::open(sealer, bytes).is_none(), "forged");
        return;
    };
    let again = sealer.seal(&plain, &Repeatable::default());
    let again = again.expect("there is a key and there are random bytes");
    assert_eq!(again.as_bytes(), bytes, "forged");
}

/// What was sealed may be no session: a key that leaked, or a program with other formats.
fn session(sealer: &Sealer, cookie: &CookieSpec, sealed: &[u8], payload: &[u8]) {
    let Some((id, stored)) = client_side::open(sealer, sealed) else {
        return;
    };
    let record = stored.record();
    let encoded = record.encode().expect("it fits into a cookie");
    assert_eq!([id.as_bytes(), &encoded[..]].concat(), payload);
    let random = Repeatable::default();
    let again = client_side::seal(sealer, cookie, NAMESPACE, id, &record, &random);
    if let Ok(again) = again {
        assert_eq!(again.as_bytes(), sealed);
    } else {
        // The name counts too when it is sealed, the value alone when it is opened.
        assert!(sealed.len() + cookie.name.len() > MAX_COOKIE_LENGTH);
    }
}

/// Puts some bytes in the place of others.
fn splice(text: &[u8], at: usize, removed: u8, put: &[u8]) -> Vec<u8> {
    let at = at.min(text.len());
    let (before, after) = text.split_at(at);
    let after = after.get(usize::from(removed)..).unwrap_or_default();
    [before, put, after].concat()
}
