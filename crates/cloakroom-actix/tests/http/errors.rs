//! Middleware inside that answers with an error: the cookies are on the response that the error makes.

use std::{cell::Cell, fmt, rc::Rc};

use actix_web::{
    Error, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{StatusCode, header},
    middleware::{Next, from_fn},
    web::{self, ServiceConfig},
};
use cloakroom_actix::{Session, SessionMiddleware, SessionRejection};
use cloakroom_core::{Namespace, SessionManager, store::Operation};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::{Fault, FaultyStore};

use crate::browser::{Account, Answer, Browser, Cart};

/// An error of the application's, which counts how often it is asked for its response.
#[derive(Debug, Clone, Default)]
struct Teapot(Rc<Cell<u32>>);

impl fmt::Display for Teapot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("I am a teapot")
    }
}

impl ResponseError for Teapot {
    fn status_code(&self) -> StatusCode {
        StatusCode::IM_A_TEAPOT
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        self.0.set(self.0.get() + 1);
        HttpResponse::ImATeapot()
            .insert_header((header::VARY, "Accept"))
            .insert_header((header::ETAG, "\"tea\""))
            .body("tea")
    }
}

type Outcome = Result<ServiceResponse<BoxBody>, Error>;

async fn changes_and_fails(
    cart: Session<Cart>,
    _: ServiceRequest,
    _: Next<impl MessageBody>,
) -> Outcome {
    cart.insert("x", 1).map_err(SessionRejection::from)?;
    Err(Teapot::default().into())
}

async fn fails(_: ServiceRequest, _: Next<impl MessageBody>) -> Outcome {
    Err(Teapot::default().into())
}

async fn changes_and_fails_badly(
    cart: Session<Cart>,
    _: ServiceRequest,
    _: Next<impl MessageBody>,
) -> Outcome {
    cart.insert("x", 9).map_err(SessionRejection::from)?;
    Err(actix_web::error::ErrorBadGateway("broken"))
}

/// Its response can be taken once.
async fn changes_and_fails_once(
    cart: Session<Cart>,
    _: ServiceRequest,
    _: Next<impl MessageBody>,
) -> Outcome {
    cart.insert("x", 1).map_err(SessionRejection::from)?;
    let response = HttpResponse::Gone().body("gone");
    Err(InternalError::from_response("gone", response).into())
}

async fn needs_account(
    _: Session<Account>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    next.call(request).await
}

async fn read(cart: Session<Cart>) -> String {
    format!("{:?}", cart.get::<u32>("x").unwrap())
}

fn routes(sessions: SessionManager) -> impl FnOnce(&mut ServiceConfig) {
    async fn done() -> &'static str {
        "done"
    }
    move |config| {
        let page = |path| web::resource(path).route(web::get().to(done));
        config.service(
            web::scope("")
                .route("/read", web::get().to(read))
                .service(page("/changes").wrap(from_fn(changes_and_fails)))
                .service(page("/fails").wrap(from_fn(fails)))
                .service(page("/badly").wrap(from_fn(changes_and_fails_badly)))
                .service(page("/once").wrap(from_fn(changes_and_fails_once)))
                .service(page("/account").wrap(from_fn(needs_account)))
                .wrap(SessionMiddleware::new(sessions)),
        );
    }
}

fn sessions(store: impl cloakroom_core::store::Store + Clone) -> SessionManager {
    SessionManager::builder()
        .namespace(Namespace::new("cart", store.clone()))
        .namespace(Namespace::new("account", store).only_if(|_| false))
        .build()
        .unwrap()
}

#[actix_web::test]
async fn it_carries_the_cookies_and_what_it_says_itself() {
    let mut browser = Browser::new(routes(sessions(MemoryStore::new()))).await;
    let answer = browser.get("/changes").await;
    assert_eq!((answer.status.as_u16(), &*answer.text), (418, "tea"));
    assert_eq!(answer.all(header::SET_COOKIE).len(), 1);
    assert_eq!(answer.all(header::VARY), ["Accept", "Cookie"]);
    assert_eq!(answer.all(header::CACHE_CONTROL), ["no-store"]);
    assert_eq!(answer.all(header::ETAG), ["\"tea\""]);
    assert_eq!(browser.get("/read").await.text, "Some(1)");
}

#[actix_web::test]
async fn one_of_500_or_more_saves_nothing() {
    let mut browser = Browser::new(routes(sessions(MemoryStore::new()))).await;
    let answer = browser.get("/badly").await;
    assert_eq!(answer.status, 502);
    assert!(answer.all(header::SET_COOKIE).is_empty());
    assert_eq!(browser.get("/read").await.text, "None");
}

#[actix_web::test]
async fn it_is_left_alone_where_there_is_nothing_to_add() {
    let mut browser = Browser::new(routes(sessions(MemoryStore::new()))).await;
    let request = browser.request("GET", "/fails");
    let error = browser.reply(request).await.unwrap_err();
    let teapot = error.as_error::<Teapot>().expect("the application's own");
    assert_eq!(teapot.0.get(), 0, "nobody has asked for its response");
}

#[actix_web::test]
async fn its_response_may_be_made_twice() {
    let mut browser = Browser::new(routes(sessions(MemoryStore::new()))).await;
    let request = browser.request("GET", "/changes");
    let error = browser.reply(request).await.unwrap_err();
    assert_eq!(error.as_response_error().status_code(), 418);
    for _ in 0..2 {
        let answer = Answer::of(error.error_response()).await;
        assert_eq!((answer.status.as_u16(), &*answer.text), (418, "tea"));
        assert_eq!(answer.all(header::SET_COOKIE).len(), 1);
        assert_eq!(answer.all(header::VARY), ["Accept", "Cookie"]);
        assert_eq!(answer.all(header::CACHE_CONTROL), ["no-store"]);
    }
}

#[actix_web::test]
async fn one_that_has_its_response_once_keeps_it() {
    let mut browser = Browser::new(routes(sessions(MemoryStore::new()))).await;
    let answer = browser.get("/once").await;
    assert_eq!((answer.status.as_u16(), &*answer.text), (410, "gone"));
    assert_eq!(answer.all(header::SET_COOKIE).len(), 1);
}

#[actix_web::test]
async fn it_says_what_it_said() {
    let mut browser = Browser::new(routes(sessions(MemoryStore::new()))).await;
    let request = browser.request("GET", "/changes");
    let error = browser.reply(request).await.unwrap_err();
    assert_eq!(error.to_string(), "I am a teapot");
    assert!(format!("{error:?}").contains("Teapot"), "{error:?}");
    assert!(!format!("{error:?}").contains("__Host"), "{error:?}");
}

#[actix_web::test]
async fn a_commit_that_fails_takes_its_place() {
    let store = FaultyStore::new(MemoryStore::new());
    let faults = store.faults();
    let mut browser = Browser::new(routes(sessions(store))).await;
    faults.always_on(Operation::Create, Fault::BeforeEffect);
    for _ in 0..2 {
        let answer = browser.get("/changes").await;
        assert_eq!(answer.status, 503);
        assert!(answer.text.starts_with("The session could not be saved."));
        assert!(answer.all(header::ETAG).is_empty());
    }
}

#[actix_web::test]
async fn an_extractor_of_middleware_answers_as_one_of_a_handler() {
    let mut browser = Browser::new(routes(sessions(MemoryStore::new()))).await;
    let answer = browser.get("/account").await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.all(header::CACHE_CONTROL), ["no-store"]);
}

#[actix_web::test]
async fn two_that_are_nested_both_add_their_cookies() {
    async fn both(
        cart: Session<Cart>,
        account: Session<Account>,
        _: ServiceRequest,
        _: Next<impl MessageBody>,
    ) -> Outcome {
        cart.insert("x", 1).map_err(SessionRejection::from)?;
        account.insert("x", 1).map_err(SessionRejection::from)?;
        Err(Teapot::default().into())
    }
    let make = |name| {
        let namespace = Namespace::new(name, MemoryStore::new());
        let sessions = SessionManager::builder().namespace(namespace);
        SessionMiddleware::new(sessions.build().unwrap())
    };
    let mut browser = Browser::new(|config| {
        let page = web::resource("/").wrap(from_fn(both)).wrap(make("account"));
        config.service(web::scope("").service(page).wrap(make("cart")));
    })
    .await;
    let answer = browser.get("/").await;
    assert_eq!((answer.status.as_u16(), &*answer.text), (418, "tea"));
    assert_eq!(answer.all(header::SET_COOKIE).len(), 2);
    assert_eq!(answer.all(header::VARY), ["Accept", "Cookie"]);
}
