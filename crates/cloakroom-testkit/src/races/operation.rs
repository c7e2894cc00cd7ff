//! What a request of a case does with its session.

use std::fmt;

/// One thing that a handler does. `Set` and `Fill` write values that nobody else writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Operation {
    Increment,
    Set,
    Remove,
    Clear,
    Rotate,
    Login(u8),
    Logout,
    /// A read by a request that has a use to note.
    Touch,
    Read,
    /// `rotate()?.revoke()`
    Revoke,
    TakeOnce,
    UpdateNow,
    /// Leaves a message.
    Flash,
    /// Claims the messages and shows them.
    Flashes,
    /// Gives every key a value, as the request before a race does.
    Fill,
    /// Has the handler answer with a 500 in the end.
    Fail,
}

impl Operation {
    /// The operations of the triples.
    pub(super) const OF_TRIPLES: [Self; 12] = [
        Self::Increment,
        Self::Set,
        Self::Remove,
        Self::Clear,
        Self::Rotate,
        Self::Login(1),
        Self::Logout,
        Self::Touch,
        Self::Read,
        Self::Flash,
        Self::Flashes,
        Self::TakeOnce,
    ];

    /// Whether it commits before the handler has returned, so that it stands alone.
    pub(super) const fn commits_at_once(self) -> bool {
        matches!(self, Self::TakeOnce | Self::UpdateNow | Self::Flashes)
    }

    /// Whether it begins a new epoch.
    pub(super) const fn begins_epoch(self) -> bool {
        matches!(self, Self::Login(_) | Self::Revoke)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Increment => "increment",
            Self::Set => "set",
            Self::Remove => "remove",
            Self::Clear => "clear",
            Self::Rotate => "rotate",
            Self::Login(subject) => return write!(f, "login as user-{subject}"),
            Self::Logout => "logout",
            Self::Touch => "touch",
            Self::Read => "read",
            Self::Revoke => "revoke",
            Self::TakeOnce => "take_once",
            Self::UpdateNow => "update_now",
            Self::Flash => "flash",
            Self::Flashes => "flashes",
            Self::Fill => "fill",
            Self::Fail => "fail",
        })
    }
}
