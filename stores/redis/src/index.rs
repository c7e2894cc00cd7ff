//! The index of subjects: hints, added before the record is written, verified when they are read.
//!
//! An index is a sorted set in which all scores are 0, so the server orders it by its members. A
//! member is an id (16 bytes) and the server's time when it was added (8 bytes, big-endian). There
//! is one for each id, and who adds it again makes it a new one, so removing a wrong hint never
//! removes the one that a login has just added. A hint is wrong when its record is gone or is
//! another's although the hint is older than any call may take.

use std::time::Duration;

use bytes::Bytes;
use cloakroom_store::{
    Cursor, Key, NamespaceId, Page, Record, SessionId, StoreError, Subject, Summary,
};
use futures_util::future::try_join_all;
use redis::{Cmd, Value};

use crate::{
    blob::{self, SUMMARY_LENGTH},
    call::Call,
    cursor,
    error::Unexpected,
    expiry,
    store::Inner,
};

/// From this age on a hint without a record is wrong. The record is written within one call after
/// the hint; whoever waits longer has been told that it failed.
const CERTAIN: Duration = Duration::from_secs(60);

/// How many hints one page looks at.
const PAGE: usize = 250;

/// A member of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hint {
    /// Of what no store has added, as much as there is.
    id: SessionId,
    /// `None` for what no store has added.
    added: Option<u64>,
    member: Vec<u8>,
}

impl Hint {
    fn read(member: Vec<u8>) -> Self {
        let mut id = [0; 16];
        id.iter_mut()
            .zip(&member)
            .for_each(|(to, from)| *to = *from);
        let time = |added: &[u8]| added.try_into().map(u64::from_be_bytes).ok();
        Self {
            id: SessionId::from_bytes(id),
            added: member.get(16..).and_then(time),
            member,
        }
    }

    /// Whether a login may be about to make it right.
    fn is_recent(&self, now: u64) -> bool {
        let certain = u64::try_from(CERTAIN.as_millis()).unwrap_or(u64::MAX);
        let age = self.added.map(|added| now.saturating_sub(added));
        age.is_some_and(|age| age <= certain)
    }
}

impl Inner {
    /// Tells the index that a record is about to have a subject, or to live longer, if it does not
    /// know: `before` is what the record is now.
    pub(crate) async fn hint(
        &self,
        call: &Call,
        key: &Key,
        before: Option<&Record>,
        after: &Record,
    ) -> Result<(), StoreError> {
        let Some(subject) = &after.subject else {
            return Ok(());
        };
        let is_known = before.is_some_and(|before| {
            before.subject.as_ref() == Some(subject) && !expiry::needs_longer(before, after)
        });
        if is_known {
            return Ok(());
        }
        let index = self.names.index(&key.namespace, subject);
        let (until, certain) = (expiry::of_index(after), CERTAIN.as_millis().to_string());
        let arguments: [&[u8]; 3] = [key.id.as_bytes(), until.as_bytes(), certain.as_bytes()];
        let script = &self.scripts.hint;
        let suspects = self.servers.run(call, &index, script, &arguments).await?;
        let suspects = read_hints(suspects, call)?;
        if !suspects.is_empty() {
            // Housekeeping: a login does not fail for it.
            let _ = self
                .verify(call, key.namespace, subject, suspects, None)
                .await;
        }
        Ok(())
    }

    /// A page of a subject's sessions.
    pub(crate) async fn list(
        &self,
        call: &Call,
        namespace: NamespaceId,
        subject: &Subject,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let limit = limit.clamp(1, PAGE);
        let index = self.names.index(&namespace, subject);
        let begin = after.map_or_else(|| b"-".to_vec(), past);
        let count = (limit + 1).to_string();
        let arguments: [&[u8]; 2] = [&begin, count.as_bytes()];
        let script = &self.scripts.hints;
        let answer = self.servers.run(call, &index, script, &arguments).await?;
        let (now, mut hints) = read_hints_at(answer, call)?;
        let next: Option<Cursor> = (hints.len() > limit)
            .then(|| hints.get(limit - 1).map(|last| cursor::of_subject(last.id)))
            .flatten();
        hints.truncate(limit);
        let sessions = self
            .verify(call, namespace, subject, hints, Some(now))
            .await?;
        Ok(Page::new(sessions, next))
    }

    /// Those of the sessions that are the subject's. Wrong hints are removed: all that turn out so,
    /// or if the time is given, those that are old enough then.
    async fn verify(
        &self,
        call: &Call,
        namespace: NamespaceId,
        subject: &Subject,
        hints: Vec<Hint>,
        now: Option<u64>,
    ) -> Result<Vec<Summary>, StoreError> {
        let found = hints.iter().map(async |hint| match hint.added {
            Some(_) => self.summary(call, Key::new(namespace, hint.id)).await,
            None => Ok(None),
        });
        let found = try_join_all(found).await?;
        let mut sessions = Vec::new();
        let mut wrong = Vec::new();
        for (hint, summary) in hints.into_iter().zip(found) {
            match summary.filter(|summary| summary.subject.as_ref() == Some(subject)) {
                Some(summary) => sessions.push(summary),
                None if now.is_some_and(|now| hint.is_recent(now)) => {}
                None => wrong.push(hint.member),
            }
        }
        if !wrong.is_empty() {
            let index = self.names.index(&namespace, subject);
            let mut remove = redis::cmd("ZREM");
            remove.arg(&index).arg(wrong);
            // Housekeeping: the answer is right without it.
            let _ = self.servers.ask(call, &index, &remove).await;
        }
        Ok(sessions)
    }

    /// The summary of what is there; `None` for nothing and for what is no record.
    pub(crate) async fn summary(
        &self,
        call: &Call,
        key: Key,
    ) -> Result<Option<Summary>, StoreError> {
        let name = self.names.record(&key);
        let answer = self.servers.ask(call, &name, &get_summary(&name)).await;
        let answer = match answer {
            Err(error) if error.kind() == cloakroom_store::StoreErrorKind::Corrupt => {
                return Ok(None);
            }
            answer => answer?,
        };
        let bytes: Bytes = blob::bytes(answer, call.operation)?;
        Ok(blob::summary(key, &bytes))
    }
}

/// Reads what a listing shows, however much data there is.
fn get_summary(name: &[u8]) -> Cmd {
    let mut command = redis::cmd("GETRANGE");
    command.arg(name).arg(0).arg(SUMMARY_LENGTH - 1);
    command
}

/// Where the members begin that follow all members of an id.
fn past(id: SessionId) -> Vec<u8> {
    let mut begin = vec![b'('];
    begin.extend_from_slice(id.as_bytes());
    begin.extend_from_slice(&[0xff; 9]);
    begin
}

fn read_hints(answer: Value, call: &Call) -> Result<Vec<Hint>, StoreError> {
    let Value::Array(members) = answer else {
        return Err(Unexpected::during(call.operation));
    };
    let members = members.into_iter().filter_map(|member| match member {
        Value::BulkString(member) => Some(Hint::read(member)),
        _ => None,
    });
    Ok(members.collect())
}

fn read_hints_at(answer: Value, call: &Call) -> Result<(u64, Vec<Hint>), StoreError> {
    let parts = match answer {
        Value::Array(parts) => <[Value; 2]>::try_from(parts).ok(),
        _ => None,
    };
    let Some([Value::Int(now), hints]) = parts else {
        return Err(Unexpected::during(call.operation));
    };
    Ok((u64::try_from(now).unwrap_or(0), read_hints(hints, call)?))
}
