//! One failing request is one line of the log, whatever its handler makes of the failure.

use std::{cell::RefCell, fmt, sync::Once};

use actix_web::{
    HttpResponse, ResponseError,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
    web,
};
use cloakroom_actix::{Session, SessionMiddleware, SessionRejection, Sessions};
use cloakroom_core::{
    CorruptPolicy, FailurePolicy, Namespace, SessionError, SessionManager, store::Operation,
};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::{Fault, Faults, FaultyStore};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::browser::{Account, Browser, Cart};

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what each thread says at the levels of warn and error.
struct Trouble;

impl Subscriber for Trouble {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LINES.with_borrow_mut(|lines| lines.push(line.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {}={value:?}", field.name());
    }
}

fn take_lines() -> Vec<String> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| tracing::subscriber::set_global_default(Trouble).unwrap());
    LINES.take()
}

type Answer = Result<&'static str, SessionRejection>;

/// The session is opened by the extractor, which answers for it.
async fn add(cart: Session<Cart>) -> Answer {
    cart.update("count", |count: &mut u32| *count += 1)?;
    Ok("added")
}

async fn ignores_that_it_is_not_opened(cart: Option<Session<Cart>>) -> String {
    format!("{}", cart.is_some())
}

async fn takes_the_error_out(cart: Result<Session<Cart>, SessionRejection>) -> String {
    match cart {
        Ok(_) => "opened".to_owned(),
        Err(rejection) => rejection.into_error().to_string(),
    }
}

async fn answers_for_it_itself(sessions: Sessions) -> HttpResponse {
    match sessions.open("cart").await {
        Ok(_) => HttpResponse::Ok().body("opened"),
        Err(error) => HttpResponse::BadGateway().body(error.to_string()),
    }
}

async fn saves(cart: Session<Cart>) -> Answer {
    cart.insert("saved", 1)?;
    cart.save().await?;
    Ok("saved")
}

async fn ignores_that_it_is_not_saved(cart: Session<Cart>) -> Answer {
    cart.insert("tried", 1)?;
    let _ = cart.save().await;
    Ok("tried")
}

async fn reads_what_is_of_another_type(cart: Session<Cart>) -> Answer {
    cart.get::<String>("count")?;
    Ok("read")
}

async fn app(configure: impl Fn(Namespace) -> Namespace) -> (Browser, Faults) {
    let store = FaultyStore::new(MemoryStore::new());
    let faults = store.faults();
    let sessions = SessionManager::builder()
        .namespace(configure(Namespace::new("cart", store)))
        .build()
        .unwrap();
    let browser = Browser::new(|config| {
        config.service(
            web::scope("")
                .route("/add", web::get().to(add))
                .route(
                    "/ignores-open",
                    web::get().to(ignores_that_it_is_not_opened),
                )
                .route("/takes-out", web::get().to(takes_the_error_out))
                .route("/answers", web::get().to(answers_for_it_itself))
                .route("/saves", web::get().to(saves))
                .route("/ignores-save", web::get().to(ignores_that_it_is_not_saved))
                .route("/type", web::get().to(reads_what_is_of_another_type))
                .route("/unknown", web::get().to(asks_for_what_is_not_there))
                .service(web::resource("/guard").wrap(from_fn(guard)))
                .wrap(SessionMiddleware::new(sessions)),
        );
    });
    (browser.await, faults)
}

async fn asks_for_what_is_not_there(_: Option<Session<Account>>) -> &'static str {
    "asked"
}

/// Middleware whose extractor fails answers with an error, and not with a response.
async fn guard(
    _: Session<Cart>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    next.call(request).await
}

/// What the log has of one request for which one store call fails.
async fn lines_of(path: &str, policy: FailurePolicy, operation: Operation) -> (u16, Vec<String>) {
    let (mut browser, faults) = app(|cart| cart.on_store_failure(policy)).await;
    browser.get("/add").await;
    take_lines();
    faults.fail_next(operation, Fault::BeforeEffect);
    let status = browser.get(path).await.status;
    (status.as_u16(), take_lines())
}

#[actix_web::test]
async fn each_failing_request_is_one_line() {
    use FailurePolicy::{KeepResponse, Respond503};
    use Operation::{Load, Replace};
    for (path, policy, operation, answered) in [
        ("/add", Respond503, Load, 503),
        ("/ignores-open", Respond503, Load, 503),
        ("/takes-out", Respond503, Load, 200),
        ("/guard", Respond503, Load, 503),
        ("/answers", Respond503, Load, 502),
        ("/add", Respond503, Replace, 503),
        ("/add", KeepResponse, Replace, 200),
        ("/saves", Respond503, Replace, 503),
        ("/saves", KeepResponse, Replace, 503),
        ("/ignores-save", Respond503, Replace, 200),
    ] {
        let (status, lines) = lines_of(path, policy, operation).await;
        let context = format!("{path} {policy:?} {operation}: {status} {lines:#?}");
        assert_eq!((status, lines.len()), (answered, 1), "{context}");
        for part in [
            "ERROR",
            "namespace=\"cart\"",
            &format!("{operation} failed: the store is unavailable: see that"),
            "source=the test asked for this fault",
        ] {
            assert!(lines[0].contains(part), "{part:?} is missing: {context}");
        }
    }
}

#[actix_web::test]
async fn what_no_store_has_done_is_one_line_too() {
    for (path, expected) in [
        ("/type", "\"count\" is not of the type"),
        ("/unknown", "no namespace \"account\""),
    ] {
        let (mut browser, _) = app(|cart| cart.on_corrupt(CorruptPolicy::Fail)).await;
        browser.get("/add").await;
        take_lines();
        assert_eq!(browser.get(path).await.status, 500);
        let lines = take_lines();
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].contains(expected), "{lines:#?}");
    }
}

#[actix_web::test]
async fn a_response_that_is_made_twice_is_one_line() {
    take_lines();
    let rejection = SessionRejection::from(SessionError::NoLayer { hint: "wrap it" });
    for _ in 0..2 {
        assert_eq!(rejection.error_response().status(), 500);
    }
    assert_eq!(take_lines().len(), 1);
}

#[actix_web::test]
async fn missing_middleware_is_said_where_a_handler_sees_none() {
    let mut browser = Browser::new(|config| {
        config.route("/", web::get().to(ignores_that_it_is_not_opened));
    })
    .await;
    take_lines();
    assert_eq!(browser.get("/").await.text, "false");
    let lines = take_lines();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(
        lines[0].contains(".wrap(SessionMiddleware::new("),
        "{lines:#?}"
    );
}

#[actix_web::test]
async fn a_request_that_goes_well_is_none() {
    let (mut browser, _) = app(|cart| cart).await;
    take_lines();
    for path in ["/add", "/saves", "/ignores-open"] {
        browser.get(path).await;
    }
    assert_eq!(take_lines(), [""; 0]);
}
