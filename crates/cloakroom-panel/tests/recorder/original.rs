//! The cases of the original's panel, each named for its number.

use std::sync::atomic::Ordering;

use cloakroom_core::store::Operation;
use cloakroom_core::{Decision, RequestSessions};
use cloakroom_panel::{Access, Change};

use crate::application::{Application, get, namespace, shown};

#[tokio::test]
async fn m60_every_request_has_content_and_nobody_has_to_switch_it_on() {
    let application = Application::new();
    let untouched = application.begin(get("/about", ""));
    untouched.finish(200).await;
    let request = shown(&untouched.recording);
    let names: Vec<_> = request.namespaces.iter().map(|one| one.name()).collect();
    assert_eq!(names, ["account", "cart"]);
    assert_eq!(application.panel.recordings().len(), 1);
    assert!(application.page("/").await.contains("/about"));
}

#[tokio::test]
async fn m61_configuration_access_and_data_on_both_sides_are_kept() {
    let application = Application::new();
    let (_, cookie) = application
        .visit("", |cart| cart.insert("items", 3).unwrap())
        .await;
    let (recording, _) = application
        .visit(&cookie, |cart| cart.insert("items", 4).unwrap())
        .await;
    let cart = namespace(&recording, "cart");
    assert_eq!(cart.configuration.cookie_name.as_deref(), Some("cart"));
    assert_eq!(cart.access, Access::Opened);
    let [items] = &cart.keys[..] else {
        panic!("{:?}", cart.keys)
    };
    let json = |value: &Option<cloakroom_panel::RecordedValue>| value.clone().unwrap().json;
    assert_eq!(
        (json(&items.before), json(&items.after)),
        ("3".to_owned(), "4".to_owned())
    );
    assert_eq!(items.change, Change::Changed);
    assert!(cart.id.is_some() && !cart.is_new);
    assert_eq!(cart.bytes_in, cart.bytes_out);
}

#[tokio::test]
async fn m62_without_a_session_layer_the_panel_says_that_nothing_is_configured() {
    let application = Application::new();
    let head = get("/static", "");
    application.panel.begin(head, None).answered(200, |_| None);
    assert!(application.panel.configuration().is_empty());
    let page = application.page("/namespaces").await.to_lowercase();
    assert!(
        page.contains("no namespace") || page.contains("none"),
        "{page}"
    );
    let recording = &application.panel.recordings()[0];
    assert!(shown(recording).namespaces.is_empty());
}

#[tokio::test]
async fn m63_the_table_has_each_namespace_in_the_order_of_its_registration() {
    let application = Application::new();
    application.begin(get("/", "")).finish(200).await;
    let rows = application.panel.configuration();
    let table: Vec<_> = rows
        .iter()
        .map(|row| {
            let cookie = row.cookie_name.as_deref().unwrap();
            (&*row.namespace, cookie, row.has_condition)
        })
        .collect();
    assert_eq!(
        table,
        [("account", "__Host-account", true), ("cart", "cart", false)]
    );
    assert!(
        rows.iter().all(|row| row.store.contains("MemoryStore")),
        "{rows:?}"
    );
    assert_eq!(rows[0].transports, ["cookie __Host-account"]);
    let attributes = rows[0].cookie_attributes.as_deref();
    assert_eq!(attributes, Some("Path=/; Secure; HttpOnly; SameSite=Lax"));
}

#[tokio::test]
async fn m64_a_request_is_recorded_whether_somebody_looks_or_not() {
    let application = Application::new();
    for n in 1..=3 {
        let visit = application.begin(get("/", ""));
        visit.finish(200).await;
        assert_eq!(visit.recording.number(), n);
        assert!(application.panel.recording(n).is_some());
    }
}

#[tokio::test]
async fn m65_accessed_not_accessed_and_refused_by_the_condition_are_told_apart() {
    let application = Application::new();
    let visit = application.begin(get("/", ""));
    assert!(
        visit
            .sessions
            .judge("account", &visit.head)
            .unwrap()
            .is_none()
    );
    visit.sessions.judge("cart", &visit.head).unwrap();
    visit.finish(200).await;
    assert_eq!(
        namespace(&visit.recording, "account").access,
        Access::Closed
    );
    assert_eq!(namespace(&visit.recording, "cart").access, Access::Judged);
    let texts: Vec<_> = shown(&visit.recording)
        .timeline
        .iter()
        .map(|entry| entry.text())
        .collect();
    assert!(
        texts.contains(&"closed: its condition is false on this request, over http".to_owned()),
        "{texts:?}"
    );
    let (opened, _) = application.visit("", |_| {}).await;
    assert_eq!(namespace(&opened, "account").access, Access::NotTouched);
    assert_eq!(namespace(&opened, "cart").access, Access::Opened);
    assert_eq!(namespace(&opened, "cart").decision, Some(Decision::Empty));
}

#[tokio::test]
async fn m66_keys_are_sorted_and_each_change_is_marked() {
    let application = Application::new();
    let fill = |cart: &cloakroom_core::SessionHandle| {
        for (key, value) in [("z", 1), ("same", 1), ("gone", 1), ("10", 1), ("9", 1)] {
            cart.insert(key, value).unwrap();
        }
    };
    let (_, cookie) = application.visit("", fill).await;
    let (recording, _) = application
        .visit(&cookie, |cart| {
            cart.insert("same", 1).unwrap();
            cart.insert("z", 2).unwrap();
            cart.insert("new", "x").unwrap();
            cart.remove("gone").unwrap();
        })
        .await;
    let keys = namespace(&recording, "cart").keys;
    let table: Vec<_> = keys.iter().map(|key| (&*key.key, key.change)).collect();
    assert_eq!(
        table,
        [
            ("10", Change::Unchanged),
            ("9", Change::Unchanged),
            ("gone", Change::Removed),
            ("new", Change::Added),
            ("same", Change::Unchanged),
            ("z", Change::Changed),
        ]
    );
}

#[tokio::test]
async fn m67_a_value_or_a_key_that_is_html_stays_text() {
    let application = Application::new();
    let evil = "<script>alert(1)</script>";
    let (recording, cookie) = application
        .visit("", |cart| cart.insert(evil, evil).unwrap())
        .await;
    let json = namespace(&recording, "cart").keys[0]
        .after
        .clone()
        .unwrap()
        .json;
    assert_eq!(json, format!("\"{evil}\""));
    let visit = application.begin(get("/<script>alert(1)</script>", &cookie));
    visit.finish(200).await;
    for target in [
        "/",
        "/requests/1",
        "/requests/2",
        "/namespaces",
        "/findings",
    ] {
        let page = application.page(target).await;
        assert!(!page.contains("<script>alert"), "{target}: {page}");
    }
    assert!(
        application
            .page("/requests/1")
            .await
            .contains("&lt;script&gt;alert(1)")
    );
}

#[tokio::test]
async fn m67_a_value_that_is_not_of_the_codec_is_described() {
    let application = Application::new();
    let (recording, _) = application
        .visit("", |cart| {
            cart.insert("nan", f64::NAN).unwrap();
            cart.insert("map", std::collections::BTreeMap::from([(1, "one")]))
                .unwrap();
        })
        .await;
    let keys = namespace(&recording, "cart").keys;
    let json: Vec<_> = keys
        .iter()
        .map(|key| key.after.clone().unwrap().json)
        .collect();
    assert_eq!(json, ["{\"1\": \"one\"}", "\"NaN\""]);
}

#[tokio::test]
async fn m68_a_removed_key_is_marked_and_shows_what_it_was() {
    let application = Application::new();
    let (_, cookie) = application
        .visit("", |cart| cart.insert("items", 3).unwrap())
        .await;
    let remove = |cart: &cloakroom_core::SessionHandle| assert!(cart.remove("items").unwrap());
    let (recording, _) = application.visit(&cookie, remove).await;
    let cart = namespace(&recording, "cart");
    let [items] = &cart.keys[..] else {
        panic!("{:?}", cart.keys)
    };
    assert_eq!(items.change, Change::Removed);
    assert_eq!(items.before.clone().unwrap().json, "3");
    assert_eq!(items.after, None);

    let (_, cookie) = application
        .visit("", |cart| cart.insert("items", 3).unwrap())
        .await;
    let (ended, _) = application.visit(&cookie, |cart| cart.end().unwrap()).await;
    assert_eq!(namespace(&ended, "cart").keys[0].change, Change::Removed);
    assert_eq!(namespace(&ended, "cart").decision, Some(Decision::Delete));
}

/// What an application can ask about its namespaces.
async fn asked(sessions: &RequestSessions, head: &cloakroom_panel::KeptHead) -> Vec<String> {
    let mut seen = vec![format!("{:?}", sessions.names())];
    let all = sessions.judge_all(head);
    seen.push(format!("{:?}", all.is_open("account").unwrap()));
    seen.push(format!("{:?}", all.is_open("cart").unwrap()));
    seen.push(format!("{:?} {:?}", all.names(), all.opened()));
    all.open("cart").await.unwrap();
    seen.push(format!("{:?}", all.opened()));
    seen
}

#[tokio::test]
async fn m69_the_application_sees_the_same_namespaces_with_and_without_the_panel() {
    let application = Application::new();
    let head = get("/", "");
    let plain = RequestSessions::begin(&application.manager);
    let recorded = application.begin(head.clone());
    let expected = asked(&plain, &head).await;
    assert_eq!(asked(&recorded.sessions, &head).await, expected);
    assert_eq!(expected[1..3], ["false", "true"]);
}

#[tokio::test]
async fn m70_looking_loads_nothing_judges_nothing_and_sends_no_cookie() {
    let application = Application::new();
    let (_, cookie) = application
        .visit("", |cart| cart.insert("items", 3).unwrap())
        .await;
    application.store.take();
    application.judged.store(0, Ordering::SeqCst);
    let visit = application.begin(get("/about", &cookie));
    assert_eq!(visit.finish(200).await, "");
    for target in ["/", "/requests/2", "/namespaces", "/findings"] {
        application.page(target).await;
    }
    assert_eq!(
        namespace(&visit.recording, "cart").access,
        Access::NotTouched
    );
    assert_eq!(application.store.take(), []);
    assert_eq!(application.judged.load(Ordering::SeqCst), 0);

    // Somebody asks: one read.
    let peek = application.panel.peek(2, "cart").await.unwrap();
    assert!(peek.is_found);
    assert_eq!(peek.keys[0].before.clone().unwrap().json, "3");
    let calls = application.store.take();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].operation, Operation::Load);
    assert_eq!(
        namespace(&visit.recording, "cart").access,
        Access::NotTouched
    );
    let closed = application.panel.peek(2, "account").await.unwrap();
    assert!(closed.is_closed && !closed.is_found);
    assert_eq!(application.store.take(), []);
}

#[tokio::test]
async fn m71_what_the_application_did_not_touch_has_no_data_on_its_way_out() {
    let application = Application::new();
    let (_, cookie) = application
        .visit("", |cart| cart.insert("items", 3).unwrap())
        .await;
    let visit = application.begin(get("/", &cookie));
    visit.sessions.judge_all(&visit.head);
    visit.finish(200).await;
    let cart = namespace(&visit.recording, "cart");
    assert_eq!(
        (cart.access, cart.bytes_in, cart.bytes_out),
        (Access::Judged, None, None)
    );
    assert!(cart.keys.is_empty() && cart.may_peek);
}
