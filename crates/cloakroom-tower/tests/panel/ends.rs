//! How requests end, and what else is recorded.

use axum::{Router, body::Body, http::StatusCode, routing::get};
use cloakroom_memory::MemoryStore;
use cloakroom_panel::RequestEnd;
use cloakroom_testkit::SpyStore;
use cloakroom_tower::PanelLayer;
use tower::{Layer, ServiceExt, service_fn};

use crate::shop::{Browser, get_page, panel, request, router, with_panel};

#[tokio::test]
async fn redirects_and_errors_and_api_calls_are_recorded_and_the_panels_own_requests_are_not() {
    let panel = panel();
    let router = router(&SpyStore::new(MemoryStore::new()))
        .route(
            "/away",
            get(async || axum::response::Redirect::to("/items?token=abc")),
        )
        .route("/api", get(async || axum::Json(1)));
    let mut browser = Browser::new(with_panel(router, &panel));
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
    let kind = panel
        .recording(2)
        .unwrap()
        .view(|request| request.content_type.clone());
    assert_eq!(kind.as_deref(), Some("application/json"));
}

#[tokio::test]
async fn a_panic_and_a_client_that_leaves_are_told_apart() {
    async fn panics() -> StatusCode {
        unreachable!("on purpose")
    }
    let panel = panel();
    let router = Router::new()
        .route("/panic", get(panics))
        .route("/hang", get(std::future::pending::<StatusCode>));
    let app = with_panel(router, &panel);
    let call = app.clone();
    let task = tokio::spawn(async move { get_page(&call, "/panic").await.status });
    assert!(task.await.unwrap_err().is_panic());
    let waiting = tokio::time::timeout(
        std::time::Duration::from_millis(10),
        get_page(&app, "/hang"),
    );
    assert!(waiting.await.is_err());
    let end = |number| panel.recording(number).unwrap().view(|request| request.end);
    assert_eq!(
        (end(1), end(2)),
        (Some(RequestEnd::Panicked), Some(RequestEnd::Dropped))
    );
}

#[tokio::test]
async fn a_service_that_fails_is_recorded() {
    let panel = panel();
    let failing =
        service_fn(async |_: axum::http::Request<Body>| Err::<axum::http::Response<Body>, _>("no"));
    let request = request("GET", "/").body(Body::empty()).unwrap();
    let failed = PanelLayer::new(panel.clone())
        .layer(failing)
        .oneshot(request)
        .await;
    assert_eq!(failed.err(), Some("no"));
    let end = panel.recording(1).unwrap().view(|request| request.end);
    assert_eq!(end, Some(RequestEnd::Failed));
}

#[tokio::test]
async fn an_inner_panel_leaves_requests_to_the_outer_one() {
    let (inner, outer) = (panel(), panel());
    let router = with_panel(router(&SpyStore::new(MemoryStore::new())), &inner);
    let app = with_panel(router, &outer);
    let page = get_page(&app, "/").await;
    assert_eq!(page.text.matches("/_cloakroom/requests/").count(), 1);
    assert_eq!((inner.recordings().len(), outer.recordings().len()), (0, 1));
    let names = outer.recording(1).unwrap().view(|request| {
        let names = request.namespaces.iter().map(|one| one.name().to_owned());
        names.collect::<Vec<_>>()
    });
    assert_eq!(names, ["account", "cart", "prefs"]);
}

#[tokio::test]
async fn a_session_layer_inside_of_another_is_recorded_too() {
    let panel = panel();
    let inner = router(&SpyStore::new(MemoryStore::new()));
    let site = cloakroom_core::Namespace::new("site", MemoryStore::new());
    let site = cloakroom_core::SessionManager::builder()
        .namespace(site)
        .build()
        .unwrap();
    let app = Router::new()
        .nest("/shop", inner)
        .layer(cloakroom_tower::SessionLayer::new(site));
    let mut browser = Browser::new(with_panel(app, &panel));
    browser.get("/shop/add").await;
    let names = panel.recording(1).unwrap().view(|request| {
        let names = request.namespaces.iter().map(|one| one.name().to_owned());
        names.collect::<Vec<_>>()
    });
    assert_eq!(names, ["site", "account", "cart", "prefs"]);
}

#[tokio::test]
async fn a_tracer_of_the_applications_own_does_not_turn_the_panel_off() {
    #[derive(Debug)]
    struct Deaf;
    impl cloakroom_core::Tracer for Deaf {
        fn on_step(&self, _: &cloakroom_core::Step<'_>) {}
    }
    let panel = panel();
    let app = with_panel(router(&SpyStore::new(MemoryStore::new())), &panel);
    let tracer: std::sync::Arc<dyn cloakroom_core::Tracer> = std::sync::Arc::new(Deaf);
    for path in ["/items", "/_cloakroom/"] {
        let request = request("GET", path).extension(tracer.clone());
        let request = request.body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
    let steps = panel.recording(1).unwrap();
    assert!(steps.view(|request| !request.timeline.is_empty()));
}
