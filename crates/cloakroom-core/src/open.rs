//! Opening a session: loading the record and judging the token, once per request.

use std::{
    error::Error,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use cloakroom_store::{
    Freshness, Key, Loaded, Operation, Record, SessionId, Store, StoreError, StoreErrorKind,
    StoreFuture, Timestamp,
};

#[cfg(feature = "client-side")]
use crate::namespace::Backend;
use crate::{
    call::{self, Budget, call},
    commit::{Client, Presented, Stored},
    envelope::Envelope,
    error::SessionError,
    event::{EventKind, Source, VoidReason},
    namespace::{CompiledNamespace, CorruptPolicy, ReplacedTokenPolicy, Settings},
    session::{Base, Begun, Live, SessionState},
    token::SecretHash,
    trace::TokenVerdict,
    transport::TransportSet,
};

/// A session that has this many times the bytes that it may have is none of ours. One that is a
/// little too large, since its limit was lowered, can still be made smaller.
const OVERSIZED: usize = 16;

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

impl Judgement {
    /// What is to be said of a token that opens nothing.
    fn event(self) -> EventKind {
        match self {
            Self::Late => EventKind::Late,
            Self::Replaced => EventKind::ReplacedToken,
            Self::Expired => EventKind::Expired,
            _ => EventKind::WrongSecret,
        }
    }
}

/// Judges a token's hash by the record of its id.
pub(crate) fn judge(
    record: &Record,
    envelope: &Envelope,
    hash: SecretHash,
    settings: &Settings,
    now: Timestamp,
) -> Judgement {
    let Some(secret) = &envelope.secret else {
        return Judgement::Wrong;
    };
    let is_expired = has_expired(record, envelope, settings, now);
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
        None if !is_expired && is_late(envelope, now) => Judgement::Late,
        None => Judgement::Wrong,
    }
}

/// Both what the record says and what the limits say now: limits that were shortened count for
/// the sessions that there are.
pub(crate) fn has_expired(
    record: &Record,
    envelope: &Envelope,
    settings: &Settings,
    now: Timestamp,
) -> bool {
    let limits = settings.limits.of_session(envelope.lifetime);
    let by_limits = limits.expires(envelope.limit_began, record.last_seen);
    now >= record.expires.min(by_limits)
}

fn is_late(envelope: &Envelope, now: Timestamp) -> bool {
    envelope.epoch > 0 && now.saturating_since(envelope.epoch_began) < LATE
}

impl SessionState {
    /// Loads the session, unless it is loaded. Whoever comes first does it, the others wait.
    ///
    /// Frameworks move the futures of handlers about, so this one is small: what has to wait is in
    /// a box, and a store that answers at once needs none.
    pub(crate) async fn open(&self) -> Result<(), SessionError> {
        if self.ticket.may_redirect() {
            return Box::pin(self.open_or_redirect()).await;
        }
        let deadlines = self.engine().deadlines;
        self.open_within(Budget::new(deadlines.open, deadlines.call))
            .await
    }

    pub(crate) async fn open_within(&self, budget: Budget) -> Result<(), SessionError> {
        match poll_fn(|context| Poll::Ready(self.begin_opening(budget, context))).await {
            Progress::Done(result) => result,
            Progress::Waiting(rest) => rest.await,
        }
    }

    /// Opens the session as far as it goes without waiting.
    fn begin_opening(&self, budget: Budget, context: &mut Context<'_>) -> Progress<'_> {
        let opening = match self.phase.begin() {
            Begun::Opening => Opening(Some(self)),
            Begun::Opened => return Progress::Done(Ok(())),
            Begun::Waiting => return Progress::Waiting(Box::pin(self.wait_for_opening(budget))),
        };
        let mut attempt = Attempt::new(self.engine().now(), budget);
        let Some(mut load) = self.next_load(&attempt) else {
            self.settle_opening(&mut self.live(), &attempt);
            return Progress::Done(opening.succeed());
        };
        let Poll::Ready(loaded) = load.as_mut().poll(context) else {
            return Progress::Waiting(Box::pin(self.go_on(opening, attempt, Next::Load(load))));
        };
        let next = match self.take_up(loaded, &mut attempt) {
            Ok(Tried::Opened) => return Progress::Done(opening.succeed()),
            Ok(Tried::Next) => Next::Candidate,
            Ok(Tried::Replaced(key)) => Next::End(key),
            Err(error) => return Progress::Done(Err(error)),
        };
        Progress::Waiting(Box::pin(self.go_on(opening, attempt, next)))
    }

    async fn go_on(
        &self,
        opening: Opening<'_>,
        mut attempt: Attempt,
        mut next: Next,
    ) -> Result<(), SessionError> {
        loop {
            let loaded = match next {
                Next::Load(load) => call::go_on(load, Operation::Load, &mut attempt.budget).await,
                Next::End(key) => {
                    self.end_replaced(key, &mut attempt.budget).await?;
                    next = Next::Candidate;
                    continue;
                }
                Next::Candidate => match self.next_load(&attempt) {
                    Some(load) => call(load, Operation::Load, &mut attempt.budget).await,
                    None => break,
                },
            };
            next = match self.take_up(loaded, &mut attempt)? {
                Tried::Opened => return opening.succeed(),
                Tried::Next => Next::Candidate,
                Tried::Replaced(key) => Next::End(key),
            };
        }
        self.settle_opening(&mut self.live(), &attempt);
        opening.succeed()
    }

    /// Waits until somebody else has opened the session, or has failed to.
    async fn wait_for_opening(&self, mut budget: Budget) -> Result<(), SessionError> {
        loop {
            let changed = {
                let mut live = self.live();
                match self.phase.is_opening() {
                    true => live.wait(&self.changed),
                    false => break,
                }
            };
            let waited = budget.wait(changed, Operation::Load).await;
            waited.map_err(|error| self.failed(None, error))?;
        }
        match poll_fn(|context| Poll::Ready(self.begin_opening(budget, context))).await {
            Progress::Done(result) => result,
            Progress::Waiting(rest) => rest.await,
        }
    }

    /// The load of the candidate whose turn it is.
    fn next_load(&self, attempt: &Attempt) -> Option<StoreFuture<Option<Loaded>>> {
        let token = self.ticket.tokens.get(attempt.candidate)?;
        let namespace = self.config()?;
        let key = Key::new(namespace.id, token.id());
        let load = namespace.store()?.load(key, attempt.freshness);
        Some(
            self.trace
                .load(namespace.name(), key, attempt.freshness, load),
        )
    }

    /// Judges what was loaded for a candidate, and takes the session up if it opens it. Written
    /// so that what was loaded is moved once.
    fn take_up(
        &self,
        loaded: Result<Option<Loaded>, StoreError>,
        attempt: &mut Attempt,
    ) -> Result<Tried, SessionError> {
        let token = self.ticket.tokens.get(attempt.candidate);
        let (Some(token), Some(namespace)) = (token, self.config()) else {
            return Ok(Tried::Next);
        };
        let Some(store) = namespace.store() else {
            return Ok(Tried::Next);
        };
        let id = token.id();
        let may_be_stale = attempt.freshness == Freshness::Any && store.answers_from_copies();
        let mut loaded = match loaded {
            Ok(Some(loaded)) => loaded,
            Ok(None) if may_be_stale => return Ok(attempt.look_again()),
            Ok(None) => {
                attempt.next();
                self.tell_token(Some(id), TokenVerdict::Unknown);
                self.emit(Some(id), EventKind::UnknownToken);
                return Ok(Tried::Next);
            }
            Err(error) if error.kind() == StoreErrorKind::Corrupt => {
                return match may_be_stale {
                    true => Ok(attempt.look_again()),
                    false => self.corrupt(namespace, id, attempt, error.source()),
                };
            }
            Err(error) => return Err(self.failed(Some(id), error)),
        };
        let data = std::mem::take(&mut loaded.record.data);
        let limit = namespace.settings.max_size.saturating_mul(OVERSIZED);
        let (envelope, frames) = match Envelope::decode(data) {
            Ok((envelope, frames)) if frames.byte_len() <= limit => (envelope, frames),
            _ if may_be_stale => return Ok(attempt.look_again()),
            _ => return self.corrupt(namespace, id, attempt, None),
        };
        let hash = token.secret().hash(&namespace.hasher);
        let times = &loaded.record;
        let judgement = judge(times, &envelope, hash, &namespace.settings, attempt.opened);
        let presented = match judgement {
            Judgement::Current => Presented::Current,
            Judgement::Previous => Presented::Previous,
            _ if may_be_stale => return Ok(attempt.look_again()),
            refused => {
                attempt.next();
                self.tell_token(Some(id), refused);
                return Ok(self.refuse_token(namespace, id, refused, attempt));
            }
        };
        self.tell_token(Some(id), judgement);
        let mut live = self.live();
        if let Some(route) = &self.ticket.route {
            // Those alone whose token is good: ids are public, and a link may have one.
            live.brought |= route.brought(attempt.candidate);
        }
        attempt.next();
        match live.takes_up(id, presented) {
            TakesUp::Yes => {
                live.base = Base::Opened {
                    id,
                    client: Client {
                        epoch: envelope.epoch,
                        secret: Some(token.secret().clone()),
                        presented,
                    },
                    stored: Stored {
                        meta: loaded,
                        frames,
                    },
                };
            }
            TakesUp::No => {}
            TakesUp::Several => attempt.are_several = true,
        }
        if attempt.candidate < self.ticket.tokens.len() {
            return Ok(Tried::Next);
        }
        // The last candidate, as a rule the only one.
        self.settle_opening(&mut live, attempt);
        Ok(Tried::Opened)
    }

    /// Notes why a token opens nothing.
    fn refuse_token(
        &self,
        namespace: &CompiledNamespace,
        id: SessionId,
        judgement: Judgement,
        attempt: &mut Attempt,
    ) -> Tried {
        attempt.is_late |= judgement == Judgement::Late;
        self.emit(Some(id), judgement.event());
        let ends = namespace.settings.on_replaced_token == ReplacedTokenPolicy::EndSession;
        match judgement {
            Judgement::Replaced if ends => Tried::Replaced(Key::new(namespace.id, id)),
            _ => Tried::Next,
        }
    }

    async fn end_replaced(&self, key: Key, budget: &mut Budget) -> Result<(), SessionError> {
        if let Some(store) = self.namespace()?.store() {
            let delete = store.delete(key);
            let delete = self.trace.call(self.name(), key, Operation::Delete, delete);
            let ended = call(delete, Operation::Delete, budget).await;
            ended.map_err(|error| self.failed(Some(key.id), error))?;
            self.emit(Some(key.id), EventKind::Ended);
        }
        Ok(())
    }

    fn corrupt(
        &self,
        namespace: &CompiledNamespace,
        id: SessionId,
        attempt: &mut Attempt,
        source: Source<'_>,
    ) -> Result<Tried, SessionError> {
        let engine = self.engine();
        engine.emit_because(namespace.name(), Some(id), EventKind::Corrupt, source);
        self.tell_token(Some(id), TokenVerdict::Corrupt);
        self.trace
            .event(namespace.name(), Some(id), EventKind::Corrupt);
        attempt.next();
        match namespace.settings.on_corrupt {
            CorruptPolicy::Reset => Ok(Tried::Next),
            CorruptPolicy::Fail => Err(SessionError::Corrupt {
                namespace: namespace.name().to_owned(),
            }),
        }
    }

    /// The one session that the candidates open; none when they open several.
    fn settle_opening(&self, live: &mut Live, attempt: &Attempt) {
        live.opened = attempt.opened;
        let are_several = attempt.are_several | self.unseal(live);
        if are_several {
            live.base = Base::New;
            live.brought = TransportSet::NONE;
            self.emit(None, EventKind::DuplicateTokens);
        } else if let Some(id) = live.id() {
            self.emit(Some(id), EventKind::Opened);
        } else if attempt.is_late {
            live.base = Base::Void(VoidReason::Late);
        } else if self.ticket.is_malformed {
            self.emit(None, EventKind::MalformedToken);
        } else if self.ticket.is_empty() {
            self.emit(None, EventKind::NoToken);
        }
        self.tell_opened(live);
        self.phase.end(true);
        live.wake(&self.changed);
    }

    /// Takes up the session of a client-side namespace. `true` when there are several.
    #[cfg(feature = "client-side")]
    fn unseal(&self, live: &mut Live) -> bool {
        let Some(namespace) = self.config() else {
            return false;
        };
        let Backend::Cookie { sealer, .. } = &namespace.backend else {
            return false;
        };
        let mut are_several = false;
        for sealed in &self.ticket.sealed {
            let Some((id, stored)) = crate::client_side::open(sealer, sealed) else {
                self.tell_token(None, TokenVerdict::Unreadable);
                self.emit(None, EventKind::MalformedToken);
                continue;
            };
            let (record, envelope) = (&stored.meta.record, stored.envelope());
            if has_expired(record, &envelope, &namespace.settings, live.opened) {
                self.tell_token(Some(id), TokenVerdict::Expired);
                self.emit(Some(id), EventKind::Expired);
                continue;
            }
            self.tell_token(Some(id), TokenVerdict::Current);
            let client = Client {
                epoch: envelope.epoch,
                secret: None,
                presented: Presented::Current,
            };
            match live.takes_up(id, client.presented) {
                TakesUp::Yes => live.base = Base::Opened { id, stored, client },
                TakesUp::No => {}
                TakesUp::Several => are_several = true,
            }
        }
        are_several
    }

    #[cfg(not(feature = "client-side"))]
    fn unseal(&self, _: &mut Live) -> bool {
        false
    }
}

impl Live {
    /// Whether a session that a candidate opens is taken up.
    fn takes_up(&self, id: SessionId, presented: Presented) -> TakesUp {
        match self.id() {
            None => TakesUp::Yes,
            Some(other) if other != id => TakesUp::Several,
            // Of two good tokens of one session the current one is not the previous one.
            Some(_) if presented == Presented::Current => TakesUp::Yes,
            Some(_) => TakesUp::No,
        }
    }
}

enum TakesUp {
    Yes,
    No,
    /// Another candidate opens another session.
    Several,
}

/// An opening that has ended, or waits.
enum Progress<'a> {
    Done(Result<(), SessionError>),
    Waiting(Pin<Box<dyn Future<Output = Result<(), SessionError>> + Send + 'a>>),
}

/// What an opening that waits does next.
enum Next {
    Candidate,
    Load(StoreFuture<Option<Loaded>>),
    End(Key),
}

/// How far the candidates have been tried.
struct Attempt {
    opened: Timestamp,
    candidate: usize,
    freshness: Freshness,
    budget: Budget,
    are_several: bool,
    is_late: bool,
}

impl Attempt {
    fn new(opened: Timestamp, budget: Budget) -> Self {
        Self {
            opened,
            candidate: 0,
            freshness: Freshness::Any,
            budget,
            are_several: false,
            is_late: false,
        }
    }

    fn next(&mut self) {
        self.candidate += 1;
        self.freshness = Freshness::Any;
    }

    /// A copy may serve, and never refuse.
    fn look_again(&mut self) -> Tried {
        self.freshness = Freshness::Latest;
        Tried::Next
    }
}

/// What has become of a candidate.
enum Tried {
    /// The next load decides, if there is one.
    Next,
    /// Its token was replaced, and its session is to be ended.
    Replaced(Key),
    /// It was the last, and all is settled.
    Opened,
}

/// The session is being opened. Whoever stops halfway leaves it to the next.
struct Opening<'a>(Option<&'a SessionState>);

impl Opening<'_> {
    fn succeed(mut self) -> Result<(), SessionError> {
        self.0 = None;
        Ok(())
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if let Some(state) = self.0 {
            let mut live = state.live();
            live.base = Base::New;
            live.brought = TransportSet::NONE;
            state.phase.end(false);
            live.wake(&state.changed);
        }
    }
}
