//! What the two programs agree on. Where they have a repository each, this is a crate of its own.
//!
//! A session is shared by programs that have the same of five things: the store, the name of the
//! namespace, its cookie, how its values are encoded, and their keys and types. The limits ought
//! to be the same too: each program judges by its own.

mod options;

use std::path::Path;

use cloakroom::{
    Cookie, FileStore, Key, Limits, Namespace, NamespaceName, SessionError, SessionHandle, hours,
    minutes,
};

pub use options::Options;

/// Who is logged in, at all hosts of the domain.
#[derive(Debug)]
pub struct Account;

impl NamespaceName for Account {
    const NAME: &'static str = "account";
}

/// How often this visitor has been counted, by either program.
pub const VISITS: Key<u32> = Key::new("visits");

/// Which language the visitor reads.
pub const LANGUAGE: Key<String> = Key::new("language");

/// The store, which any number of programs of one machine may have open.
///
/// # Errors
/// When the folder can't be made or used.
pub fn store(data: &Path) -> Result<FileStore, Box<dyn std::error::Error>> {
    std::fs::create_dir_all(data)?;
    Ok(FileStore::open(data.join("sessions"))?)
}

/// The session that all programs of the domain have in common.
pub fn account(store: FileStore, options: &Options) -> Namespace {
    // With a domain the cookie is `__Secure-account`: browsers allow no `__Host-` for several hosts.
    let cookie = Cookie::default().domain(&options.domain);
    let account = Namespace::new(Account::NAME, store)
        .cookie(cookie)
        .limits(Limits::idle(minutes(30)).absolute(hours(12)));
    options.over(account)
}

/// Counts a visit. Whichever program counts at the same time, none gets lost.
///
/// # Errors
/// When the stored count is no number.
pub fn count(account: &SessionHandle) -> Result<(), SessionError> {
    account.update(VISITS, |visits| *visits = visits.saturating_add(1))
}

/// What is in the shared session, on one line.
///
/// # Errors
/// When a stored value is of another type.
pub fn describe(account: &SessionHandle) -> Result<String, SessionError> {
    let name = account.subject();
    let name = name.map_or_else(|| "nobody".to_owned(), |name| name.to_string());
    let language = account.get(LANGUAGE)?;
    let visits = account.get_or_default(VISITS)?;
    Ok(format!(
        "{name}, {}, {visits} visits",
        language.as_deref().unwrap_or("en")
    ))
}
