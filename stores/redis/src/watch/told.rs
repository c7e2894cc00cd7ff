//! What a feed has heard and not told yet.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cloakroom_store::{Change, Key};
use redis::{PushInfo, PushKind, Value};
use tokio::{sync::Notify, time::Instant};

use crate::{error::Fault, names::Names};

/// How many keys wait to be told before it is said that anything may have changed.
pub(crate) const MOST: usize = 1024;

/// How old the last proof may be that nothing was missed: the moment a question was sent that all
/// servers have answered.
pub(crate) const LIMIT: Duration = Duration::from_millis(900);

/// Filled by the connections, emptied by who listens.
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
    end: Option<Fault>,
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
            }),
            changed: Notify::new(),
        }
    }

    /// Takes what a server says unasked.
    pub(crate) fn hear(&self, said: PushInfo, names: &Names) {
        if said.kind != PushKind::Invalidate {
            return;
        }
        let mut state = self.state();
        match <[Value; 1]>::try_from(said.data) {
            Ok([Value::Array(keys)]) => keys.iter().for_each(|key| state.hear(key, names)),
            // All keys were flushed, or it is not understood.
            Ok(_) | Err(_) => state.forget(),
        }
        drop(state);
        self.changed.notify_one();
    }

    /// All servers have answered what they were asked then.
    pub(crate) fn answered(&self, asked: Instant) {
        let mut state = self.state();
        state.answered = true;
        state.proof = asked;
        drop(state);
        self.changed.notify_one();
    }

    /// Nothing more is heard.
    pub(crate) fn end(&self, fault: Fault) {
        self.state().end.get_or_insert(fault);
        self.changed.notify_one();
    }

    /// Until when the servers have to answer.
    pub(crate) fn deadline(&self) -> Instant {
        self.state().proof + LIMIT
    }

    pub(crate) async fn next(&self) -> Result<Change, Fault> {
        loop {
            if let Some(next) = self.state().take() {
                return next;
            }
            self.changed.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn hear(&mut self, name: &Value, names: &Names) {
        let Value::BulkString(name) = name else {
            return self.forget();
        };
        // What is named otherwise is no record.
        if let Some(key) = names.read_record(name)
            && !self.all
        {
            self.keys.insert(key);
            if self.keys.len() > MOST {
                self.forget();
            }
        }
    }

    fn forget(&mut self) {
        self.keys.clear();
        self.all = true;
    }

    fn take(&mut self) -> Option<Result<Change, Fault>> {
        if let Some(fault) = &self.end {
            return Some(Err(fault.clone()));
        }
        // A program that was stopped for a while has not heard yet what happened meanwhile.
        if self.proof.elapsed() > LIMIT {
            return Some(Err(Fault::Silent("the server".to_owned(), LIMIT)));
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

#[cfg(test)]
mod tests {
    use cloakroom_store::{NamespaceId, SessionId};

    use super::*;

    fn names() -> Names {
        Names::new("shop".to_owned()).unwrap()
    }

    fn key(number: u16) -> Key {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        Key::new(NamespaceId::new("cart").unwrap(), SessionId::from_bytes(id))
    }

    fn invalidate(data: Vec<Value>) -> PushInfo {
        PushInfo {
            kind: PushKind::Invalidate,
            data,
        }
    }

    fn changed(key: &Key) -> PushInfo {
        let name = Value::BulkString(names().record(key));
        invalidate(vec![Value::Array(vec![name])])
    }

    fn all_of(told: &Told) -> Vec<Change> {
        let take = || told.state().take().map(Result::unwrap);
        std::iter::from_fn(take).collect()
    }

    #[test]
    fn keys_come_before_the_answer_that_followed_them() {
        let told = Told::new();
        told.hear(changed(&key(1)), &names());
        told.hear(changed(&key(1)), &names());
        told.answered(Instant::now());
        assert_eq!(all_of(&told), [Change::Key(key(1)), Change::Nothing]);
    }

    #[test]
    fn who_listens_slowly_is_told_all() {
        let told = Told::new();
        for number in 0..2_000 {
            told.hear(changed(&key(number)), &names());
            assert!(told.state().keys.len() <= MOST);
        }
        assert_eq!(all_of(&told), [Change::All]);
        told.hear(changed(&key(1)), &names());
        assert_eq!(all_of(&told), [Change::Key(key(1))]);
    }

    #[test]
    fn what_is_not_understood_is_all_and_other_keys_are_nothing() {
        for odd in [
            vec![],
            vec![Value::Nil],
            vec![Value::Int(1)],
            vec![Value::Array(vec![Value::Nil])],
            vec![Value::Array(vec![]), Value::Array(vec![])],
        ] {
            let told = Told::new();
            told.hear(invalidate(odd), &names());
            assert_eq!(all_of(&told), [Change::All]);
        }
        let told = Told::new();
        for name in [
            &b""[..],
            b"shop:s:",
            b"shop:s:cart:xyz",
            b"\xff",
            b"shop:u:cart:ann",
        ] {
            let name = Value::BulkString(name.to_vec());
            told.hear(invalidate(vec![Value::Array(vec![name])]), &names());
        }
        assert_eq!(all_of(&told), []);
    }

    #[test]
    fn an_end_is_told_first() {
        let told = Told::new();
        told.hear(changed(&key(1)), &names());
        told.end(Fault::NoRuntime);
        assert!(told.state().take().unwrap().is_err());
    }

    #[tokio::test]
    async fn nothing_is_told_by_who_has_not_heard_for_long() {
        let told = Told::new();
        told.hear(changed(&key(1)), &names());
        told.answered(Instant::now() - LIMIT - Duration::from_millis(1));
        assert!(told.next().await.is_err());
    }
}
