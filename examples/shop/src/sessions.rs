//! The three sessions of a visitor. Each has its own cookie, its own lifetime and its own place.

use std::{error::Error, path::Path};

use cloakroom::{
    KeyRing, Limits, Namespace, NamespaceName, SecretKey, SessionManager, days, hours, minutes,
    store::AnyStore,
};

/// Who is logged in.
pub(crate) struct Account;

impl NamespaceName for Account {
    const NAME: &'static str = "account";
}

/// What the visitor is about to buy.
pub(crate) struct Cart;

impl NamespaceName for Cart {
    const NAME: &'static str = "cart";
}

/// Which language the visitor reads.
pub(crate) struct Prefs;

impl NamespaceName for Prefs {
    const NAME: &'static str = "prefs";
}

/// Sets the sessions up; `data` is the folder for what the shop keeps beside its sessions.
pub(crate) fn manager(data: &Path, store: AnyStore) -> Result<SessionManager, Box<dyn Error>> {
    // The key that signs the prefs, made at the first start.
    let keys = KeyRing::new(SecretKey::from_file_or_generate(data.join("prefs.key"))?);

    let sessions = SessionManager::builder()
        .application("shop")
        // Logged in over https only: on plain http this session is closed, and its cookie, which
        // is `__Host-account`, is never sent.
        .namespace(
            Namespace::new(Account::NAME, store.clone())
                .limits(Limits::idle(minutes(30)).absolute(hours(12)))
                .rotate_every(hours(1))
                .only_if(|request| request.is_https()),
        )
        // Full carts outlive the browser, the login and the way from http to https.
        .namespace(
            Namespace::new(Cart::NAME, store)
                .persistent(days(30))
                .insecure_http(),
        )
        // A single word, which nobody may forge and everybody may read: the cookie is the session.
        .namespace(
            Namespace::in_cookie(Prefs::NAME, &keys)
                .signed()
                .persistent(days(365))
                .insecure_http(),
        )
        .build()?;
    Ok(sessions)
}
