use std::fmt;

/// Why a request is refused. For logs: a client is told nothing of it.
///
/// ```
/// use cloakroom_core::{CsrfRefusal, SessionError};
/// let refusal = CsrfRefusal::WrongToken;
/// let error = SessionError::Csrf { namespace: "account".to_owned(), refusal };
/// assert_eq!(error.status(), 403);
/// assert!(error.to_string().contains("another session"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CsrfRefusal {
    /// `Sec-Fetch-Site` says that a page of another origin has sent it.
    CrossOrigin,
    /// There is no `Sec-Fetch-Site`, and `Origin` is not that of `Host`.
    ForeignOrigin,
    /// It has no token where one may be.
    NoToken,
    /// It has several tokens.
    SeveralTokens,
    /// What it has in the place of a token is none.
    MalformedToken,
    /// Its session is new, so that no page has a token of it.
    NoSession,
    /// The token is of another session, another action, or from before a login or a renewal.
    WrongToken,
    /// Its body is too large to look for a token in.
    BodyTooLarge,
    /// Its body can't be read.
    UnreadableBody,
}

impl fmt::Display for CsrfRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CrossOrigin => "Sec-Fetch-Site says that it comes from another origin",
            Self::ForeignOrigin => "its Origin is not that of its Host",
            Self::NoToken => "it has no CSRF token",
            Self::SeveralTokens => "it has several CSRF tokens",
            Self::MalformedToken => "its CSRF token is malformed",
            Self::NoSession => "its session is new and has given out no CSRF token",
            Self::WrongToken => {
                "its CSRF token is of another session or action, or from before a login"
            }
            Self::BodyTooLarge => "its body is too large to look for a CSRF token in",
            Self::UnreadableBody => "its body can't be read",
        })
    }
}
