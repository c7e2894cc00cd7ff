//! How requests end, and what else is recorded.

use actix_web::{
    Error, HttpResponse,
    error::ErrorBadGateway,
    middleware::from_fn,
    web::{self, Json, Redirect},
};
use cloakroom_actix::{PanelMiddleware, Session, SessionMiddleware};
use cloakroom_core::{Namespace, SessionManager};
use cloakroom_memory::MemoryStore;
use cloakroom_panel::{EntryKind, Panel, RequestEnd};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;

use crate::shop::{Application, Browser, Cart, PAGE, page, panel, request, routes, store};

fn end(panel: &Panel, number: u64) -> Option<RequestEnd> {
    panel.recording(number).unwrap().view(|request| request.end)
}

fn names(panel: &Panel) -> Vec<String> {
    panel.recording(1).unwrap().view(|request| {
        let names = request.namespaces.iter();
        names.map(|one| one.name().to_owned()).collect()
    })
}

#[actix_web::test]
async fn redirects_and_errors_and_api_calls_are_recorded_and_the_panels_own_requests_are_not() {
    let panel = panel();
    let app = Application::new(panel.clone(), |config| {
        let away = Redirect::to("/items?token=abc").see_other();
        config
            .route(
                "/away",
                web::get().to(move || std::future::ready(away.clone())),
            )
            .route("/api", web::get().to(async || Json(1)))
            .configure(routes(&store()));
    })
    .await;
    let mut browser = Browser::new(&app);
    for path in [
        "/away",
        "/api",
        "/nowhere",
        "/_cloakroom/",
        "/_cloakroom/requests/1",
    ] {
        browser.get(path).await;
    }
    let recorded: Vec<_> = panel
        .recordings()
        .iter()
        .map(|recording| recording.view(|request| (request.path.clone(), request.end)))
        .collect();
    let ended = |path: &str, status| (path.to_owned(), Some(RequestEnd::Answered(status)));
    assert_eq!(
        recorded,
        [
            ended("/nowhere", 404),
            ended("/api", 200),
            ended("/away", 303)
        ]
    );
    let away = panel.recording(1).unwrap();
    let location = away.view(|request| request.location.clone());
    assert_eq!(location.as_deref(), Some("/items?token=\u{2026}"));
    let api = panel.recording(2).unwrap();
    let kind = api.view(|request| request.content_type.clone());
    assert_eq!(kind.as_deref(), Some("application/json"));
}

#[actix_web::test]
async fn a_panic_and_a_client_that_leaves_are_told_apart() {
    async fn panics(cart: Session<Cart>) -> HttpResponse {
        cart.insert("items", 9).unwrap();
        unreachable!("on purpose")
    }
    let panel = panel();
    let sessions = SessionManager::builder()
        .namespace(Namespace::new("cart", MemoryStore::new()))
        .build()
        .unwrap();
    let app = Application::new(panel.clone(), |config| {
        let scope = web::scope("")
            .route("/panic", web::get().to(panics))
            .route("/hang", web::get().to(std::future::pending::<HttpResponse>));
        config.service(scope.wrap(SessionMiddleware::new(sessions)));
    })
    .await;
    let panicking = AssertUnwindSafe(app.get("/panic")).catch_unwind();
    assert!(panicking.await.is_err());
    assert!(app.get("/hang").now_or_never().is_none());
    assert_eq!(
        (end(&panel, 1), end(&panel, 2)),
        (Some(RequestEnd::Panicked), Some(RequestEnd::Dropped))
    );
}

#[actix_web::test]
async fn the_error_of_a_middleware_is_recorded_and_goes_on() {
    let panel = panel();
    let app = Application::new(panel.clone(), |config| {
        let scope = web::scope("").route("/", web::get().to(page));
        config.service(scope.wrap(from_fn(async |_, _| {
            Err::<actix_web::dev::ServiceResponse, Error>(ErrorBadGateway("no"))
        })));
    })
    .await;
    let error = app.reply(request("GET", "/")).await.unwrap_err();
    assert_eq!(error.to_string(), "no");
    drop(error.error_response());
    assert_eq!(end(&panel, 1), Some(RequestEnd::Answered(502)));
}

#[actix_web::test]
async fn the_response_of_an_error_is_recorded_with_its_cookie() {
    let panel = panel();
    let app = Application::new(panel.clone(), |config| {
        let failing = from_fn(async |cart: Session<Cart>, _, _| {
            cart.insert("items", 1).unwrap();
            Err::<actix_web::dev::ServiceResponse, Error>(actix_web::error::ErrorNotFound("no"))
        });
        let sessions = SessionManager::builder()
            .namespace(Namespace::new("cart", MemoryStore::new()))
            .build();
        let scope = web::scope("").route("/", web::get().to(page));
        let sessions = SessionMiddleware::new(sessions.unwrap());
        config.service(scope.wrap(failing).wrap(sessions));
    })
    .await;
    let error = app.reply(request("GET", "/")).await.unwrap_err();
    assert_eq!(end(&panel, 1), None, "its response is not made yet");
    let response = error.error_response();
    assert!(response.headers().contains_key("set-cookie"));
    assert_eq!(end(&panel, 1), Some(RequestEnd::Answered(404)));
    panel.recording(1).unwrap().view(|request| {
        assert!(request.content_type.is_some());
        let cookies = request.timeline.iter().filter(|entry| {
            matches!(
                &entry.kind,
                EntryKind::Header {
                    cookie: Some(_),
                    ..
                }
            )
        });
        let after: Vec<_> = cookies.map(|entry| entry.is_after_head).collect();
        assert_eq!(after, [false]);
    });
}

#[actix_web::test]
async fn the_error_of_a_handler_is_recorded_as_its_response() {
    let panel = panel();
    let app = Application::new(panel.clone(), |config| {
        let handler = async || Err::<&str, _>(actix_web::error::ErrorNotFound("no"));
        config.route("/", web::get().to(handler));
    })
    .await;
    assert_eq!(app.get("/").await.status, 404);
    assert_eq!(end(&panel, 1), Some(RequestEnd::Answered(404)));
}

#[actix_web::test]
async fn an_inner_panel_leaves_requests_to_the_outer_one() {
    let (inner, outer) = (panel(), panel());
    let around = PanelMiddleware::new(inner.clone());
    let app = Application::new(outer.clone(), |config| {
        config.service(web::scope("").configure(routes(&store())).wrap(around));
    })
    .await;
    let page = app.get("/").await;
    assert_eq!(page.text.matches("/_cloakroom/requests/").count(), 1);
    assert_eq!((inner.recordings().len(), outer.recordings().len()), (0, 1));
    assert_eq!(names(&outer), ["account", "cart", "prefs"]);
}

#[actix_web::test]
async fn a_session_middleware_inside_of_another_is_recorded_too() {
    let panel = panel();
    let site = Namespace::new("site", MemoryStore::new());
    let site = SessionManager::builder().namespace(site).build().unwrap();
    let app = Application::new(panel.clone(), |config| {
        let shop = web::scope("/shop").configure(routes(&store()));
        config.service(shop.wrap(SessionMiddleware::new(site)));
    })
    .await;
    Browser::new(&app).get("/shop/add").await;
    assert_eq!(names(&panel), ["site", "account", "cart", "prefs"]);
}

#[actix_web::test]
async fn without_a_panel_nothing_is_there() {
    let app = Application::new(None, routes(&store())).await;
    assert_eq!(app.get("/").await.text, PAGE);
    assert_eq!(app.get("/_cloakroom/").await.status, 404);
}
