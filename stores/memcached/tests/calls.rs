//! What requests and calls cost, as the server counts it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers are no #[test]"
)]

mod common;

use std::{borrow::Cow, time::Duration};

use cloakroom_core::{
    Namespace, Outcome, RequestHead, RequestSessions, ResponseHead, ResponseHeader, Scheme,
    SessionHandle, SessionManager,
};
use cloakroom_memcached::MemcachedStore;
use cloakroom_store::{Loaded, Store, Timestamp};
use cloakroom_testkit::servers::Server;
use common::{Raw, a_key, a_record, after, connect, load};

/// How many commands for records the server has carried out: those that read, that write, and that
/// remove.
struct Counter {
    raw: Raw,
    before: [u64; 3],
}

impl Counter {
    fn new(server: &Server) -> Self {
        let mut counter = Self {
            raw: Raw::to(&server.url()),
            before: [0; 3],
        };
        counter.since();
        counter
    }

    /// How many since it was last asked.
    fn since(&mut self) -> [u64; 3] {
        let stats = self.raw.stats();
        let of = |name: &str| stats[name];
        let deleted = of("delete_hits") + of("delete_misses");
        let now = [of("cmd_get"), of("cmd_set"), deleted];
        assert_eq!(of("cmd_touch") + of("cmd_flush"), 0, "there are no others");
        let before = std::mem::replace(&mut self.before, now);
        let mut since = now;
        since
            .iter_mut()
            .zip(before)
            .for_each(|(now, before)| *now -= before);
        since
    }
}

async fn set_up(prefix: &str) -> Option<(Server, MemcachedStore, Counter)> {
    let server = Server::memcached().await?;
    let store = connect(&server.url(), prefix).await;
    let counter = Counter::new(&server);
    Some((server, store, counter))
}

#[tokio::test]
async fn calls_are_one_command_each_and_a_touch_is_two() {
    let Some((_server, store, mut counter)) = set_up("calls").await else {
        return;
    };
    let (key, record) = (a_key(), a_record());
    assert_eq!(load(&store, &key).await, None);
    assert_eq!(counter.since(), [1, 0, 0]);
    let tag = store.create(&key, &record).await.unwrap();
    assert_eq!(counter.since(), [0, 1, 0]);
    assert!(store.create(&key, &record).await.is_err());
    assert_eq!(counter.since(), [0, 1, 0]);
    let loaded = load(&store, &key).await.unwrap();
    assert_eq!(counter.since(), [1, 0, 0]);
    assert_eq!(loaded.tag, tag);
    // A write tells its mark, so the next one needs no look either.
    let next = after(&loaded);
    let tag = store.replace(&key, &next, &loaded).await.unwrap();
    assert_eq!(counter.since(), [0, 1, 0]);
    let expected = Loaded::with_tag(next.clone(), tag);
    let mut next = after(&expected);
    let tag = store.replace(&key, &next, &expected).await.unwrap();
    assert_eq!(counter.since(), [0, 1, 0]);
    // After a conflict a look finds out what is there.
    assert!(store.replace(&key, &next, &loaded).await.is_err());
    assert_eq!(counter.since(), [1, 1, 0]);
    let expected = Loaded::with_tag(next.clone(), tag);
    next.expires = next.expires.saturating_add(Duration::from_secs(9));
    assert!(store.touch(&key, &next, &expected).await.unwrap());
    assert_eq!(counter.since(), [1, 1, 0]);
    // One that moves nothing writes nothing.
    assert!(store.touch(&key, &next, &expected).await.unwrap());
    assert_eq!(counter.since(), [1, 0, 0]);
    // A replace after a touch: its mark is another, its version is not.
    store
        .replace(&key, &after(&expected), &expected)
        .await
        .unwrap();
    assert_eq!(counter.since(), [1, 2, 0]);
    // Without a mark there is a look first.
    let without = Loaded::new(load(&store, &key).await.unwrap().record);
    counter.since();
    store
        .replace(&key, &after(&without), &without)
        .await
        .unwrap();
    assert_eq!(counter.since(), [1, 1, 0]);
    assert_eq!(store.sweep(Timestamp::MAX, 100).await.unwrap(), 0);
    assert_eq!(counter.since(), [0, 0, 0]);
    assert!(store.delete(&key).await.unwrap());
    assert_eq!(counter.since(), [0, 0, 1]);
}

/// Serves a request, and gives the token that the browser has afterwards.
async fn serve(
    manager: &SessionManager,
    token: Option<String>,
    handler: impl FnOnce(&SessionHandle),
    touches: bool,
) -> Option<String> {
    let sessions = RequestSessions::begin(manager);
    let cookie = token.clone().map(|token| format!("__Host-account={token}"));
    let all = sessions.judge_all(&Head(cookie.into_iter().collect()));
    if touches {
        let session = all.open("account").await.unwrap().unwrap();
        handler(&session);
    }
    let verdict = sessions.commit(Outcome::Success).await;
    assert_eq!(verdict.status(), None);
    let mut head = Head::default();
    sessions.finish(&mut head);
    head.token().or(token)
}

#[tokio::test]
async fn requests_cost_what_they_use() {
    let Some((_server, store, mut counter)) = set_up("requests").await else {
        return;
    };
    let namespace = Namespace::new("account", store);
    let manager = SessionManager::builder()
        .namespace(namespace)
        .build()
        .unwrap();
    let nothing = |_: &SessionHandle| {};
    let read = |session: &SessionHandle| {
        assert_eq!(session.get("n").unwrap(), Some(1));
    };

    assert_eq!(serve(&manager, None, nothing, false).await, None);
    assert_eq!(serve(&manager, None, nothing, true).await, None);
    assert_eq!(counter.since(), [0, 0, 0], "a visitor who stores nothing");
    let token = serve(
        &manager,
        None,
        |session| session.insert("n", 1).unwrap(),
        true,
    )
    .await;
    assert_eq!(counter.since(), [0, 1, 0], "a new session");
    let token = serve(&manager, token, nothing, false).await;
    assert_eq!(counter.since(), [0, 0, 0], "an untouched one");
    let token = serve(&manager, token, read, true).await;
    assert_eq!(counter.since(), [1, 0, 0], "one that is read");
    let token = serve(
        &manager,
        token,
        |session| session.insert("m", 2).unwrap(),
        true,
    )
    .await;
    assert_eq!(counter.since(), [1, 1, 0], "one that is changed");
    serve(&manager, token, |session| session.logout().unwrap(), true).await;
    assert_eq!(counter.since(), [1, 0, 1], "one that is ended");
}

/// The cookies of a request's head, or those that a response sets.
#[derive(Debug, Default)]
struct Head(Vec<String>);

impl Head {
    fn token(&self) -> Option<String> {
        let pair = self.0.last()?.split(';').next()?;
        let value = pair.strip_prefix("__Host-account=")?;
        Some(value.to_owned()).filter(|value| !value.is_empty())
    }
}

impl RequestHead for Head {
    fn method(&self) -> &str {
        "POST"
    }

    fn path(&self) -> &str {
        "/"
    }

    fn query(&self) -> Option<&str> {
        None
    }

    fn scheme(&self) -> Scheme {
        Scheme::Https
    }

    fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        if name == "cookie" {
            self.0.iter().for_each(|cookie| visit(cookie.as_bytes()));
        }
    }
}

impl ResponseHead for Head {
    fn values(&self, header: ResponseHeader, visit: &mut dyn FnMut(&[u8])) {
        if header == ResponseHeader::SetCookie {
            self.0.iter().for_each(|cookie| visit(cookie.as_bytes()));
        }
    }

    fn append(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        if header == ResponseHeader::SetCookie {
            self.0.push(value.into_owned());
        }
    }

    fn replace(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        if header == ResponseHeader::SetCookie {
            self.0.clear();
        }
        self.append(header, value);
    }
}
