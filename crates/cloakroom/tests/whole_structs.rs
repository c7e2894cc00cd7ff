//! A whole struct under one key: read, changed, and written only when it has changed.
#![cfg(feature = "memory")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use cloakroom::{
    Key, MemoryStore, Namespace, SessionError, SessionHandle, SessionManager, store::Operation,
};
use cloakroom_testkit::{SpyStore, TestBrowser};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
struct Checkout {
    address: Option<String>,
    gift: bool,
    notes: BTreeMap<String, u32>,
}

const CHECKOUT: Key<Checkout> = Key::new("checkout");

struct Shop {
    store: SpyStore<MemoryStore>,
    browser: TestBrowser,
}

impl Shop {
    fn new() -> Self {
        let store = SpyStore::new(MemoryStore::new());
        let sessions = SessionManager::builder()
            .namespace(Namespace::new("cart", store.clone()))
            .build()
            .unwrap();
        let browser = TestBrowser::new(&sessions);
        Self { store, browser }
    }

    /// With an address, a note for each of twenty items, and no gift.
    async fn with_checkout() -> Self {
        let mut shop = Self::new();
        let fill = |cart: &SessionHandle| {
            cart.update(CHECKOUT, |checkout| {
                checkout.address = Some("12 High Street".to_owned());
                checkout.notes = (0..20).map(|n| (format!("item-{n}"), n)).collect();
            })
        };
        assert_eq!(shop.visit(fill).await, [Operation::Create]);
        shop
    }

    /// The store calls that a request makes.
    async fn visit(
        &mut self,
        handler: impl FnOnce(&SessionHandle) -> Result<(), SessionError>,
    ) -> Vec<Operation> {
        self.store.take();
        let visited = self.browser.visit("cart", async |cart| handler(cart));
        visited.await.unwrap();
        let calls = self.store.take();
        calls.iter().map(|call| call.operation).collect()
    }

    async fn checkout(&self) -> Option<Checkout> {
        self.browser
            .session("cart")
            .await
            .unwrap()
            .get(CHECKOUT)
            .unwrap()
    }
}

#[tokio::test]
async fn a_struct_that_stays_as_it_is_is_not_written() {
    let mut shop = Shop::with_checkout().await;
    let before = shop.checkout().await.unwrap();
    type Handler = fn(&SessionHandle) -> Result<(), SessionError>;
    let unchanged: [Handler; 5] = [
        |cart| cart.get(CHECKOUT).map(drop),
        |cart| cart.update(CHECKOUT, |_| ()),
        |cart| cart.update(CHECKOUT, |checkout| checkout.gift = false),
        |cart| {
            cart.update(CHECKOUT, |checkout| checkout.gift = true)?;
            cart.update(CHECKOUT, |checkout| checkout.gift = false)
        },
        |cart| {
            let same = cart.get(CHECKOUT)?.unwrap_or_default();
            cart.insert(CHECKOUT, same)
        },
    ];
    for handler in unchanged {
        assert_eq!(shop.visit(handler).await, [Operation::Load]);
    }
    assert_eq!(shop.checkout().await, Some(before));
}

#[tokio::test]
async fn a_struct_that_has_changed_is_written_once() {
    let mut shop = Shop::with_checkout().await;
    let change = |cart: &SessionHandle| {
        cart.update(CHECKOUT, |checkout| checkout.gift = true)?;
        cart.update(CHECKOUT, |checkout| checkout.notes.clear())
    };
    let written = [Operation::Load, Operation::Replace];
    assert_eq!(shop.visit(change).await, written);
    let checkout = shop.checkout().await.unwrap();
    assert!(checkout.gift && checkout.notes.is_empty() && checkout.address.is_some());
}

#[tokio::test]
async fn a_default_that_is_left_as_it_is_makes_no_session() {
    let mut shop = Shop::new();
    let look = |cart: &SessionHandle| cart.update(CHECKOUT, |checkout| checkout.gift = false);
    assert_eq!(shop.visit(look).await, []);
    assert_eq!(shop.checkout().await, None);
}

#[tokio::test]
async fn two_requests_that_change_different_fields_keep_both() {
    let mut shop = Shop::with_checkout().await;
    let mut other = shop.browser.clone();
    let slow = shop.browser.visit("cart", async |cart| {
        cart.update(CHECKOUT, |checkout| checkout.gift = true)?;
        let fast = other.visit("cart", async |cart| {
            cart.update(CHECKOUT, |checkout| checkout.address = None)
        });
        fast.await
    });
    slow.await.unwrap();
    let checkout = shop.checkout().await.unwrap();
    assert_eq!((checkout.gift, checkout.address), (true, None));
}
