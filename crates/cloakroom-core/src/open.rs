//! Opening a session: loading the record and judging the token, once per request.

use std::{sync::Arc, time::Duration};

use cloakroom_store::{
    AnyStore, Freshness, Key, Loaded, Operation, Store, StoreError, StoreErrorKind, Timestamp,
};
use smallvec::SmallVec;

#[cfg(feature = "client-side")]
use crate::sealed::Sealer;
use crate::{
    call::{Budget, call},
    commit::{Client, Presented, Stored},
    envelope::Envelope,
    error::SessionError,
    event::{EventKind, VoidReason},
    namespace::{Backend, CompiledNamespace, CorruptPolicy, ReplacedTokenPolicy, Settings},
    session::{Base, SessionState},
    token::{SecretHash, Token},
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
    let previous = secret.previous.filter(|previous| previous.hash == hash);
    match previous {
        _ if secret.hash == hash && is_expired => Judgement::Expired,
        _ if secret.hash == hash => Judgement::Current,
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
    pub(crate) async fn open(self: &Arc<Self>) -> Result<(), SessionError> {
        self.opening.get_or_try_init(|| self.load()).await?;
        Ok(())
    }

    async fn load(&self) -> Result<(), SessionError> {
        let namespace = self.namespace()?;
        let now = self.engine().now();
        let base = match &namespace.backend {
            Backend::Store(store) => self.load_stored(namespace, store, now).await?,
            #[cfg(feature = "client-side")]
            Backend::Cookie { sealer, .. } => self.unseal(namespace, sealer, now),
        };
        let mut live = self.live();
        live.base = base;
        live.opened = now;
        Ok(())
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
        let mut good: SmallVec<[Base; 1]> = SmallVec::new();
        let mut is_late = false;
        for token in &self.ticket.tokens {
            match self
                .try_token(namespace, store, token, now, &mut budget)
                .await?
            {
                Some(base @ Base::Opened { .. }) => good.push(base),
                Some(_) => is_late = true,
                None => {}
            }
        }
        Ok(self.choose(good, is_late))
    }

    /// The one session that the candidates open; none when they open several.
    fn choose(&self, mut good: SmallVec<[Base; 1]>, is_late: bool) -> Base {
        let id_of = |base: &Base| match base {
            Base::Opened { id, .. } => Some(*id),
            _ => None,
        };
        let first = good.first().and_then(id_of);
        if good.iter().any(|base| id_of(base) != first) {
            self.emit(None, EventKind::DuplicateTokens);
            return Base::New;
        }
        // Of two good tokens of one session the current one is not the previous one.
        let current = good
            .iter()
            .position(|base| matches!(base, Base::Opened { client, .. } if client.presented != Presented::Previous));
        match good.is_empty() {
            false => {
                self.emit(first, EventKind::Opened);
                good.swap_remove(current.unwrap_or(0))
            }
            true if is_late => Base::Void(VoidReason::Late),
            true => Base::New,
        }
    }

    async fn try_token(
        &self,
        namespace: &CompiledNamespace,
        store: &AnyStore,
        token: &Token,
        now: Timestamp,
        budget: &mut Budget,
    ) -> Result<Option<Base>, SessionError> {
        let settings = &namespace.settings;
        let key = Key::new(namespace.id, token.id());
        let id = Some(token.id());
        let hash = token.secret().hash(namespace.name());
        let mut freshness = Freshness::Any;
        loop {
            let is_final = freshness == Freshness::Latest || !store.answers_from_copies();
            let found = self.load_record(store, key, freshness, budget).await;
            freshness = Freshness::Latest;
            let stored = match found.map(|loaded| loaded.map(Stored::read)) {
                Ok(Some(Ok(stored))) => stored,
                Ok(None) if !is_final => continue,
                Ok(None) => {
                    self.emit(id, EventKind::UnknownToken);
                    return Ok(None);
                }
                Ok(Some(Err(_))) => return self.corrupt(namespace, token),
                Err(error) if error.kind() == StoreErrorKind::Corrupt => {
                    return self.corrupt(namespace, token);
                }
                Err(error) => return Err(SessionError::Store(error)),
            };
            let judgement = judge(&stored, hash, settings, now);
            let is_good = matches!(judgement, Judgement::Current | Judgement::Previous);
            if !is_good && !is_final {
                continue;
            }
            match judgement {
                Judgement::Current | Judgement::Previous => {
                    let client = Client {
                        epoch: stored.envelope.epoch,
                        secret: Some(token.secret().clone()),
                        presented: match judgement {
                            Judgement::Previous => Presented::Previous,
                            _ => Presented::Current,
                        },
                    };
                    let id = token.id();
                    return Ok(Some(Base::Opened { id, stored, client }));
                }
                Judgement::Late => {
                    self.emit(id, EventKind::Late);
                    return Ok(Some(Base::Void(VoidReason::Late)));
                }
                Judgement::Wrong => self.emit(id, EventKind::WrongSecret),
                Judgement::Expired => self.emit(id, EventKind::Expired),
                Judgement::Replaced => {
                    self.emit(id, EventKind::ReplacedToken);
                    if settings.on_replaced_token == ReplacedTokenPolicy::EndSession {
                        call(store.delete(key), Operation::Delete, budget).await?;
                        self.emit(id, EventKind::Ended);
                    }
                }
            }
            return Ok(None);
        }
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

    fn corrupt(
        &self,
        namespace: &CompiledNamespace,
        token: &Token,
    ) -> Result<Option<Base>, SessionError> {
        self.emit(Some(token.id()), EventKind::Corrupt);
        match namespace.settings.on_corrupt {
            CorruptPolicy::Reset => Ok(None),
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
        let mut good: SmallVec<[Base; 1]> = SmallVec::new();
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
            good.push(Base::Opened { id, stored, client });
        }
        self.choose(good, false)
    }
}
