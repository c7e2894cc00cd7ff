use actix_web::{
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{StatusCode, header},
    middleware::{Next, from_fn},
    web::{self, ServiceConfig},
};
use cloakroom_actix::{Session, SessionMiddleware, SessionRejection, Sessions};
use cloakroom_core::{Namespace, NamespaceName, SessionManager, store::Store};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::{Fault, FaultyStore};

use crate::browser::{Browser, Cart, manager};

type Answer = Result<String, SessionRejection>;

struct Admin;

impl NamespaceName for Admin {
    const NAME: &'static str = "admin";
}

fn middleware(name: &str, store: impl Store) -> SessionMiddleware {
    let namespace = Namespace::new(name, store);
    SessionMiddleware::new(
        SessionManager::builder()
            .namespace(namespace)
            .build()
            .unwrap(),
    )
}

async fn visit(cart: Session<Cart>) -> Answer {
    let visits = cart.update("visits", |visits: &mut u32| {
        *visits += 1;
        *visits
    })?;
    Ok(visits.to_string())
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

#[actix_web::test]
async fn works_around_nested_scopes() {
    let mut browser = Browser::new(|config| {
        let inner = web::scope("/deep").route("/visit", web::get().to(visit));
        let shop = web::scope("/shop").service(inner);
        config.service(shop.wrap(middleware("cart", MemoryStore::new())));
    })
    .await;
    browser.get("/shop/deep/visit").await;
    assert_eq!(browser.get("/shop/deep/visit").await.text, "2");
}

#[actix_web::test]
async fn works_around_a_resource_and_a_route_alone() {
    let mut browser = Browser::new(|config| {
        let resource = web::resource("/visit").route(web::get().to(visit));
        config.service(resource.wrap(middleware("cart", MemoryStore::new())));
        config.route("/other", web::get().to(visit));
    })
    .await;
    browser.get("/visit").await;
    assert_eq!(browser.get("/visit").await.text, "2");
    assert_eq!(browser.get("/other").await.status, 500);
}

fn nested(inner: &'static str) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        let admin = web::scope("/admin")
            .route("/both", web::get().to(both))
            .route("/read", web::get().to(read_both))
            .wrap(middleware(inner, MemoryStore::new()));
        config.service(
            web::scope("")
                .service(admin)
                .route("/cart", web::get().to(visit))
                .wrap(SessionMiddleware::new(manager(MemoryStore::new()))),
        );
    }
}

#[actix_web::test]
async fn an_inner_scope_brings_its_namespaces_and_sees_the_outer_ones() {
    let mut browser = Browser::new(nested("admin")).await;
    let answer = browser.get("/admin/both").await;
    assert_eq!(answer.text, r#"["cart", "account", "admin"]"#);
    assert_eq!(answer.all(header::SET_COOKIE).len(), 2);
    assert_eq!(answer.all(header::VARY), ["Cookie"]);
    let read = browser.get("/admin/read").await;
    assert_eq!(read.text, r#"Some("cart") Some("admin")"#);
}

#[actix_web::test]
async fn a_name_of_an_outer_one_is_refused() {
    let mut browser = Browser::new(nested("cart")).await;
    let answer = browser.get("/admin/both").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.text.contains("configuration"), "{}", answer.text);
    assert_eq!(browser.get("/cart").await.text, "1");
}

#[actix_web::test]
async fn an_outer_store_that_fails_keeps_the_cookies_of_the_inner_one() {
    let store = FaultyStore::new(MemoryStore::new());
    store.faults().always(Fault::BeforeEffect);
    let mut browser = Browser::new(|config| {
        let admin = web::scope("/admin")
            .route("/both", web::get().to(both))
            .wrap(middleware("admin", MemoryStore::new()));
        config.service(
            web::scope("")
                .service(admin)
                .wrap(middleware("cart", store)),
        );
    })
    .await;
    let answer = browser.get("/admin/both").await;
    assert_eq!(answer.status, 503);
    let cookies = answer.all(header::SET_COOKIE);
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    assert!(cookies[0].starts_with("__Host-admin="), "{cookies:?}");
}

/// What lies between the two sees a failure, and lets the request through.
async fn between(
    cart: Option<Session<Cart>>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    assert!(cart.is_none());
    next.call(request).await
}

#[actix_web::test]
async fn a_failure_outside_an_inner_one_is_not_forgotten() {
    async fn page(admin: Session<Admin>) -> Answer {
        admin.insert("who", "admin")?;
        Ok("page".to_owned())
    }
    let store = FaultyStore::new(MemoryStore::new());
    store.faults().always(Fault::BeforeEffect);
    let mut browser = Browser::new(|config| {
        let admin = web::resource("/page")
            .route(web::get().to(page))
            .wrap(middleware("admin", MemoryStore::new()))
            .wrap(from_fn(between));
        config.service(
            web::scope("")
                .service(admin)
                .wrap(middleware("cart", store)),
        );
    })
    .await;
    let token = format!("__Host-cart={}", "A".repeat(64));
    let request = browser.request("GET", "/page");
    let request = request.insert_header((header::COOKIE, token));
    let answer = browser.send(request).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.all(header::SET_COOKIE).is_empty());
}
