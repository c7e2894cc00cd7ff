//! The changes that one request made to one session, and their replay.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use crate::{
    codec::CodecFailure,
    error::SessionError,
    frames::{self, Frames},
};

/// A change of a value that depends on the value: run in the handler, and again on a fresh value
/// when somebody else has changed the session. `None` is no value.
pub(crate) type Step = Box<dyn Fn(Option<&[u8]>) -> Result<Option<Bytes>, CodecFailure> + Send>;

#[derive(Default)]
pub(crate) struct Journal {
    /// The map was emptied before all changes.
    cleared: bool,
    /// Sorted by key.
    changes: SmallVec<[(ChangedKey, Change); 1]>,
}

/// A key without an allocation of its own, as most are short.
struct ChangedKey(SmallVec<[u8; 24]>);

impl ChangedKey {
    fn as_str(&self) -> &str {
        // It was made of a `str`.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

enum Change {
    /// The value, or its absence, whatever was there.
    Set(Option<Bytes>),
    /// Steps on `from`, or on what the record holds; `current` is the result in this request.
    Update {
        from: Option<Option<Bytes>>,
        steps: SmallVec<[Step; 1]>,
        current: Option<Bytes>,
    },
}

/// The values of a journal's changes, in its order.
pub(crate) type Values = SmallVec<[Option<Bytes>; 1]>;

impl Journal {
    pub(crate) fn is_empty(&self) -> bool {
        !self.cleared && self.changes.is_empty()
    }

    pub(crate) fn is_cleared(&self) -> bool {
        self.cleared
    }

    pub(crate) fn clear(&mut self) {
        self.cleared = true;
        self.changes.clear();
    }

    pub(crate) fn set(&mut self, key: &str, value: Option<Bytes>) {
        self.put(key, Change::Set(value));
    }

    /// Adds a step, and its result in this request, on top of what was set or stored.
    pub(crate) fn update(&mut self, key: &str, step: Step, result: Option<Bytes>) {
        let existing = self.find(key).ok().and_then(|at| self.changes.get_mut(at));
        let from = match existing {
            Some((_, Change::Update { steps, current, .. })) => {
                steps.push(step);
                *current = result;
                return;
            }
            Some((_, Change::Set(value))) => Some(value.take()),
            None => self.cleared.then_some(None),
        };
        let steps = SmallVec::from_buf([step]);
        let current = result;
        self.put(
            key,
            Change::Update {
                from,
                steps,
                current,
            },
        );
    }

    /// Takes the one step on a key back; where there are more, none.
    pub(crate) fn undo(&mut self, key: &str) {
        let Ok(at) = self.find(key) else {
            return;
        };
        if let Some((_, change)) = self.changes.get_mut(at)
            && let Change::Update { from, steps, .. } = change
            && steps.len() == 1
        {
            match from.take() {
                Some(value) => *change = Change::Set(value),
                None => drop(self.changes.remove(at)),
            }
        }
    }

    /// The value after the changes: `None` when the journal says nothing of the key.
    pub(crate) fn get(&self, key: &str) -> Option<Option<&Bytes>> {
        match self.find(key) {
            Ok(at) => self.changes.get(at).map(|(_, change)| change.current()),
            Err(_) => self.cleared.then_some(None),
        }
    }

    pub(crate) fn changes_key(&self, key: &str) -> bool {
        self.find(key).is_ok()
    }

    /// The keys that are changed, and whether they have a value then.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, Option<&Bytes>)> {
        self.changes
            .iter()
            .map(|(key, change)| (key.as_str(), change.current()))
    }

    /// The keys whose value was set or removed without regard to what was there.
    pub(crate) fn keys_set(&self) -> impl Iterator<Item = &str> {
        self.changes
            .iter()
            .filter(|(_, change)| matches!(change, Change::Set(_)))
            .map(|(key, _)| key.as_str())
    }

    /// The values on top of what somebody else has stored meanwhile.
    pub(crate) fn replayed_values(&self, stored: &Frames) -> Result<Values, SessionError> {
        self.changes
            .iter()
            .map(|(key, change)| match change {
                Change::Set(value) => Ok(value.clone()),
                Change::Update { from, steps, .. } => {
                    let mut value = match from {
                        Some(value) => value.clone(),
                        None if self.cleared => None,
                        None => stored.get_bytes(key.as_str()),
                    };
                    for step in steps {
                        value = run(step, value.as_deref())
                            .map_err(|failure| failure.of(key.as_str()))?;
                    }
                    Ok(value)
                }
            })
            .collect()
    }

    /// Whether the map differs from `stored` when the changes have these values, or those that
    /// this request has seen.
    pub(crate) fn changes_anything(&self, stored: &Frames, replayed: Option<&Values>) -> bool {
        let is_changed = |(key, value): (&[u8], Option<&Bytes>)| {
            stored.value(key) != value.map(|value| &**value)
        };
        if self.pairs(replayed).any(is_changed) {
            return true;
        }
        self.cleared && stored.iter().any(|(key, _)| !self.changes_bytes(key))
    }

    /// Appends the frames of `stored` with the changes: untouched values byte for byte.
    /// `false` when something is too long for a frame.
    pub(crate) fn write(
        &self,
        stored: &Frames,
        replayed: Option<&Values>,
        target: &mut BytesMut,
    ) -> bool {
        let mut fits = true;
        if !self.cleared {
            for (key, value) in stored.iter() {
                if !self.changes_bytes(key) {
                    fits &= frames::put(target, key, value);
                }
            }
        }
        for (key, value) in self.pairs(replayed) {
            if let Some(value) = value {
                fits &= frames::put(target, key, value);
            }
        }
        fits
    }

    /// The bytes that the frames of the changed values take.
    pub(crate) fn byte_len(&self, replayed: Option<&Values>) -> usize {
        self.pairs(replayed)
            .filter_map(|(key, value)| Some(frames::frame_length(key, value?)))
            .sum()
    }

    /// Puts later changes after these.
    pub(crate) fn append(&mut self, later: Self) {
        if later.cleared {
            *self = later;
            return;
        }
        for (key, change) in later.changes {
            let key = key.as_str();
            match change {
                Change::Set(value) => self.set(key, value),
                Change::Update {
                    from: None,
                    steps,
                    current,
                } => {
                    for step in steps {
                        self.update(key, step, current.clone());
                    }
                }
                fixed => self.put(key, fixed),
            }
        }
    }

    fn pairs<'a>(
        &'a self,
        replayed: Option<&'a Values>,
    ) -> impl Iterator<Item = (&'a [u8], Option<&'a Bytes>)> {
        self.changes
            .iter()
            .enumerate()
            .map(move |(n, (key, change))| {
                let value = match replayed {
                    Some(values) => values.get(n).and_then(Option::as_ref),
                    None => change.current(),
                };
                (&*key.0, value)
            })
    }

    fn changes_bytes(&self, key: &[u8]) -> bool {
        self.changes
            .binary_search_by(|(changed, _)| (*changed.0).cmp(key))
            .is_ok()
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        let key = key.as_bytes();
        self.changes
            .binary_search_by(|(changed, _)| (*changed.0).cmp(key))
    }

    fn put(&mut self, key: &str, change: Change) {
        match self.find(key) {
            Ok(at) => {
                if let Some((_, existing)) = self.changes.get_mut(at) {
                    *existing = change;
                }
            }
            Err(at) => self
                .changes
                .insert(at, (ChangedKey(key.as_bytes().into()), change)),
        }
    }
}

/// Runs a closure of the application where no handler waits for it.
fn run(step: &Step, value: Option<&[u8]>) -> Result<Option<Bytes>, CodecFailure> {
    catch_unwind(AssertUnwindSafe(|| step(value))).unwrap_or(Err(CodecFailure::Panicked))
}

impl Change {
    fn current(&self) -> Option<&Bytes> {
        match self {
            Self::Set(value) => value.as_ref(),
            Self::Update { current, .. } => current.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(pairs: &[(&str, &str)]) -> Frames {
        let mut bytes = BytesMut::new();
        for (key, value) in pairs {
            frames::put(&mut bytes, key.as_bytes(), value.as_bytes());
        }
        Frames::parse(bytes.freeze(), 0).unwrap()
    }

    fn value(text: &str) -> Option<Bytes> {
        Some(Bytes::copy_from_slice(text.as_bytes()))
    }

    fn push(suffix: &'static str) -> Step {
        Box::new(move |before| {
            let mut text = before.unwrap_or_default().to_vec();
            text.extend_from_slice(suffix.as_bytes());
            Ok(Some(text.into()))
        })
    }

    fn replayed(journal: &Journal, stored: &Frames) -> Vec<(String, String)> {
        let values = journal.replayed_values(stored).unwrap();
        let mut bytes = BytesMut::new();
        assert!(journal.write(stored, Some(&values), &mut bytes));
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut pairs: Vec<_> = Frames::parse(bytes.freeze(), 0)
            .unwrap()
            .iter()
            .map(|(k, v)| (text(k), text(v)))
            .collect();
        pairs.sort();
        pairs
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn changes_land_on_their_own_keys() {
        let mut journal = Journal::default();
        journal.set("a", value("1"));
        journal.set("b", None);
        let fresh = stored(&[("b", "x"), ("c", "y")]);
        assert_eq!(replayed(&journal, &fresh), pairs(&[("a", "1"), ("c", "y")]));
    }

    #[test]
    fn updates_run_again_on_the_fresh_value() {
        let mut journal = Journal::default();
        journal.update("a", push("+"), value("1+"));
        journal.update("a", push("-"), value("1+-"));
        assert_eq!(journal.get("a"), Some(value("1+-").as_ref()));
        assert_eq!(
            replayed(&journal, &stored(&[("a", "2")])),
            pairs(&[("a", "2+-")])
        );
    }

    #[test]
    fn updates_after_a_set_do_not_see_what_others_stored() {
        let mut journal = Journal::default();
        journal.set("a", value("1"));
        journal.update("a", push("+"), value("1+"));
        assert_eq!(
            replayed(&journal, &stored(&[("a", "2")])),
            pairs(&[("a", "1+")])
        );
        journal.set("a", value("3"));
        assert_eq!(
            replayed(&journal, &stored(&[("a", "2")])),
            pairs(&[("a", "3")])
        );
    }

    #[test]
    fn clear_removes_what_others_have_added() {
        let mut journal = Journal::default();
        journal.set("a", value("1"));
        journal.clear();
        journal.update("b", push("+"), value("+"));
        assert_eq!(journal.get("a"), Some(None));
        let fresh = stored(&[("a", "2"), ("b", "3"), ("c", "4")]);
        assert_eq!(replayed(&journal, &fresh), pairs(&[("b", "+")]));
    }

    #[test]
    fn equal_results_change_nothing() {
        let before = stored(&[("a", "1"), ("b", "2")]);
        let mut journal = Journal::default();
        assert!(!journal.changes_anything(&before, None));
        journal.set("a", value("1"));
        journal.set("z", None);
        assert!(!journal.changes_anything(&before, None));
        journal.set("a", value("2"));
        assert!(journal.changes_anything(&before, None));
        journal.clear();
        assert!(journal.changes_anything(&before, None));
        journal.set("a", value("1"));
        journal.set("b", value("2"));
        assert!(!journal.changes_anything(&before, None));
    }

    #[test]
    fn appending_is_as_if_all_was_one_journal() {
        let mut first = Journal::default();
        first.set("a", value("1"));
        first.update("b", push("+"), value("+"));
        let mut later = Journal::default();
        later.update("a", push("!"), value("1!"));
        later.update("b", push("-"), value("+-"));
        later.update("c", push("?"), value("?"));
        first.append(later);
        let fresh = stored(&[("b", "x"), ("c", "y")]);
        assert_eq!(
            replayed(&first, &fresh),
            pairs(&[("a", "1!"), ("b", "x+-"), ("c", "y?")])
        );
        let mut clearing = Journal::default();
        clearing.clear();
        clearing.set("d", value("4"));
        first.append(clearing);
        assert_eq!(replayed(&first, &fresh), pairs(&[("d", "4")]));
    }
}
