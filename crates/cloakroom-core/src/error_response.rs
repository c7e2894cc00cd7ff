use std::{borrow::Cow, error::Error};

use crate::{
    commit::Verdict,
    csrf::CsrfRefusal,
    error::SessionError,
    head::{ResponseHead, ResponseHeader},
    transport::SessionRedirect,
};

/// What a client is told of what went wrong: a status, a sentence without details, and headers.
///
/// An integration makes a response of its framework of it: plain text in UTF-8, and the headers
/// that [`write_head`](Self::write_head) writes.
///
/// ```
/// use cloakroom_core::SessionError;
/// let closed = SessionError::Closed { namespace: "admin".to_owned() };
/// let response = closed.respond();
/// assert_eq!(response.status(), 403);
/// assert_eq!(response.message(), "This is not available here.\n"); // and no word of "admin"
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorResponse {
    status: u16,
    message: &'static str,
    refusal: Option<CsrfRefusal>,
    redirect: Option<SessionRedirect>,
}

impl ErrorResponse {
    const fn new(status: u16, message: &'static str) -> Self {
        Self {
            status,
            message,
            refusal: None,
            redirect: None,
        }
    }

    /// The response of an integration that is set up wrongly. The log is to say how.
    pub(crate) const fn misconfigured() -> Self {
        let message = "The session configuration is wrong; the log says how.\n";
        Self::new(500, message)
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The body.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        self.message
    }

    /// Why the request was refused, if it was for what another site may have made a browser send.
    /// For a layer that answers with a page of its own; the client is not told.
    #[must_use]
    pub const fn refusal(&self) -> Option<CsrfRefusal> {
        self.refusal
    }

    /// Writes its headers: caches keep nothing of it, and a redirect has its address, which no
    /// other page is to learn.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use cloakroom_core::SessionError;
    /// # let mut response = doc::Response::default();
    /// let hint = "add the session layer";
    /// SessionError::NoLayer { hint }.respond().write_head(&mut response);
    /// assert_eq!(response.others, [("cache-control", "no-store".to_owned())]);
    /// ```
    pub fn write_head(&self, head: &mut dyn ResponseHead) {
        head.replace(ResponseHeader::CacheControl, Cow::Borrowed("no-store"));
        if let Some(to) = &self.redirect {
            head.replace(
                ResponseHeader::Location,
                Cow::Owned(to.location().to_owned()),
            );
            let policy = Cow::Borrowed("no-referrer");
            head.replace(ResponseHeader::ReferrerPolicy, policy);
        }
    }
}

impl SessionError {
    /// What the client is told of it. What it answers with 500 or more is told to the log, unless
    /// the engine has [told of it](Self::is_reported) already.
    #[must_use]
    pub fn respond(&self) -> ErrorResponse {
        match self.status() >= 500 && !self.is_reported() {
            true => tracing::error!(target: "cloakroom", source = self.source(), "{self}"),
            false => tracing::debug!(target: "cloakroom", "{self}"),
        }
        let message = match self {
            Self::Csrf { refusal, .. } => return refusal.respond(),
            Self::Form(error) => error.message(),
            Self::Redirect { .. } => "",
            _ => match self.status() {
                403 => "This is not available here.\n",
                409 => "The session has changed meanwhile. Please try again.\n",
                413 => "There is no room for more in this session.\n",
                503 => "The session is not available. Please try again in a moment.\n",
                _ => "Something is wrong with the session.\n",
            },
        };
        let mut response = ErrorResponse::new(self.status(), message);
        if let Self::Redirect { to, .. } = self {
            response.redirect = Some(to.clone());
        }
        response
    }
}

impl CsrfRefusal {
    /// The HTTP status: 413 and 400 for a body that can't be looked at, else 403.
    ///
    /// ```
    /// use cloakroom_core::CsrfRefusal;
    /// assert_eq!(CsrfRefusal::NoToken.status(), 403);
    /// assert_eq!(CsrfRefusal::BodyTooLarge.status(), 413);
    /// ```
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BodyTooLarge => 413,
            Self::UnreadableBody => 400,
            _ => 403,
        }
    }

    /// What the client is told: not which refusal it is.
    ///
    /// ```
    /// use cloakroom_core::CsrfRefusal;
    /// let (one, other) = (CsrfRefusal::NoToken.respond(), CsrfRefusal::CrossOrigin.respond());
    /// assert_eq!(one.message(), other.message());
    /// assert_eq!(one.refusal(), Some(CsrfRefusal::NoToken)); // for layers outside
    /// ```
    #[must_use]
    pub const fn respond(self) -> ErrorResponse {
        let message = match self {
            Self::BodyTooLarge => "The request is too large.\n",
            Self::UnreadableBody => "The request is incomplete.\n",
            _ => "The request was refused. Please reload the page and try again.\n",
        };
        let mut response = ErrorResponse::new(self.status(), message);
        response.refusal = Some(self);
        response
    }
}

impl Verdict {
    /// The response that takes the place of the application's; `None` when that one stays. Either
    /// carries the cookies of the sessions that were committed.
    #[must_use]
    pub const fn response(&self) -> Option<ErrorResponse> {
        match self.status() {
            None => None,
            Some(status) => Some(ErrorResponse::new(status, self.message())),
        }
    }
}
