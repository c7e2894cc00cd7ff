//! Routers cut off what they have matched; layers are put into one another.

use axum::{Router, routing::get};
use cloakroom_core::{Cookie, Namespace, NamespaceName, SessionManager, Transport};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::{Fault, FaultyStore};
use cloakroom_tower::{Session, SessionLayer, SessionRejection};

use crate::client::Server;

struct Cart;

impl NamespaceName for Cart {
    const NAME: &'static str = "cart";
}

struct Api;

impl NamespaceName for Api {
    const NAME: &'static str = "api";
}

async fn count(cart: Session<Cart>) -> Result<String, SessionRejection> {
    let count = |visits: &mut u32| {
        *visits += 1;
        *visits
    };
    Ok(cart.update("visits", count)?.to_string())
}

fn layer(namespace: Namespace) -> SessionLayer {
    SessionLayer::new(
        SessionManager::builder()
            .namespace(namespace)
            .build()
            .unwrap(),
    )
}

fn cart(transport: Transport) -> Namespace {
    let cart = Namespace::new("cart", MemoryStore::new());
    cart.transports([transport]).insecure_http()
}

#[tokio::test]
async fn a_nested_route_is_redirected_to_its_whole_address() {
    let items = Router::new().route("/item/{id}", get(count));
    let shop = Router::new().nest("/items", items);
    let app = Router::new()
        .nest("/shop", shop)
        .layer(layer(cart(Transport::query("sid"))));
    let server = Server::of(app).await;
    let answer = server.get("/shop/items/item/17?a=1").await;
    let location = answer.one("location").unwrap();
    assert!(
        location.starts_with("/shop/items/item/17?a=1&sid="),
        "{location}"
    );
    assert_eq!(server.get(location).await.text, "1");
    assert_eq!(server.get(location).await.text, "2");
}

async fn both(cart: Session<Cart>, api: Session<Api>) -> Result<&'static str, SessionRejection> {
    cart.insert("k", 1)?;
    api.insert("k", 1)?;
    Ok("both")
}

/// A cart in a cookie outside, a header session inside.
fn nested(outer_store: impl cloakroom_core::store::Store) -> Router {
    let api = Namespace::new("api", MemoryStore::new()).transports([Transport::header("X-Api")]);
    let cookie = Transport::cookie(Cookie::default());
    let cart = Namespace::new("cart", outer_store).transports([cookie]);
    let inner = Router::new().route("/both", get(both)).layer(layer(api));
    Router::new()
        .nest("/inner", inner)
        .layer(layer(cart.insecure_http()))
}

#[tokio::test]
async fn each_layer_answers_by_its_own_transports() {
    let server = Server::of(nested(MemoryStore::new())).await;
    let answer = server.get("/inner/both").await;
    assert_eq!(answer.text, "both");
    assert_eq!(answer.one("x-api").unwrap().len(), 64);
    assert_eq!(answer.all("set-cookie").len(), 1);
    assert_eq!(answer.all("vary"), ["x-api", "Cookie"]);
    assert_eq!(answer.all("cache-control"), ["no-store"]);
}

#[tokio::test]
async fn an_error_page_of_the_outer_layer_keeps_the_inner_one_s_token() {
    let store = FaultyStore::new(MemoryStore::new());
    store.faults().always(Fault::BeforeEffect);
    let server = Server::of(nested(store)).await;
    let answer = server.get("/inner/both").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.one("x-api").unwrap().len(), 64);
    assert!(answer.all("set-cookie").is_empty());
}
