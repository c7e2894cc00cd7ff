//! What the tests share.

#![allow(dead_code, reason = "no test uses all of it")]

pub(crate) mod feeds;
pub(crate) mod node;
pub(crate) mod nodes;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use cloakroom_redis::{RedisStore, RedisStoreBuilder};
use cloakroom_store::{
    Freshness, Key, Loaded, NamespaceId, Record, SessionId, Store, Subject, Timestamp, Version,
};
use cloakroom_testkit::{SplitMix64, service};
use redis::{Cmd, Value, aio::MultiplexedConnection};

/// The URL of the server for tests.
#[track_caller]
pub(crate) fn url() -> Option<String> {
    service("CLOAKROOM_TEST_REDIS_URL")
}

/// The URL of the cluster for tests, with the scheme for clusters whatever it has.
#[track_caller]
pub(crate) fn cluster_url() -> Option<String> {
    let url = service("CLOAKROOM_TEST_REDIS_CLUSTER_URL")?;
    Some(url.replacen("redis://", "redis-cluster://", 1))
}

/// A store with a prefix, so that tests don't meet, and with patience: what is late on a busy machine
/// is not wrong.
pub(crate) async fn connect(url: &str, prefix: &str) -> RedisStore {
    let patience = Duration::from_secs(20);
    let builder = RedisStore::builder(url).timeout(patience);
    open(builder.connect_timeout(patience).prefix(prefix)).await
}

/// A store as applications have it.
pub(crate) async fn connect_as_usual(url: &str, prefix: &str) -> RedisStore {
    open(RedisStore::builder(url).prefix(prefix)).await
}

async fn open(builder: RedisStoreBuilder) -> RedisStore {
    let store = builder.connect().await;
    store.unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)))
}

/// A prefix that no earlier run has used.
pub(crate) fn fresh(name: &str) -> String {
    format!(
        "{name}-{:x}",
        now().as_millis() ^ u64::from(std::process::id()) << 44
    )
}

/// A connection beside the store's.
pub(crate) async fn raw(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// Sends what is written as one would on the command line.
pub(crate) async fn tell(connection: &mut MultiplexedConnection, line: &str) -> Value {
    let mut words = line.split(' ');
    let mut command = Cmd::new();
    words.by_ref().for_each(|word| {
        command.arg(word);
    });
    let told = command.query_async(connection).await;
    told.unwrap_or_else(|error| panic!("{line}: {error}"))
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
pub(crate) fn a_record(subject: Option<&str>) -> Record {
    let now = now();
    let version = Version::from_bits(random());
    let half_an_hour = Duration::from_secs(1800);
    let mut record = Record::new(
        version,
        now,
        now.saturating_add(half_an_hour),
        "data".into(),
    );
    record.subject = subject.map(|subject| Subject::new(subject).unwrap());
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

/// All sessions of a subject.
pub(crate) async fn sessions(store: &impl Store, subject: &str, limit: usize) -> Vec<Key> {
    let subject = Subject::new(subject).unwrap();
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let listed = store.by_subject("account", &subject, after.as_ref(), limit);
        let page = listed.await.unwrap();
        keys.extend(page.sessions.iter().map(|session| session.key));
        after = page.next;
        if after.is_none() {
            return keys;
        }
    }
}

/// A number that does not come again.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

/// How often the server has carried out which command since it was last asked, those inside of
/// scripts too. What the tests themselves ask for is left out.
pub(crate) async fn commands(connection: &mut MultiplexedConnection) -> BTreeMap<String, u64> {
    let mut info = redis::cmd("INFO");
    let stats: String = info
        .arg("commandstats")
        .query_async(connection)
        .await
        .unwrap();
    tell(connection, "CONFIG RESETSTAT").await;
    let counts = stats.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let calls = rest.split(',').next()?.parse().ok()?;
        Some((name.to_owned(), calls))
    });
    let asked = |name: &str| name.starts_with("config") || name == "info";
    counts.filter(|(name, _)| !asked(name)).collect()
}

/// Such counts, as `get=1 set=2`.
pub(crate) fn counts(text: &str) -> BTreeMap<String, u64> {
    let pair = |pair: &str| {
        let (name, calls) = pair.split_once('=').unwrap();
        (name.to_owned(), calls.parse().unwrap())
    };
    text.split_ascii_whitespace().map(pair).collect()
}

/// Waits until something is so; for the longest that a fail-over may take.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
