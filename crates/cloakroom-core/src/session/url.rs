use std::borrow::Cow;

use super::{
    handle::SessionHandle,
    state::{Base, Live, Outgoing},
};
use crate::{
    commit::Presented,
    token::Token,
    transport::{is_of, with_token},
};

impl SessionHandle {
    /// An address of this application with the session's token in it, for links and forms, where
    /// the session travels in the query string (see [`Transport::query`]). A token that is there
    /// is replaced; other parameters and the fragment stay as they are. What it gives is a secret,
    /// and text: in HTML it is to be escaped like any other.
    ///
    /// The address stays as it is where the session travels in another way, where it is not stored
    /// yet, and where it leads to another origin: so it may come from the client.
    ///
    /// The token is that of the last save. After `login` and `rotate()?.revoke()` it is void, so
    /// [`save`](Self::save) before you make links, or answer with a redirect: its `Location` gets
    /// the new one.
    ///
    /// [`Transport::query`]: crate::Transport::query
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let query = Transport::query("sid").unless(|request| request.path() == "/");
    /// let cart = Namespace::new("cart", MemoryStore::new()).transports([query]);
    /// # doc::example_with(cart, async |session, _| {
    /// assert_eq!(session.url("/pay?step=2"), "/pay?step=2"); // not stored yet
    /// session.insert("items", 3)?;
    /// session.save().await?;
    /// assert!(session.url("/pay?step=2#top").starts_with("/pay?step=2&sid="));
    /// assert_eq!(session.url("https://other.example/"), "https://other.example/");
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn url<'a>(&self, url: &'a str) -> Cow<'a, str> {
        let route = self.0.ticket.route.as_ref();
        let Some((route, query)) = route.and_then(|route| Some((route, route.query.as_ref()?)))
        else {
            return Cow::Borrowed(url);
        };
        let token = {
            let live = self.0.live();
            match query.is_in(live.travels(route)) {
                true => live.token(),
                false => None,
            }
        };
        match token {
            Some(token) if is_of(&query.origin, url) => {
                Cow::Owned(with_token(url, &query.parameter, Some(&token.reveal())))
            }
            _ => Cow::Borrowed(url),
        }
    }
}

impl Live {
    /// The token that opens the session, as it is stored.
    pub(crate) fn token(&self) -> Option<Token> {
        match (&self.base, &self.outgoing) {
            (Base::Void(_), _) => return None,
            (_, Some(Outgoing::Token { token, .. })) => return Some(token.clone()),
            (_, Some(_)) => return None,
            (_, None) => {}
        }
        let Base::Opened { id, stored, client } = &self.base else {
            return None;
        };
        let secret = client.secret.as_ref()?;
        let secret = match client.presented {
            Presented::Current | Presented::Given => secret.clone(),
            // The client has not seen the next one, which everybody can work out who has this one.
            Presented::Previous => secret.next(&stored.envelope().secret?.nonce)?,
            Presented::Other => return None,
        };
        Some(Token::new(*id, secret))
    }
}
