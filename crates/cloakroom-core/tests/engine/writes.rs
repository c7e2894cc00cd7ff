//! Which store calls a request makes, and when it writes.

use cloakroom_core::{EventKind, Namespace, SessionHandle, minutes};
use cloakroom_store::Operation::{Create, Load, Replace, Touch};

use crate::support::{ACCOUNT, Browser, Handler, World};

#[tokio::test]
async fn an_untouched_session_costs_no_call_no_cookie_and_no_header() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let flight = world.begin(&browser);
    flight.sessions.judge_all(&flight.head);
    let response = flight.finish().await;
    assert_eq!(world.calls(), []);
    assert!(response.cookies().is_empty());
    for header in [
        cloakroom_core::ResponseHeader::Vary,
        cloakroom_core::ResponseHeader::CacheControl,
    ] {
        assert!(response.all(header).is_empty());
    }
}

#[tokio::test]
async fn a_read_costs_one_call() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    assert_eq!(browser.read(&world, "known").await, Some(true));
    assert_eq!(world.calls(), [Load]);
    assert!(world.events.has(EventKind::Unchanged));
}

#[tokio::test]
async fn a_visitor_who_stores_nothing_leaves_no_record_and_no_cookie() {
    let world = World::new();
    let mut browser = Browser::new();
    let look = |s: &SessionHandle| {
        assert!(s.is_new());
        assert!(s.is_empty());
        s.rotate()?;
        s.persist(minutes(60))?;
        s.clear()?;
        s.remove("k").map(drop)
    };
    let response = browser.visit(&world, look).await;
    assert_eq!(world.calls(), []);
    assert!(response.cookies().is_empty());
}

#[tokio::test]
async fn a_change_costs_two_calls() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let response = browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(world.calls(), [Load, Replace]);
    assert!(response.cookies().is_empty(), "the browser has its cookie");
    assert!(world.events.has(EventKind::Saved));
}

#[tokio::test]
async fn many_changes_cost_no_more_than_one() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let change = |s: &SessionHandle| {
        for n in 0..50 {
            s.insert(&format!("key-{n}"), n)?;
        }
        s.remove("known")?;
        s.login("alice")
    };
    browser.visit(&world, change).await;
    assert_eq!(world.calls(), [Load, Replace]);
}

#[tokio::test]
async fn a_new_session_costs_one_call() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(world.calls(), [Create]);
    assert!(world.events.has(EventKind::NoToken));
    assert!(world.events.has(EventKind::Created));
}

#[tokio::test]
async fn a_touch_costs_one_call_more() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    world.clock.advance(minutes(3));
    browser.visit(&world, |_| Ok(())).await;
    assert_eq!(world.calls(), [Load, Touch]);
    assert!(world.events.has(EventKind::Touched));
    browser.visit(&world, |_| Ok(())).await;
    assert_eq!(world.calls(), [Load]);
}

#[tokio::test]
async fn a_change_needs_no_touch() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    world.clock.advance(minutes(20));
    browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(world.calls(), [Load, Replace]);
    world.clock.advance(minutes(20));
    assert_eq!(browser.read(&world, "k").await, Some(1));
}

#[tokio::test]
async fn a_touch_that_fails_disturbs_nobody() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    world.clock.advance(minutes(3));
    world
        .faults
        .fail_next(Touch, cloakroom_testkit::Fault::BeforeEffect);
    let response = browser.visit(&world, |_| Ok(())).await;
    assert_eq!(response.status, 200);
    assert_eq!(browser.read(&world, "known").await, Some(true));
}

#[tokio::test]
async fn a_result_that_equals_what_was_loaded_is_not_written() {
    let handlers: [Handler; 6] = [
        |s| s.insert("known", true),
        |s| s.remove("never").map(drop),
        |s| {
            s.insert("k", 1)?;
            s.remove("k").map(drop)
        },
        |s| {
            s.remove("known")?;
            s.insert("known", true)
        },
        |s| s.update("known", |known: &mut bool| *known = true),
        |s| {
            s.clear()?;
            s.insert("known", true)
        },
    ];
    for (n, handler) in handlers.into_iter().enumerate() {
        let world = World::new();
        let mut browser = Browser::known_to(&world).await;
        browser.visit(&world, handler).await;
        assert_eq!(world.calls(), [Load], "{n}");
        assert_eq!(browser.read(&world, "known").await, Some(true), "{n}");
    }
}

#[tokio::test]
async fn an_insert_taken_back_on_a_first_visit_makes_no_record() {
    let world = World::new();
    let mut browser = Browser::new();
    let insert_and_remove = |s: &SessionHandle| {
        s.insert("k", 1)?;
        s.remove("k").map(drop)
    };
    let response = browser.visit(&world, insert_and_remove).await;
    assert_eq!(world.calls(), []);
    assert!(response.cookies().is_empty());
}

#[tokio::test]
async fn a_session_that_was_emptied_stays() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let id = browser.id();
    browser.visit(&world, |s| s.clear()).await;
    assert_eq!(browser.read::<bool>(&world, "known").await, None);
    assert!(world.record(id).await.is_some());
    assert_eq!(browser.id(), id);
}

#[tokio::test]
async fn each_write_has_a_version_of_its_own() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let mut versions = std::collections::HashSet::new();
    for n in 0..20 {
        browser.visit(&world, |s| s.insert("k", n)).await;
        let record = world.record(browser.id()).await.unwrap();
        assert!(versions.insert(record.version));
    }
}

#[tokio::test]
async fn one_namespace_pays_nothing_for_another() {
    let world = World::build(|builder, store| {
        builder
            .namespace(Namespace::new(ACCOUNT, store.clone()))
            .namespace(Namespace::new("cart", store.clone()))
    });
    let mut browser = Browser::new();
    browser.visit(&world, |s| s.insert("k", 1)).await;
    assert_eq!(world.calls(), [Create]);
    assert!(browser.cookie("__Host-cart").is_none());
    browser.visit(&world, |s| s.insert("k", 2)).await;
    assert_eq!(world.calls(), [Load, Replace]);
}
