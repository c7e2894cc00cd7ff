//! Memory is bounded, whatever applications and clients do.

use std::sync::Arc;

use cloakroom_core::{Namespace, RequestHead, Scheme, SessionManager};
use cloakroom_memory::MemoryStore;
use cloakroom_panel::{Access, Change, FeedEvent, KeptHead, Panel, PeekError, RequestEnd};

use crate::application::{Application, get, namespace, shown};

#[tokio::test]
async fn the_newest_requests_are_kept_and_no_others() {
    let application = Application::with(Panel::builder().capacity(3).build().unwrap());
    for n in 0..5 {
        application
            .begin(get(&format!("/{n}"), ""))
            .finish(200)
            .await;
    }
    let numbers: Vec<_> = application
        .panel
        .recordings()
        .iter()
        .map(|one| one.number())
        .collect();
    assert_eq!(numbers, [5, 4, 3]);
    assert!(application.panel.recording(2).is_none());
    let gone = application.panel.peek(2, "cart").await;
    assert!(matches!(gone, Err(PeekError::NoRequest)));
    application.panel.clear();
    assert!(application.panel.recordings().is_empty());
    application.begin(get("/", "")).finish(200).await;
    assert!(application.panel.recording(6).is_some(), "numbers go on");
}

/// The memory of the oldest request is used for the newest.
#[tokio::test]
async fn nothing_of_an_old_request_shows_in_a_new_one() {
    let application = Application::with(Panel::builder().capacity(1).build().unwrap());
    let mut old = get("/old-path", "old-cookie=old-value");
    old.add_header("x-forwarded-proto", b"old-proto");
    let visit = application.begin(old);
    let place = Arc::as_ptr(&visit.recording);
    let cart = visit.open("cart").await;
    cart.insert("old-key", "old-text").unwrap();
    cart.save().await.unwrap();
    cart.insert("old-other", "old-text").unwrap();
    visit.finish(200).await;
    drop((cart, visit));

    // The same memory: a request that touches nothing.
    let untouched = application.begin(get("/new", ""));
    assert_eq!(Arc::as_ptr(&untouched.recording), place);
    let request = shown(&untouched.recording);
    assert!(request.end.is_none() && request.duration.is_none());
    assert!(request.timeline.is_empty() && request.cookies.is_empty());
    assert!(!format!("{request:?}").contains("old"), "{request:?}");
    for namespace in &request.namespaces {
        assert_eq!(namespace.access, Access::NotTouched);
        assert!(namespace.keys.is_empty() && namespace.id.is_none());
    }
    untouched
        .recording
        .answered(302, |_| Some(b"old-header".as_slice()));
    drop(untouched);

    // One that fills its room, and one that does the same with less.
    let large = application.begin(get("/old-path", ""));
    let cart = large.open("cart").await;
    for n in 0..500 {
        cart.insert(&format!("old-{n}"), "old-text").unwrap();
    }
    large.finish(500).await;
    assert!(shown(&large.recording).left_out > 0);
    drop((cart, large));
    let small = application.begin(get("/new", ""));
    assert_eq!(Arc::as_ptr(&small.recording), place);
    let cart = small.open("cart").await;
    cart.insert("new-key", "new-text").unwrap();
    let cookie = small.finish(200).await;
    let request = shown(&small.recording);
    assert_eq!(request.left_out, 0);
    assert!(request.content_type.is_none() && request.location.is_none());
    assert_eq!(namespace(&small.recording, "cart").keys.len(), 1);
    assert!(!format!("{request:?}").contains("old"), "{request:?}");
    drop((cart, small));

    // One that leaves a session as it was, and one that is under way.
    let read = application.begin(get("/", &cookie));
    read.open("cart").await;
    read.finish(200).await;
    assert!(namespace(&read.recording, "cart").bytes_out.is_some());
    drop(read);
    let under_way = application.begin(get("/", &cookie));
    assert_eq!(Arc::as_ptr(&under_way.recording), place);
    under_way.open("cart").await;
    assert!(namespace(&under_way.recording, "cart").bytes_out.is_none());
}

#[tokio::test]
async fn a_recording_that_somebody_holds_stays_as_it_is() {
    let application = Application::with(Panel::builder().capacity(1).build().unwrap());
    let held = application.begin(get("/held", "")).recording;
    application.begin(get("/newer", "")).finish(200).await;
    assert_eq!(shown(&held).path, "/held");
    assert_eq!(held.number(), 1);
    let newest = application.panel.recordings();
    assert_eq!(shown(&newest[0]).path, "/newer");
    assert_eq!(newest[0].number(), 2);
}

#[tokio::test]
async fn large_values_are_cut_with_their_true_length_and_many_are_left_out() {
    let application = Application::new();
    let (recording, _) = application
        .visit("", |cart| {
            cart.insert("a-long", "x".repeat(30_000)).unwrap();
            for n in 0..500 {
                cart.insert(&format!("k{n}"), n).unwrap();
            }
        })
        .await;
    let request = shown(&recording);
    let cart = namespace(&recording, "cart");
    let long = cart.keys.iter().find(|key| key.key == "a-long").unwrap();
    let long = long.after.as_ref().unwrap();
    assert!(long.is_cut && !long.is_undecodable && long.json.len() <= 4096);
    assert_eq!(long.bytes, 30_003);
    assert!(
        cart.keys.len() <= 300 && request.left_out > 0,
        "{}",
        cart.keys.len()
    );
}

#[tokio::test]
async fn what_is_cut_is_compared_whole_and_takes_its_room_once() {
    let application = Application::new();
    let long = |end: &str| format!("{}{end}", "x".repeat(5_000));
    let fill = |cart: &cloakroom_core::SessionHandle| {
        for n in 0..11 {
            cart.insert(&format!("k{n}"), long("a")).unwrap();
        }
    };
    let (_, cookie) = application.visit("", fill).await;
    let change = |cart: &cloakroom_core::SessionHandle| cart.insert("k7", long("b")).unwrap();
    let (changed, _) = application.visit(&cookie, change).await;
    assert_eq!(shown(&changed).left_out, 0);
    for key in namespace(&changed, "cart").keys {
        let expected = match &*key.key {
            "k7" => Change::Changed,
            _ => Change::Unchanged,
        };
        assert_eq!(key.change, expected, "{}", key.key);
    }
}

#[tokio::test]
async fn many_steps_are_left_out_and_counted() {
    let application = Application::new();
    let visit = application.begin(get("/", ""));
    let cart = visit.open("cart").await;
    for n in 0..200 {
        cart.insert("n", n).unwrap();
        cart.save().await.unwrap();
    }
    visit.finish(200).await;
    let request = shown(&visit.recording);
    assert_eq!(request.timeline.len(), 300);
    assert!(request.left_out > 100);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_recorded_in_part_and_not_peeked_with() {
    let application = Application::new();
    let mut head = get("/", "cart=x");
    head.add_header("x-large", &vec![b'x'; 20_000]);
    let visit = application.begin(head);
    visit.finish(200).await;
    assert!(!namespace(&visit.recording, "cart").may_peek);
    let peek = application.panel.peek(1, "cart").await;
    assert!(matches!(peek, Err(PeekError::NotPossible)));
    assert_eq!(shown(&visit.recording).cookies[0].name, "cart");
}

#[tokio::test]
async fn requests_of_many_managers_are_no_leak() {
    let panel = Panel::builder().build().unwrap();
    for _ in 0..40 {
        let cart = Namespace::new("cart", MemoryStore::new());
        let manager = SessionManager::builder().namespace(cart).build().unwrap();
        let recording = panel.begin(get("/", ""), None);
        let _sessions = cloakroom_core::RequestSessions::begin_traced(&manager, recording);
    }
    assert_eq!(panel.configuration().len(), 1, "the newest of the name");
}

#[tokio::test]
async fn a_listener_hears_of_requests_and_of_what_it_has_missed() {
    let application = Application::new();
    let mut feed = application.panel.subscribe();
    let visit = application.begin(get("/", ""));
    assert_eq!(feed.next().await, Some(FeedEvent::Began(1)));
    assert_eq!(feed.try_next(), None);
    visit.recording.end(RequestEnd::Dropped);
    visit.recording.answered(200, |_| None);
    assert_eq!(feed.next().await, Some(FeedEvent::Ended(1)));
    assert_eq!(feed.try_next(), None, "it ends once");
    assert_eq!(shown(&visit.recording).end, Some(RequestEnd::Dropped));
    for _ in 0..100 {
        application.begin(get("/", "")).finish(200).await;
    }
    assert!(matches!(feed.next().await, Some(FeedEvent::Missed(missed)) if missed > 100));
    drop(application);
    while let Some(event) = feed.next().await {
        assert!(!matches!(event, FeedEvent::Cleared));
    }
}

#[tokio::test]
async fn an_ended_panel_costs_requests_under_way_nothing() {
    let application = Application::new();
    let visit = application.begin(get("/", ""));
    let Application { manager, panel, .. } = application;
    drop(panel);
    visit.open("cart").await.insert("n", 1).unwrap();
    visit.finish(200).await;
    assert_eq!(visit.head.scheme(), Scheme::Http);
    drop(manager);
    let head = KeptHead::new("GET", "/", None, Scheme::Http);
    assert!(head.query().is_none());
}
