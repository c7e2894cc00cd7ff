//! What the operations of a request amount to.

use super::{
    history::{RequestNo, Values},
    messages::Messages,
    operation::Operation,
    serve::unique,
    world::Base,
};

/// A change of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Increment,
    SetK(Option<u64>),
    Fill(u64),
    Clear,
    TakeOnce,
    Push(RequestNo),
    TakeMessages,
}

impl Write {
    fn apply(self, values: &mut Values) {
        match self {
            Self::Increment => values.n = Some(values.n.unwrap_or(0) + 1),
            Self::SetK(k) => values.k = k,
            Self::Fill(value) => {
                *values = Values {
                    n: Some(10),
                    k: Some(value),
                    keep: Some(value),
                    once: Some(value),
                    ..*values
                };
            }
            Self::Clear => *values = Values::default(),
            Self::TakeOnce => values.once = None,
            Self::Push(number) => values.messages.push(number),
            Self::TakeMessages => values.messages = Messages::default(),
        }
    }

    pub(super) fn apply_all(writes: &[Self], values: &mut Values) {
        for write in writes {
            write.apply(values);
        }
    }
}

/// What a request wants, after it has seen its session.
#[derive(Debug, Clone, Default)]
pub(super) struct Intent {
    /// The session that it has opened is to be ended; all else is for a new one.
    pub(super) ends: bool,
    pub(super) login: Option<u8>,
    pub(super) revokes: bool,
    pub(super) rotates: bool,
    pub(super) writes: Vec<Write>,
    /// The handler meets an error that says that the session has ended.
    pub(super) is_refused: bool,
    /// The map after it, if nobody else changes it.
    after: Values,
    /// The map differs from what was seen.
    changes_values: bool,
}

impl Intent {
    /// What the operations of a request come to on what it has opened.
    pub(super) fn of(
        operations: &[Operation],
        number: RequestNo,
        base: Base,
        seen: Option<(Values, Option<u8>)>,
    ) -> Self {
        let (before, mut subject) = seen.unwrap_or_default();
        let mut intent = Self {
            after: before,
            ..Self::default()
        };
        let mut is_opened = matches!(base, Base::Of { .. });
        for operation in operations {
            match *operation {
                Operation::Increment | Operation::UpdateNow => intent.write(Write::Increment),
                Operation::Set => intent.write(Write::SetK(Some(unique(number)))),
                Operation::Remove if intent.after.k.is_some() => intent.write(Write::SetK(None)),
                Operation::TakeOnce if intent.after.once.is_some() => {
                    intent.write(Write::TakeOnce);
                }
                Operation::Flash => intent.write(Write::Push(number)),
                Operation::Flashes if !intent.after.messages.is_empty() => {
                    intent.write(Write::TakeMessages);
                }
                Operation::Clear if is_opened || !intent.writes.is_empty() => {
                    intent.writes.clear();
                    intent.write(Write::Clear);
                }
                Operation::Fill => intent.write(Write::Fill(unique(number))),
                Operation::Rotate => intent.rotates = true,
                Operation::Revoke => intent.revokes = true,
                Operation::Login(new) => {
                    let before = intent.login.or(subject);
                    if before.is_some_and(|before| before != new) {
                        intent = Self::ended(is_opened || intent.ends);
                        is_opened = false;
                        subject = None;
                    }
                    intent.login = Some(new);
                }
                Operation::Fail => {
                    // Ends are carried out at any status, and nothing else is.
                    let ends = intent.ends;
                    return Self::ended(ends);
                }
                Operation::Logout if base == Base::Late => {
                    // It can't end what it does not open, and is told so.
                    return Self {
                        is_refused: true,
                        ..Self::default()
                    };
                }
                Operation::Logout => {
                    intent = Self::ended(is_opened || intent.ends);
                    is_opened = false;
                    subject = None;
                }
                _ => {}
            }
        }
        intent.changes_values = match is_opened {
            true => intent.after != before,
            false => !intent.writes.is_empty(),
        };
        intent
    }

    fn ended(ends: bool) -> Self {
        Self {
            ends,
            ..Self::default()
        }
    }

    fn write(&mut self, write: Write) {
        write.apply(&mut self.after);
        self.writes.push(write);
    }

    pub(super) const fn begins_epoch(&self) -> bool {
        self.login.is_some() || self.revokes
    }

    /// Whether a new session is made of it.
    pub(super) fn creates(&self) -> bool {
        let mut values = Values::default();
        Write::apply_all(&self.writes, &mut values);
        self.login.is_some() || values != Values::default()
    }

    /// Whether the session that was opened has to be written.
    pub(super) const fn changes(&self) -> bool {
        self.changes_values || self.begins_epoch()
    }

    /// Whether anything was asked for that is void when the request is late.
    pub(super) fn asks_for_anything(&self) -> bool {
        !self.writes.is_empty() || self.begins_epoch() || self.rotates
    }
}
