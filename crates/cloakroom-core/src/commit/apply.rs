//! What changes make of a record: pure, but for the random bytes.

use std::time::Duration;

use cloakroom_store::{EXPIRY_MARGIN, Loaded, Record, SessionId, Timestamp, Version};
use smallvec::SmallVec;

use super::changes::{Changes, Client, Presented, Rotation, Stored};
use crate::{
    envelope::{Envelope, Previous, StoredSecret},
    error::SessionError,
    event::{EventKind, VoidReason},
    frames::Frames,
    journal::{Journal, Values},
    namespace::Settings,
    random::{self, Random, RandomError},
    token::{Secret, SecretHasher},
};

/// How long after its successor was first seen a previous secret stays good.
const GRACE_AFTER_SIGHT: Duration = Duration::from_secs(60);

/// What applying needs to know.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) hasher: &'a SecretHasher,
    pub(crate) settings: &'a Settings,
    pub(crate) random: &'a dyn Random,
    pub(crate) is_client_side: bool,
    pub(crate) now: Timestamp,
}

/// The result of applying changes.
pub(crate) struct Applied {
    /// The record as it is to be written; as it was when `is_written` is false.
    pub(crate) stored: Stored,
    pub(crate) is_written: bool,
    /// Only housekeeping is written: losing it loses nothing of the application's.
    pub(crate) is_optional: bool,
    /// The secret that the client is to be sent.
    pub(crate) secret: Option<Secret>,
    /// That secret is a new one.
    pub(crate) is_new_secret: bool,
    /// What the client's own secret is to the record.
    pub(crate) presented: Presented,
    pub(crate) events: SmallVec<[EventKind; 2]>,
}

impl Applied {
    /// Goes on from a later state of the record, in the same epoch.
    pub(crate) fn go_on_from(&mut self, after: &Stored) {
        let hash = |stored: &Stored| stored.envelope().secret.map(|secret| secret.hash);
        let is_rotated = hash(&self.stored) != hash(after);
        if is_rotated && self.presented == Presented::Current {
            // The client has not seen the next secret, which another request has begun.
            self.presented = Presented::Previous;
        }
        self.stored = after.clone();
    }
}

/// Why changes are not applied.
#[derive(Debug)]
pub(crate) enum Refusal {
    Void(VoidReason),
    Error(SessionError),
}

impl<E: Into<SessionError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// Applies changes to a record. `seen` is what the request had before it, when that is another
/// state of the record: then the changes are replayed.
pub(crate) fn apply(
    changes: &Changes,
    client: &Client,
    seen: Option<&Frames>,
    onto: &Stored,
    scope: Scope<'_>,
) -> Result<Applied, Refusal> {
    let before = onto.envelope();
    if before.epoch != client.epoch {
        return Err(Refusal::Void(VoidReason::NewEpoch));
    }
    let mut events = SmallVec::new();
    let presented = match seen {
        Some(_) => presented_to(client, &before, scope),
        None => client.presented,
    };
    let replayed = match seen {
        Some(seen) => {
            let values = changes.journal.replayed_values(&onto.frames)?;
            check_overwritten(changes, seen, &onto.frames, scope, &mut events)?;
            Some(values)
        }
        None => None,
    };
    let changes_data = changes
        .journal
        .changes_anything(&onto.frames, replayed.as_ref());
    let mut envelope = before.clone();
    let mut secret = None;
    let mut is_new_secret = false;
    let mut is_written = changes_data;
    if changes.login.is_some() || changes.rotation == Some(Rotation::Revoking) {
        secret = begin_epoch(&mut envelope, scope)?;
        is_new_secret = true;
        is_written = true;
    } else if presented == Presented::Previous {
        secret = next_secret(client, &envelope);
    } else if let Some(rotation) = changes.rotation {
        let last_seen = onto.meta.record.last_seen.max(scope.now);
        secret = rotate(&mut envelope, client, presented, last_seen, scope)?;
        is_new_secret = secret.is_some();
        // Losing a rotation that is merely due loses nothing: the next request makes up for it.
        is_written |= is_new_secret && rotation != Rotation::Due;
    }
    if changes.login.is_some() {
        envelope.limit_began = scope.now;
        envelope.csrf_seed = new_csrf_seed(changes, scope)?;
        events.push(EventKind::LoggedIn);
    } else if changes.rotation == Some(Rotation::Revoking) {
        events.push(EventKind::Revoked);
    } else if is_new_secret {
        events.push(EventKind::Rotated);
    }
    if let Some(lifetime) = changes.persist {
        is_written |= envelope.lifetime != Some(lifetime);
        envelope.lifetime = Some(lifetime);
        // The cookie's age changes, so it is sent again.
        if secret.is_none() && presented != Presented::Other {
            secret.clone_from(&client.secret);
        }
    }
    let mut renews_csrf = false;
    if let Some(seed) = &changes.csrf_seed {
        let seed = seed.bytes();
        renews_csrf = envelope.csrf_seed != seed;
        is_written |= renews_csrf;
        envelope.csrf_seed = seed;
    }
    let is_optional = !is_written;
    is_written |= is_new_secret;
    if presented == Presented::Current
        && grace_is_long(&before, scope.now)
        && envelope.epoch == client.epoch
    {
        shorten_grace(&mut envelope, scope.now);
        is_written = true;
    }
    if !is_written {
        return Ok(Applied {
            stored: onto.clone(),
            is_written,
            is_optional,
            secret,
            is_new_secret,
            presented,
            events,
        });
    }
    if changes_data || renews_csrf {
        events.push(EventKind::Saved);
    }
    let mut record = onto.meta.record.clone();
    if let Some(subject) = &changes.login {
        record.subject = Some(subject.clone());
    }
    record.last_seen = record.last_seen.max(scope.now);
    let stored = write(
        record,
        &envelope,
        &changes.journal,
        &onto.frames,
        replayed.as_ref(),
        scope,
    )?;
    Ok(Applied {
        stored,
        is_written,
        is_optional,
        secret,
        is_new_secret,
        presented,
        events,
    })
}

/// A new session.
pub(crate) struct Fresh {
    pub(crate) id: SessionId,
    pub(crate) stored: Stored,
    pub(crate) client: Client,
    pub(crate) events: SmallVec<[EventKind; 2]>,
}

/// Makes a new session of changes. Those made on another session are replayed on nothing, so that
/// its values do not come along.
pub(crate) fn create(
    changes: &Changes,
    are_of_another: bool,
    scope: Scope<'_>,
) -> Result<Fresh, Refusal> {
    let id = SessionId::from_bytes(random::bytes(scope.random)?);
    let secret = match scope.is_client_side {
        true => None,
        false => Some(Secret::new(&random::bytes(scope.random)?)),
    };
    let now = scope.now;
    let envelope = Envelope {
        epoch: 0,
        epoch_began: now,
        limit_began: now,
        rotated: now,
        csrf_seed: new_csrf_seed(changes, scope)?,
        secret: secret.as_ref().map(|secret| StoredSecret {
            hash: secret.hash(scope.hasher),
            nonce: [0; 16],
            previous: None,
        }),
        lifetime: changes.persist,
    };
    let mut record = Record::new(Version::from_bits(0), now, now, bytes::Bytes::new());
    record.subject.clone_from(&changes.login);
    let none = Frames::default();
    let replayed = match are_of_another {
        true => Some(changes.journal.replayed_values(&none)?),
        false => None,
    };
    let stored = write(
        record,
        &envelope,
        &changes.journal,
        &none,
        replayed.as_ref(),
        scope,
    )?;
    let mut events = SmallVec::from_slice(&[EventKind::Created]);
    if changes.login.is_some() {
        events.push(EventKind::LoggedIn);
    }
    Ok(Fresh {
        id,
        client: Client {
            epoch: 0,
            secret,
            presented: Presented::Given,
        },
        stored,
        events,
    })
}

/// How long the client is to keep the cookie; `None` until the browser is closed.
pub(crate) fn max_age(
    stored: &Stored,
    settings: &Settings,
    now: impl FnOnce() -> Timestamp,
) -> Option<Duration> {
    let envelope = stored.envelope();
    let lifetime = envelope.lifetime;
    if !settings.is_persistent && lifetime.is_none() {
        return None;
    }
    let absolute = settings.limits.of_session(lifetime).absolute?;
    let end = envelope.limit_began.saturating_add(absolute);
    Some(end.saturating_since(now()))
}

/// The record with its use noted at `now`; nothing else changes, the version included.
pub(crate) fn touched(stored: &Stored, settings: &Settings, now: Timestamp) -> Record {
    let mut record = stored.record();
    record.last_seen = record.last_seen.max(now);
    record.expires = expires(&stored.envelope(), settings, record.last_seen);
    record
}

/// Whether a record is too old for a commit: by a margin, since it was alive when it was opened.
pub(crate) fn is_gone(record: &Record, now: Timestamp) -> bool {
    record.expires.saturating_add(EXPIRY_MARGIN) <= now
}

/// Whether the previous secret stays good for longer than it needs to, once the next is seen.
pub(crate) fn grace_is_long(envelope: &Envelope, now: Timestamp) -> bool {
    let until = now.saturating_add(GRACE_AFTER_SIGHT);
    previous(envelope).is_some_and(|previous| previous.good_until > until)
}

/// Whether a rotation can begin: none does while a previous secret is good.
pub(crate) fn can_rotate(envelope: &Envelope, now: Timestamp) -> bool {
    previous(envelope).is_none_or(|previous| previous.good_until <= now)
}

fn previous(envelope: &Envelope) -> Option<Previous> {
    envelope.secret.as_ref()?.previous
}

/// What the client's secret is to a record that has changed since it was presented.
fn presented_to(client: &Client, envelope: &Envelope, scope: Scope<'_>) -> Presented {
    let (Some(stored), Some(secret)) = (&envelope.secret, &client.secret) else {
        return client.presented;
    };
    let hash = secret.hash(scope.hasher);
    match stored.previous {
        _ if stored.hash == hash => client.presented,
        Some(previous) if previous.hash == hash => Presented::Previous,
        _ => Presented::Other,
    }
}

/// The secret that a rotation has led to, for a client that still holds the previous one.
fn next_secret(client: &Client, envelope: &Envelope) -> Option<Secret> {
    let nonce = &envelope.secret.as_ref()?.nonce;
    client.secret.as_ref()?.next(nonce)
}

fn rotate(
    envelope: &mut Envelope,
    client: &Client,
    presented: Presented,
    last_seen: Timestamp,
    scope: Scope<'_>,
) -> Result<Option<Secret>, Refusal> {
    if presented == Presented::Other || !can_rotate(envelope, scope.now) {
        return Ok(None);
    }
    let good_until = expires(envelope, scope.settings, last_seen);
    let (Some(stored), Some(current)) = (envelope.secret.as_mut(), client.secret.as_ref()) else {
        return Ok(None);
    };
    let nonce = random::bytes(scope.random)?;
    let Some(secret) = current.next(&nonce) else {
        return Ok(None);
    };
    *stored = StoredSecret {
        hash: secret.hash(scope.hasher),
        nonce,
        previous: Some(Previous {
            hash: stored.hash,
            good_until,
        }),
    };
    envelope.rotated = scope.now;
    Ok(Some(secret))
}

fn begin_epoch(envelope: &mut Envelope, scope: Scope<'_>) -> Result<Option<Secret>, Refusal> {
    envelope.epoch = envelope.epoch.wrapping_add(1);
    envelope.epoch_began = scope.now;
    envelope.rotated = scope.now;
    let Some(stored) = envelope.secret.as_mut() else {
        return Ok(None);
    };
    let secret = Secret::new(&random::bytes(scope.random)?);
    *stored = StoredSecret {
        hash: secret.hash(scope.hasher),
        nonce: [0; 16],
        previous: None,
    };
    Ok(Some(secret))
}

/// What the CSRF tokens of a session that begins or is logged in are made of.
fn new_csrf_seed(changes: &Changes, scope: Scope<'_>) -> Result<[u8; 16], RandomError> {
    match &changes.csrf_seed {
        Some(given_out) => Ok(given_out.bytes()),
        None => random::bytes(scope.random),
    }
}

/// The next secret has arrived, so the previous one is not needed for long.
fn shorten_grace(envelope: &mut Envelope, now: Timestamp) {
    let previous = envelope
        .secret
        .as_mut()
        .and_then(|secret| secret.previous.as_mut());
    if let Some(previous) = previous {
        previous.good_until = now.saturating_add(GRACE_AFTER_SIGHT);
    }
}

fn check_overwritten(
    changes: &Changes,
    seen: &Frames,
    stored: &Frames,
    scope: Scope<'_>,
    events: &mut SmallVec<[EventKind; 2]>,
) -> Result<(), Refusal> {
    let is_overwritten =
        |key: &&str| changes.reads.contains(key) && seen.get(key) != stored.get(key);
    let Some(key) = changes.journal.keys_set().find(is_overwritten) else {
        return Ok(());
    };
    match scope.settings.is_strict {
        true => Err(Refusal::Error(SessionError::Conflict {
            namespace: scope.namespace.to_owned(),
            key: key.to_owned(),
        })),
        false => {
            events.push(EventKind::Overwritten);
            Ok(())
        }
    }
}

fn write(
    mut record: Record,
    envelope: &Envelope,
    journal: &Journal,
    frames: &Frames,
    replayed: Option<&Values>,
    scope: Scope<'_>,
) -> Result<Stored, Refusal> {
    let mut data = envelope.encode(frames.byte_len() + journal.byte_len(replayed));
    let envelope_length = data.len();
    let fits = journal.write(frames, replayed, &mut data);
    let size = data.len() - envelope_length;
    let limit = scope.settings.max_size;
    // A session that is too large already, by a limit set later, can still be made smaller.
    if !fits || (size > limit && size > frames.byte_len()) {
        return Err(Refusal::Error(SessionError::TooLarge {
            namespace: scope.namespace.to_owned(),
            size,
            limit,
        }));
    }
    record.version = Version::from_bits(u64::from_le_bytes(random::bytes(scope.random)?));
    record.expires = expires(envelope, scope.settings, record.last_seen);
    let frames = Frames::parse(data.freeze(), envelope_length).unwrap_or_default();
    Ok(Stored {
        meta: Loaded::new(record),
        frames,
    })
}

fn expires(envelope: &Envelope, settings: &Settings, last_seen: Timestamp) -> Timestamp {
    settings
        .limits
        .of_session(envelope.lifetime)
        .expires(envelope.limit_began, last_seen)
}
