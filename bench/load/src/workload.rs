//! What one request does.

use axum::http::Method;

/// The seven kinds of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// W0: the layer is there, the handler asks for no session, the request has no cookie.
    UntouchedWithoutCookie,
    /// W1: the same with a valid cookie.
    Untouched,
    /// W2: one key is read.
    Read,
    /// W3: a counter is read and written.
    Change,
    /// W4: a session of one key is created.
    Create,
    /// W5: W2 on a session of 4 KiB.
    ReadLarge,
    /// W6: W3 on a session of 4 KiB.
    ChangeLarge,
}

impl Workload {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::UntouchedWithoutCookie,
        Self::Untouched,
        Self::Read,
        Self::Change,
        Self::Create,
        Self::ReadLarge,
        Self::ChangeLarge,
    ];

    /// The short name that tables have.
    pub fn name(self) -> &'static str {
        match self {
            Self::UntouchedWithoutCookie => "W0",
            Self::Untouched => "W1",
            Self::Read => "W2",
            Self::Change => "W3",
            Self::Create => "W4",
            Self::ReadLarge => "W5",
            Self::ChangeLarge => "W6",
        }
    }

    /// Whether the request comes with the cookie of a session that exists.
    pub fn has_cookie(self) -> bool {
        !matches!(self, Self::UntouchedWithoutCookie | Self::Create)
    }

    /// Whether that session holds 4 KiB.
    pub fn is_large(self) -> bool {
        matches!(self, Self::ReadLarge | Self::ChangeLarge)
    }

    /// Whether each request adds one to the session's counter.
    pub fn counts(self) -> bool {
        matches!(self, Self::Change | Self::ChangeLarge)
    }

    /// The request's.
    pub fn method_and_path(self) -> (Method, &'static str) {
        match self {
            Self::UntouchedWithoutCookie | Self::Untouched => (Method::GET, "/untouched"),
            Self::Read | Self::ReadLarge => (Method::GET, "/read"),
            Self::Change | Self::ChangeLarge => (Method::POST, "/change"),
            Self::Create => (Method::POST, "/create"),
        }
    }
}
