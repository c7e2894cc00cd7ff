//! The check of a request's token, from its head to its body. Integrations read the body.

use std::sync::Arc;

use super::{
    CsrfRefusal,
    form::{FormError, Presented, is_form, token_of_form, without_token},
    origin::{OriginRules, OriginVerdict},
};
use crate::{
    error::{ConfigError, ConfigProblem, SessionError},
    error_response::ErrorResponse,
    head::RequestHead,
    request::{RequestSessions, Unopened},
    session::{Csrf, SessionHandle},
    transport::header_name,
};

/// How much of a form is read to find its token, unless it is set otherwise.
const BODY_LIMIT: usize = 64 * 1024;

/// Rules that ask for a token of a session, besides what [`OriginRules`] judge. Cheap to clone.
///
/// The token is what [`SessionHandle::csrf`] gives. It comes in the header `X-CSRF-Token`, or as
/// the field `csrf_token` of a form (`application/x-www-form-urlencoded`), never in the query
/// string. Where the header is, it alone counts. To find the field the body is read, at most
/// 64 KiB of it; a form that is larger is answered 413, and every other body,
/// `multipart/form-data` too, needs the header. Without a token that is good the answer is 403.
///
/// ```
/// use cloakroom_core::OriginRules;
/// let rules = OriginRules::new()
///     .trusted_origin("https://pay.example")?
///     .require_token("account")
///     .for_action("close account");
/// # Ok::<(), cloakroom_core::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "rules do nothing by themselves"]
pub struct CsrfTokenRules(Arc<Rules>);

#[derive(Debug, Clone)]
struct Rules {
    origins: OriginRules,
    namespace: String,
    when: When,
    action: Option<String>,
    header: &'static str,
    body_limit: usize,
}

/// Which of the requests that may pass need a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    Unvouched,
}

impl OriginRules {
    /// Asks each request with another method than `GET`, `HEAD` and `OPTIONS` for a token of the
    /// session of this namespace, also where the browser vouches for it. What was let past needs
    /// none.
    ///
    /// ```
    /// use cloakroom_core::OriginRules;
    /// let rules = OriginRules::new().require_token("account");
    /// ```
    pub fn require_token(self, namespace: impl Into<String>) -> CsrfTokenRules {
        CsrfTokenRules::new(self, namespace.into(), When::Always)
    }

    /// Asks for a token only what no browser vouches for: requests with neither `Sec-Fetch-Site`
    /// nor `Origin`.
    ///
    /// ```
    /// use cloakroom_core::OriginRules;
    /// let rules = OriginRules::new().require_token_unless_vouched("account");
    /// ```
    pub fn require_token_unless_vouched(self, namespace: impl Into<String>) -> CsrfTokenRules {
        CsrfTokenRules::new(self, namespace.into(), When::Unvouched)
    }

    /// Judges a request, and tells of one that is refused: an event where it has sessions, and the
    /// log. For integrations.
    ///
    /// # Errors
    /// The response to a request that is refused.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # let request = doc::Request::default();
    /// use cloakroom_core::{OriginRules, OriginVerdict};
    /// let verdict = OriginRules::new().check(&request, None);
    /// assert_eq!(verdict, Ok(OriginVerdict::Safe)); // it is a GET
    /// ```
    pub fn check(
        &self,
        head: &dyn RequestHead,
        sessions: Option<&RequestSessions>,
    ) -> Result<OriginVerdict, ErrorResponse> {
        let verdict = self.judge(head);
        let Some(refusal) = verdict.refusal() else {
            return Ok(verdict);
        };
        tracing::debug!(
            target: "cloakroom",
            method = head.method(),
            origin = header(head, "origin"),
            host = header(head, "host"),
            "refused: {refusal}"
        );
        match sessions {
            Some(sessions) => sessions.note_refusal(refusal),
            None => tracing::info!(target: "cloakroom", "request refused: {refusal}"),
        }
        Err(refusal.respond())
    }
}

/// The first value of a header, for the log.
fn header(head: &dyn RequestHead, name: &str) -> Option<String> {
    let mut first = None;
    head.header(name, &mut |value| {
        first.get_or_insert_with(|| value.escape_ascii().to_string());
    });
    first
}

impl CsrfTokenRules {
    fn new(origins: OriginRules, namespace: String, when: When) -> Self {
        Self(Arc::new(Rules {
            origins,
            namespace,
            when,
            action: None,
            header: Csrf::HEADER,
            body_limit: BODY_LIMIT,
        }))
    }

    /// Asks for a token of one action, `csrf().action(..)`; no other is good. For a layer around
    /// one route.
    ///
    /// ```
    /// use cloakroom_core::OriginRules;
    /// let rules = OriginRules::new().require_token("account").for_action("close account");
    /// ```
    pub fn for_action(mut self, action: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).action = Some(action.into());
        self
    }

    /// Takes the token from another header than `X-CSRF-Token`.
    ///
    /// # Errors
    /// A [`ConfigError`] for what is no header name, and for headers that mean something else.
    ///
    /// ```
    /// use cloakroom_core::OriginRules;
    /// assert!(OriginRules::new().require_token("account").header("X-XSRF-Token").is_ok());
    /// assert!(OriginRules::new().require_token("account").header("Cookie").is_err());
    /// ```
    pub fn header(mut self, name: &str) -> Result<Self, ConfigError> {
        let mut problem = None;
        let checked = header_name(name, &mut |_, message| {
            problem = Some(ConfigProblem {
                namespace: None,
                setting: "header",
                message,
            });
        });
        match checked {
            Some(name) => Arc::make_mut(&mut self.0).header = name,
            None => return Err(ConfigError::new(problem.into_iter().collect())),
        }
        Ok(self)
    }

    /// Reads at most this many bytes of a form; 64 KiB unless it is set.
    ///
    /// ```
    /// use cloakroom_core::OriginRules;
    /// let rules = OriginRules::new().require_token("account").body_limit(1024 * 1024);
    /// ```
    pub fn body_limit(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.0).body_limit = bytes;
        self
    }

    /// Judges the head of a request. `None` when it passes without a token. Nothing of the head
    /// is kept but the token. For integrations.
    ///
    /// # Errors
    /// The response to a request that is refused, or whose sessions lack the namespace.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # let request = doc::Request::default();
    /// use cloakroom_core::OriginRules;
    /// let rules = OriginRules::new().require_token("account");
    /// assert!(rules.check(&request, None).unwrap().is_none()); // it is a GET
    /// ```
    pub fn check(
        &self,
        head: &dyn RequestHead,
        sessions: Option<&RequestSessions>,
    ) -> Result<Option<UnopenedCheck>, ErrorResponse> {
        let rules = &self.0;
        let asks = match rules.origins.check(head, sessions)? {
            OriginVerdict::Safe | OriginVerdict::Bypassed => false,
            OriginVerdict::Unknown => true,
            _ => rules.when == When::Always,
        };
        if !asks {
            return Ok(None);
        }
        let unopened = rules.judge(head, sessions);
        Ok(Some(UnopenedCheck {
            unopened: unopened.map_err(|error| error.respond())?,
            presented: Presented::read(head, rules.header),
            rules: self.clone(),
        }))
    }
}

impl Rules {
    fn judge(
        &self,
        head: &dyn RequestHead,
        sessions: Option<&RequestSessions>,
    ) -> Result<Unopened, SessionError> {
        let sessions = sessions.ok_or(SessionError::NoLayer {
            hint: "put the session layer around the one that asks for tokens",
        })?;
        let unopened = sessions.judge(&self.namespace, head)?;
        unopened.ok_or_else(|| SessionError::closed(&self.namespace))
    }
}

/// The check of a request that needs a token. Its session is not loaded yet.
#[derive(Debug)]
#[must_use = "nothing is checked yet"]
pub struct UnopenedCheck {
    unopened: Unopened,
    presented: Presented,
    rules: CsrfTokenRules,
}

impl UnopenedCheck {
    /// Opens the session and checks a token that came in a header.
    ///
    /// # Errors
    /// [`SessionError::Csrf`] when it is not good or there can be none, and those of
    /// [`Unopened::open`].
    pub async fn open(self) -> Result<CsrfCheck, SessionError> {
        let session = self.unopened.open().await?;
        let rules = &self.rules.0;
        CsrfCheck::new(
            session,
            rules.action.clone(),
            self.presented,
            rules.body_limit,
        )
    }
}

/// The check of a request's token: done, or still in need of the request's body.
#[derive(Debug)]
#[must_use = "the body may have to be checked"]
pub struct CsrfCheck {
    session: SessionHandle,
    action: Option<String>,
    is_done: bool,
    limit: usize,
}

impl CsrfCheck {
    fn new(
        session: SessionHandle,
        action: Option<String>,
        presented: Presented,
        limit: usize,
    ) -> Result<Self, SessionError> {
        let mut check = Self {
            session,
            action,
            is_done: false,
            limit,
        };
        match presented {
            Presented::InHeader(token) => {
                check.verify(token)?;
                check.is_done = true;
            }
            Presented::Nowhere => return Err(check.refuse(CsrfRefusal::NoToken)),
            // No token can be good, so nothing is read.
            Presented::InForm if check.session.is_new() => {
                return Err(check.refuse(CsrfRefusal::NoSession));
            }
            Presented::InForm => {}
        }
        Ok(check)
    }

    /// How many bytes of the body are to be read to find the token; `None` when the check is done.
    #[must_use]
    pub const fn needs_body(&self) -> Option<usize> {
        match self.is_done {
            true => None,
            false => Some(self.limit),
        }
    }

    /// Checks the token of a form, unless the check is done.
    ///
    /// # Errors
    /// [`SessionError::Csrf`].
    pub fn form(&self, form: &[u8]) -> Result<(), SessionError> {
        match self.is_done {
            true => Ok(()),
            false => self.verify(token_of_form(form)),
        }
    }

    /// The same, and gives the form without the field that has the token: the others as they were
    /// sent.
    ///
    /// # Errors
    /// [`SessionError::Csrf`].
    pub fn fields(&self, form: &[u8]) -> Result<Vec<u8>, SessionError> {
        self.form(form)?;
        Ok(without_token(form))
    }

    /// The error for a body that can't be read, and an event.
    #[must_use]
    pub fn refuse(&self, refusal: CsrfRefusal) -> SessionError {
        self.csrf().refuse(refusal)
    }

    fn verify(&self, token: Result<String, CsrfRefusal>) -> Result<(), SessionError> {
        let token = token.map_err(|refusal| self.refuse(refusal))?;
        self.csrf().verify(&token)
    }

    fn csrf(&self) -> Csrf<'_> {
        match &self.action {
            Some(action) => self.session.csrf().action(action),
            None => self.session.csrf(),
        }
    }
}

impl Csrf<'_> {
    /// Begins the check of a form that is to have a token of this session, in the header
    /// `X-CSRF-Token` or as the field `csrf_token`. For integrations, which read the body by their
    /// framework's limits.
    ///
    /// # Errors
    /// [`SessionError::Csrf`] when the token of the header is not good, or there can be none, and
    /// [`SessionError::Form`] when it is good and the body is no form.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, browser| {
    /// # let request = doc::Request::default();
    /// assert!(session.csrf().check_form(&request).is_err()); // it has no token
    /// # Ok(())
    /// # });
    /// ```
    pub fn check_form(self, head: &dyn RequestHead) -> Result<CsrfCheck, SessionError> {
        let presented = Presented::read(head, Self::HEADER);
        let action = self.named_action().map(str::to_owned);
        let check = CsrfCheck::new(self.session().clone(), action, presented, usize::MAX)?;
        match is_form(head) {
            true => Ok(check),
            false => Err(FormError::NotAForm.into()),
        }
    }
}
