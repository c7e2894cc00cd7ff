//! Events and those who hear of them.

use cloakroom_core::{Event, EventKind, Namespace, Observer};
use cloakroom_store::Operation::{Load, Replace};

use crate::support::{ACCOUNT, Browser, World, revoke};

#[derive(Debug)]
struct Panics;

impl Observer for Panics {
    fn on_event(&self, event: &Event<'_>) {
        panic!("the observer does not like {:?}", event.kind);
    }
}

#[tokio::test]
async fn cve_2021_34428_an_observer_that_panics_stops_nothing() {
    let world = World::build(|builder, store| {
        builder
            .namespace(Namespace::new(ACCOUNT, store.clone()))
            .observer(Panics)
    });
    let mut browser = Browser::known_to(&world).await;
    browser.visit(&world, |s| s.insert("k", 1)).await;
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    browser.visit(&world, |s| s.login("alice")).await;
    assert_eq!(browser.read(&world, "k").await, Some(1));
    let (one, a) = world.open(&browser).await;
    let (other, b) = world.open(&browser).await;
    a.insert("a", 1).unwrap();
    b.insert("b", 1).unwrap();
    assert_eq!(one.finish().await.status, 200);
    assert_eq!(other.finish().await.status, 200);
    assert_eq!(browser.read(&world, "b").await, Some(1));
    let response = browser.visit(&world, |s| s.end()).await;
    assert!(response.only_cookie().ends_with("Max-Age=0"));
    assert_eq!(world.records(), 0);
}

#[tokio::test]
async fn each_step_of_a_life_is_one_event() {
    use EventKind as E;
    let world = World::new();
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(world.events.take(), [E::NoToken, E::Created]);
    browser.visit(&world, |_| Ok(())).await;
    assert_eq!(world.events.take(), [E::Opened, E::Unchanged]);
    browser.visit(&world, |s| s.insert("k", 2)).await;
    assert_eq!(world.events.take(), [E::Opened, E::Saved]);
    browser.visit(&world, |s| s.login("alice")).await;
    assert_eq!(world.events.take(), [E::Opened, E::LoggedIn]);
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    assert_eq!(world.events.take(), [E::Opened, E::Rotated]);
    browser.visit(&world, revoke).await;
    assert_eq!(world.events.take(), [E::Opened, E::Revoked]);
    world.clock.advance(cloakroom_core::minutes(10));
    browser.visit(&world, |_| Ok(())).await;
    assert_eq!(world.events.take(), [E::Opened, E::Touched]);
    browser.visit(&world, |s| s.end()).await;
    assert_eq!(world.events.take(), [E::Opened, E::Ended]);
}

#[tokio::test]
async fn store_failures_are_events_with_operation_and_kind() {
    use cloakroom_store::StoreErrorKind::{TimedOut, Unavailable};
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    world
        .faults
        .fail_next(Load, cloakroom_testkit::Fault::Timeout);
    let flight = world.begin(&browser);
    flight.try_open(ACCOUNT).await.unwrap_err();
    assert!(world.events.has(EventKind::StoreFailed(Load, TimedOut)));
    world
        .faults
        .fail_next(Replace, cloakroom_testkit::Fault::BeforeEffect);
    browser.visit(&world, |s| s.insert("k", 1)).await;
    assert!(
        world
            .events
            .has(EventKind::StoreFailed(Replace, Unavailable))
    );
}

#[tokio::test]
async fn an_event_names_the_namespace_and_the_public_id() {
    #[derive(Debug, Clone, Default)]
    struct Ids(std::sync::Arc<std::sync::Mutex<Vec<(String, String)>>>);
    impl Observer for Ids {
        fn on_event(&self, event: &Event<'_>) {
            let id = event.id.map(|id| id.to_string()).unwrap_or_default();
            let mut seen = self.0.lock().unwrap();
            seen.push((event.namespace.to_owned(), id));
        }
    }
    let ids = Ids::default();
    let world = World::build(|builder, store| {
        builder
            .namespace(Namespace::new(ACCOUNT, store.clone()))
            .observer(ids.clone())
    });
    let browser = Browser::known_to(&world).await;
    let expected = [
        (ACCOUNT.to_owned(), String::new()),
        (ACCOUNT.to_owned(), browser.id().to_string()),
    ];
    assert_eq!(*ids.0.lock().unwrap(), expected);
}
