//! What a feed has heard and not told yet.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cloakroom_store::{Change, Key, NamespaceId, SessionId, StoreErrorKind};
use tokio::{sync::Notify, time::Instant};

use crate::{
    error::Failure,
    tell::{ALL, QUESTION},
};

/// How many keys wait to be told before it is said that anything may have changed.
pub(crate) const MOST: usize = 1024;

/// How old the last proof may be that nothing was missed: the moment a question was sent that the
/// server has answered.
pub(crate) const LIMIT: Duration = Duration::from_millis(450);

/// Filled by the connection, emptied by who listens.
#[derive(Debug)]
pub(crate) struct Told {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    keys: BTreeSet<Key>,
    all: bool,
    answered: bool,
    proof: Instant,
    end: Option<Failure>,
    /// A question that was not heard yet.
    question: Option<u64>,
}

/// What a notification says.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    All,
    Question(u64),
    Keys(Vec<Key>),
}

impl Told {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                keys: BTreeSet::new(),
                all: false,
                answered: false,
                proof: Instant::now(),
                end: None,
                question: None,
            }),
            changed: Notify::new(),
        }
    }

    /// Takes what was notified, by whomever.
    pub(crate) fn hear(&self, payload: &str) {
        let mut state = self.state();
        // What is not understood may be anything.
        match read(payload).unwrap_or(Said::All) {
            Said::All => state.forget(),
            Said::Keys(keys) => state.hear(keys),
            Said::Question(number) if state.question == Some(number) => state.question = None,
            // Another's.
            Said::Question(_) => {}
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The server has answered what it was asked then.
    pub(crate) fn answered(&self, asked: Instant) {
        let mut state = self.state();
        state.answered = true;
        state.proof = asked;
        drop(state);
        self.changed.notify_one();
    }

    /// Nothing more is heard.
    pub(crate) fn end(&self, failure: Failure) {
        self.state().end.get_or_insert(failure);
        self.changed.notify_one();
    }

    /// Until when the server has to answer.
    pub(crate) fn deadline(&self) -> Instant {
        self.state().proof + LIMIT
    }

    /// Waits for what comes next.
    pub(crate) async fn next(&self) -> Result<Change, Failure> {
        loop {
            if let Some(next) = self.state().take() {
                return next;
            }
            self.changed.notified().await;
        }
    }

    /// A question is about to be asked.
    pub(crate) fn expect(&self, question: u64) {
        self.state().question = Some(question);
    }

    /// Waits until the question was heard, or nothing more is.
    pub(crate) async fn heard(&self) {
        while self.waits() {
            self.changed.notified().await;
        }
    }

    /// Whether a question was not heard yet.
    pub(crate) fn waits(&self) -> bool {
        let state = self.state();
        state.question.is_some() && state.end.is_none()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn hear(&mut self, keys: Vec<Key>) {
        if self.all {
            return;
        }
        self.keys.extend(keys);
        if self.keys.len() > MOST {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.keys.clear();
        self.all = true;
    }

    fn take(&mut self) -> Option<Result<Change, Failure>> {
        if let Some(failure) = &self.end {
            return Some(Err(failure.clone()));
        }
        // A program that was stopped for a while has not heard yet what happened meanwhile.
        if self.proof.elapsed() > LIMIT {
            return Some(Err(silent()));
        }
        if std::mem::take(&mut self.all) {
            return Some(Ok(Change::All));
        }
        if let Some(key) = self.keys.pop_first() {
            return Some(Ok(Change::Key(key)));
        }
        std::mem::take(&mut self.answered).then_some(Ok(Change::Nothing))
    }
}

pub(crate) fn silent() -> Failure {
    let what = "PostgreSQL did not answer who listens to changes within 450 ms";
    Failure::said(StoreErrorKind::Unavailable, what)
}

/// `None` for what no trigger of the store has said.
fn read(payload: &str) -> Option<Said> {
    if payload == ALL {
        return Some(Said::All);
    }
    if let Some(number) = payload.strip_prefix(QUESTION) {
        return u64::from_str_radix(number, 16).ok().map(Said::Question);
    }
    let mut keys = Vec::new();
    for key in payload.split(',') {
        let (id, namespace) = key.split_at_checked(32)?;
        let (id, namespace) = (SessionId::parse(id)?, bytes(namespace)?);
        // Nobody has a copy of what has a name that none can have.
        let namespace = std::str::from_utf8(&namespace).ok();
        let namespace = namespace.and_then(|name| NamespaceId::new(name).ok());
        keys.extend(namespace.map(|namespace| Key::new(namespace, id)));
    }
    Some(Said::Keys(keys))
}

/// From an even number of hexadecimal digits.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u16) -> Key {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        Key::new(NamespaceId::new("cart").unwrap(), SessionId::from_bytes(id))
    }

    /// As a trigger writes it.
    fn named(key: &Key) -> String {
        let namespace = key.namespace.as_str().bytes();
        let namespace: String = namespace.map(|byte| format!("{byte:02x}")).collect();
        format!("{}{namespace}", key.id)
    }

    fn all_of(told: &Told) -> Vec<Change> {
        let take = || told.state().take().map(Result::unwrap);
        std::iter::from_fn(take).collect()
    }

    #[test]
    fn keys_come_before_the_answer_that_followed_them() {
        let told = Told::new();
        let (first, second) = (key(1), key(2));
        told.hear(&format!("{},{}", named(&first), named(&second)));
        told.hear(&named(&first));
        told.answered(Instant::now());
        let expected = [Change::Key(first), Change::Key(second), Change::Nothing];
        assert_eq!(all_of(&told), expected);
    }

    #[test]
    fn who_listens_slowly_is_told_all() {
        let told = Told::new();
        for number in 0..2_000 {
            told.hear(&named(&key(number)));
            assert!(told.state().keys.len() <= MOST);
        }
        assert_eq!(all_of(&told), [Change::All]);
        told.hear(&named(&key(1)));
        assert_eq!(all_of(&told), [Change::Key(key(1))]);
    }

    #[test]
    fn what_is_not_understood_is_all() {
        let good = named(&key(1));
        for odd in [
            "",
            "*",
            "**",
            ",",
            "?",
            "?x",
            "x",
            "é",
            &good[..31],
            &good[..33],
            &good.to_uppercase().replace('0', "A").replace('6', "G"),
            &format!("{good},"),
            &format!("{good} {good}"),
            &format!("{}é", "a".repeat(31)),
            &format!("{}+1", "0".repeat(32)),
        ] {
            let told = Told::new();
            told.hear(odd);
            assert_eq!(all_of(&told), [Change::All], "{odd:?}");
        }
    }

    #[test]
    fn what_is_no_session_and_questions_of_others_are_nothing() {
        let id = "0".repeat(32);
        for other in [&id, &format!("{id}41"), &format!("{id}ff"), "?12ab"] {
            let told = Told::new();
            told.expect(1);
            told.hear(other);
            assert_eq!(all_of(&told), [], "{other:?}");
            assert!(told.waits());
        }
        let told = Told::new();
        told.expect(0x12ab);
        told.hear("?12ab");
        assert!(!told.waits());
    }

    #[test]
    fn an_end_is_told_first() {
        let told = Told::new();
        told.hear(&named(&key(1)));
        told.end(silent());
        assert!(told.state().take().unwrap().is_err());
    }

    #[tokio::test]
    async fn nothing_is_told_by_who_has_not_heard_for_long() {
        let told = Told::new();
        told.hear(&named(&key(1)));
        told.answered(Instant::now() - LIMIT - Duration::from_millis(1));
        assert!(told.next().await.is_err());
    }
}
