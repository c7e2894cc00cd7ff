use super::{handle::SessionHandle, state::Live};
use crate::{
    csrf::{self, CsrfRefusal, Purpose, Seed},
    error::SessionError,
    event::EventKind,
};

/// The CSRF tokens of a session: what its own forms have and no other site can know.
///
/// Each session has a seed, drawn when it is created and again at each login. A token is made of
/// it and masked, so that no two are the same; a rotation changes nothing. Nothing is stored for a
/// token, and asking for one costs no store call. In a new session, asking for one is a change:
/// the session is stored, and its cookie sent.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
/// # doc::example(async |session, mut browser| {
/// // The page with the form:
/// let token = session.csrf().token()?;
/// # let session = browser.next().await;
/// // The request that it sends:
/// session.csrf().verify(&token)?;
/// session.login("user-17")?;
/// # let session = browser.next().await;
/// // A token from before the login is good for nothing after it.
/// assert!(session.csrf().verify(&token).is_err());
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "it does nothing by itself"]
pub struct Csrf<'a> {
    session: &'a SessionHandle,
    action: Option<&'a str>,
}

impl SessionHandle {
    /// The CSRF tokens of this session.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// let token = session.csrf().token()?;
    /// assert!(session.csrf().verify(&token).is_ok());
    /// assert!(session.csrf().verify("guessed").is_err());
    /// # Ok(())
    /// # });
    /// ```
    pub const fn csrf(&self) -> Csrf<'_> {
        Csrf {
            session: self,
            action: None,
        }
    }
}

impl<'a> Csrf<'a> {
    /// The name of the form field that has the token: `csrf_token`.
    pub const FIELD: &'static str = "csrf_token";

    /// The name of the header that has the token where there is no form, in lower case:
    /// `x-csrf-token`.
    pub const HEADER: &'static str = "x-csrf-token";

    /// Tokens that are good for one action alone, for what must not be asked for by a form that
    /// was made for something else. No token of the session is good in their place.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// let token = session.csrf().action("close account").token()?;
    /// assert!(session.csrf().action("close account").verify(&token).is_ok());
    /// assert!(session.csrf().action("subscribe").verify(&token).is_err());
    /// assert!(session.csrf().verify(&token).is_err());
    /// # Ok(())
    /// # });
    /// ```
    pub const fn action(self, action: &'a str) -> Self {
        Self {
            session: self.session,
            action: Some(action),
        }
    }

    /// A token, 86 characters of base64url: another one each time, and all of them are good. After
    /// a login in the same request it is one for the session as it will be.
    ///
    /// # Errors
    /// [`SessionError::HeadSent`] for a new session in a stream, and [`SessionError::Random`].
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// let (one, other) = (session.csrf().token()?, session.csrf().token()?);
    /// assert_ne!(one, other);
    /// # let set_cookie = browser.end().await;
    /// assert!(set_cookie.starts_with("__Host-account=")); // asking for it was a change
    /// # Ok(())
    /// # });
    /// ```
    pub fn token(&self) -> Result<String, SessionError> {
        let seed = self.seed_to_give()?;
        let state = &self.session.0;
        Ok(seed.token(self.purpose(), &*state.engine().random)?)
    }

    /// A hidden form field with a token, as HTML.
    ///
    /// # Errors
    /// As [`token`](Self::token).
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// let field = session.csrf().hidden_field()?;
    /// assert!(field.starts_with(r#"<input type="hidden" name="csrf_token" value=""#));
    /// let page = format!(r#"<form method="post">{field}<button>Buy</button></form>"#);
    /// # Ok(())
    /// # });
    /// ```
    pub fn hidden_field(&self) -> Result<String, SessionError> {
        Ok(csrf::hidden_field(Self::FIELD, &self.token()?))
    }

    /// The tag that opens a form which is posted to `url`, and the hidden field in it. The address
    /// is escaped; that it is one of your own is up to you, since whoever it belongs to gets the
    /// token.
    ///
    /// # Errors
    /// As [`token`](Self::token).
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// let form = session.csrf().open_form("/cart?step=2&way=up")?;
    /// assert!(form.starts_with(r#"<form method="post" action="/cart?step=2&amp;way=up"><input "#));
    /// let page = format!("{form}<button>Buy</button></form>");
    /// # Ok(())
    /// # });
    /// ```
    pub fn open_form(&self, url: &str) -> Result<String, SessionError> {
        Ok(csrf::open_form(url, &self.hidden_field()?))
    }

    /// Draws a new seed: every token that was given out before, for whatever action, is void when
    /// this is committed. A login does it by itself.
    ///
    /// # Errors
    /// As [`token`](Self::token); [`SessionError::HeadSent`] also for a client-side session in a
    /// stream, and [`SessionError::SafeMethod`] where the namespace refuses changes on `GET`.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// let old = session.csrf().token()?;
    /// # let session = browser.next().await;
    /// session.csrf().renew()?;
    /// assert!(session.csrf().verify(&old).is_err());
    /// # Ok(())
    /// # });
    /// ```
    pub fn renew(&self) -> Result<(), SessionError> {
        self.session.check_method("csrf().renew")?;
        let seed = self.draw()?;
        let mut live = self.session.0.live();
        self.session.check_change(&live)?;
        live.changes.csrf_seed = Some(Box::new(seed));
        Ok(())
    }

    /// Checks a token that a request has brought, in constant time. It is to come from a form
    /// field or a header, never from the query string, which logs and other sites see.
    ///
    /// It fails for a token of another session, of another action, and from before a login or a
    /// [renewal](Self::renew), also one of this request: check first, then log in. Whatever is
    /// wrong, it is an event.
    ///
    /// # Errors
    /// [`SessionError::Csrf`].
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// # let token = session.csrf().token()?;
    /// # let mut before = browser.clone();
    /// # let session = browser.next().await;
    /// session.csrf().verify(&token)?;
    /// session.rotate()?; // changes nothing of it
    /// # let session = browser.next().await;
    /// session.csrf().verify(&token)?;
    /// # let stranger = before.again().await;
    /// assert!(stranger.csrf().verify(&token).is_err()); // it has another session
    /// # Ok(())
    /// # });
    /// ```
    pub fn verify(&self, token: &str) -> Result<(), SessionError> {
        let (known, is_new) = {
            let live = self.session.0.live();
            (known(&live), live.is_new())
        };
        let verified = match known {
            Some(Known { seed, .. }) => seed.verify(token, self.purpose()),
            None if is_new => Err(CsrfRefusal::NoSession),
            // Somebody logs in, and whatever the client has is from before.
            None => Err(CsrfRefusal::WrongToken),
        };
        verified.map_err(|refusal| self.refuse(refusal))
    }

    /// The error for a request that is refused for another reason than its token, and an event.
    /// For integrations.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// use cloakroom_core::CsrfRefusal;
    /// let error = session.csrf().refuse(CsrfRefusal::NoToken);
    /// assert_eq!(error.status(), 403);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn refuse(&self, refusal: CsrfRefusal) -> SessionError {
        let state = &self.session.0;
        let id = state.live().id();
        state.emit(id, EventKind::CsrfRefused(refusal));
        SessionError::Csrf {
            namespace: state.name().to_owned(),
            refusal,
        }
    }

    pub(crate) const fn session(self) -> &'a SessionHandle {
        self.session
    }

    pub(crate) const fn named_action(self) -> Option<&'a str> {
        self.action
    }

    fn purpose(&self) -> Purpose<'a> {
        Purpose {
            namespace: self.session.0.name(),
            action: self.action,
        }
    }

    fn draw(&self) -> Result<Seed, SessionError> {
        Ok(Seed::draw(&*self.session.0.engine().random)?)
    }

    /// The seed that the session has after the commit. Where the commit would draw one, it is
    /// drawn now and kept with the changes, so that every try of the commit takes this one.
    fn seed_to_give(&self) -> Result<Seed, SessionError> {
        if let Some(seed) = known_and_kept(&mut self.session.0.live()) {
            return Ok(seed);
        }
        let drawn = self.draw()?;
        let mut live = self.session.0.live();
        // Another task may have been faster.
        if let Some(seed) = known_and_kept(&mut live) {
            return Ok(seed);
        }
        self.session.check_change(&live)?;
        live.changes.csrf_seed = Some(Box::new(drawn.clone()));
        Ok(drawn)
    }
}

/// The seed that the session has after the commit; `None` when the commit draws it.
struct Known {
    seed: Seed,
    /// Of a commit that is under way. If it fails, the next try draws another one.
    is_doubtful: bool,
}

fn known(live: &Live) -> Option<Known> {
    let known = |seed, is_doubtful| Known { seed, is_doubtful };
    if let Some(seed) = &live.changes.csrf_seed {
        return Some(known(Seed::clone(seed), false));
    }
    if live.changes.login.is_some() {
        return None;
    }
    let stored = live.stored().and_then(|stored| Seed::of(&stored.frames));
    let in_flight = live.in_flight.as_ref();
    match in_flight.and_then(|in_flight| Seed::of(&in_flight.frames)) {
        Some(seed) if stored.as_ref() != Some(&seed) => Some(known(seed, true)),
        _ => stored.map(|seed| known(seed, false)),
    }
}

impl Live {
    /// Nothing is left to be written of a seed that was kept while it was being written.
    pub(crate) fn drop_written_csrf_seed(&mut self) {
        if let Some(kept) = &self.changes.csrf_seed
            && let Some(stored) = self.stored()
            && Seed::of(&stored.frames).is_some_and(|seed| seed == **kept)
        {
            self.changes.csrf_seed = None;
        }
    }
}

fn known_and_kept(live: &mut Live) -> Option<Seed> {
    let Known { seed, is_doubtful } = known(live)?;
    if is_doubtful {
        live.changes.csrf_seed = Some(Box::new(seed.clone()));
    }
    Some(seed)
}
