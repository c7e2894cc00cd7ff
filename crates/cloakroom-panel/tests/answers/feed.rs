//! New requests, as they come.

use cloakroom_panel::{FeedStream, PanelBody};
use futures_util::{FutureExt, StreamExt};

use crate::visitor::{Application, header};

/// A feed of which the beginning was read.
async fn feed(application: &Application) -> FeedStream {
    let response = application.get("/feed").await;
    assert_eq!(header(&response, "content-type"), "text/event-stream");
    let PanelBody::Feed(mut feed) = response.body else {
        panic!("it is no feed");
    };
    assert_eq!(next(&mut feed).await, "retry: 300\n\n");
    feed
}

async fn next(feed: &mut FeedStream) -> String {
    let bytes = feed.next().await.unwrap().unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_request_is_told_when_it_begins_and_when_it_ends() {
    let application = Application::new();
    let mut feed = feed(&application).await;
    // A path that would end the event early, were it sent as it is.
    let path = "/cart\n\ndata: <script>";
    application
        .visit(path, "", Some(("items", "umbrella")))
        .await;
    for name in ["began", "ended"] {
        let frame = next(&mut feed).await;
        let mut lines = frame.strip_suffix("\n\n").unwrap().split('\n');
        assert_eq!(lines.next(), Some(&*format!("event: {name}")));
        assert!(lines.all(|line| line.starts_with("data: ")), "{frame}");
        assert!(frame.contains("<li data-number=\"1\""), "{frame}");
        assert!(!frame.contains("<script>"), "{frame}");
    }
}

#[tokio::test]
async fn the_panel_s_own_requests_are_not_told() {
    let application = Application::new();
    let mut feed = feed(&application).await;
    application.get("/").await;
    application.get("/namespaces").await;
    assert!(feed.next().now_or_never().is_none());
    application.panel.clear();
    assert_eq!(next(&mut feed).await, "event: cleared\ndata:\n\n");
}

#[tokio::test]
async fn who_was_too_slow_looks_at_all_again() {
    let application = Application::new();
    let mut feed = feed(&application).await;
    for _ in 0..100 {
        application.visit("/about", "", None).await;
    }
    let missed = "event: missed\ndata:\n\n";
    assert_eq!(next(&mut feed).await, missed);
    // What is not kept any more can't be shown.
    let mut frames = Vec::new();
    while let Some(frame) = feed.next().now_or_never() {
        frames.push(frame.unwrap().unwrap());
    }
    assert!(frames.iter().any(|frame| *frame == missed));
}

#[tokio::test(start_paused = true)]
async fn a_feed_ends_now_and_then_so_that_a_server_can_shut_down() {
    let application = Application::new();
    let mut feed = feed(&application).await;
    let began = tokio::time::Instant::now();
    assert!(feed.next().await.is_none());
    assert_eq!(began.elapsed().as_secs(), 8);
}

#[tokio::test]
async fn a_question_about_the_head_gets_no_events() {
    let application = Application::new();
    let response = application.ask("HEAD", "/feed", Some(crate::visitor::HERE), "");
    let PanelBody::Full(text) = response.await.body else {
        panic!("it is a feed");
    };
    assert_eq!(text, "");
}
