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
    AnyStore, Freshness, Key, Loaded, Operation, SessionId, Store, StoreError, StoreErrorKind,
    Timestamp,
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
    let record = &stored.meta.record;
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
        let now = self.engine().now();
        let mut opening = loop {
            let changed = {
                let mut live = self.live();
                match live.phase {
                    Phase::Opened => return Ok(()),
                    Phase::Unopened => {
                        live.phase = Phase::Opening;
                        break Opening(Some(self));
                    }
                    Phase::Opening => live.wait(&self.changed),
                }
            };
            changed.await;
        };
        let base = self.load(now).await?;
        opening.0 = None;
        let mut live = self.live();
        live.base = base;
        live.opened = now;
        live.phase = Phase::Opened;
        live.wake(&self.changed);
        Ok(())
    }

    async fn load(&self, now: Timestamp) -> Result<Base, SessionError> {
        let namespace = self.namespace()?;
        match &namespace.backend {
            Backend::Store(store) => self.load_stored(namespace, store, now).await,
            #[cfg(feature = "client-side")]
            Backend::Cookie { sealer, .. } => Ok(self.unseal(namespace, sealer, now)),
        }
    }

    async fn load_stored(
        &self,
        namespace: &CompiledNamespace,
        store: &AnyStore,
        now: Timestamp,
    ) -> Result<Base, SessionError> {
        if self.ticket.tokens.is_empty() {
            self.emit(None, self.without_ticket());
            return Ok(Base::New);
        }
        let mut budget = Budget::new(self.engine().deadlines.open, self.engine().deadlines.call);
        let mut choice = Choice::default();
        for token in &self.ticket.tokens {
            self.try_token(namespace, store, token, now, &mut budget, &mut choice)
                .await?;
        }
        Ok(self.choose(choice))
    }

    /// The one session that the candidates open; none when they open several.
    fn choose(&self, choice: Choice) -> Base {
        if choice.are_several {
            self.emit(None, EventKind::DuplicateTokens);
            return Base::New;
        }
        match choice.base {
            Base::Opened { id, .. } => self.emit(Some(id), EventKind::Opened),
            _ if choice.is_late => return Base::Void(VoidReason::Late),
            _ => {}
        }
        choice.base
    }

    async fn try_token(
        &self,
        namespace: &CompiledNamespace,
        store: &AnyStore,
        token: &Token,
        now: Timestamp,
        budget: &mut Budget,
        choice: &mut Choice,
    ) -> Result<(), SessionError> {
        let settings = &namespace.settings;
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
            choice.take_up(id, stored, client);
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
    fn unseal(&self, namespace: &CompiledNamespace, sealer: &Sealer, now: Timestamp) -> Base {
        if self.ticket.sealed.is_empty() {
            self.emit(None, self.without_ticket());
            return Base::New;
        }
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
            choice.take_up(id, stored, client);
        }
        self.choose(choice)
    }
}

/// What the candidates have come to.
struct Choice {
    base: Base,
    are_several: bool,
    is_late: bool,
}

impl Choice {
    fn take_up(&mut self, id: SessionId, stored: Stored, client: Client) {
        match &self.base {
            Base::Opened { id: other, .. } if *other != id => self.are_several = true,
            // Of two good tokens of one session the current one is not the previous one.
            Base::Opened { .. } if client.presented != Presented::Current => {}
            _ => self.base = Base::Opened { id, stored, client },
        }
    }
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            base: Base::New,
            are_several: false,
            is_late: false,
        }
    }
}

/// The session is being opened. Whoever stops halfway leaves it to the next.
struct Opening<'a>(Option<&'a SessionState>);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if let Some(state) = self.0 {
            let mut live = state.live();
            live.phase = Phase::Unopened;
            live.wake(&state.changed);
        }
    }
}
