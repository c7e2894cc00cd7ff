//! Ending a subject's sessions while they are used: every order of the store calls of both sides.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use cloakroom_core::{
    Namespace, RequestSessions, SessionHandle, SessionManager, Subjects, hours, minutes,
};
use cloakroom_memory::MemoryStore;
use cloakroom_store::{Freshness, SessionId, Store};
use cloakroom_testkit::TestRandom;

use super::alice;
use crate::support::{
    ACCOUNT, Browser, Flight, GatedStore, Handler, Order, Response, TestClock, World,
    in_every_order, revoke,
};

struct Gated {
    manager: SessionManager,
    store: GatedStore,
    clock: TestClock,
}

impl Gated {
    fn new() -> Self {
        Self::of(GatedStore::new(true))
    }

    fn of(store: GatedStore) -> Self {
        let clock = TestClock::default();
        let manager = SessionManager::builder()
            .namespace(Namespace::new(ACCOUNT, store.clone()))
            .clock(clock.clone())
            .random(TestRandom::new(7))
            // The test takes its time.
            .call_deadline(hours(1))
            .open_deadline(hours(1))
            .commit_deadline(hours(1))
            .build()
            .unwrap();
        Self {
            manager,
            store,
            clock,
        }
    }

    fn begin(&self, browser: &Browser) -> Flight {
        Flight {
            head: browser.request(),
            sessions: RequestSessions::begin(&self.manager),
        }
    }

    async fn visit(
        &self,
        browser: &mut Browser,
        handler: impl FnOnce(&SessionHandle) -> Result<(), cloakroom_core::SessionError>,
    ) {
        let flight = self.begin(browser);
        handler(&flight.open(ACCOUNT).await).unwrap();
        browser.receive(&flight.finish().await);
    }

    async fn logged_in(&self, subject: &str) -> Browser {
        let mut browser = Browser::new();
        let handler = |s: &SessionHandle| {
            s.insert("known", true)?;
            s.login(subject)
        };
        self.visit(&mut browser, handler).await;
        browser
    }

    /// Whom a browser's session belongs to.
    async fn subject(&self, browser: &Browser) -> Option<String> {
        let session = self.begin(browser).open(ACCOUNT).await;
        session.subject().map(|subject| subject.to_string())
    }

    fn subjects(&self) -> Subjects {
        self.manager.subjects(ACCOUNT).unwrap()
    }

    async fn is_there(&self, id: SessionId) -> bool {
        let key = World::key(ACCOUNT, id);
        let loaded = self.store.memory.load(&key, Freshness::Latest).await;
        loaded.unwrap().is_some()
    }
}

/// How sessions are ended from outside.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ender {
    One,
    All,
    Others,
}

const ENDERS: [Ender; 3] = [Ender::One, Ender::All, Ender::Others];

impl Ender {
    async fn run(self, subjects: Subjects, id: SessionId, keep: SessionId) -> usize {
        match self {
            Self::One => usize::from(subjects.end(&alice(), id).await.unwrap()),
            Self::All => subjects.end_all(&alice()).await.unwrap(),
            Self::Others => subjects.end_others(&alice(), keep).await.unwrap(),
        }
    }
}

/// A whole request that opens its session in the race, or has it open before.
async fn request(flight: Flight, session: Option<SessionHandle>, handler: Handler) -> Response {
    let session = match session {
        Some(session) => session,
        None => flight.open(ACCOUNT).await,
    };
    handler(&session).unwrap();
    flight.finish().await
}

/// What the request of a race does with the session of alice.
const HANDLERS: [(&str, Handler); 9] = [
    ("read", |s| s.get::<u32>("k").map(drop)),
    ("change", |s| s.insert("k", 1)),
    ("clear", |s| s.clear()),
    ("rotate", |s| s.rotate().map(drop)),
    ("revoke", revoke),
    ("persist", |s| s.persist(hours(100))),
    ("logout", |s| s.logout()),
    ("login again", |s| s.login("alice")),
    ("login as bob", |s| s.login("bob")),
];

#[tokio::test(start_paused = true)]
async fn what_was_ended_stays_ended_whatever_a_request_does_with_it_at_the_same_time() {
    for ender in ENDERS {
        for (name, handler) in HANDLERS {
            for opens_in_the_race in [false, true] {
                let case = async |order: &mut Order| {
                    race(ender, name, handler, opens_in_the_race, order).await;
                };
                let orders = in_every_order(case).await;
                assert!(orders > 1, "{ender:?} {name}");
            }
        }
    }
}

async fn race(
    ender: Ender,
    name: &str,
    handler: Handler,
    opens_in_the_race: bool,
    order: &mut Order,
) {
    let app = Gated::new();
    let mut browser = app.logged_in("alice").await;
    // Nobody has ended this one.
    let of_kept = match ender {
        Ender::All => "bob",
        Ender::One | Ender::Others => "alice",
    };
    let kept = app.logged_in(of_kept).await;
    // A use is to be noted.
    app.clock.advance(minutes(5));
    let (id, keep) = (browser.id(), kept.id());
    let flight = app.begin(&browser);
    let session = match opens_in_the_race {
        true => None,
        false => Some(flight.open(ACCOUNT).await),
    };
    let requested = tokio::spawn(request(flight, session, handler));
    let ended = tokio::spawn(ender.run(app.subjects(), id, keep));
    let look = async || {
        if ended.is_finished() {
            assert!(!app.is_there(id).await, "{ender:?} {name}");
        }
    };
    app.store.drive(order, look).await;
    let case = format!("{ender:?} {name}: {order:?}");
    ended.await.unwrap();
    let response = requested.await.unwrap();

    assert_eq!(response.status, 200, "{case}");
    assert!(!app.is_there(id).await, "{case}");
    let before = browser.clone();
    browser.receive(&response);
    assert_eq!(app.subject(&before).await, None, "{case}");
    let mine = app.subject(&browser).await;
    match name {
        "login as bob" => assert_eq!(mine.as_deref(), Some("bob"), "{case}"),
        "login again" => {
            let has_own = browser.token() != before.token() && browser.id() != id;
            let is_spared = ender == Ender::One && has_own;
            assert!(mine.is_some() || !is_spared, "{case}");
        }
        _ => assert_eq!(mine, None, "{case}"),
    }
    assert_eq!(app.subject(&kept).await.as_deref(), Some(of_kept), "{case}");
}

#[tokio::test(start_paused = true)]
async fn requests_that_take_turns_bring_nothing_back() {
    in_every_order(async |order: &mut Order| {
        let app = Gated::of(GatedStore::new(false));
        let browser = app.logged_in("alice").await;
        let id = browser.id();
        let mut requests = Vec::new();
        for n in 0..3 {
            let flight = app.begin(&browser);
            let session = flight.open(ACCOUNT).await;
            session.insert(&format!("key-{n}"), n).unwrap();
            requests.push(tokio::spawn(async move { flight.finish().await }));
        }
        let ended = tokio::spawn(Ender::One.run(app.subjects(), id, id));
        let look = async || assert!(!ended.is_finished() || !app.is_there(id).await);
        app.store.drive(order, look).await;
        assert_eq!(ended.await.unwrap(), 1);
        for requested in requests {
            assert_eq!(requested.await.unwrap().status, 200, "{order:?}");
        }
        assert!(!app.is_there(id).await, "{order:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_login_at_the_same_time_is_ended_as_a_whole_or_not_at_all() {
    for ender in [Ender::One, Ender::All] {
        for subject in ["alice", "bob"] {
            let (spared, all) = (AtomicUsize::new(0), AtomicUsize::new(0));
            in_every_order(async |order: &mut Order| {
                let app = Gated::new();
                let mut browser = Browser::new();
                app.visit(&mut browser, |s| s.insert("known", true)).await;
                let id = browser.id();
                let flight = app.begin(&browser);
                let session = flight.open(ACCOUNT).await;
                session.login(subject).unwrap();
                let login = tokio::spawn(async move { flight.finish().await });
                let ended = tokio::spawn(ender.run(app.subjects(), id, id));
                app.store.drive(order, async || {}).await;

                let count = ended.await.unwrap();
                let response = login.await.unwrap();
                assert_eq!(response.status, 200);
                browser.receive(&response);
                assert_eq!(browser.id(), id);
                // Whoever is not counted is there.
                let expected = (count == 0).then(|| subject.to_owned());
                assert_eq!(app.subject(&browser).await, expected, "{ender:?} {order:?}");
                assert!(count == 0 || subject == "alice");
                spared.fetch_add(1 - count, Ordering::Relaxed);
                all.fetch_add(1, Ordering::Relaxed);
            })
            .await;
            let (spared, all) = (spared.into_inner(), all.into_inner());
            assert_eq!(spared == all, subject == "bob", "{ender:?} {subject}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_logins_at_the_same_time_the_one_as_somebody_else_is_never_ended() {
    for ender in [Ender::One, Ender::All] {
        in_every_order(async |order: &mut Order| {
            let app = Gated::new();
            let mut browser = Browser::new();
            app.visit(&mut browser, |s| s.insert("known", true)).await;
            let id = browser.id();
            let mut logins = Vec::new();
            for subject in ["alice", "bob"] {
                let flight = app.begin(&browser);
                flight.open(ACCOUNT).await.login(subject).unwrap();
                logins.push(flight);
            }
            let (bob, alice) = (logins.pop().unwrap(), logins.pop().unwrap());
            // Alice is first, and there is a queue for whatever bob does.
            let mut of_alice = browser.clone();
            of_alice.receive(&alice.finish().await);
            let bob = tokio::spawn(async move { bob.finish().await });
            let ended = tokio::spawn(ender.run(app.subjects(), id, id));
            app.store.drive(order, async || {}).await;

            assert_eq!(ended.await.unwrap(), 1, "{ender:?} {order:?}");
            browser.receive(&bob.await.unwrap());
            assert_eq!(app.subject(&browser).await.as_deref(), Some("bob"));
            assert_ne!(browser.id(), id);
            assert_eq!(app.subject(&of_alice).await, None);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_ends_at_the_same_time_each_succeeds_and_one_counts() {
    for (one, other) in [
        (Ender::One, Ender::One),
        (Ender::One, Ender::All),
        (Ender::All, Ender::All),
    ] {
        in_every_order(async |order: &mut Order| {
            let app = Gated::new();
            let id = app.logged_in("alice").await.id();
            let ends = [one, other].map(|ender| tokio::spawn(ender.run(app.subjects(), id, id)));
            app.store.drive(order, async || {}).await;
            let mut count = 0;
            for ended in ends {
                count += ended.await.unwrap();
            }
            assert_eq!(count, 1, "{one:?} {other:?} {order:?}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_a_storm_of_logins_and_rotations_no_end_is_missed_and_none_hits_another() {
    let store = MemoryStore::new();
    let account = Namespace::new(ACCOUNT, store.clone());
    let manager = SessionManager::builder().namespace(account).build();
    let manager = Arc::new(manager.unwrap());
    let visit = async |manager: &SessionManager, browser: &mut Browser, handler: Handler| {
        let flight = Flight {
            head: browser.request(),
            sessions: RequestSessions::begin(manager),
        };
        handler(&flight.open(ACCOUNT).await).unwrap();
        browser.receive(&flight.finish().await);
    };
    let mut bobs = Vec::new();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let mut bob = Browser::new();
        visit(&manager, &mut bob, |s| s.login("bob")).await;
        bobs.push(bob);
    }
    for n in 0..6 {
        let manager = Arc::clone(&manager);
        tasks.spawn(async move {
            let mut browser = Browser::new();
            for round in 0..200 {
                let handler: Handler = match (n + round) % 5 {
                    0 => |s| s.login("alice"),
                    1 => |s| s.rotate().map(drop),
                    2 => |s| s.insert("k", 1),
                    3 => |s| s.login("bob"),
                    _ => |s| s.insert("k", 2),
                };
                visit(&manager, &mut browser, handler).await;
                if round % 50 == 49 {
                    // What is answered before is ended after.
                    visit(&manager, &mut browser, |s| s.login("alice")).await;
                    let ours = browser.clone();
                    let subjects = manager.subjects(ACCOUNT).unwrap();
                    subjects.end_all(&alice()).await.unwrap();
                    let mut late = ours;
                    visit(&manager, &mut late, |s| {
                        assert!(s.subject().is_none());
                        Ok(())
                    })
                    .await;
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let subjects = manager.subjects(ACCOUNT).unwrap();
    subjects.end_all(&alice()).await.unwrap();
    let left = subjects.sessions_of(&alice(), None, 100).await.unwrap();
    assert_eq!(left.sessions, []);
    for mut bob in bobs {
        visit(&manager, &mut bob, |s| {
            assert_eq!(s.subject().unwrap().as_str(), "bob");
            Ok(())
        })
        .await;
    }
}
