//! The three sessions of a visitor. Each has its own cookie, its own lifetime and its own place.

use std::{error::Error, io::Write, path::Path};

use cloakroom::{
    FileStore, KeyRing, Limits, Namespace, NamespaceName, SecretKey, SessionManager, days, hours,
    minutes,
};
use tempfile::NamedTempFile;

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

/// Sets the sessions up; `data` is the folder for everything that the shop keeps.
pub(crate) fn manager(data: &Path) -> Result<SessionManager, Box<dyn Error>> {
    let store = FileStore::open(data.join("sessions"))?;
    let keys = KeyRing::new(prefs_key(data)?);

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

/// The key that signs the `prefs`, made at the first start.
fn prefs_key(data: &Path) -> Result<SecretKey, Box<dyn Error>> {
    let path = data.join("prefs.key");
    if !path.try_exists()? {
        // Only its owner can read it. It takes its place when it is whole, unless another process
        // that starts at the same time has been faster: then both use that one's key.
        let mut file = NamedTempFile::new_in(data)?;
        file.write_all(SecretKey::generate()?.to_base64().as_bytes())?;
        let _ = file.persist_noclobber(&path);
    }
    Ok(SecretKey::from_file(&path)?)
}
