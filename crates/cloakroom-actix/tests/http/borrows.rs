//! actix-web keeps a request's extensions in a `RefCell`, and the request itself in an `Rc` that its
//! router must have alone.
#![expect(clippy::await_holding_refcell_ref, reason = "it is what is tested")]

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::header,
    middleware::{Next, from_fn},
    web::{self, ServiceConfig},
};
use cloakroom_actix::{Session, SessionMiddleware, SessionRejection, Sessions};
use cloakroom_core::{Namespace, SessionManager};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::{Fault, FaultyStore};

use crate::browser::{Account, Browser, Cart, manager};

/// Opens everything there is while the extensions are borrowed.
async fn extracts_while_borrowed(request: HttpRequest) -> String {
    let extensions = request.extensions();
    let cart = Session::<Cart>::extract(&request).await;
    let account = Option::<Session<Account>>::extract(&request).await;
    let sessions = Sessions::extract(&request).await;
    let is_open = sessions.unwrap().is_open("account").unwrap();
    let is_marked = extensions.contains::<Marked>();
    format!("{is_marked} {} {is_open}", cart.is_ok() && account.is_ok())
}

struct Marked;

/// Puts something of the application's beside what is ours.
async fn mark(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    request.extensions_mut().insert(Marked);
    next.call(request).await
}

fn routes(sessions: SessionManager) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config.service(
            web::scope("")
                .route("/", web::get().to(extracts_while_borrowed))
                .wrap(SessionMiddleware::new(sessions))
                .wrap(from_fn(mark)),
        );
    }
}

#[actix_web::test]
async fn an_extractor_runs_while_the_extensions_are_borrowed() {
    let mut browser = Browser::new(routes(manager(MemoryStore::new()))).await;
    assert_eq!(browser.get("/").await.text, "true true true");
}

#[actix_web::test]
async fn so_does_one_that_fails() {
    let store = FaultyStore::new(MemoryStore::new());
    store.faults().always(Fault::BeforeEffect);
    let mut browser = Browser::new(routes(manager(store))).await;
    let token = format!("__Host-cart={}", "A".repeat(64));
    let request = browser.request("GET", "/");
    let request = request.insert_header((header::COOKIE, token));
    assert_eq!(browser.send(request).await.status, 503);
}

#[actix_web::test]
async fn without_the_middleware_too() {
    async fn handler(request: HttpRequest) -> String {
        let _extensions = request.extensions();
        let cart = Session::<Cart>::extract(&request).await;
        format!("{}", cart.is_ok())
    }
    let mut browser = Browser::new(|config| {
        config.route("/", web::get().to(handler));
    })
    .await;
    assert_eq!(browser.get("/").await.text, "false");
}

/// Middleware that looks at a session before the route is found, which needs the request alone.
async fn guard(
    cart: Session<Cart>,
    account: Option<Session<Account>>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    cart.insert("seen", true).map_err(SessionRejection::from)?;
    assert!(account.is_some());
    next.call(request).await
}

#[actix_web::test]
async fn a_session_that_middleware_has_opened_is_no_hold_on_the_request() {
    async fn page(cart: Session<Cart>, path: web::Path<String>) -> String {
        format!("{path} {:?}", cart.get::<bool>("seen").unwrap())
    }
    let mut browser = Browser::new(|config| {
        config.service(
            web::scope("")
                .service(web::scope("/shop").route("/{item}", web::get().to(page)))
                .wrap(from_fn(guard))
                .wrap(SessionMiddleware::new(manager(MemoryStore::new()))),
        );
    })
    .await;
    assert_eq!(browser.get("/shop/hat").await.text, "hat Some(true)");
}

#[actix_web::test]
async fn a_request_that_outlives_its_response_keeps_no_session_for_the_next() {
    let kept = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let keep = std::rc::Rc::clone(&kept);
    let page = move |request: HttpRequest, cart: Session<Cart>| {
        keep.borrow_mut().push(request);
        async move {
            let before = cart.len();
            cart.insert("x", 1).unwrap();
            before.to_string()
        }
    };
    let sessions = SessionManager::builder()
        .namespace(Namespace::new("cart", MemoryStore::new()))
        .build()
        .unwrap();
    let mut one = Browser::new(|config| {
        config.service(
            web::scope("")
                .route("/", web::get().to(page))
                .wrap(SessionMiddleware::new(sessions)),
        );
    })
    .await;
    let mut other = one.clone();
    for (browser, expected) in [(&mut one, ["0", "1"]), (&mut other, ["0", "1"])] {
        for expected in expected {
            assert_eq!(browser.get("/").await.text, expected);
        }
    }
    // What is kept can be asked still; what it changes has no cookie to go with.
    let request = kept.borrow()[0].clone();
    let late = Session::<Cart>::from_request(&request, &mut Payload::None)
        .await
        .unwrap();
    assert_eq!(late.len(), 1);
    kept.borrow_mut().clear();
    assert_eq!(one.get("/").await.text, "1");
}
