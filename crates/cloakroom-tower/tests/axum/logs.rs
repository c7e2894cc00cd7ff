//! One failing request is one line of the log, whatever its handler makes of the failure.

use std::{cell::RefCell, fmt, sync::Once};

use axum::{Router, http::StatusCode, routing::get};
use cloakroom_core::{CorruptPolicy, FailurePolicy, Namespace, SessionManager, store::Operation};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::{Fault, Faults, FaultyStore};
use cloakroom_tower::{Session, SessionLayer, SessionRejection, Sessions};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::app::{Browser, Cart};

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

async fn ignores_that_it_is_not_opened(cart: Result<Session<Cart>, SessionRejection>) -> String {
    format!("{}", cart.is_ok())
}

async fn answers_for_it_itself(sessions: Sessions) -> Result<&'static str, (StatusCode, String)> {
    match sessions.open("cart").await {
        Ok(_) => Ok("opened"),
        Err(error) => Err((StatusCode::BAD_GATEWAY, error.to_string())),
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

fn app(configure: impl Fn(Namespace) -> Namespace) -> (Browser, Faults) {
    let store = FaultyStore::new(MemoryStore::new());
    let faults = store.faults();
    let sessions = SessionManager::builder()
        .namespace(configure(Namespace::new("cart", store)))
        .build()
        .unwrap();
    let app = Router::new()
        .route("/add", get(add))
        .route("/ignores-open", get(ignores_that_it_is_not_opened))
        .route("/answers", get(answers_for_it_itself))
        .route("/saves", get(saves))
        .route("/ignores-save", get(ignores_that_it_is_not_saved))
        .route("/type", get(reads_what_is_of_another_type))
        .layer(SessionLayer::new(sessions));
    (Browser::new(app), faults)
}

/// What the log has of one request for which one store call fails.
async fn lines_of(path: &str, policy: FailurePolicy, operation: Operation) -> (u16, Vec<String>) {
    let (mut browser, faults) = app(|cart| cart.on_store_failure(policy));
    browser.get("/add").await;
    take_lines();
    faults.fail_next(operation, Fault::BeforeEffect);
    let status = browser.get(path).await.status;
    (status.as_u16(), take_lines())
}

#[tokio::test]
async fn each_failing_request_is_one_line() {
    use FailurePolicy::{KeepResponse, Respond503};
    use Operation::{Load, Replace};
    for (path, policy, operation, answered) in [
        ("/add", Respond503, Load, 503),
        ("/ignores-open", Respond503, Load, 200),
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

#[tokio::test]
async fn what_no_store_has_done_is_one_line_too() {
    let (mut browser, _) = app(|cart| cart.on_corrupt(CorruptPolicy::Fail));
    browser.get("/add").await;
    take_lines();
    assert_eq!(browser.get("/type").await.status, 500);
    let lines = take_lines();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("\"count\" is not of the type"));
}

#[tokio::test]
async fn a_request_that_goes_well_is_none() {
    let (mut browser, _) = app(|cart| cart);
    take_lines();
    for path in ["/add", "/saves", "/ignores-open"] {
        browser.get(path).await;
    }
    assert_eq!(take_lines(), [""; 0]);
}
