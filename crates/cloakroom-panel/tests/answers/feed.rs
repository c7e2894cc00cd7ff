//! New requests, as they come.

use cloakroom_panel::{FEED_BEGINNING, PanelBody, frame};

use crate::visitor::{Application, header};

#[tokio::test]
async fn a_request_is_told_when_it_begins_and_when_it_ends() {
    let application = Application::new();
    let response = application.get("/feed").await;
    assert_eq!(header(&response, "content-type"), "text/event-stream");
    let PanelBody::Feed(mut feed) = response.body else {
        panic!("it is no feed");
    };
    // A path that would end the event early, were it sent as it is.
    let path = "/cart\n\ndata: <script>";
    application
        .visit(path, "", Some(("items", "umbrella")))
        .await;
    let began = frame(&application.panel, feed.next().await.unwrap());
    let ended = frame(&application.panel, feed.next().await.unwrap());
    for (frame, name) in [(began, "began"), (ended, "ended")] {
        let mut lines = frame.strip_suffix("\n\n").unwrap().split('\n');
        assert_eq!(lines.next(), Some(&*format!("event: {name}")));
        assert!(lines.all(|line| line.starts_with("data: ")), "{frame}");
        assert!(frame.contains("<li data-number=\"1\""), "{frame}");
        assert!(!frame.contains("<script>"), "{frame}");
    }
    assert!(FEED_BEGINNING.ends_with("\n\n"));
}

#[tokio::test]
async fn the_panel_s_own_requests_are_not_told() {
    let application = Application::new();
    let PanelBody::Feed(mut feed) = application.get("/feed").await.body else {
        panic!("it is no feed");
    };
    application.get("/").await;
    application.get("/namespaces").await;
    assert_eq!(feed.try_next(), None);
    application.panel.clear();
    let cleared = frame(&application.panel, feed.next().await.unwrap());
    assert_eq!(cleared, "event: cleared\ndata:\n\n");
}

#[tokio::test]
async fn who_was_too_slow_looks_at_all_again() {
    let application = Application::new();
    let PanelBody::Feed(mut feed) = application.get("/feed").await.body else {
        panic!("it is no feed");
    };
    for _ in 0..100 {
        application.visit("/about", "", None).await;
    }
    let missed = frame(&application.panel, feed.next().await.unwrap());
    assert_eq!(missed, "event: missed\ndata:\n\n");
    // What is not kept any more can't be shown.
    let mut gone = None;
    while let Some(event) = feed.try_next() {
        gone = gone.or(Some(frame(&application.panel, event)));
    }
    assert_eq!(gone.as_deref(), Some("event: missed\ndata:\n\n"));
}
