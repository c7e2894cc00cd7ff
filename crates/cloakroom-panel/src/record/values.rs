//! Values as they are kept: encoded, and made text of when somebody looks at them.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hasher},
    ops::Range,
};

use cloakroom_core::{
    Codec, Data, ShownValue,
    store::{SessionId, Timestamp},
};

use super::{
    head::beginning,
    mask::Masks,
    model::{Change, KeyChange, RecordedValue},
    room::Room,
};

/// The most bytes of a value that are kept.
const LONGEST_VALUE: usize = 4 * 1024;

/// The most bytes of a key that are kept.
const LONGEST_KEY: usize = 256;

/// The most keys of a session that are kept.
const MOST_KEYS: usize = 300;

/// Memory for the next [`KeptData`]: most sessions are small, and so are the blocks that they need.
#[derive(Debug, Default)]
pub(super) struct Spare(Vec<(Vec<u8>, Vec<Span>)>);

/// The most bytes, and the most values, that memory has which is used again.
const SPARE: (usize, usize) = (1024, 32);

impl Spare {
    fn take(&mut self) -> (Vec<u8>, Vec<Span>) {
        let new = || (Vec::with_capacity(256), Vec::with_capacity(8));
        self.0.pop().unwrap_or_else(new)
    }

    pub(super) fn add(&mut self, data: KeptData) {
        let (mut text, mut spans) = (data.text, data.spans);
        if text.capacity() <= SPARE.0 && spans.capacity() <= SPARE.1 {
            text.clear();
            spans.clear();
            self.0.push((text, spans));
        }
    }
}

/// What was in a session at one moment.
#[derive(Debug)]
pub(super) struct KeptData {
    pub(super) id: Option<SessionId>,
    pub(super) has_subject: bool,
    pub(super) created: Option<Timestamp>,
    pub(super) expires: Option<Timestamp>,
    pub(super) bytes: usize,
    /// Keys and values, one after the other.
    text: Vec<u8>,
    spans: Vec<Span>,
    /// Some values are left out, so what is not here may be there.
    is_part: bool,
}

/// Where a key and its value are.
#[derive(Debug, Clone)]
pub(super) struct Span {
    key: Range<usize>,
    value: Range<usize>,
    /// They are in the text of what came in, which has the same.
    is_same: bool,
    length: usize,
    /// Of the whole value, where not all of it is kept.
    digest: u64,
}

impl KeptData {
    /// What is the same as `before` takes no room.
    pub(super) fn keep(
        data: &Data<'_>,
        before: Option<&Self>,
        room: &mut Room,
        spare: &mut Spare,
    ) -> Self {
        let (text, spans) = spare.take();
        let mut kept = Self {
            id: data.id(),
            has_subject: data.has_subject(),
            created: data.created(),
            expires: data.expires(),
            bytes: 0,
            text,
            spans,
            is_part: false,
        };
        let mut near = 0;
        data.each(&mut |key, value| {
            let encoded = value.encoded();
            kept.bytes += HEAD + key.len() + encoded.len();
            let same = before.and_then(|before| before.same(key.as_bytes(), encoded, &mut near));
            let span = same.or_else(|| kept.put(key, encoded, room));
            match span.filter(|_| kept.spans.len() < MOST_KEYS) {
                Some(span) => kept.spans.push(span),
                None => {
                    kept.is_part = true;
                    room.leave_out();
                }
            }
        });
        kept
    }

    /// The room that it takes, which is free when it is dropped.
    pub(super) fn cost(&self) -> usize {
        self.text.len()
    }

    fn put(&mut self, key: &str, encoded: &[u8], room: &mut Room) -> Option<Span> {
        let key = beginning(key, LONGEST_KEY).as_bytes();
        let value = encoded.get(..LONGEST_VALUE).unwrap_or(encoded);
        if !room.take(key.len() + value.len()) {
            return None;
        }
        let mut add = |bytes: &[u8]| {
            let start = self.text.len();
            self.text.extend_from_slice(bytes);
            start..self.text.len()
        };
        Some(Span {
            key: add(key),
            value: add(value),
            is_same: false,
            length: encoded.len(),
            digest: digest_of(encoded),
        })
    }

    /// The span of a key that has this value here. Keys come in the same order as a rule, so the
    /// search begins where the last one ended.
    fn same(&self, key: &[u8], encoded: &[u8], near: &mut usize) -> Option<Span> {
        let (before, after) = self.spans.split_at_checked(*near)?;
        let is_it = |(_, span): &(usize, &Span)| self.slice(&span.key) == key;
        let after = (*near..).zip(after);
        let (place, span) = after.chain(before.iter().enumerate()).find(is_it)?;
        *near = place + 1;
        let kept = encoded.get(..LONGEST_VALUE).unwrap_or(encoded);
        let is_same = span.length == encoded.len()
            && self.slice(&span.value) == kept
            && span.digest == digest_of(encoded);
        is_same.then(|| Span {
            is_same: true,
            ..span.clone()
        })
    }

    /// The values, by their keys. `before` is what came in.
    fn values<'a>(&'a self, before: Option<&'a Self>) -> BTreeMap<&'a str, KeptValue<'a>> {
        let value = |span: &'a Span| {
            let source = match span.is_same {
                true => before?,
                false => self,
            };
            let key = std::str::from_utf8(source.slice(&span.key)).ok()?;
            let value = KeptValue {
                bytes: source.slice(&span.value),
                length: span.length,
                digest: span.digest,
            };
            Some((key, value))
        };
        self.spans.iter().filter_map(value).collect()
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

/// What a key and a value have in the store besides themselves.
const HEAD: usize = 6;

/// Tells apart what is longer than what is kept of it. It protects nothing.
fn digest_of(encoded: &[u8]) -> u64 {
    if encoded.len() <= LONGEST_VALUE {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(encoded);
    hasher.finish()
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct KeptValue<'a> {
    bytes: &'a [u8],
    length: usize,
    digest: u64,
}

impl KeptValue<'_> {
    fn show(&self, codec: Codec) -> RecordedValue {
        let ShownValue {
            json,
            is_cut,
            is_undecodable,
            ..
        } = codec.show(self.bytes, LONGEST_VALUE);
        let is_part = self.bytes.len() < self.length;
        RecordedValue {
            json,
            is_cut: is_cut || is_part,
            bytes: self.length,
            is_undecodable: is_undecodable && !is_part,
        }
    }
}

/// The keys of a session that is only looked at.
pub(crate) fn keys_of(data: &Data<'_>, codec: Codec, masks: &Masks) -> Vec<KeyChange> {
    let kept = KeptData::keep(data, None, &mut Room::new(), &mut Spare::default());
    compare(Some(&kept), Some(&kept), codec, &|key, json| {
        masks.covers(key) || masks.covers_some_name(json)
    })
}

/// The keys of both, in the order of their names.
pub(super) fn compare(
    before: Option<&KeptData>,
    after: Option<&KeptData>,
    codec: Codec,
    is_masked: &dyn Fn(&str, &str) -> bool,
) -> Vec<KeyChange> {
    let old = before.map(|data| data.values(None)).unwrap_or_default();
    let new = after.map(|data| data.values(before)).unwrap_or_default();
    let mut keys: Vec<&str> = old.keys().chain(new.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    // Of a key that one side has left out nothing can be said.
    let is_part = |data: Option<&KeptData>| data.is_some_and(|data| data.is_part);
    keys.retain(|key| {
        (!is_part(before) || old.contains_key(key)) && (!is_part(after) || new.contains_key(key))
    });
    let change = |key: &str| {
        let (before, after) = (old.get(key), new.get(key));
        let change = match (before, after) {
            (Some(before), Some(after)) if before == after => Change::Unchanged,
            (Some(_), Some(_)) => Change::Changed,
            (Some(_), None) => Change::Removed,
            (None, _) => Change::Added,
        };
        let [before, after] = [before, after].map(|value| value.map(|value| value.show(codec)));
        let covers = |value: &Option<RecordedValue>| {
            let json = value.as_ref().map_or("", |value| &*value.json);
            is_masked(key, json)
        };
        KeyChange {
            key: key.to_owned(),
            is_masked: covers(&before) || covers(&after),
            before,
            after,
            change,
        }
    };
    keys.into_iter().map(change).collect()
}
