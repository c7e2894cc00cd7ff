use std::{
    sync::{LazyLock, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use cloakroom_store::{Key, Loaded, NamespaceId, Record, SessionId, Subject, Timestamp, Version};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::{
    application::{Application, NOW, cookies_set},
    input::{Cookies, Input, Response},
};
use crate::{
    codec::Codec,
    commit::{Outcome, Stored},
    error::SessionError,
    namespace::{CorruptPolicy, Namespace, ReplacedTokenPolicy},
    request::RequestSessions,
    session::SessionHandle,
    token::{Secret, SecretHasher, Token},
};

/// The offsets in a record's data, as docs/format.md has them.
const LIMIT_BEGAN: usize = 14;
const HASH: usize = 46;
const NONCE: usize = 78;
const PREVIOUS_HASH: usize = 94;

const ID: SessionId = SessionId::from_bytes([3; 16]);
const SECRET: [u8; 32] = [7; 32];
const MARK: &str = "mark";

/// More operations find nothing more.
const MOST_OPERATIONS: usize = 32;

static WORLD: LazyLock<Mutex<Application>> = LazyLock::new(|| {
    Mutex::new(Application::new(|builder, store| {
        let second = Namespace::new("second", store.clone())
            .on_corrupt(CorruptPolicy::Fail)
            .on_replaced_token(ReplacedTokenPolicy::EndSession)
            .rotate_every(Duration::from_secs(60))
            .max_size(256)
            .strict();
        #[cfg(feature = "json")]
        let second = second.codec(Codec::Json);
        builder
            .namespace(Namespace::new("first", store.clone()))
            .namespace(second)
    }))
});

/// A store that answers with any data, also when the session is loaded again after a conflict. A
/// request reads all of it, changes it, and commits. Whatever was there: no panic, no endless
/// work, and a change that was accepted is there for the next request.
pub fn stored(bytes: &[u8]) {
    let world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    world.store.clear();
    world.random.begin_again();
    world.losses.take();
    let mut input = Input::new(bytes);
    let plan = Plan::read(&mut input);
    let token = Token::new(ID, Secret::new(&SECRET));
    world.store.put(plan.key(), plan.first.clone());
    let text = token.reveal().to_owned();
    let served = world.runtime.block_on(first_request(&world, &plan, text));
    if let (Some(record), None) = (world.store.get(&plan.key()), &plan.second) {
        assert_eq!(record.created, plan.first.created);
        assert!(record.last_seen >= plan.first.last_seen, "seen earlier");
        let is_same_version = record.version == plan.first.version;
        assert!(!is_same_version || record.data == plan.first.data);
    }
    for record in world.store.all() {
        let is_untouched = record == plan.first || Some(&record) == plan.second.as_ref();
        let can_be_read = Stored::read(Loaded::new(record)).is_ok();
        assert!(can_be_read || is_untouched, "written, and can't be read");
    }
    world
        .runtime
        .block_on(second_request(&world, &plan, served));
}

/// What a run does.
struct Plan {
    namespace: &'static str,
    first: Record,
    /// Somebody else's write, while the request runs.
    second: Option<Record>,
    operations: Vec<u8>,
}

/// How a record is made likely to be opened: any bytes alone would rarely get so far.
#[derive(Clone, Copy)]
struct Help {
    namespace: &'static str,
    is_current: bool,
    is_previous: bool,
    is_alive: bool,
}

impl Plan {
    fn read(input: &mut Input<'_>) -> Self {
        let flags = input.byte();
        let has = |flag: u8| flags & flag != 0;
        let namespace = match has(1) {
            true => "second",
            false => "first",
        };
        let help = Help {
            namespace,
            is_current: !has(2),
            is_previous: has(4),
            is_alive: !has(8),
        };
        let operations = input.short().to_vec();
        let length = input.length();
        let first = help.record(input, 1, length);
        let second = has(16).then(|| help.record(input, 2, usize::MAX));
        Self {
            namespace,
            first,
            second,
            operations,
        }
    }

    fn key(&self) -> Key {
        let namespace = NamespaceId::new(self.namespace);
        Key::new(namespace.expect("the names are fine"), ID)
    }
}

impl Help {
    fn record(self, input: &mut Input<'_>, version: u64, length: usize) -> Record {
        let mut record = Record::new(
            Version::from_bits(version),
            NOW,
            Timestamp::MAX,
            Bytes::new(),
        );
        if !self.is_alive {
            record.created = Timestamp::from_millis(input.number());
            record.last_seen = Timestamp::from_millis(input.number());
            record.expires = Timestamp::from_millis(input.number());
        }
        let subject = std::str::from_utf8(input.short());
        record.subject = subject.ok().and_then(|subject| Subject::new(subject).ok());
        let mut data = input.bytes(length).to_vec();
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(place) = data.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
        };
        let (secret, hasher) = (Secret::new(&SECRET), SecretHasher::new(self.namespace));
        if self.is_previous {
            put(PREVIOUS_HASH, &secret.hash(&hasher).0);
            let next = secret.next(&[0; 16]);
            put(NONCE, &[0; 16]);
            put(HASH, &next.map_or([0; 32], |next| next.hash(&hasher).0));
        }
        if self.is_current {
            put(HASH, &secret.hash(&hasher).0);
        }
        if self.is_alive {
            put(LIMIT_BEGAN, &NOW.as_millis().to_le_bytes());
        }
        record.data = data.into();
        record
    }
}

/// What a request has left.
struct Served {
    cookie: String,
    /// The value that was put in, when it must be there.
    mark: Option<u8>,
}

async fn first_request(world: &Application, plan: &Plan, token: String) -> Served {
    let mut cookie = format!("__Host-{}={token}", plan.namespace);
    let sessions = RequestSessions::begin(&world.manager);
    let all = sessions.judge_all(&Cookies(vec![cookie.clone().into_bytes()]));
    let session = match all.open(plan.namespace).await {
        Ok(session) => session.expect("a namespace without condition is open"),
        Err(error) => {
            assert!(matches!(error, SessionError::Corrupt { .. }), "{error:?}");
            assert!(Stored::read(Loaded::new(plan.first.clone())).is_err());
            return Served { cookie, mark: None };
        }
    };
    world.losses.take();
    for operation in plan.operations.iter().take(MOST_OPERATIONS) {
        judge(carry_out(&session, *operation).await);
    }
    let mark = u8::try_from(plan.operations.len()).unwrap_or(u8::MAX);
    let is_marked = judge(session.insert(MARK, mark));
    // Nobody undoes what this request was told is stored.
    let there = world.store.get(&plan.key());
    if let Some(second) = &plan.second
        && there.is_some_and(|there| there.version == plan.first.version)
    {
        world.store.put(plan.key(), second.clone());
    }
    let verdict = sessions.commit(Outcome::Success).await;
    let mut response = Response::default();
    sessions.finish(&mut response);
    if let Some((name, value)) = cookies_set(&response).first() {
        cookie = format!("{name}={value}");
    }
    let is_lost = world.losses.take() || verdict.status().is_some();
    Served {
        cookie,
        mark: (is_marked && !is_lost).then_some(mark),
    }
}

async fn second_request(world: &Application, plan: &Plan, served: Served) {
    let sessions = RequestSessions::begin(&world.manager);
    let all = sessions.judge_all(&Cookies(vec![served.cookie.into_bytes()]));
    let session = match all.open(plan.namespace).await {
        Ok(session) => session.expect("a namespace without condition is open"),
        Err(error) => {
            assert!(matches!(error, SessionError::Corrupt { .. }), "{error:?}");
            assert_eq!(served.mark, None);
            return;
        }
    };
    if let Some(mark) = served.mark
        && !world.losses.take()
    {
        // Somebody else's write may have secrets that this token does not lead to: then it opens the
        // session no more, which has the value all the same.
        let there = match session.is_new() {
            true => stored_mark(world, plan),
            false => session.get::<u8>(MARK).ok().flatten(),
        };
        assert_eq!(there, Some(mark), "lost without a word");
    }
    let _ = sessions.commit(Outcome::Success).await;
    sessions.finish(&mut Response::default());
}

/// The value that was put in, as the store has it.
fn stored_mark(world: &Application, plan: &Plan) -> Option<u8> {
    let record = world.store.get(&plan.key())?;
    let stored = Stored::read(Loaded::new(record)).ok()?;
    let codec = match plan.namespace {
        #[cfg(feature = "json")]
        "second" => Codec::Json,
        _ => Codec::default(),
    };
    codec.decode(stored.frames.get(MARK)?).ok()
}

/// One thing that a handler does; what fails has changed nothing.
async fn carry_out(session: &SessionHandle, operation: u8) -> Result<(), SessionError> {
    let keys = session.keys();
    let number = usize::from(operation / 16);
    let key = keys.get(number).map_or("another", String::as_str);
    match operation % 16 {
        0 => read_all(session)?,
        1 => read::<IgnoredAny>(session, key)?,
        2 => read::<Vec<u64>>(session, key)?,
        3 => session.insert(key, "x".repeat(number))?,
        4 => drop(session.remove(key)?),
        5 => session.update(key, |value: &mut Vec<u8>| value.push(1))?,
        6 => session.clear()?,
        7 => session.login(format!("subject {number}"))?,
        8 => {
            let _ = session.rotate()?;
        }
        9 => session.rotate()?.revoke(),
        10 => session.persist(Duration::from_secs(1 << (number * 4)))?,
        11 => session.end()?,
        12 => session.save().await?,
        13 => drop(session.take::<String>(key)?),
        14 => drop(session.take_once::<IgnoredAny>(key).await?),
        _ => {
            session
                .update_now(key, |value: &mut u64| *value /= 2)
                .await?
        }
    }
    Ok(())
}

/// Whether it worked; only what bytes may cause is an error.
fn judge(result: Result<(), SessionError>) -> bool {
    use SessionError as E;
    let Err(error) = result else {
        return true;
    };
    let is_expected = matches!(
        error,
        E::Decode { .. } | E::TooLarge { .. } | E::Ended { .. } | E::Conflict { .. }
    );
    assert!(is_expected, "{error:?}");
    false
}

fn read<T: DeserializeOwned>(session: &SessionHandle, key: &str) -> Result<(), SessionError> {
    session.get::<T>(key).map(drop)
}

/// Values of any type, as the panel shows them.
fn read_all(session: &SessionHandle) -> Result<(), SessionError> {
    let mut keys = session.keys();
    let entries = session.entries::<IgnoredAny>()?;
    let mut entries: Vec<String> = entries.into_iter().map(|(key, _)| key).collect();
    keys.sort();
    entries.sort();
    assert_eq!(keys, entries);
    for key in &keys {
        assert!(session.contains(key));
    }
    #[cfg(feature = "json")]
    session.entries::<serde_json::Value>()?;
    let shown = format!("{session:?}");
    assert!(shown.len() < 200, "{shown}");
    Ok(())
}
