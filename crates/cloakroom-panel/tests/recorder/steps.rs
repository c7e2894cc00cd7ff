//! The timeline in words.

use cloakroom_panel::{EntryLevel, TimelineEntry};

use crate::application::{Application, get, namespace, shown};

fn texts(timeline: &[TimelineEntry]) -> Vec<String> {
    timeline.iter().map(TimelineEntry::text).collect()
}

#[tokio::test]
async fn why_no_cookie_was_set_is_answered_in_a_sentence() {
    let application = Application::new();
    let (empty, _) = application.visit("", |_| {}).await;
    assert_eq!(
        texts(&shown(&empty).timeline),
        [
            "open: it has no condition",
            "new: the request has no token",
            "not written, and cookie not sent: the session is new and empty",
            "header added: vary: Cookie",
        ]
    );
    let (first, cookie) = application
        .visit("", |cart| cart.insert("n", 1).unwrap())
        .await;
    let sent = texts(&shown(&first).timeline);
    assert!(
        sent.contains(&"to be created: values changed".to_owned()),
        "{sent:?}"
    );
    let cookie_sent = "cookie cart sent, 64 bytes: Path=/; HttpOnly; SameSite=Lax";
    assert!(sent.contains(&cookie_sent.to_owned()), "{sent:?}");
    let (read, _) = application.visit(&cookie, |_| {}).await;
    let id = namespace(&first, "cart").id.unwrap();
    assert_eq!(
        texts(&shown(&read).timeline),
        [
            "open: it has no condition".to_owned(),
            format!("a token of session {id} came in cookie cart"),
            "store: load: found".to_owned(),
            format!("the token of {id} is good"),
            "opened".to_owned(),
            "not written: nothing changed; the client has its cookie".to_owned(),
            "not written: nothing has changed".to_owned(),
            "header added: vary: Cookie".to_owned(),
        ]
    );
    assert_eq!(namespace(&read, "cart").id, Some(id));
}

#[tokio::test]
async fn what_a_stream_saves_comes_after_the_head() {
    let application = Application::new();
    let (_, cookie) = application
        .visit("", |cart| cart.insert("n", 1).unwrap())
        .await;
    let visit = application.begin(get("/stream", &cookie));
    let cart = visit.open("cart").await;
    visit.finish(200).await;
    cart.insert("late", true).unwrap();
    cart.save().await.unwrap();
    let request = shown(&visit.recording);
    let late = request.timeline.iter().filter(|entry| entry.is_after_head);
    assert!(late.count() > 1);
    let keys = namespace(&visit.recording, "cart").keys;
    assert_eq!(keys.len(), 2, "{keys:?}");
}

#[tokio::test]
async fn a_forged_token_is_notable_and_a_good_one_is_good() {
    let application = Application::new();
    let forged = format!("cart={}", "A".repeat(64));
    let (recording, _) = application.visit(&forged, |_| {}).await;
    let request = shown(&recording);
    let levels: Vec<_> = request.timeline.iter().map(TimelineEntry::level).collect();
    assert!(levels.contains(&EntryLevel::Notable) && !levels.contains(&EntryLevel::Good));
    let texts = texts(&request.timeline);
    assert!(
        texts
            .iter()
            .any(|text| text.ends_with("there is no such session")),
        "{texts:?}"
    );
    assert!(namespace(&recording, "cart").is_new);
}

#[tokio::test]
async fn cookies_are_counted_by_their_names() {
    let application = Application::new();
    let mut head = get("/", "a=1; cart=xyz; b");
    head.add_header("cookie", b"cart=x; theme=dark");
    head.add_header("x-forwarded-proto", b"https");
    let request = shown(&application.begin(head).recording);
    let cookies: Vec<_> = request
        .cookies
        .iter()
        .map(|cookie| (&*cookie.name, cookie.count, cookie.value_length))
        .collect();
    assert_eq!(cookies, [("a", 1, 1), ("cart", 2, 3), ("theme", 1, 4)]);
    assert_eq!(request.cookie_bytes, 34);
    assert_eq!(request.forwarded_proto.as_deref(), Some("https"));
    assert_eq!(request.host, "localhost:3000");
}
