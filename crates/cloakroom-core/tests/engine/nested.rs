//! Nested layers: an inner application brings its own namespaces and sees the outer ones.

use cloakroom_core::{Namespace, Outcome, RequestSessions, SessionError, SessionManager};

use crate::support::{ACCOUNT, Browser, Response, World};

fn inner(world: &World) -> SessionManager {
    SessionManager::builder()
        .namespace(Namespace::new("cart", world.store.clone()))
        .clock(world.clock.clone())
        .build()
        .unwrap()
}

#[tokio::test]
async fn an_inner_layer_sees_the_outer_namespaces_and_the_same_session() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let head = browser.request();
    let outer = RequestSessions::begin(&world.manager);
    let nested = RequestSessions::begin_inside(&inner(&world), outer.clone()).unwrap();
    assert_eq!(nested.names(), [ACCOUNT, "cart"]);
    let all = nested.judge_all(&head);
    let account = all.open(ACCOUNT).await.unwrap().unwrap();
    let cart = all.open("cart").await.unwrap().unwrap();
    account.insert("k", 1).unwrap();
    cart.insert("item", "book").unwrap();
    let same = outer.judge_all(&head).open(ACCOUNT).await.unwrap().unwrap();
    assert_eq!(same.get("k").unwrap(), Some(1));
    assert!(matches!(
        outer.judge_all(&head).open("cart").await.unwrap_err(),
        SessionError::UnknownNamespace { .. }
    ));
    assert_eq!(all.opened(), [ACCOUNT, "cart"]);

    // Each layer commits and sends its own.
    let mut response = Response::new(200);
    let verdict = nested.commit(Outcome::Success).await;
    assert_eq!(verdict.status(), None);
    nested.finish(&mut response);
    assert!(response.only_cookie().starts_with("__Host-cart="));
    assert_eq!(browser.clone().read::<u32>(&world, "k").await, None);
    let verdict = outer.commit(Outcome::Success).await;
    assert_eq!(verdict.status(), None);
    outer.finish(&mut response);
    assert_eq!(browser.read(&world, "k").await, Some(1));
    assert_eq!(
        response.all(cloakroom_core::ResponseHeader::Vary),
        ["Cookie"]
    );
}

#[tokio::test]
async fn end_all_reaches_the_outer_layers() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let outer = RequestSessions::begin(&world.manager);
    let nested = RequestSessions::begin_inside(&inner(&world), outer.clone()).unwrap();
    let all = nested.judge_all(&browser.request());
    assert!(all.end_all().await.is_empty());
    let mut response = Response::new(200);
    for layer in [&nested, &outer] {
        let verdict = layer.commit(Outcome::Success).await;
        assert_eq!(verdict.status(), None);
        layer.finish(&mut response);
    }
    browser.receive(&response);
    assert_eq!(world.records(), 0);
}

#[tokio::test]
async fn an_unknown_namespace_is_an_error_that_lists_all_layers() {
    let world = World::new();
    let outer = RequestSessions::begin(&world.manager);
    let nested = RequestSessions::begin_inside(&inner(&world), outer).unwrap();
    let all = nested.judge_all(&Browser::new().request());
    let error = all.open("accuont").await.unwrap_err();
    let text = error.to_string();
    for name in ["accuont", ACCOUNT, "cart"] {
        assert!(text.contains(name), "{text}");
    }
}
