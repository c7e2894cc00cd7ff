//! Ending one of several sessions, and all of them.

use cloakroom_core::Namespace;
use cloakroom_store::Operation::Load;
use cloakroom_testkit::Fault;

use crate::support::{ACCOUNT, Browser, COOKIE, World};

fn three_namespaces() -> World {
    World::build(|builder, store| {
        builder
            .namespace(Namespace::new(ACCOUNT, store.clone()))
            .namespace(Namespace::new("admin", store.clone()).only_if(|_| false))
            .namespace(Namespace::new("cart", store.clone()))
    })
}

/// A browser with a session in each namespace that is open.
async fn with_account_and_cart(world: &World) -> Browser {
    let mut browser = Browser::new();
    let flight = world.begin(&browser);
    for name in [ACCOUNT, "cart"] {
        flight.open(name).await.insert("k", 1).unwrap();
    }
    browser.receive(&flight.finish().await);
    browser
}

#[tokio::test]
async fn ending_one_session_never_touches_another() {
    let world = three_namespaces();
    let mut browser = with_account_and_cart(&world).await;
    let cart = browser.cookie("__Host-cart").unwrap().to_owned();
    browser.visit(&world, |s| s.end()).await;
    assert_eq!(browser.cookie("__Host-cart"), Some(&*cart));
    let flight = world.begin(&browser);
    assert_eq!(flight.open("cart").await.get("k").unwrap(), Some(1));
}

#[tokio::test]
async fn end_all_ends_what_is_open_and_skips_what_is_closed() {
    let world = three_namespaces();
    let mut browser = with_account_and_cart(&world).await;
    let flight = world.begin(&browser);
    assert!(
        flight
            .sessions
            .judge_all(&flight.head)
            .end_all()
            .await
            .is_empty()
    );
    browser.receive(&flight.finish().await);
    assert_eq!(world.records(), 0);
    assert!(browser.cookie("__Host-cart").is_none());
    assert!(browser.cookie(COOKIE).is_none());
}

#[tokio::test]
async fn end_all_goes_on_when_one_can_not_be_opened() {
    let world = three_namespaces();
    let mut browser = with_account_and_cart(&world).await;
    let flight = world.begin(&browser);
    world.faults.fail_next(Load, Fault::BeforeEffect);
    let failures = flight.sessions.judge_all(&flight.head).end_all().await;
    let names: Vec<_> = failures.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [ACCOUNT]);
    browser.receive(&flight.finish().await);
    assert!(browser.cookie("__Host-cart").is_none());
    assert_eq!(world.records(), 1);
}
