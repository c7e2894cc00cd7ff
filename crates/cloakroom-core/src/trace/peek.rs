use std::fmt;

use cloakroom_store::{Freshness, Key, Loaded, Operation, SessionId};

use super::{Data, TokenVerdict};
use crate::{
    call::{Budget, call},
    codec::Codec,
    commit::Stored,
    error::SessionError,
    head::RequestHead,
    manager::SessionManager,
    namespace::{Backend, CompiledNamespace},
    open::judge,
    ticket::Ticket,
    token::Token,
};
#[cfg(feature = "client-side")]
use crate::{open::has_expired, sealed::Sealer};

impl SessionManager {
    /// Looks at the session that a request's token opens, and leaves no trace of it: no use is
    /// noted, nothing is rotated, no event is made, and there is no request whose response could
    /// send a cookie. For the debug toolbar.
    ///
    /// It opens what the token would open at this moment, and nothing else. The condition is
    /// judged and the token read here; nothing of the head is kept.
    ///
    /// # Errors
    /// [`SessionError::UnknownNamespace`].
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// # doc::block_on(async {
    /// # let request = doc::Request::default();
    /// # let manager = SessionManager::builder()
    /// #     .namespace(Namespace::new("cart", MemoryStore::new()))
    /// #     .build()?;
    /// let peeked = manager.peek("cart", &request)?.look().await?;
    /// assert!(!peeked.is_closed());
    /// assert!(peeked.data().is_none()); // the request has no token
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn peek(&self, name: &str, head: &dyn RequestHead) -> Result<Unpeeked, SessionError> {
        let index = self.index_of(name);
        let Some((index, namespace)) =
            index.and_then(|index| Some((index, self.namespace(index)?)))
        else {
            let known = self.namespaces().map(|info| info.name().to_owned());
            return Err(SessionError::UnknownNamespace {
                name: name.to_owned(),
                known: known.collect(),
            });
        };
        let is_open = namespace.condition.as_ref().is_none_or(|holds| holds(head));
        Ok(Unpeeked {
            manager: self.clone(),
            index,
            ticket: is_open.then(|| Ticket::read(namespace, head)),
        })
    }
}

/// A session that is to be peeked at.
pub struct Unpeeked {
    manager: SessionManager,
    index: usize,
    ticket: Option<Ticket>,
}

impl Unpeeked {
    /// Reads it, with one load per token.
    ///
    /// # Errors
    /// [`SessionError::Store`] when the store does not answer in time.
    pub async fn look(self) -> Result<Peeked, SessionError> {
        let mut peeked = Peeked {
            is_closed: self.ticket.is_none(),
            codec: Codec::default(),
            verdicts: Vec::new(),
            found: None,
        };
        let (Some(ticket), Some(namespace)) = (&self.ticket, self.manager.namespace(self.index))
        else {
            return Ok(peeked);
        };
        peeked.codec = namespace.settings.codec;
        match &namespace.backend {
            Backend::Store(_) => {
                self.load_all(namespace, &ticket.tokens, &mut peeked)
                    .await?
            }
            #[cfg(feature = "client-side")]
            Backend::Cookie { sealer, .. } => {
                self.unseal_all(namespace, sealer, &ticket.sealed, &mut peeked);
            }
        }
        if peeked.opens_several() {
            peeked.found = None;
        }
        Ok(peeked)
    }

    async fn load_all(
        &self,
        namespace: &CompiledNamespace,
        tokens: &[Token],
        peeked: &mut Peeked,
    ) -> Result<(), SessionError> {
        let deadlines = self.manager.state().deadlines;
        let mut budget = Budget::new(deadlines.open, deadlines.call);
        for token in tokens {
            let id = token.id();
            let Some(store) = namespace.store() else {
                return Ok(());
            };
            let load = store.load(Key::new(namespace.id, id), Freshness::Latest);
            let loaded = call(load, Operation::Load, &mut budget).await?;
            let (verdict, stored) = self.judge(namespace, token, loaded);
            peeked.add(id, verdict, stored);
        }
        Ok(())
    }

    fn judge(
        &self,
        namespace: &CompiledNamespace,
        token: &Token,
        loaded: Option<Loaded>,
    ) -> (TokenVerdict, Option<Stored>) {
        let Some(loaded) = loaded else {
            return (TokenVerdict::Unknown, None);
        };
        let Ok(stored) = Stored::read(loaded) else {
            return (TokenVerdict::Corrupt, None);
        };
        let hash = token.secret().hash(&namespace.hasher);
        let (record, envelope) = (&stored.meta.record, stored.envelope());
        let now = self.manager.state().now();
        let judgement = judge(record, &envelope, hash, &namespace.settings, now);
        (judgement.into(), Some(stored))
    }

    #[cfg(feature = "client-side")]
    fn unseal_all(
        &self,
        namespace: &CompiledNamespace,
        sealer: &Sealer,
        all: &[Box<[u8]>],
        peeked: &mut Peeked,
    ) {
        let now = self.manager.state().now();
        for sealed in all {
            let Some((id, stored)) = crate::client_side::open(sealer, sealed) else {
                peeked.verdicts.push((None, TokenVerdict::Unreadable));
                continue;
            };
            let (record, envelope) = (&stored.meta.record, stored.envelope());
            let verdict = match has_expired(record, &envelope, &namespace.settings, now) {
                true => TokenVerdict::Expired,
                false => TokenVerdict::Current,
            };
            peeked.add(id, verdict, Some(stored));
        }
    }
}

impl fmt::Debug for Unpeeked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpeeked").finish_non_exhaustive()
    }
}

/// What a peek has found.
pub struct Peeked {
    is_closed: bool,
    codec: Codec,
    verdicts: Vec<(Option<SessionId>, TokenVerdict)>,
    found: Option<(SessionId, Stored)>,
}

impl Peeked {
    /// Whether the namespace is closed for the request: its condition does not hold.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The public ids of the request's tokens, and what each of them is worth.
    #[must_use]
    pub fn verdicts(&self) -> &[(Option<SessionId>, TokenVerdict)] {
        &self.verdicts
    }

    /// What is in the session; `None` when no token opens one, or two open different ones.
    #[must_use]
    pub fn data(&self) -> Option<Data<'_>> {
        let (id, stored) = self.found.as_ref()?;
        Some(Data::of_stored(*id, stored, self.codec))
    }

    fn add(&mut self, id: SessionId, verdict: TokenVerdict, stored: Option<Stored>) {
        self.verdicts.push((Some(id), verdict));
        if let Some(stored) = stored.filter(|_| verdict.is_good()) {
            self.found = Some((id, stored));
        }
    }

    fn opens_several(&self) -> bool {
        let good = self
            .verdicts
            .iter()
            .filter(|(_, verdict)| verdict.is_good());
        let mut ids = good.map(|(id, _)| id);
        let first = ids.next();
        ids.any(|id| Some(id) != first)
    }
}

impl fmt::Debug for Peeked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peeked")
            .field("is_closed", &self.is_closed)
            .field("verdicts", &self.verdicts)
            .finish_non_exhaustive()
    }
}
