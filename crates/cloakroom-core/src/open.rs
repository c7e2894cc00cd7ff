//! Opening a session: loading the record and judging the token, once per request.

use std::time::Duration;

#[cfg(feature = "client-side")]
use crate::sealed::Sealer;
use crate::{
    call::{Budget, call},
    commit::{Client, Presented, Stored},
    envelope::Envelope,
    error::SessionError,
    event::{EventKind, VoidReason},
    namespace::{Backend, CompiledNamespace, CorruptPolicy, ReplacedTokenPolicy, Settings},
    session::{Base, Phase, SessionState},
    token::{SecretHash, Token},
};
use cloakroom_store::{
    AnyStore, Freshness, Key, Loaded, Operation, Store, StoreError, StoreErrorKind, Timestamp,
};

/// How long after a new epoch requests with an older token count as late.
const LATE: Duration = Duration::from_secs(60);

/// What a token is worth for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It opens the session.
    Current,
    /// It opens the session; a rotation has replaced it, and its grace lasts.
    Previous,
    /// It was replaced by a login or a revocation a moment ago.
    Late,
    /// A rotation has replaced it, and its grace is over.
    Replaced,
    /// It was never good, or long ago.
    Wrong,
    /// The session has expired.
    Expired,
}

/// Judges a token's hash by the record of its id.
pub(crate) fn judge(
    stored: &Stored,
    hash: SecretHash,
    settings: &Settings,
    now: Timestamp,
) -> Judgement {
    let Some(secret) = &stored.envelope.secret else {
        return Judgement::Wrong;
    };
    let is_expired = has_expired(stored, settings, now);
    if secret.hash == hash {
        return match is_expired {
            true => Judgement::Expired,
            false => Judgement::Current,
        };
    }
    match secret.previous.filter(|previous| previous.hash == hash) {
        Some(_) if is_expired => Judgement::Expired,
        Some(previous) if previous.good_until > now => Judgement::Previous,
        Some(_) => Judgement::Replaced,
        None if !is_expired && is_late(&stored.envelope, now) => Judgement::Late,
        None => Judgement::Wrong,
    }
}

/// Both what the record says and what the limits say now: limits that were shortened count for
/// the sessions that there are.
pub(crate) fn has_expired(stored: &Stored, settings: &Settings, now: Timestamp) -> bool {
    let record = &stored.loaded.record;
    let limits = settings.limits.of_session(stored.envelope.lifetime);
    let by_limits = limits.expires(stored.envelope.limit_began, record.last_seen);
    now >= record.expires.min(by_limits)
}

fn is_late(envelope: &Envelope, now: Timestamp) -> bool {
    envelope.epoch > 0 && now.saturating_since(envelope.epoch_began) < LATE
}

impl SessionState {
    /// Loads the session, unless it is loaded. Whoever comes first does it, the others wait.
    pub(crate) async fn open(&self) -> Result<(), SessionError> {
        let opening = loop {
            let changed = self.changed.notified();
            {
                let mut live = self.live();
                match live.phase {
                    Phase::Opened => return Ok(()),
                    Phase::Unopened => {
                        live.phase = Phase::Opening;
                        live.opened = self.engine().now();
                        break Opening(self);
                    }
                    Phase::Opening => {}
                }
            }
            changed.await;
        };
        self.load().await?;
        self.live().phase = Phase::Opened;
        drop(opening);
        Ok(())
    }

    async fn load(&self) -> Result<(), SessionError> {
        let namespace = self.namespace()?;
        match &namespace.backend {
            Backend::Store(store) => self.load_stored(namespace, store).await,
            #[cfg(feature = "client-side")]
            Backend::Cookie { sealer, .. } => {
                self.unseal(namespace, sealer);
                Ok(())
            }
        }
    }

    async fn load_stored(
        &self,
        namespace: &CompiledNamespace,
        store: &AnyStore,
    ) -> Result<(), SessionError> {
        if self.ticket.tokens.is_empty() {
            self.emit(None, self.without_ticket());
            return Ok(());
        }
        let mut budget = Budget::new(self.engine().deadlines.open, self.engine().deadlines.call);
        let mut choice = Choice::default();
        for token in &self.ticket.tokens {
            self.try_token(namespace, store, token, &mut budget, &mut choice)
                .await?;
        }
        self.settle_choice(choice);
        Ok(())
    }

    /// Takes a session that a candidate opens, if it is the only one.
    fn take_up(&self, opened: Base, choice: &mut Choice) {
        let Base::Opened { id, client, .. } = &opened else {
            return;
        };
        let mut live = self.live();
        let takes = match &live.base {
            Base::Opened { id: other, .. } if other != id => {
                choice.are_several = true;
                false
            }
            // Of two good tokens of one session the current one is not the previous one.
            Base::Opened { .. } => client.presented == Presented::Current,
            _ => true,
        };
        if takes {
            live.base = opened;
        }
    }

    /// The one session that the candidates open; none when they open several.
    fn settle_choice(&self, choice: Choice) {
        let mut live = self.live();
        if choice.are_several {
            live.base = Base::New;
            self.emit(None, EventKind::DuplicateTokens);
        } else if let Some(id) = live.id() {
            self.emit(Some(id), EventKind::Opened);
        } else if choice.is_late {
            live.base = Base::Void(VoidReason::Late);
        }
    }

    async fn try_token(
        &self,
        namespace: &CompiledNamespace,
        store: &AnyStore,
        token: &Token,
        budget: &mut Budget,
        choice: &mut Choice,
    ) -> Result<(), SessionError> {
        let settings = &namespace.settings;
        let now = self.live().opened;
        let key = Key::new(namespace.id, token.id());
        let id = Some(token.id());
        let hash = token.secret().hash(&namespace.hasher);
        let answers_from_copies = store.answers_from_copies();
        let mut freshness = Freshness::Any;
        loop {
            let is_final = freshness == Freshness::Latest || !answers_from_copies;
            let found = self.load_record(store, key, freshness, budget).await;
            freshness = Freshness::Latest;
            let loaded = match found {
                Ok(Some(loaded)) => loaded,
                Ok(None) if !is_final => continue,
                Ok(None) => {
                    self.emit(id, EventKind::UnknownToken);
                    return Ok(());
                }
                Err(error) if error.kind() == StoreErrorKind::Corrupt => {
                    return self.corrupt(namespace, token);
                }
                Err(error) => return Err(SessionError::Store(error)),
            };
            let Ok(stored) = Stored::read(loaded) else {
                return self.corrupt(namespace, token);
            };
            let judgement = judge(&stored, hash, settings, now);
            let presented = match judgement {
                Judgement::Current => Presented::Current,
                Judgement::Previous => Presented::Previous,
                _ if !is_final => continue,
                refused => {
                    return self
                        .refuse(namespace, store, key, refused, budget, choice)
                        .await;
                }
            };
            let client = Client {
                epoch: stored.envelope.epoch,
                secret: Some(token.secret().clone()),
                presented,
            };
            let id = token.id();
            self.take_up(Base::Opened { id, stored, client }, choice);
            return Ok(());
        }
    }

    /// Notes why a token opens nothing.
    async fn refuse(
        &self,
        namespace: &CompiledNamespace,
        store: &AnyStore,
        key: Key,
        judgement: Judgement,
        budget: &mut Budget,
        choice: &mut Choice,
    ) -> Result<(), SessionError> {
        let id = Some(key.id);
        match judgement {
            Judgement::Late => {
                self.emit(id, EventKind::Late);
                choice.is_late = true;
            }
            Judgement::Expired => self.emit(id, EventKind::Expired),
            Judgement::Replaced => {
                self.emit(id, EventKind::ReplacedToken);
                if namespace.settings.on_replaced_token == ReplacedTokenPolicy::EndSession {
                    call(store.delete(key), Operation::Delete, budget).await?;
                    self.emit(id, EventKind::Ended);
                }
            }
            _ => self.emit(id, EventKind::WrongSecret),
        }
        Ok(())
    }

    async fn load_record(
        &self,
        store: &AnyStore,
        key: Key,
        freshness: Freshness,
        budget: &mut Budget,
    ) -> Result<Option<Loaded>, StoreError> {
        let loaded = call(store.load(key, freshness), Operation::Load, budget).await;
        if let Err(error) = &loaded {
            let kind = EventKind::StoreFailed(Operation::Load, error.kind());
            self.emit(Some(key.id), kind);
        }
        loaded
    }

    fn corrupt(&self, namespace: &CompiledNamespace, token: &Token) -> Result<(), SessionError> {
        self.emit(Some(token.id()), EventKind::Corrupt);
        match namespace.settings.on_corrupt {
            CorruptPolicy::Reset => Ok(()),
            CorruptPolicy::Fail => Err(SessionError::Corrupt {
                namespace: namespace.name().to_owned(),
            }),
        }
    }

    fn without_ticket(&self) -> EventKind {
        match self.ticket.is_malformed {
            true => EventKind::MalformedToken,
            false => EventKind::NoToken,
        }
    }

    #[cfg(feature = "client-side")]
    fn unseal(&self, namespace: &CompiledNamespace, sealer: &Sealer) {
        if self.ticket.sealed.is_empty() {
            self.emit(None, self.without_ticket());
            return;
        }
        let now = self.live().opened;
        let mut choice = Choice::default();
        for sealed in &self.ticket.sealed {
            let Some((id, stored)) = crate::client_side::open(sealer, sealed) else {
                self.emit(None, EventKind::MalformedToken);
                continue;
            };
            if has_expired(&stored, &namespace.settings, now) {
                self.emit(Some(id), EventKind::Expired);
                continue;
            }
            let client = Client {
                epoch: stored.envelope.epoch,
                secret: None,
                presented: Presented::Current,
            };
            self.take_up(Base::Opened { id, stored, client }, &mut choice);
        }
        self.settle_choice(choice);
    }
}

/// What the candidates have come to, beside the session that is taken up.
#[derive(Default)]
struct Choice {
    are_several: bool,
    is_late: bool,
}

/// The session is being opened. Whoever stops halfway leaves it to the next.
struct Opening<'a>(&'a SessionState);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let mut live = self.0.live();
        if live.phase == Phase::Opening {
            live.phase = Phase::Unopened;
            live.base = Base::New;
        }
        drop(live);
        self.0.changed.notify_waiters();
    }
}
