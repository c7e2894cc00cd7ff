//! What the parts of a request cost, one on top of the other, without a framework.

use std::borrow::Cow;
use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use cloakroom_bench::report::median;
use cloakroom_core::store::{AnyStore, Freshness, Key, NamespaceId, Store};
use cloakroom_core::{
    Clock, Limits, Namespace, OsRandom, Outcome, Random, RequestHead, RequestSessions,
    ResponseHead, ResponseHeader, Scheme, SessionManager, SystemClock, Token, days,
};
use cloakroom_memory::MemoryStore;
use tokio::runtime::Builder;

const ROUNDS: usize = 15;
const TIMES: u32 = 20_000;
const NAME: &str = "account";

fn main() {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let store = MemoryStore::new();
    let namespace = Namespace::new(NAME, store.clone()).limits(Limits::idle(days(1)));
    let manager = SessionManager::builder()
        .namespace(namespace)
        .build()
        .expect("valid settings");
    let cookie = runtime.block_on(establish(&manager));
    let head = Head(cookie.clone());
    let (_, value) = cookie.split_once('=').expect("a cookie");
    let token = Token::parse(value.as_bytes()).expect("a token");
    let key = Key::new(NamespaceId::new(NAME).expect("a name"), token.id());
    let erased: AnyStore = store.clone().into_any();

    println!("ns per call, medians of {ROUNDS} rounds of {TIMES}");
    let (lock, counted) = (Mutex::new(0_u64), Arc::new(0_u64));
    part(&runtime, "a lock and its release", async || {
        *black_box(&lock).lock().expect("no panic") += 1;
    });
    part(&runtime, "a counted reference", async || {
        drop(black_box(Arc::clone(&counted)));
    });
    let loaded = Store::load(&store, &key, Freshness::Any);
    let loaded = runtime.block_on(loaded).expect("an answer");
    let data = loaded.expect("a record").record.data;
    part(&runtime, "a reference to data", async || {
        drop(black_box(data.clone()));
    });
    part(&runtime, "SystemClock::now", async || {
        let _ = black_box(SystemClock.now());
    });
    part(&runtime, "72 random bytes", async || {
        let mut bytes = [0; 72];
        OsRandom.fill(black_box(&mut bytes)).expect("randomness");
    });
    part(&runtime, "Token::parse", async || {
        drop(black_box(Token::parse(value.as_bytes())))
    });
    part(&runtime, "clone of the manager", async || {
        drop(black_box(manager.clone()))
    });
    part(&runtime, "MemoryStore::load", async || {
        black_box(
            Store::load(&store, &key, Freshness::Any)
                .await
                .expect("a record"),
        );
    });
    part(&runtime, "AnyStore::load", async || {
        black_box(erased.load(key, Freshness::Any).await.expect("a record"));
    });
    println!("\na request, each line with all before it");
    part(&runtime, "begin", async || {
        drop(black_box(RequestSessions::begin(&manager)))
    });
    part(&runtime, "judge", async || {
        let sessions = RequestSessions::begin(&manager);
        black_box(sessions.judge(NAME, &head).expect("a namespace"));
    });
    part(&runtime, "open", async || {
        let sessions = RequestSessions::begin(&manager);
        let unopened = sessions
            .judge(NAME, &head)
            .expect("a namespace")
            .expect("open");
        black_box(unopened.open().await.expect("a session"));
    });
    part(&runtime, "get", async || {
        let sessions = RequestSessions::begin(&manager);
        let unopened = sessions
            .judge(NAME, &head)
            .expect("a namespace")
            .expect("open");
        let session = unopened.open().await.expect("a session");
        black_box(session.get::<u64>("counter").expect("a number"));
    });
    part(&runtime, "commit and finish a read", async || {
        let sessions = RequestSessions::begin(&manager);
        let unopened = sessions
            .judge(NAME, &head)
            .expect("a namespace")
            .expect("open");
        let session = unopened.open().await.expect("a session");
        black_box(session.get::<u64>("counter").expect("a number"));
        let _ = sessions.commit(Outcome::Success).await;
        sessions.finish(&mut Nowhere);
    });
    part(&runtime, "insert", async || {
        let sessions = RequestSessions::begin(&manager);
        let unopened = sessions
            .judge(NAME, &head)
            .expect("a namespace")
            .expect("open");
        let session = unopened.open().await.expect("a session");
        let count = session.get_or_default::<u64>("counter").expect("a number");
        session.insert("counter", count + 1).expect("room");
    });
    part(&runtime, "commit and finish a change", async || {
        let sessions = RequestSessions::begin(&manager);
        let unopened = sessions
            .judge(NAME, &head)
            .expect("a namespace")
            .expect("open");
        let session = unopened.open().await.expect("a session");
        let count = session.get_or_default::<u64>("counter").expect("a number");
        session.insert("counter", count + 1).expect("room");
        let _ = sessions.commit(Outcome::Success).await;
        sessions.finish(&mut Nowhere);
    });
}

async fn establish(manager: &SessionManager) -> String {
    let sessions = RequestSessions::begin(manager);
    let unopened = sessions
        .judge(NAME, &Head(String::new()))
        .expect("a namespace");
    let session = unopened.expect("open").open().await.expect("a session");
    session.insert("counter", 1_u64).expect("room");
    session
        .insert("id", "0c1c0b6e-7d51-4c2e-9a54-3f6f3a6b9f11")
        .expect("room");
    let _ = sessions.commit(Outcome::Success).await;
    let mut cookie = SetCookie(String::new());
    sessions.finish(&mut cookie);
    let end = cookie.0.find(';').expect("attributes");
    cookie.0.truncate(end);
    cookie.0
}

fn part(runtime: &tokio::runtime::Runtime, name: &str, run: impl AsyncFn()) {
    let mut rounds = Vec::new();
    for _ in 0..=ROUNDS {
        let began = Instant::now();
        runtime.block_on(async {
            for _ in 0..TIMES {
                run().await;
            }
        });
        rounds.push(began.elapsed().as_nanos() as f64 / f64::from(TIMES));
    }
    rounds.remove(0);
    println!("{name:<30} {:>7.0}", median(rounds));
}

struct Head(String);

impl RequestHead for Head {
    fn method(&self) -> &str {
        "GET"
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
    fn header(&self, _: &str, visit: &mut dyn FnMut(&[u8])) {
        visit(self.0.as_bytes());
    }
}

struct Nowhere;

impl ResponseHead for Nowhere {
    fn values(&self, _: ResponseHeader, _: &mut dyn FnMut(&[u8])) {}
    fn append(&mut self, _: ResponseHeader, value: Cow<'static, str>) {
        black_box(value);
    }
    fn replace(&mut self, _: ResponseHeader, value: Cow<'static, str>) {
        black_box(value);
    }
}

struct SetCookie(String);

impl ResponseHead for SetCookie {
    fn values(&self, _: ResponseHeader, _: &mut dyn FnMut(&[u8])) {}
    fn append(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        if header == ResponseHeader::SetCookie {
            self.0 = value.into_owned();
        }
    }
    fn replace(&mut self, _: ResponseHeader, _: Cow<'static, str>) {}
}
