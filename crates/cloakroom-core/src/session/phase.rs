use std::sync::atomic::{AtomicU8, Ordering};

/// How far the opening of a session is. Without a lock, since each request asks; whoever waits for
/// a change looks at it with the lock of the session held, under which each opening ends.
#[derive(Default)]
pub(crate) struct Phase(AtomicU8);

/// What begins when a session is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begun {
    /// Its opening, by the caller.
    Opening,
    /// Nothing: somebody else is opening it.
    Waiting,
    /// Nothing: it is open.
    Opened,
}

const UNASKED: u8 = 0;
/// An opening has failed or was given up.
const UNOPENED: u8 = 1;
const OPENING: u8 = 2;
const OPENED: u8 = 3;

impl Phase {
    pub(crate) fn begin(&self) -> Begun {
        let next = |phase| matches!(phase, UNASKED | UNOPENED).then_some(OPENING);
        match self
            .0
            .fetch_update(Ordering::Acquire, Ordering::Acquire, next)
        {
            Ok(_) => Begun::Opening,
            Err(OPENED) => Begun::Opened,
            Err(_) => Begun::Waiting,
        }
    }

    pub(crate) fn is_opening(&self) -> bool {
        self.0.load(Ordering::Acquire) == OPENING
    }

    pub(crate) fn is_opened(&self) -> bool {
        self.0.load(Ordering::Acquire) == OPENED
    }

    /// Whether the request has asked for the session, so that its response depends on the cookie.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire) != UNASKED
    }

    pub(crate) fn end(&self, is_opened: bool) {
        let phase = if is_opened { OPENED } else { UNOPENED };
        self.0.store(phase, Ordering::Release);
    }
}
