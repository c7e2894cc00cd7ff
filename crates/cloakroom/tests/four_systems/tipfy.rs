//! A datastore with a cache in front.

use axum::{Router, routing::get};
use cloakroom::{
    MemoryStore, Namespace, Session, SessionLayer, SessionRejection, TieredStore, minutes,
    store::Operation,
};
use cloakroom_testkit::SpyStore;

use crate::support::{Browser, Cart, manager, shop};

#[tokio::test]
async fn tipfy_written_only_when_changed() {
    async fn same(cart: Session<Cart>) -> Result<(), SessionRejection> {
        Ok(cart.insert("x", 1)?)
    }
    let store = SpyStore::new(MemoryStore::new());
    let sessions = manager([Namespace::new("cart", store.clone())]);
    let app = Router::new()
        .route("/", get(same))
        .layer(SessionLayer::new(sessions));
    let mut browser = Browser::to(app);
    browser.get("/").await;
    assert_eq!(browser.set_cookies.len(), 1);
    store.take();
    browser.get("/").await;
    assert_eq!(
        store.take().len(),
        1,
        "setting what is there writes nothing"
    );
    assert!(browser.set_cookies.is_empty());
}

#[tokio::test]
async fn tipfy_a_datastore_with_a_cache_in_front() {
    let datastore = SpyStore::new(MemoryStore::new());
    let cached = TieredStore::builder(MemoryStore::new(), datastore.clone())
        .max_age(minutes(1))
        .build();
    let mut browser = shop(Namespace::new("cart", cached));
    browser.get("/add").await;
    datastore.take();
    assert_eq!(browser.get("/read").await, "1");
    assert!(datastore.take().is_empty(), "the cache has it");
    browser.get("/add").await;
    let operations: Vec<_> = datastore.take().iter().map(|call| call.operation).collect();
    assert!(operations.contains(&Operation::Replace), "{operations:?}");
}
