//! Peeking at a session that a request did not touch.

use cloakroom_core::{
    Namespace, Outcome, RequestHead, RequestSessions, ResponseHead, ResponseHeader, Scheme,
    SessionManager, TokenTransport, Transport, store::Operation,
};
use cloakroom_memory::MemoryStore;
use cloakroom_panel::{KeptHead, Panel};

use crate::visitor::{Application, HERE, Response, full, header};

#[tokio::test]
async fn a_peek_reads_once_and_changes_nothing() {
    let application = Application::new();
    let (_, cookie) = application
        .visit("/cart", "", Some(("items", "umbrella")))
        .await;
    let (untouched, _) = application.visit("/about", &cookie, None).await;
    application.store.take();
    let page = full(application.get(&format!("/requests/{untouched}")).await);
    assert!(page.contains("not opened"), "{page}");
    assert_eq!(
        application.store.operations(),
        [],
        "looking at it reads nothing"
    );

    let form = format!("namespace=cart&token={}", application.token().await);
    let target = format!("/requests/{untouched}/peek");
    let response = application.post(&target, &form).await;
    assert_eq!(response.status, 200);
    let names = response.headers.iter().map(|(name, _)| *name);
    assert!(!names.into_iter().any(|name| name == "set-cookie"));
    let page = full(response);
    assert!(page.contains("&quot;umbrella&quot;"), "{page}");
    assert!(page.contains("as it is in the store now"), "{page}");
    assert_eq!(application.store.operations(), [Operation::Load]);
    // It is no request of the application's, and leaves nothing in the recording.
    assert_eq!(application.panel.recordings().len(), 2);
    let page = full(application.get(&format!("/requests/{untouched}")).await);
    assert!(!page.contains("umbrella"), "{page}");
}

#[tokio::test]
async fn a_peek_opens_nothing_that_the_request_could_not_have_opened() {
    let application = Application::new();
    let (_, cookie) = application
        .visit("/cart", "", Some(("items", "umbrella")))
        .await;
    let (name, token) = cookie.split_once('=').unwrap();
    // The right id with another secret.
    let forged = format!("{name}={}{}", &token[..32], "A".repeat(32));
    let token = application.token().await;
    for (cookie, namespace, expected) in [
        ("", "cart", "the request came without a token"),
        (forged.as_str(), "cart", "opens no session"),
        (
            cookie.as_str(),
            "account",
            "its condition is false for this request",
        ),
    ] {
        let (number, _) = application.visit("/about", cookie, None).await;
        let form = format!("namespace={namespace}&token={token}");
        let page = full(
            application
                .post(&format!("/requests/{number}/peek"), &form)
                .await,
        );
        assert!(page.contains(expected), "{expected}\n{page}");
        assert!(!page.contains("umbrella"), "{page}");
    }
}

#[tokio::test]
async fn a_peek_is_asked_for_by_the_panel_s_own_form() {
    let application = Application::new();
    let (_, cookie) = application
        .visit("/cart", "", Some(("items", "umbrella")))
        .await;
    let (number, _) = application.visit("/about", &cookie, None).await;
    application.store.take();
    let target = format!("/requests/{number}/peek");
    for form in ["namespace=cart", "namespace=cart&token=x"] {
        let response = application.post(&target, form).await;
        assert_eq!(response.status, 403);
        assert_eq!(header(&response, "cache-control"), "no-store");
        assert!(!full(response).contains("umbrella"));
    }
    let form = format!("namespace=cart&token={}", application.token().await);
    assert_eq!(
        application.post("/requests/99/peek", &form).await.status,
        404
    );
    assert_eq!(application.store.operations(), []);
}

/// Tokens in a header of the application's own.
#[derive(Debug)]
struct Device;

impl TokenTransport for Device {
    fn read(&self, request: &dyn RequestHead, candidate: &mut dyn FnMut(&[u8])) {
        request.header("x-device", candidate);
    }

    fn write(&self, token: Option<&str>, response: &mut dyn ResponseHead) {
        let token = token.unwrap_or_default().to_owned();
        response.append(ResponseHeader::Other("x-device"), token.into());
    }

    fn varies_on(&self) -> &[&str] {
        &["X-Device"]
    }
}

#[tokio::test]
async fn a_peek_reads_tokens_by_the_application_s_own_transport() {
    let device = Namespace::new("device", MemoryStore::new());
    let device = device.transports([Transport::custom(Device)]);
    let manager = SessionManager::builder().namespace(device).build().unwrap();
    let panel = Panel::builder().build().unwrap();
    let mut head = KeptHead::new("POST", "/", None, Scheme::Http);
    let sessions = RequestSessions::begin(&manager);
    let opened = sessions.judge_all(&head).open("device").await;
    opened
        .unwrap()
        .unwrap()
        .insert("items", "umbrella")
        .unwrap();
    let _ = sessions.commit(Outcome::Success).await;
    let mut response = Response::default();
    sessions.finish(&mut response);

    head.add_header("x-device", response.value("x-device").as_bytes());
    let recording = panel.begin(head, Some(HERE));
    let _untouched = RequestSessions::begin_traced(&manager, recording.clone());
    let peek = panel.peek(recording.number(), "device").await.unwrap();
    assert_eq!(peek.keys[0].before.clone().unwrap().json, "\"umbrella\"");
}
