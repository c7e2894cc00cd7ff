//! Stores that answer from copies: a copy may serve, never refuse.

use cloakroom_core::{EventKind, Limits, Namespace, SessionHandle, SessionManager, hours, minutes};
use cloakroom_store::Operation::{Load, Replace};
use cloakroom_testkit::SpyStore;

use crate::support::{ACCOUNT, Browser, CopyStore, Events, Flight, TestClock, World};

/// An application whose store answers from copies.
struct Copied {
    manager: SessionManager,
    store: SpyStore<CopyStore>,
    clock: TestClock,
    events: Events,
}

impl Copied {
    fn new() -> Self {
        let store = SpyStore::new(CopyStore::default());
        let clock = TestClock::default();
        let events = Events::default();
        let account = Namespace::new(ACCOUNT, store.clone());
        let manager = SessionManager::builder()
            .namespace(account.limits(Limits::idle(minutes(30)).absolute(hours(8))))
            .clock(clock.clone())
            .observer(events.clone())
            .build()
            .unwrap();
        Self {
            manager,
            store,
            clock,
            events,
        }
    }

    fn begin(&self, browser: &Browser) -> Flight {
        Flight {
            head: browser.request(),
            sessions: cloakroom_core::RequestSessions::begin(&self.manager),
        }
    }

    /// A session, and no copy of it so far.
    async fn known(&self) -> Browser {
        let mut browser = Browser::new();
        self.change(&mut browser, 1).await;
        browser
    }

    async fn change(&self, browser: &mut Browser, value: u32) {
        let flight = self.begin(browser);
        flight.open(ACCOUNT).await.insert("k", value).unwrap();
        let response = flight.finish().await;
        assert_eq!(response.status, 200);
        browser.receive(&response);
        self.store.take();
        self.events.take();
    }

    async fn read(&self, browser: &Browser) -> Option<u32> {
        self.begin(browser).open(ACCOUNT).await.get("k").unwrap()
    }

    fn loads(&self) -> usize {
        self.store.count(Load)
    }

    fn copies(&self) -> &CopyStore {
        self.store.inner()
    }
}

#[tokio::test]
async fn a_good_copy_serves_with_one_load() {
    let app = Copied::new();
    let mut browser = app.known().await;
    app.copies().freeze(browser.id()).await;
    app.change(&mut browser, 2).await;
    assert_eq!(app.read(&browser).await, Some(1), "a copy may lag behind");
    assert_eq!(app.loads(), 1);
}

#[tokio::test]
async fn before_gone_the_latest_is_loaded() {
    let app = Copied::new();
    let browser = app.known().await;
    app.copies().freeze_absent(browser.id());
    assert_eq!(app.read(&browser).await, Some(1));
    assert_eq!(app.loads(), 2);
    assert!(!app.events.has(EventKind::UnknownToken));
}

#[tokio::test]
async fn before_expired_the_latest_is_loaded() {
    let app = Copied::new();
    let mut browser = app.known().await;
    app.copies().freeze(browser.id()).await;
    app.clock.advance(minutes(20));
    app.change(&mut browser, 2).await;
    app.clock.advance(minutes(20));
    assert_eq!(app.read(&browser).await, Some(2));
    assert_eq!(app.loads(), 2);
    assert!(!app.events.has(EventKind::Expired));
}

#[tokio::test]
async fn before_wrong_secret_the_latest_is_loaded() {
    let intents: [fn(&SessionHandle); 2] = [
        |s| s.login("alice").unwrap(),
        |s| assert!(s.rotate().is_ok()),
    ];
    for intent in intents {
        let app = Copied::new();
        let mut browser = app.known().await;
        app.copies().freeze(browser.id()).await;
        let flight = app.begin(&browser);
        intent(&flight.open(ACCOUNT).await);
        browser.receive(&flight.finish().await);
        app.store.take();
        app.events.take();
        assert_eq!(app.read(&browser).await, Some(1));
        assert_eq!(app.loads(), 2);
        assert!(!app.events.has(EventKind::WrongSecret));
    }
}

#[tokio::test]
async fn before_corrupt_the_latest_is_loaded() {
    let app = Copied::new();
    let browser = app.known().await;
    let garbage = |record: &mut cloakroom_store::Record| record.data = "garbage".into();
    app.copies().freeze_as(browser.id(), garbage).await;
    assert_eq!(app.read(&browser).await, Some(1));
}

#[tokio::test]
async fn what_is_truly_gone_is_gone_after_two_loads() {
    let app = Copied::new();
    let browser = app.known().await;
    let flight = app.begin(&browser);
    flight.open(ACCOUNT).await.end().unwrap();
    flight.finish().await;
    app.store.take();
    assert_eq!(app.read(&browser).await, None);
    assert_eq!(app.loads(), 2);
    assert!(app.events.has(EventKind::UnknownToken));
}

#[tokio::test]
async fn a_change_on_a_copy_that_lags_behind_is_replayed_on_the_latest() {
    let app = Copied::new();
    let mut browser = app.known().await;
    app.copies().freeze(browser.id()).await;
    let flight = app.begin(&browser);
    let session = flight.open(ACCOUNT).await;
    app.change(&mut browser, 10).await;
    session.update("k", |k: &mut u32| *k += 5).unwrap();
    app.store.take();
    assert_eq!(flight.finish().await.status, 200);
    assert_eq!(app.store.operations(), [Replace, Load, Replace]);
    app.copies().freeze(browser.id()).await;
    assert_eq!(app.read(&browser).await, Some(15));
}

#[tokio::test]
async fn a_copy_of_an_ended_session_brings_nothing_back() {
    let app = Copied::new();
    let browser = app.known().await;
    app.copies().freeze(browser.id()).await;
    let flight = app.begin(&browser);
    flight.open(ACCOUNT).await.end().unwrap();
    flight.finish().await;
    let flight = app.begin(&browser);
    flight.open(ACCOUNT).await.insert("k", 2).unwrap();
    let response = flight.finish().await;
    assert!(response.cookies().is_empty());
    let gone = EventKind::Void(cloakroom_core::VoidReason::Gone);
    assert!(app.events.has(gone));
}

#[tokio::test]
async fn a_store_without_copies_is_asked_once() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let old = browser.clone();
    browser.visit(&world, |s| s.login("alice")).await;
    world.calls();
    old.clone().visit(&world, |_| Ok(())).await;
    world.clock.advance(hours(9));
    browser.visit(&world, |_| Ok(())).await;
    browser.visit(&world, |s| s.end()).await;
    assert_eq!(world.calls(), [Load; 3]);
}
