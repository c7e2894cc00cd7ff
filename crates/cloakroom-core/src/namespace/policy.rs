/// What becomes of the response when the store fails at commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailurePolicy {
    /// It becomes a 503 without details.
    #[default]
    Respond503,
    /// It stays as it is, and the loss is an [`EventKind::Lost`](crate::EventKind::Lost).
    KeepResponse,
}

/// What becomes of the response when its changes are void, because the session was ended or
/// logged in anew meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EndedPolicy {
    /// It stays as it is.
    #[default]
    Ignore,
    /// It becomes a 409.
    Respond409,
    /// It becomes a 401.
    Respond401,
}

/// What happens when the store holds something that is no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CorruptPolicy {
    /// The visitor gets a new session, and it is an event.
    #[default]
    Reset,
    /// Opening the session fails with [`SessionError::Corrupt`](crate::SessionError::Corrupt).
    Fail,
}

/// What happens when a stored value is not of the type that is asked for, as after a deploy that has
/// changed the type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DecodePolicy {
    /// Reading it fails with [`SessionError::Decode`](crate::SessionError::Decode), which names the
    /// key. The value stays.
    #[default]
    Fail,
    /// It counts as no value, and it is an [`EventKind::Discarded`](crate::EventKind::Discarded).
    /// It stays stored until the key is changed.
    Discard,
}

/// What happens to a session when a token comes that a rotation has replaced, after its grace: the
/// sign of a token that was copied, or of a client that was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplacedTokenPolicy {
    /// Nothing; it is an event.
    #[default]
    Ignore,
    /// It is ended.
    EndSession,
}
