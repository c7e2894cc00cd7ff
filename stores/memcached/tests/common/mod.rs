//! What the tests share.

#![allow(dead_code, reason = "no test uses all of it")]

pub(crate) mod node;

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use cloakroom_memcached::{MemcachedStore, MemcachedStoreBuilder};
use cloakroom_store::{
    Freshness, Key, Loaded, NamespaceId, Record, SessionId, Store, Timestamp, Version,
};
use cloakroom_testkit::{SplitMix64, service};

/// The URL of the server for tests.
#[track_caller]
pub(crate) fn url() -> Option<String> {
    service("CLOAKROOM_TEST_MEMCACHED_URL")
}

/// A store with a prefix, so that tests don't meet, and with patience: what is late on a busy machine
/// is not lost.
pub(crate) async fn connect(url: &str, prefix: &str) -> MemcachedStore {
    let patience = Duration::from_secs(20);
    let builder = MemcachedStore::builder(url).timeout(patience);
    open(builder.connect_timeout(patience).prefix(prefix)).await
}

/// A store as applications have it.
pub(crate) async fn connect_as_usual(url: &str, prefix: &str) -> MemcachedStore {
    open(MemcachedStore::builder(url).prefix(prefix)).await
}

async fn open(builder: MemcachedStoreBuilder) -> MemcachedStore {
    let store = builder.connect().await;
    store.unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)))
}

/// A prefix that no earlier run has used.
pub(crate) fn fresh(name: &str) -> String {
    format!("{name}-{:x}", random())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server goes by the real time"
)]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::EPOCH.saturating_add(since)
}

pub(crate) fn namespace() -> NamespaceId {
    NamespaceId::new("account").unwrap()
}

/// A key that nobody has.
pub(crate) fn a_key() -> Key {
    let mut bytes = SplitMix64::new(random());
    let mut id = [0; 16];
    id.copy_from_slice(&bytes.bytes(16));
    Key::new(namespace(), SessionId::from_bytes(id))
}

/// A living record.
pub(crate) fn a_record() -> Record {
    let now = now();
    let version = Version::from_bits(random());
    let half_an_hour = Duration::from_secs(1800);
    Record::new(
        version,
        now,
        now.saturating_add(half_an_hour),
        "data".into(),
    )
}

/// One with so much data.
pub(crate) fn a_record_of(size: usize) -> Record {
    let mut record = a_record();
    record.data = vec![b'x'; size].into();
    record
}

/// The next record after one, with the same times.
pub(crate) fn after(loaded: &Loaded) -> Record {
    let mut record = loaded.record.clone();
    record.version = Version::from_bits(random());
    record
}

pub(crate) async fn load(store: &impl Store, key: &Key) -> Option<Loaded> {
    store.load(key, Freshness::Latest).await.unwrap()
}

/// A number that does not come again.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

/// A connection beside the store's.
pub(crate) struct Raw(BufReader<TcpStream>);

impl Raw {
    /// To the server of a URL.
    pub(crate) fn to(url: &str) -> Self {
        let stream = TcpStream::connect(url.rsplit('/').next().unwrap()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        Self(BufReader::new(stream))
    }

    /// Says a line, and gives the line that comes back.
    pub(crate) fn tell(&mut self, line: &str) -> String {
        self.say(format!("{line}\r\n").as_bytes());
        self.line()
    }

    /// Keeps a value under a name, whatever is there.
    pub(crate) fn set(&mut self, name: &str, value: &[u8]) {
        let line = format!("set {name} 0 0 {}\r\n", value.len());
        self.say(&[line.as_bytes(), value, b"\r\n"].concat());
        assert_eq!(self.line(), "STORED");
    }

    /// What a name has.
    pub(crate) fn get(&mut self, name: &str) -> Option<Vec<u8>> {
        let line = self.tell(&format!("mg {name} v"));
        let length = line.strip_prefix("VA ")?.parse().unwrap();
        let mut value = vec![0; length + 2];
        self.0.read_exact(&mut value).unwrap();
        value.truncate(length);
        Some(value)
    }

    /// What the server has counted.
    pub(crate) fn stats(&mut self) -> BTreeMap<String, u64> {
        self.say(b"stats\r\n");
        let mut stats = BTreeMap::new();
        loop {
            let line = self.line();
            if line == "END" {
                return stats;
            }
            let mut words = line.split(' ').skip(1);
            if let (Some(name), Some(Ok(number))) = (words.next(), words.next().map(str::parse)) {
                stats.insert(name.to_owned(), number);
            }
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end_matches("\r\n").to_owned()
    }
}
