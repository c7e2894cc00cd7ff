use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use cloakroom_memory::MemoryStore;
use cloakroom_store::{
    Cursor, Freshness, Key, Loaded, Page, Record, Store, StoreError, Subject, Tag, Timestamp,
};
use tokio::sync::oneshot;

/// A store whose calls wait before and after their effect until the test lets them go on.
#[derive(Debug, Clone)]
pub(crate) struct GatedStore {
    pub(crate) memory: MemoryStore,
    /// Whether they wait after it, too.
    holds_replies: bool,
    gates: Arc<Mutex<Gates>>,
}

#[derive(Debug, Default)]
struct Gates {
    is_closed: bool,
    next: usize,
    waiting: BTreeMap<usize, oneshot::Sender<()>>,
}

/// Longer than the engine pauses after a conflict.
const PAUSE: Duration = Duration::from_millis(30);

impl GatedStore {
    pub(crate) fn new(holds_replies: bool) -> Self {
        Self {
            memory: MemoryStore::new(),
            holds_replies,
            gates: Arc::default(),
        }
    }

    /// Holds calls up from now on, and lets them go on one by one until none comes any more. Calls
    /// `look` after each.
    pub(crate) async fn drive(&self, order: &mut Order, mut look: impl AsyncFnMut()) {
        self.gates.lock().unwrap().is_closed = true;
        loop {
            // The clock stands still while anything can go on.
            tokio::time::sleep(PAUSE).await;
            look().await;
            let mut gates = self.gates.lock().unwrap();
            gates.waiting.retain(|_, gate| !gate.is_closed());
            let waiting: Vec<usize> = gates.waiting.keys().copied().collect();
            if waiting.is_empty() {
                gates.is_closed = false;
                return;
            }
            let gate = waiting[order.choose(waiting.len())];
            gates.waiting.remove(&gate).unwrap().send(()).unwrap();
        }
    }

    async fn gate(&self) {
        let opened = {
            let mut gates = self.gates.lock().unwrap();
            if !gates.is_closed {
                return;
            }
            let (sender, receiver) = oneshot::channel();
            let number = gates.next;
            gates.next += 1;
            gates.waiting.insert(number, sender);
            receiver
        };
        opened.await.unwrap();
    }

    async fn call<T>(&self, effect: impl Future<Output = T>) -> T {
        self.gate().await;
        let result = effect.await;
        if self.holds_replies {
            self.gate().await;
        }
        result
    }
}

impl Store for GatedStore {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, key: &Key, freshness: Freshness) -> Result<Option<Loaded>, StoreError> {
        self.call(self.memory.load(key, freshness)).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        self.call(self.memory.create(key, record)).await
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        // Whose a session is never changes.
        let before = expected.record.subject.as_ref();
        assert!(before.is_none() || before == record.subject.as_ref());
        self.call(self.memory.replace(key, record, expected)).await
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        self.call(self.memory.touch(key, record, expected)).await
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        self.call(self.memory.delete(key)).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.call(self.memory.sweep(now, limit)).await
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let listed = self.memory.by_subject(namespace, subject, after, limit);
        self.call(listed).await
    }
}

/// Which of several calls that wait goes on next, each time that there is a choice.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// What was chosen, of how many.
    choices: Vec<(usize, usize)>,
    made: usize,
}

impl Order {
    fn choose(&mut self, options: usize) -> usize {
        if self.made == self.choices.len() {
            self.choices.push((0, options));
        }
        let (choice, of) = self.choices[self.made];
        assert_eq!(of, options, "a case runs in the same way each time");
        self.made += 1;
        choice
    }

    /// The next one, until there is none.
    fn next(mut self) -> Option<Self> {
        while let Some((choice, options)) = self.choices.pop() {
            if choice + 1 < options {
                self.choices.push((choice + 1, options));
                return Some(Self {
                    choices: self.choices,
                    made: 0,
                });
            }
        }
        None
    }
}

/// Runs a case in every order of its store calls, and says in how many.
pub(crate) async fn in_every_order(case: impl AsyncFn(&mut Order)) -> usize {
    let mut order = Some(Order::default());
    let mut count = 0;
    while let Some(mut current) = order {
        case(&mut current).await;
        count += 1;
        order = current.next();
    }
    count
}
