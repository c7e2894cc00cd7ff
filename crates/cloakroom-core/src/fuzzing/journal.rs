use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::input::Input;
use crate::{
    codec::CodecFailure,
    frames::{self, Frames},
    journal::{Journal, Step},
};

type Map = BTreeMap<String, Vec<u8>>;

/// What a request does with one session.
#[derive(Clone, Debug)]
enum Operation {
    Clear,
    Set(String, Option<Vec<u8>>),
    Update(String, Change),
    /// A commit begins; what comes next is put after what it writes.
    Commit,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Push(u8),
    Shorten,
    Remove,
    /// Fails on a value that begins with this.
    FailOn(u8),
}

impl Change {
    /// `None` is a failure.
    fn run(self, before: Option<&[u8]>) -> Option<Option<Vec<u8>>> {
        let mut value = before.unwrap_or_default().to_vec();
        match self {
            Self::Push(byte) => value.push(byte),
            Self::Shorten => drop(value.pop()),
            Self::Remove => return Some(None),
            Self::FailOn(byte) if value.first() == Some(&byte) => return None,
            Self::FailOn(_) => return Some(before.map(<[u8]>::to_vec)),
        }
        Some(Some(value))
    }

    fn step(self) -> Step {
        Box::new(move |before| {
            let failure = || CodecFailure::Decode("no such value".into());
            let after = self.run(before).ok_or_else(failure)?;
            Ok(after.map(Bytes::from))
        })
    }
}

/// Makes changes on one map and replays them on another: as if a plain map had been changed.
pub fn journal(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (seen, fresh) = (map(&mut input), map(&mut input));
    let mut view = seen.clone();
    let (mut journal, mut later) = (Journal::default(), None);
    let mut done = Vec::new();
    while !input.is_empty() {
        let operation = operation(&mut input);
        if matches!(operation, Operation::Commit) && later.is_none() {
            later = Some(Journal::default());
        }
        let target = later.as_mut().unwrap_or(&mut journal);
        if carry_out(&operation, &mut view, target) {
            done.push(operation);
        }
    }
    if let Some(later) = later {
        journal.append(later);
    }
    let seen_frames = stored(&seen);
    check_view(&journal, &seen, &view);
    assert_eq!(written(&journal, &seen_frames, false), Some(view.clone()));
    assert_eq!(
        journal.changes_anything(&seen_frames, None),
        seen != view,
        "changes_anything"
    );
    assert_eq!(written(&journal, &seen_frames, true), Some(view));
    let expected = replayed(&done, &fresh);
    let fresh_frames = stored(&fresh);
    assert_eq!(written(&journal, &fresh_frames, true), expected);
    if let (Ok(values), Some(expected)) = (journal.replayed_values(&fresh_frames), expected) {
        let changes = journal.changes_anything(&fresh_frames, Some(&values));
        assert_eq!(changes, expected != fresh, "changes_anything, replayed");
    }
}

fn map(input: &mut Input<'_>) -> Map {
    let count = input.byte() % 8;
    (0..count)
        .map(|_| (key(input), input.few().to_vec()))
        .collect()
}

/// Few keys, so that changes meet.
fn key(input: &mut Input<'_>) -> String {
    match input.byte() % 8 {
        0 => String::new(),
        1 => "\0=&é".to_owned(),
        2 => String::from_utf8_lossy(input.few()).into_owned(),
        n => format!("key {n}"),
    }
}

fn operation(input: &mut Input<'_>) -> Operation {
    match input.byte() % 16 {
        0 => Operation::Clear,
        1 => Operation::Commit,
        2..=4 => Operation::Set(key(input), None),
        5..=8 => Operation::Set(key(input), Some(input.few().to_vec())),
        9..=11 => Operation::Update(key(input), Change::Push(input.byte())),
        12 => Operation::Update(key(input), Change::Remove),
        13 => Operation::Update(key(input), Change::FailOn(input.byte())),
        _ => Operation::Update(key(input), Change::Shorten),
    }
}

/// `false` when an update fails, and so does nothing.
fn carry_out(operation: &Operation, view: &mut Map, journal: &mut Journal) -> bool {
    let (key, after) = match operation {
        Operation::Commit => return true,
        Operation::Clear => {
            view.clear();
            journal.clear();
            return true;
        }
        Operation::Set(key, value) => {
            journal.set(key, value.clone().map(Bytes::from));
            (key, value.clone())
        }
        Operation::Update(key, change) => {
            let Some(after) = change.run(view.get(key).map(Vec::as_slice)) else {
                return false;
            };
            journal.update(key, change.step(), after.clone().map(Bytes::from));
            (key, after)
        }
    };
    match after {
        Some(value) => drop(view.insert(key.clone(), value)),
        None => drop(view.remove(key)),
    }
    true
}

/// What the journal says of each key is what the request sees.
fn check_view(journal: &Journal, seen: &Map, view: &Map) {
    for key in seen.keys().chain(view.keys()) {
        let value = match journal.get(key) {
            Some(value) => value.map(|value| &value[..]),
            None => seen.get(key).map(Vec::as_slice),
        };
        assert_eq!(value, view.get(key).map(Vec::as_slice), "{key:?}");
    }
    let lengths = journal
        .keys()
        .filter_map(|(key, value)| Some(frames::frame_length(key.as_bytes(), value?)));
    assert_eq!(journal.byte_len(None), lengths.sum::<usize>());
}

/// What the operations make of a map, each key on its own: `None` when an update fails that
/// nothing has replaced.
fn replayed(operations: &[Operation], stored: &Map) -> Option<Map> {
    let of_operation = |operation: &Operation| match operation {
        Operation::Set(key, _) | Operation::Update(key, _) => Some(key.clone()),
        _ => None,
    };
    let keys = operations.iter().filter_map(of_operation);
    let mut result = Map::new();
    for key in keys.chain(stored.keys().cloned()) {
        let replaces = |operation: &Operation| match operation {
            Operation::Clear => true,
            Operation::Set(other, _) => *other == key,
            _ => false,
        };
        let begin = operations.iter().rposition(replaces);
        let mut value = match begin.and_then(|at| operations.get(at)) {
            Some(Operation::Set(_, value)) => value.clone(),
            Some(_) => None,
            None => stored.get(&key).cloned(),
        };
        for operation in operations.iter().skip(begin.unwrap_or(0)) {
            if let Operation::Update(other, change) = operation
                && *other == key
            {
                value = change.run(value.as_deref())?;
            }
        }
        if let Some(value) = value {
            result.insert(key, value);
        }
    }
    Some(result)
}

fn stored(map: &Map) -> Frames {
    let mut bytes = BytesMut::new();
    for (key, value) in map {
        assert!(frames::put(&mut bytes, key.as_bytes(), value));
    }
    Frames::parse(bytes.freeze(), 0).expect("frames that were just put are frames")
}

/// The map that a commit writes on top of `stored`; `None` when the replay fails.
fn written(journal: &Journal, stored: &Frames, replays: bool) -> Option<Map> {
    let values = match replays {
        true => Some(journal.replayed_values(stored).ok()?),
        false => None,
    };
    let mut bytes = BytesMut::new();
    assert!(journal.write(stored, values.as_ref(), &mut bytes));
    let frames = Frames::parse(bytes.freeze(), 0).expect("a journal writes frames");
    let mut map = Map::new();
    for (key, value) in frames.iter() {
        let key = String::from_utf8(key.to_vec()).expect("keys are text");
        let before = map.insert(key, value.to_vec());
        assert_eq!(before, None, "a key is there twice");
    }
    Some(map)
}
