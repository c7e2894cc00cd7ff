//! Peeking at a session that a request did not touch.

use cloakroom_core::store::Operation;

use crate::visitor::{Application, full, header};

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
