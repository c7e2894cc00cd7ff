//! What the shop's sessions say of a visitor.

use std::{cmp::Reverse, collections::BTreeMap};

use cloakroom::{Clock, SessionError, SessionHandle, SessionSummary, SystemClock, store::Subject};

use crate::{
    language::Language,
    pages::{Login, Page},
};

/// How many of each item.
pub(crate) type Items = BTreeMap<String, u32>;

/// What all pages but one show, by the visitor's preferences and cart, and by what the browser
/// accepts.
pub(crate) fn page(
    prefs: &SessionHandle,
    cart: &SessionHandle,
    accepted: Option<&str>,
) -> Result<Page, SessionError> {
    // What the visitor has chosen counts more than what the browser says.
    let chosen: String = prefs.get_or_default("language")?;
    let language = Language::of_code(&chosen)
        .or_else(|| Language::of_browser(accepted?))
        .unwrap_or_default();
    let items: Items = cart.get_or_default("items")?;
    Ok(Page {
        language,
        in_cart: items.values().copied().fold(0, u32::saturating_add),
    })
}

/// Where the visitor is logged in, the last used first; nothing on a store that can't tell.
pub(crate) async fn logins(
    account: &SessionHandle,
    subject: &Subject,
) -> Result<Vec<Login>, SessionError> {
    let subjects = account.subjects()?;
    let mut sessions = match subjects.sessions_of(subject, None, 50).await {
        Err(SessionError::Unsupported { .. }) => return Ok(Vec::new()),
        page => page?.sessions,
    };
    sessions.sort_by_key(|session| Reverse(session.last_seen));
    let now = SystemClock.now();
    let login = |session: SessionSummary| Login {
        id: session.id.to_string(),
        began: now.saturating_since(session.created),
        used: now.saturating_since(session.last_seen),
        is_this_one: account.id() == Some(session.id),
    };
    Ok(sessions.into_iter().map(login).collect())
}
