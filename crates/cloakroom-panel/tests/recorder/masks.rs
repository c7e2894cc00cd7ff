//! What looks secret is masked, and tokens are nowhere.

use cloakroom_core::{Namespace, RequestSessions, Scheme, SessionManager, Transport};
use cloakroom_memory::MemoryStore;
use cloakroom_panel::{KeptHead, Panel};

use crate::application::{Application, namespace, shown};

#[tokio::test]
async fn keys_that_look_secret_or_are_named_so_are_masked() {
    let panel = Panel::builder().mask("Shoe").build().unwrap();
    let application = Application::with(panel);
    let (recording, _) = application
        .visit("", |cart| {
            cart.insert("apiToken", "a").unwrap();
            cart.insert("items", 1).unwrap();
            cart.insert(
                "profile",
                std::collections::BTreeMap::from([("password", "b")]),
            )
            .unwrap();
            cart.insert("shoe_size", 44).unwrap();
        })
        .await;
    let keys = namespace(&recording, "cart").keys;
    let masked: Vec<_> = keys.iter().map(|key| (&*key.key, key.is_masked)).collect();
    assert_eq!(
        masked,
        [
            ("apiToken", true),
            ("items", false),
            ("profile", true),
            ("shoe_size", true)
        ]
    );
}

#[tokio::test]
async fn no_token_of_a_request_is_in_what_is_shown_of_it() {
    let application = Application::new();
    let (first, cookie) = application
        .visit("", |cart| cart.insert("items", 3).unwrap())
        .await;
    let (second, _) = application
        .visit(&cookie, |cart| cart.login("alice").unwrap())
        .await;
    let token = cookie.split_once('=').unwrap().1;
    assert_eq!(token.len(), 64);
    for recording in [&first, &second] {
        let shown = format!("{:?}", shown(recording));
        assert!(
            !shown.contains(&token[22..34]) && !shown.contains(&token[52..]),
            "{shown}"
        );
    }
    for target in [
        "/",
        "/requests/1",
        "/requests/2",
        "/namespaces",
        "/findings",
    ] {
        let page = application.page(target).await;
        assert!(
            !page.contains(&token[22..34]) && !page.contains(&token[52..]),
            "{target}"
        );
    }
    let debug = format!(
        "{first:?} {:?} {:?}",
        application.panel, application.manager
    );
    assert!(!debug.contains(&token[22..34]));
}

#[tokio::test]
async fn a_token_in_an_address_is_masked() {
    let panel = Panel::builder().build().unwrap();
    let cart = Namespace::new("cart", MemoryStore::new()).transports([Transport::query("sid")]);
    let manager = SessionManager::builder().namespace(cart).build().unwrap();
    let query = format!("page=2&sid={}&reset_token=abc", "x".repeat(64));
    let head = KeptHead::new("GET", "/cart", Some(&query), Scheme::Https);
    let recording = panel.begin(head, None);
    let _sessions = RequestSessions::begin_traced(&manager, recording.clone());
    let location = format!("/cart?sid={}", "y".repeat(64));
    recording.answered(302, |name| {
        (name == "location").then_some(location.as_bytes())
    });
    let request = shown(&recording);
    let masked = "page=2&sid=\u{2026}&reset_token=\u{2026}";
    assert_eq!(request.query.as_deref(), Some(masked));
    assert_eq!(request.location.as_deref(), Some("/cart?sid=\u{2026}"));
}
