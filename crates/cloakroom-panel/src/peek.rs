use std::{error::Error, fmt};

use cloakroom_core::{SessionError, TokenVerdict, store::Timestamp};

use crate::{
    panel::Panel,
    record::{KeyChange, keys_of},
};

/// What is in a session that a request did not open, now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Peek {
    /// The namespace's condition does not hold for the request.
    pub is_closed: bool,
    /// The public ids of the request's tokens, and what each is worth now.
    pub verdicts: Vec<(Option<String>, TokenVerdict)>,
    /// A token opens a session.
    pub is_found: bool,
    /// Its values; each in `before`.
    pub keys: Vec<KeyChange>,
    /// The bytes of all keys and values.
    pub bytes: usize,
    /// When it began.
    pub created: Option<Timestamp>,
    /// When its use was noted last.
    pub last_seen: Option<Timestamp>,
    /// When it ends by its limits.
    pub expires: Option<Timestamp>,
}

impl Panel {
    /// Looks at the session that a recorded request's token opens: one more read of its store,
    /// which notes no use and leaves nothing behind.
    ///
    /// # Errors
    /// [`PeekError`]
    pub async fn peek(&self, number: u64, namespace: &str) -> Result<Peek, PeekError> {
        let recording = self.recording(number).ok_or(PeekError::NoRequest)?;
        let (head, known) = recording
            .head_and_manager(namespace)
            .ok_or(PeekError::NotPossible)?;
        let unpeeked = known.manager.peek(namespace, &*head);
        let peeked = unpeeked.map_err(PeekError::Session)?.look().await;
        let peeked = peeked.map_err(PeekError::Session)?;
        let verdicts = peeked.verdicts().iter();
        let id = |(id, verdict): &(Option<_>, TokenVerdict)| {
            (id.as_ref().map(ToString::to_string), *verdict)
        };
        let data = peeked.data();
        let mut namespaces = known.namespaces.iter();
        let codec = namespaces
            .find(|known| known.row.namespace == namespace)
            .map(|known| known.codec)
            .unwrap_or_default();
        Ok(Peek {
            is_closed: peeked.is_closed(),
            verdicts: verdicts.map(id).collect(),
            is_found: data.is_some(),
            keys: data
                .map(|data| keys_of(&data, codec, self.masks()))
                .unwrap_or_default(),
            bytes: data.map_or(0, |data| data.byte_len()),
            created: data.and_then(|data| data.created()),
            last_seen: data.and_then(|data| data.last_seen()),
            expires: data.and_then(|data| data.expires()),
        })
    }
}

/// There is no peek.
#[derive(Debug)]
#[non_exhaustive]
pub enum PeekError {
    /// The request is no longer kept.
    NoRequest,
    /// The namespace is not one of the request's, or the request's head was too large to be kept.
    NotPossible,
    /// The session could not be read.
    Session(SessionError),
}

impl fmt::Display for PeekError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRequest => "the request is no longer kept: newer ones have taken its place",
            Self::NotPossible => {
                "no peek is possible: the request has no such namespace, or its head was too large \
                 to be kept"
            }
            Self::Session(_) => "the session could not be read",
        })
    }
}

impl Error for PeekError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Session(error) => Some(error),
            _ => None,
        }
    }
}
