//! What was kept of a request, as its pages show it.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};

use cloakroom_core::{EventKind, RequestHead};

use super::{
    mask::Masks,
    model::{
        Access, EntryKind, ReceivedCookie, RecordedCookie, RecordedNamespace, RecordedRequest,
        TimelineEntry,
    },
    recording::{Kept, KeptKind, KeptSession, KeptStep},
    values::compare,
};
use crate::known::KnownNamespace;

/// The most names of cookies that are shown.
const MOST_COOKIES: usize = 100;

impl Kept {
    pub(super) fn show(&self, masks: &Masks) -> RecordedRequest {
        let parameters: Vec<String> = self
            .namespaces()
            .flat_map(|known| known.parameters.iter().cloned())
            .collect();
        let end = self.end.as_ref();
        let head = &self.head;
        let sessions = self.namespaces().zip(&self.sessions).enumerate();
        RecordedRequest {
            number: self.number,
            at: self.at,
            peer: self.peer,
            method: head.method().to_owned(),
            scheme: head.scheme(),
            host: head.text("host").unwrap_or_default().to_owned(),
            path: head.path().to_owned(),
            query: head.query().map(|query| masks.query(query, &parameters)),
            end: end.map(|end| end.end),
            duration: end.map(|end| end.duration),
            content_type: end
                .and_then(|end| end.content_type.clone())
                .map(Cow::into_owned),
            location: end
                .and_then(|end| end.location.as_ref())
                .map(|location| masks.address(location, &parameters)),
            cookies: self.cookies(),
            cookie_bytes: head.values("cookie").map(<[u8]>::len).sum(),
            forwarded_proto: self.forwarded_proto(),
            sent: self.sent(),
            namespaces: sessions
                .map(|(index, (known, session))| self.namespace(index, known, session, masks))
                .collect(),
            timeline: self.steps.iter().map(|step| self.entry(step)).collect(),
            left_out: self.room.left_out(),
        }
    }

    fn cookies(&self) -> Vec<ReceivedCookie> {
        let mut found: BTreeMap<&[u8], (usize, usize)> = BTreeMap::new();
        for pair in self
            .head
            .values("cookie")
            .flat_map(|value| value.split(|byte| *byte == b';'))
        {
            let pair = pair.trim_ascii();
            let Some(equals) = pair.iter().position(|byte| *byte == b'=') else {
                continue;
            };
            let (name, value) = pair.split_at(equals);
            let (count, longest) = found.entry(name).or_default();
            *count += 1;
            *longest = (*longest).max(value.len().saturating_sub(1));
        }
        let cookie = |(name, (count, value_length)): (&[u8], (usize, usize))| ReceivedCookie {
            name: String::from_utf8_lossy(name).into_owned(),
            count,
            value_length,
        };
        found.into_iter().take(MOST_COOKIES).map(cookie).collect()
    }

    fn forwarded_proto(&self) -> Option<String> {
        if let Some(proto) = self.head.text("x-forwarded-proto") {
            return Some(proto.to_owned());
        }
        let forwarded = self.head.text("forwarded")?;
        let proto = forwarded.split([';', ',']).find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            name.eq_ignore_ascii_case("proto").then_some(value)
        })?;
        Some(proto.trim_matches('"').to_owned())
    }

    fn sent(&self) -> Vec<RecordedCookie> {
        let cookie = |step: &KeptStep| match &step.kind {
            KeptKind::Cookie(cookie) => Some((**cookie).clone()),
            _ => None,
        };
        self.steps.iter().filter_map(cookie).collect()
    }

    fn namespace(
        &self,
        index: usize,
        known: &KnownNamespace,
        session: &KeptSession,
        masks: &Masks,
    ) -> RecordedNamespace {
        let steps = || {
            let steps = self.steps.iter();
            steps.filter(move |step| step.namespace.map(usize::from) == Some(index))
        };
        let access = access(steps().map(|step| &step.kind), session);
        let opened = session.opened.as_ref();
        let left = session.left.as_ref().or(opened.filter(|_| session.is_left));
        let after = session.stored.as_ref().or(left);
        let id = opened
            .and_then(|data| data.id)
            .or_else(|| after.and_then(|data| data.id));
        let is_masked = |key: &str, json: &str| masks.covers(key) || masks.covers_some_name(json);
        let data_at_end = after.or(opened);
        RecordedNamespace {
            configuration: Arc::clone(&known.row),
            access,
            id: id.map(|id| id.to_string()),
            is_new: opened.is_some_and(|data| data.id.is_none()),
            has_subject: data_at_end.is_some_and(|data| data.has_subject),
            created: data_at_end.and_then(|data| data.created),
            expires: data_at_end.and_then(|data| data.expires),
            bytes_in: opened.map(|data| data.bytes),
            bytes_out: after.map(|data| data.bytes),
            // While the request is under way, what came in is all that is known.
            keys: compare(opened, data_at_end, known.codec, &is_masked),
            decision: steps()
                .filter_map(|step| match step.kind {
                    KeptKind::Decided(decision) => Some(decision),
                    _ => None,
                })
                .next_back(),
            may_peek: access != Access::Opened && self.head.is_whole(),
        }
    }

    fn entry(&self, step: &KeptStep) -> TimelineEntry {
        let known = self.known(step.namespace.map(usize::from));
        TimelineEntry {
            at: Duration::from_nanos(step.at),
            namespace: known.map(|known| known.row.namespace.clone()),
            kind: self.entry_kind(known, &step.kind),
            is_after_head: step.is_after_head,
        }
    }

    fn entry_kind(&self, known: Option<&KnownNamespace>, kind: &KeptKind) -> EntryKind {
        match kind {
            KeptKind::Judged {
                is_open,
                has_condition,
            } => EntryKind::Judged {
                is_open: *is_open,
                has_condition: *has_condition,
                scheme: self.head.scheme(),
            },
            KeptKind::TokenSeen {
                transport,
                id,
                is_malformed,
            } => EntryKind::TokenSeen {
                transport: known
                    .and_then(|known| known.row.transports.get(*transport).cloned())
                    .unwrap_or_default(),
                id: id.map(|id| id.to_string()),
                is_malformed: *is_malformed,
            },
            KeptKind::TokenJudged { id, verdict } => EntryKind::TokenJudged {
                id: id.map(|id| id.to_string()),
                verdict: *verdict,
            },
            KeptKind::Call {
                operation,
                freshness,
                id,
                end,
                ..
            } => EntryKind::Call {
                operation: *operation,
                freshness: *freshness,
                id: id.map(|id| id.to_string()),
                outcome: end.map(|(outcome, _)| outcome),
                took: end.map(|(_, took)| took),
            },
            KeptKind::Event { id, key, event } => EntryKind::Event {
                id: id.map(|id| id.to_string()),
                key: key.as_deref().map(str::to_owned),
                event: *event,
            },
            KeptKind::Decided(decision) => EntryKind::Decided(*decision),
            KeptKind::Header { name, value } => EntryKind::Header {
                name: name.clone().into_owned(),
                value: value.clone().map(Cow::into_owned),
                cookie: None,
            },
            KeptKind::Cookie(cookie) => EntryKind::Header {
                name: "set-cookie".to_owned(),
                value: None,
                cookie: Some((**cookie).clone()),
            },
        }
    }
}

fn access<'a>(steps: impl Iterator<Item = &'a KeptKind>, session: &KeptSession) -> Access {
    if session.opened.is_some() {
        return Access::Opened;
    }
    steps.fold(Access::NotTouched, |access, step| match step {
        KeptKind::Judged { is_open: true, .. } => Access::Judged,
        KeptKind::Judged { is_open: false, .. }
        | KeptKind::Event {
            event: EventKind::Closed,
            ..
        } => Access::Closed,
        _ => access,
    })
}
