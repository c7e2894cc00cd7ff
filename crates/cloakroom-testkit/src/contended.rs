use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc, time::Duration};

use cloakroom_core::{Clock as _, SystemClock};
use cloakroom_store::{
    Freshness, Key, Loaded, NamespaceId, Record, SessionId, Store, StoreError, StoreErrorKind,
    Version,
};
use tokio::task::JoinSet;

use crate::random::{SplitMix64, fresh_seed};

const NAMESPACE: &str = "contended";

/// One record that several stores, and several processes, update at the same time: each update adds
/// one to a number and a word of its own to a list, and is said again until nobody comes in
/// between. None may be lost.
///
/// [`Conformance`](crate::Conformance) has such a case with stores of one process. This one can be
/// shared with others: its text, by `Display` and [`FromStr`], is all that they need, and
/// [`child`](crate::child()) starts them.
///
/// All methods panic when the store does not do what it should.
///
/// # Examples
/// ```
/// # use cloakroom_memory::MemoryStore;
/// use cloakroom_testkit::Contended;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let one = MemoryStore::new();
/// # let other = one.clone();
/// let record = Contended::create(&one).await;
/// tokio::join!(
///     record.update(&one, "a", 5, 20),
///     record.update(&other, "b", 5, 20),
/// );
/// record.assert_holds(&one, 200).await;
/// assert_eq!(record.to_string().parse(), Ok(record)); // for another process
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contended(Key);

impl Contended {
    /// Creates the record, under a key that nobody has. It lives for half an hour by the clock of
    /// this machine.
    ///
    /// # Panics
    /// When the store fails.
    pub async fn create(store: &impl Store) -> Self {
        let mut id = [0; 16];
        let random = SplitMix64::new(fresh_seed()).bytes(16);
        id.iter_mut().zip(random).for_each(|(to, from)| *to = from);
        let this = Self::of(SessionId::from_bytes(id));
        let now = SystemClock.now();
        let expires = now.saturating_add(Duration::from_secs(30 * 60));
        let record = Record::new(version(), now, expires, "0".into());
        good("create", store.create(&this.0, &record).await);
        this
    }

    /// Updates it `tasks` times `each`, from so many tasks at the same time. `name` tells the
    /// callers apart: no two may have the same.
    ///
    /// # Panics
    /// When the record is not there, or the store fails with anything but `Conflict`.
    ///
    /// ```
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_testkit::Contended;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let store = MemoryStore::new();
    /// let record = Contended::create(&store).await;
    /// record.update(&store, "a", 5, 20).await;
    /// record.assert_holds(&store, 100).await;
    /// # }
    /// ```
    pub async fn update(
        &self,
        store: &(impl Store + Clone),
        name: &str,
        tasks: usize,
        each: usize,
    ) {
        let (this, name) = (*self, Arc::<str>::from(name));
        let mut under_way = JoinSet::new();
        for task in 0..tasks {
            let (store, name) = (store.clone(), Arc::clone(&name));
            under_way.spawn(async move {
                for number in 0..each {
                    this.update_once(&store, format!("{name}-{task}-{number}"))
                        .await;
                }
            });
        }
        // A panic of one is a panic here.
        under_way.join_all().await;
    }

    /// Looks whether so many updates, and no others, are in the record.
    ///
    /// # Panics
    /// When one was lost.
    pub async fn assert_holds(&self, store: &impl Store, updates: usize) {
        let (number, words) = self.read(&self.load(store).await);
        assert_eq!(
            (number, words.len()),
            (updates, updates),
            "of {updates} updates the number has {number}, and there are {} words",
            words.len()
        );
    }

    async fn update_once(&self, store: &impl Store, word: String) {
        loop {
            let loaded = self.load(store).await;
            let (number, mut words) = self.read(&loaded);
            words.insert(word.clone());
            let words: Vec<String> = words.into_iter().collect();
            let mut next = loaded.record.clone();
            next.version = version();
            next.data = format!("{} {}", number + 1, words.join(" ")).into();
            match store.replace(&self.0, &next, &loaded).await {
                Err(error) if error.kind() == StoreErrorKind::Conflict => {}
                replaced => {
                    good("replace", replaced);
                    return;
                }
            }
        }
    }

    async fn load(&self, store: &impl Store) -> Loaded {
        let loaded = good("load", store.load(&self.0, Freshness::Latest).await);
        loaded.unwrap_or_else(|| fail("the record is gone"))
    }

    /// The number, and the words.
    fn read(&self, loaded: &Loaded) -> (usize, BTreeSet<String>) {
        let text = String::from_utf8_lossy(&loaded.record.data);
        let mut words = text.split_ascii_whitespace().map(str::to_owned);
        let number = words.next().and_then(|number| number.parse().ok());
        let number = number.unwrap_or_else(|| fail("the record holds something else"));
        (number, words.collect())
    }

    fn of(id: SessionId) -> Self {
        let namespace = NamespaceId::new(NAMESPACE);
        let namespace = namespace.unwrap_or_else(|error| fail(&error.to_string()));
        Self(Key::new(namespace, id))
    }
}

impl fmt::Display for Contended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.id.fmt(f)
    }
}

impl FromStr for Contended {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        SessionId::parse(text).map(Self::of).ok_or(())
    }
}

fn version() -> Version {
    Version::from_bits(fresh_seed())
}

#[track_caller]
fn good<T>(what: &str, result: Result<T, StoreError>) -> T {
    result.unwrap_or_else(|error| fail(&format!("{what}: {error:?}")))
}

#[expect(clippy::panic, reason = "how a test fails")]
#[track_caller]
fn fail(what: &str) -> ! {
    panic!("{what}");
}
