//! Opening: once per request, when a namespace is first asked for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cloakroom_core::{EventKind, Namespace, Scheme, SessionError};
use cloakroom_store::Operation::Load;
use cloakroom_testkit::Fault;

use crate::support::{ACCOUNT, Browser, World};

#[tokio::test]
async fn the_same_session_is_returned_for_the_rest_of_the_request() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    let again = flight.open(ACCOUNT).await;
    assert_eq!(again.get("k").unwrap(), Some(1));
    let by_name = flight
        .sessions
        .judge_all(&flight.head)
        .open(ACCOUNT)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(by_name.get("k").unwrap(), Some(1));
    assert_eq!(world.calls(), [Load]);
}

#[tokio::test(start_paused = true)]
async fn parallel_tasks_open_it_once_and_the_others_wait() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let slow = Fault::Delay(Duration::from_millis(100));
    world.faults.always_on(Load, slow);
    let flight = Arc::new(world.begin(&browser));
    let tasks: Vec<_> = (0..10)
        .map(|n| {
            let flight = Arc::clone(&flight);
            tokio::spawn(async move {
                let session = flight.open(ACCOUNT).await;
                session.insert(&format!("key-{n}"), n).unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(world.calls(), [Load]);
    assert_eq!(flight.open(ACCOUNT).await.len(), 11);
}

#[tokio::test(start_paused = true)]
async fn an_open_that_is_given_up_leaves_it_to_the_next() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let flight = Arc::new(world.begin(&browser));
    world.faults.fail_next(Load, Fault::Hang);
    let first = flight.open(ACCOUNT);
    let waiting = {
        let flight = Arc::clone(&flight);
        tokio::spawn(async move { flight.open(ACCOUNT).await.contains("known") })
    };
    let given_up = tokio::time::timeout(Duration::from_millis(50), first).await;
    assert!(given_up.is_err());
    let waited = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    assert!(waited.expect("it waits for nobody").unwrap());
}

#[tokio::test]
async fn a_namespace_whose_condition_does_not_hold_is_closed() {
    let world = World::with(|n| n.only_if(|request| request.is_https()));
    let browser = Browser::known_to_over_https(&world).await;
    let plain = world.begin(&browser);
    assert!(plain.try_open(ACCOUNT).await.unwrap().is_none());
    assert!(
        !plain
            .sessions
            .judge_all(&plain.head)
            .is_open(ACCOUNT)
            .unwrap()
    );
    let response = plain.finish().await;
    assert!(
        response
            .all(cloakroom_core::ResponseHeader::Vary)
            .is_empty()
    );
    assert_eq!(world.calls(), []);
    assert_eq!(world.events.take(), [EventKind::Closed]);
    let mut head = browser.request();
    head.scheme = Scheme::Https;
    let secure = world.begin_with(head);
    assert!(secure.open(ACCOUNT).await.contains("known"));
    assert!(
        secure
            .sessions
            .judge_all(&secure.head)
            .is_open(ACCOUNT)
            .unwrap()
    );
}

impl Browser {
    async fn known_to_over_https(world: &World) -> Self {
        let mut browser = Self::new();
        let mut head = browser.request();
        head.scheme = Scheme::Https;
        let flight = world.begin_with(head);
        flight.open(ACCOUNT).await.insert("known", true).unwrap();
        browser.receive(&flight.finish().await);
        world.calls();
        world.events.take();
        browser
    }
}

#[tokio::test]
async fn the_condition_is_judged_at_most_once_per_request() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let condition = move |_: &dyn cloakroom_core::RequestHead| {
        counter.fetch_add(1, Ordering::SeqCst);
        true
    };
    let world = World::with(|n| n.only_if(condition));
    let flight = world.begin(&Browser::new());
    assert_eq!(
        asked.load(Ordering::SeqCst),
        0,
        "not before it is asked for"
    );
    for _ in 0..3 {
        flight.open(ACCOUNT).await;
        flight.sessions.judge_all(&flight.head);
    }
    flight.finish().await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_condition_sees_method_path_query_and_headers() {
    let world = World::with(|n| {
        n.only_if(|request| {
            request.method() == "GET"
                && request.path() == "/admin"
                && request.query() == Some("a=b")
                && request.header_is("x-tenant", "one")
        })
    });
    let mut head = crate::support::Request::default().header("x-tenant", "one");
    head.path = "/admin".to_owned();
    head.query = Some("a=b".to_owned());
    let opened = world.begin_with(head.clone()).try_open(ACCOUNT).await;
    assert!(opened.unwrap().is_some());
    head.query = None;
    let opened = world.begin_with(head).try_open(ACCOUNT).await;
    assert!(opened.unwrap().is_none());
}

#[tokio::test]
async fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
    let world = World::new();
    let flight = world.begin(&Browser::new());
    let error = flight.try_open("acount").await.unwrap_err();
    let SessionError::UnknownNamespace { name, known } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (name.as_str(), &known[..]),
        ("acount", &[ACCOUNT.to_owned()][..])
    );
}

#[tokio::test]
async fn judging_all_loads_nothing() {
    let world = World::build(|builder, store| {
        builder
            .namespace(Namespace::new(ACCOUNT, store.clone()))
            .namespace(Namespace::new("admin", store.clone()).only_if(|_| false))
    });
    let browser = Browser::known_to(&world).await;
    let flight = world.begin(&browser);
    let all = flight.sessions.judge_all(&flight.head);
    assert_eq!(world.calls(), []);
    assert!(all.opened().is_empty());
    assert_eq!(all.names(), [ACCOUNT, "admin"]);
    flight.open(ACCOUNT).await;
    assert_eq!(all.opened(), [ACCOUNT]);
}

#[tokio::test]
async fn two_first_visits_at_the_same_time_make_two_records_and_the_last_cookie_counts() {
    let world = World::new();
    let mut browser = Browser::new();
    let (one, a) = world.open(&browser).await;
    let (other, b) = world.open(&browser).await;
    a.insert("k", 1).unwrap();
    b.insert("k", 2).unwrap();
    browser.receive(&one.finish().await);
    browser.receive(&other.finish().await);
    assert_eq!(world.records(), 2);
    assert_eq!(browser.read(&world, "k").await, Some(2));
}

/// Hears that a namespace is closed, and takes its time until another thread has judged it too.
#[derive(Debug)]
struct Slow {
    judged: std::sync::mpsc::SyncSender<()>,
    go_on: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
}

impl cloakroom_core::Observer for Slow {
    fn on_event(&self, event: &cloakroom_core::Event<'_>) {
        assert_eq!(event.kind, EventKind::Closed);
        self.judged.send(()).unwrap();
        let go_on = self.go_on.lock().unwrap();
        let _ = go_on.recv_timeout(Duration::from_secs(10));
    }
}

#[test]
fn nobody_waits_for_the_observer_of_another_task() {
    let (judged, is_judged) = std::sync::mpsc::sync_channel(9);
    let (done, go_on) = std::sync::mpsc::channel();
    let slow = Slow {
        judged,
        go_on: std::sync::Mutex::new(go_on),
    };
    let world = World::build(|builder, store| {
        builder
            .namespace(Namespace::new(ACCOUNT, store.clone()).only_if(|_| false))
            .observer(slow)
    });
    let flight = world.begin(&Browser::new());
    let judge = || {
        let judged = flight.sessions.judge(ACCOUNT, &flight.head);
        judged.unwrap().is_none()
    };
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        let first = scope.spawn(judge);
        is_judged.recv().unwrap();
        assert!(judge());
        assert!(began.elapsed() < Duration::from_secs(5));
        done.send(()).unwrap();
        assert!(first.join().unwrap());
    });
}
