use axum::{
    Router,
    http::{StatusCode, header},
    routing::get,
};
use cloakroom_core::{Namespace, NamespaceName, SessionManager};
use cloakroom_memory::MemoryStore;
use cloakroom_tower::{Session, SessionLayer, SessionRejection, Sessions};

use crate::app::{Browser, Cart, manager};

type Answer = Result<String, SessionRejection>;

struct Admin;

impl NamespaceName for Admin {
    const NAME: &'static str = "admin";
}

fn admin_manager(name: &str) -> SessionManager {
    SessionManager::builder()
        .namespace(Namespace::new(name, MemoryStore::new()))
        .build()
        .unwrap()
}

async fn visit(cart: Session<Cart>) -> Answer {
    let visits = cart.update("visits", |visits: &mut u32| {
        *visits += 1;
        *visits
    })?;
    Ok(visits.to_string())
}

#[tokio::test]
async fn works_under_a_nested_router() {
    let inner = Router::new().route("/visit", get(visit));
    let app = Router::new()
        .nest("/shop", inner)
        .layer(SessionLayer::new(manager(MemoryStore::new())));
    let mut browser = Browser::new(app);
    browser.get("/shop/visit").await;
    assert_eq!(browser.get("/shop/visit").await.text, "2");
}

#[tokio::test]
async fn a_layer_on_a_nested_router_alone_works() {
    let inner = Router::new()
        .route("/visit", get(visit))
        .layer(SessionLayer::new(manager(MemoryStore::new())));
    let mut browser = Browser::new(Router::new().nest("/shop", inner));
    browser.get("/shop/visit").await;
    assert_eq!(browser.get("/shop/visit").await.text, "2");
}

async fn both(cart: Session<Cart>, admin: Session<Admin>, sessions: Sessions) -> Answer {
    cart.insert("who", "cart")?;
    admin.insert("who", "admin")?;
    Ok(format!("{:?}", sessions.names()))
}

async fn read_both(cart: Session<Cart>, admin: Session<Admin>) -> Answer {
    let (cart, admin): (Option<String>, Option<String>) = (cart.get("who")?, admin.get("who")?);
    Ok(format!("{cart:?} {admin:?}"))
}

fn nested(inner_name: &str) -> Browser {
    let inner = Router::new()
        .route("/both", get(both))
        .route("/read", get(read_both))
        .layer(SessionLayer::new(admin_manager(inner_name)));
    let app = Router::new()
        .nest("/admin", inner)
        .route("/cart", get(visit))
        .layer(SessionLayer::new(manager(MemoryStore::new())));
    Browser::new(app)
}

#[tokio::test]
async fn an_inner_layer_brings_its_namespaces_and_sees_the_outer_ones() {
    let mut browser = nested("admin");
    let answer = browser.get("/admin/both").await;
    assert_eq!(answer.text, r#"["cart", "account", "admin"]"#);
    assert_eq!(answer.all(header::SET_COOKIE).len(), 2);
    assert_eq!(answer.all(header::VARY), ["Cookie"]);
    let read = browser.get("/admin/read").await;
    assert_eq!(read.text, r#"Some("cart") Some("admin")"#);
}

#[tokio::test]
async fn a_name_of_an_outer_layer_is_refused() {
    let mut browser = nested("cart");
    let answer = browser.get("/admin/both").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.text.contains("configuration"), "{}", answer.text);
    assert_eq!(browser.get("/cart").await.text, "1");
}
