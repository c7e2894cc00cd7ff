//! What a tracer hears of a request, step by step, and what it costs those who have none.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cloakroom_core::{
    Decision, FailurePolicy, Limits, Namespace, Reasons, RequestSessions, SaveMode, SessionManager,
    Step, Tracer, VoidReason, hours, minutes,
};
use cloakroom_store::Operation;
use cloakroom_testkit::{Fault, TestRandom};

use crate::support::{ACCOUNT, Browser, COOKIE, Handler, Heard, Request, World, revoke};

/// What is heard of a request that uses its session so.
async fn heard(world: &World, browser: &mut Browser, handler: Handler) -> Arc<Heard> {
    let (flight, heard) = world.begin_heard(browser);
    handler(&flight.open(ACCOUNT).await).unwrap();
    browser.receive(&flight.finish().await);
    heard
}

async fn decisions(world: &World, browser: &mut Browser, handler: Handler) -> Vec<Decision> {
    heard(world, browser, handler).await.decisions()
}

/// The reasons that a decision gives.
fn reasons(decisions: &[Decision]) -> Reasons {
    match decisions {
        [
            Decision::Create(why)
            | Decision::Replace(why)
            | Decision::Queue(why)
            | Decision::Seal(why),
        ] => *why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_first_visit_is_told_from_its_condition_to_its_cookie() {
    let world = World::new();
    let mut browser = Browser::new();
    let heard = heard(&world, &mut browser, |s| s.insert("n", 1)).await;
    let cookie = concat!(
        "header set-cookie None Some(SentCookie { name: \"__Host-account\", ",
        "attributes: \"Path=/; Secure; HttpOnly; SameSite=Lax\", ",
        "value_length: 64, is_removal: false })"
    );
    let created = heard.of("decided");
    assert!(created[0].starts_with("decided Create(Reasons { values: true"));
    let lines = heard.lines();
    let others: Vec<_> = lines.iter().filter(|line| **line != created[0]).collect();
    assert_eq!(
        others,
        [
            "begin account",
            "judged true false",
            "event NoToken None",
            "opened ",
            "left n=1",
            "begun create None",
            "ended create Done",
            "stored n=1",
            "event Created None",
            "header vary Some(\"Cookie\") None",
            cookie,
            "header cache-control Some(\"no-store\") None",
        ]
    );
}

#[tokio::test]
async fn a_read_is_told_with_the_token_that_was_good() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let heard = heard(&world, &mut browser, |s| s.get::<bool>("known").map(|_| ())).await;
    assert_eq!(
        heard.lines(),
        [
            "begin account",
            "judged true false",
            "seen Cookie { name: \"__Host-account\" } true false",
            "begun load Some(Any)",
            "ended load Found",
            "verdict Current",
            "event Opened None",
            "opened known=true",
            "left known=true",
            "decided NothingChanged",
            "event Unchanged None",
            "header vary Some(\"Cookie\") None",
        ]
    );
}

#[tokio::test]
async fn a_conflict_and_its_replay_are_told_to_the_request_that_met_it() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let (one, first) = world.begin_heard(&browser);
    let (other, second) = world.begin_heard(&browser);
    one.open(ACCOUNT).await.insert("a", 1).unwrap();
    other.open(ACCOUNT).await.insert("b", 2).unwrap();
    one.finish().await;
    other.finish().await;
    assert!(
        first
            .of("event")
            .iter()
            .all(|line| !line.contains("Conflict"))
    );
    let calls: Vec<_> = second
        .lines()
        .into_iter()
        .filter(|line| {
            ["begun", "ended", "event", "stored"].contains(&line.split(' ').next().unwrap())
        })
        .collect();
    assert_eq!(
        calls,
        [
            "begun load Some(Any)",
            "ended load Found",
            "event Opened None",
            "begun replace None",
            "ended replace Failed(Conflict)",
            "event Conflict None",
            "begun load Some(Latest)",
            "ended load Found",
            "begun replace None",
            "ended replace Done",
            "event Saved None",
            // What the other request has stored is in it.
            "stored a=1 b=2 known=true",
        ]
    );
}

#[tokio::test]
async fn each_decision_comes_with_its_reason() {
    let world = World::new();
    let mut browser = Browser::new();
    let nothing = decisions(&world, &mut browser, |_| Ok(())).await;
    assert_eq!(nothing, [Decision::Empty]);
    let created = decisions(&world, &mut browser, |s| s.insert("n", 1)).await;
    assert!(matches!(created[..], [Decision::Create(why)] if why.values && !why.login));
    let same = decisions(&world, &mut browser, |s| s.insert("n", 1)).await;
    assert_eq!(same, [Decision::NothingChanged]);
    let changed = decisions(&world, &mut browser, |s| s.insert("n", 2)).await;
    assert!(matches!(changed[..], [Decision::Replace(why)] if why.values && !why.grace));
    let token = decisions(&world, &mut browser, |s| s.csrf().token().map(drop)).await;
    assert_eq!(token, [Decision::NothingChanged], "it has its seed already");
    let persist = decisions(&world, &mut browser, |s| s.persist(hours(1))).await;
    assert!(reasons(&persist).persist);
    let login = decisions(&world, &mut browser, |s| s.login("alice")).await;
    let login = reasons(&login);
    assert!(login.login && !login.csrf && !login.values, "{login:?}");
    let rotation = decisions(&world, &mut browser, |s| s.rotate().map(drop)).await;
    assert!(reasons(&rotation).rotation);
    let revocation = decisions(&world, &mut browser, revoke).await;
    assert!(reasons(&revocation).revocation);
    let end = decisions(&world, &mut browser, |s| s.end()).await;
    assert_eq!(end, [Decision::Delete]);
    let csrf = decisions(&world, &mut browser, |s| s.csrf().token().map(drop)).await;
    assert!(reasons(&csrf).csrf);
}

#[tokio::test]
async fn a_touch_and_an_error_and_an_explicit_mode_are_reasons() {
    let world = World::with(|namespace| namespace.limits(Limits::idle(minutes(30))));
    let mut browser = Browser::known_to(&world).await;
    world.clock.advance(minutes(5));
    let touched = decisions(&world, &mut browser, |_| Ok(())).await;
    assert_eq!(touched, [Decision::Touch]);

    let (flight, heard) = world.begin_heard(&browser);
    flight.open(ACCOUNT).await.insert("n", 1).unwrap();
    flight.finish_with(500).await;
    assert_eq!(heard.decisions(), [Decision::NotSavedOnError]);
    assert_eq!(heard.of("left"), ["left known=true n=1"]);
    assert!(heard.of("stored").is_empty());

    let explicit = World::with(|namespace| namespace.save_mode(SaveMode::Explicit));
    let unasked = decisions(&explicit, &mut Browser::new(), |s| s.insert("n", 1)).await;
    assert_eq!(unasked, [Decision::NotSavedUnasked, Decision::Empty]);

    let always = World::with(|namespace| namespace.save_mode(SaveMode::Always));
    let visit = decisions(&always, &mut Browser::new(), |_| Ok(())).await;
    assert!(reasons(&visit).always);
}

#[tokio::test]
async fn what_is_void_is_told_with_its_reason() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let before = browser.clone();
    let (flight, heard) = world.begin_heard(&browser);
    flight.open(ACCOUNT).await.insert("n", 1).unwrap();
    browser.visit(&world, |s| s.login("alice")).await;
    flight.finish().await;
    let last = heard.decisions().pop();
    assert_eq!(last, Some(Decision::Void(VoidReason::NewEpoch)));

    let late = decisions(&world, &mut before.clone(), |s| s.insert("n", 1)).await;
    assert_eq!(late, [Decision::Void(VoidReason::Late)]);

    let (flight, heard) = world.begin_heard(&browser);
    flight.open(ACCOUNT).await.insert("n", 1).unwrap();
    browser.visit(&world, |s| s.end()).await;
    flight.finish().await;
    let last = heard.decisions().pop();
    assert_eq!(last, Some(Decision::Void(VoidReason::Gone)));
}

#[tokio::test]
async fn each_token_is_told_with_what_it_is_worth() {
    let world = World::with(|namespace| namespace.limits(Limits::idle(minutes(30))));
    let browser = Browser::known_to(&world).await;
    let good = browser.token().to_owned();
    let wrong = format!(
        "{}{}",
        &good[..60],
        if good.ends_with('A') { "BBBB" } else { "AAAA" }
    );
    let unknown = "A".repeat(64);
    for (cookie, seen, verdicts) in [
        ("short".to_owned(), vec![(false, true)], vec![]),
        (
            unknown.clone(),
            vec![(true, false)],
            vec!["verdict Unknown"],
        ),
        (wrong, vec![(true, false)], vec!["verdict Wrong"]),
        (
            format!("{unknown}; {COOKIE}={good}"),
            vec![(true, false); 2],
            vec!["verdict Unknown", "verdict Current"],
        ),
    ] {
        let (flight, heard) = world.begin_heard_with(Request::cookie(format!("{COOKIE}={cookie}")));
        flight.open(ACCOUNT).await;
        let place = "Cookie { name: \"__Host-account\" }";
        let line = |(has_id, is_malformed)| format!("seen {place} {has_id} {is_malformed}");
        let seen: Vec<_> = seen.into_iter().map(line).collect();
        assert_eq!(heard.of("seen"), seen);
        assert_eq!(heard.of("verdict"), verdicts);
    }
    world.clock.advance(minutes(31));
    let (flight, heard) = world.begin_heard(&browser);
    flight.open(ACCOUNT).await;
    assert_eq!(heard.of("verdict"), ["verdict Expired"]);
}

#[tokio::test]
async fn a_previous_and_a_replaced_token_are_told_apart() {
    let world = World::with(|namespace| namespace.limits(Limits::idle(minutes(30))));
    let mut browser = Browser::known_to(&world).await;
    let before = browser.clone();
    browser.visit(&world, |s| s.rotate().map(drop)).await;
    let (flight, heard) = world.begin_heard(&before);
    flight.open(ACCOUNT).await;
    assert_eq!(heard.of("verdict"), ["verdict Previous"]);
    browser.visit(&world, |_| Ok(())).await; // sees the next token: the grace is short from now on
    world.clock.advance(Duration::from_secs(61));
    let (flight, heard) = world.begin_heard(&before);
    flight.open(ACCOUNT).await;
    assert_eq!(heard.of("verdict"), ["verdict Replaced"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_or_fails_is_told_with_what_becomes_of_the_response() {
    let world = World::with(|n| n.on_store_failure(FailurePolicy::Respond503));
    let browser = Browser::known_to(&world).await;
    let (flight, heard) = world.begin_heard(&browser);
    flight.open(ACCOUNT).await.insert("n", 1).unwrap();
    world
        .faults
        .always_on(Operation::Replace, Fault::BeforeEffect);
    assert_eq!(flight.finish().await.status, 503);
    assert_eq!(heard.decisions().pop(), Some(Decision::Failed(Some(503))));
    assert!(
        heard
            .of("event")
            .iter()
            .any(|line| line.contains("StoreFailed(Replace"))
    );

    world.faults.always(Fault::Hang);
    let (flight, heard) = world.begin_heard(&browser);
    flight.try_open(ACCOUNT).await.unwrap_err();
    assert_eq!(heard.of("ended"), ["ended load GivenUp"]);
    assert!(
        heard
            .of("event")
            .iter()
            .any(|line| line.contains("StoreFailed(Load, TimedOut)"))
    );
}

#[tokio::test]
async fn the_store_calls_for_a_subjects_other_sessions_are_told_too() {
    let world = World::new();
    let (mut desk, mut phone) = (Browser::new(), Browser::new());
    for browser in [&mut desk, &mut phone] {
        heard(&world, browser, |s| s.login("ada").map(|_| ())).await;
    }
    let (flight, heard) = world.begin_heard(&desk);
    let session = flight.open(ACCOUNT).await;
    assert_eq!(session.end_others().await.unwrap(), 1);
    let mut calls = heard.of("ended");
    assert_eq!(calls.remove(0), "ended load Found"); // its own
    assert_eq!(
        calls,
        [
            "ended load Found", // it is still logged in
            "ended by_subject Done",
            "ended delete Done",
        ]
    );
    assert_eq!(heard.of("begun").len(), calls.len() + 1);
}

#[tokio::test]
async fn what_nobody_asks_for_is_not_judged_and_not_loaded() {
    let judged = Arc::new(AtomicUsize::new(0));
    let counter = judged.clone();
    let world = World::with(|namespace| {
        namespace.only_if(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            true
        })
    });
    let browser = Browser::known_to(&world).await;
    judged.store(0, Ordering::SeqCst);
    let (flight, heard) = world.begin_heard(&browser);
    assert!(flight.finish().await.cookies().is_empty());
    assert_eq!(heard.lines(), ["begin account"]);
    assert_eq!(world.calls(), []);
    assert_eq!(judged.load(Ordering::SeqCst), 0);

    let (flight, heard) = world.begin_heard(&browser);
    flight.sessions.judge_all(&flight.head);
    assert_eq!(judged.load(Ordering::SeqCst), 1);
    assert_eq!(
        world.calls(),
        [],
        "a session that is only judged is not loaded"
    );
    flight.finish().await;
    assert!(heard.of("opened").is_empty() && heard.decisions().is_empty());
}

#[tokio::test]
async fn a_closed_namespace_is_told_with_its_condition() {
    let world = World::with(|namespace| namespace.only_if(|request| request.is_https()));
    let (flight, heard) = world.begin_heard_with(Request::default());
    assert!(flight.try_open(ACCOUNT).await.unwrap().is_none());
    assert_eq!(
        heard.lines(),
        ["begin account", "judged false true", "event Closed None"]
    );
}

#[tokio::test]
async fn an_inner_layer_tells_the_tracer_of_the_outer_one() {
    let world = World::new();
    let cart = Namespace::new("cart", world.store.clone());
    let inner = SessionManager::builder().namespace(cart).build().unwrap();
    let (flight, heard) = world.begin_heard(&Browser::new());
    let nested = RequestSessions::begin_inside(&inner, flight.sessions.clone()).unwrap();
    let cart = nested.judge("cart", &flight.head).unwrap().unwrap();
    cart.open().await.unwrap();
    assert_eq!(heard.of("begin"), ["begin account", "begin cart"]);
    assert_eq!(heard.of("opened"), ["opened "]);
}

#[tokio::test]
async fn a_tracer_between_two_layers_hears_of_the_inner_one() {
    let world = World::new();
    let cart = Namespace::new("cart", world.store.clone());
    let inner = SessionManager::builder().namespace(cart).build().unwrap();
    let outer = RequestSessions::enter(&world.manager, None, None).unwrap();
    let heard = Arc::new(Heard::default());
    let nested = RequestSessions::enter(&inner, Some(outer), Some(heard.clone())).unwrap();
    nested.judge_all(&Browser::new().request());
    assert_eq!(heard.of("begin"), ["begin cart"]);
    assert_eq!(heard.of("judged").len(), 1);
}

#[tokio::test]
async fn a_save_after_the_head_is_told() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let (flight, heard) = world.begin_heard(&browser);
    let session = flight.open(ACCOUNT).await;
    browser.receive(&flight.finish().await);
    session.insert("late", 1).unwrap();
    session.save().await.unwrap();
    assert_eq!(heard.of("stored"), ["stored known=true late=1"]);
}

/// Visits of all kinds, one after the other, on an application that makes the same ids each time.
async fn visits(is_heard: bool) -> (Vec<String>, Vec<String>, Vec<Arc<Heard>>) {
    let handlers: [Handler; 9] = [
        |_| Ok(()),
        |s| s.insert("n", 1),
        |s| s.get::<u32>("n").map(|_| ()),
        |s| s.login("alice"),
        |s| s.csrf().token().map(drop),
        |s| s.rotate().map(drop),
        revoke,
        |s| s.clear(),
        |s| s.end(),
    ];
    let world = World::build(|builder, store| {
        let namespace = Namespace::new(ACCOUNT, store.clone());
        builder.namespace(namespace).random(TestRandom::new(7))
    });
    let mut browser = Browser::new();
    let (mut cookies, mut all) = (Vec::new(), Vec::new());
    for handler in handlers {
        world.clock.advance(minutes(4));
        let heard = Arc::new(Heard::default());
        let mut flight = world.begin(&browser);
        if is_heard {
            flight.sessions = RequestSessions::begin_traced(&world.manager, heard.clone());
        }
        handler(&flight.open(ACCOUNT).await).unwrap();
        let response = flight.finish().await;
        cookies.extend(response.cookies().into_iter().map(str::to_owned));
        browser.receive(&response);
        all.push(heard);
    }
    let calls = world.store.take();
    let calls = calls.into_iter().map(|call| format!("{call:?}")).collect();
    (cookies, calls, all)
}

#[tokio::test]
async fn cookies_and_store_calls_are_the_same_with_a_tracer() {
    let (cookies, calls, _) = visits(false).await;
    let (heard_cookies, heard_calls, _) = visits(true).await;
    assert!(cookies.len() > 4 && calls.len() > 9);
    assert_eq!(cookies, heard_cookies);
    assert_eq!(calls, heard_calls);
}

#[tokio::test]
async fn no_secret_passes() {
    let (cookies, _, all) = visits(true).await;
    let heard: String = all.iter().map(|heard| heard.lines().join("\n")).collect();
    for cookie in cookies {
        let (_, rest) = cookie.split_once('=').unwrap();
        let value = rest.split(';').next().unwrap();
        // 22 characters have the public id.
        for part in value.as_bytes()[value.len().min(22)..].chunks(12) {
            assert!(
                !heard.contains(std::str::from_utf8(part).unwrap()),
                "{cookie}"
            );
        }
    }
}

#[derive(Debug)]
struct Panicking;

impl Tracer for Panicking {
    fn on_begin(&self, _: &SessionManager) {
        panic!("on purpose");
    }

    fn on_step(&self, _: &Step<'_>) {
        panic!("on purpose");
    }
}

#[tokio::test]
async fn a_tracer_that_panics_disturbs_nobody() {
    let world = World::new();
    let mut flight = world.begin(&Browser::new());
    flight.sessions = RequestSessions::begin_traced(&world.manager, Arc::new(Panicking));
    flight.open(ACCOUNT).await.insert("n", 1).unwrap();
    assert_eq!(flight.finish().await.cookies().len(), 1);
}

#[cfg(feature = "client-side")]
#[tokio::test]
async fn a_client_side_session_is_told_without_its_cookie() {
    let keys = crate::client_side::keys();
    let world = crate::client_side::with(&keys, |namespace| namespace);
    let mut browser = Browser::new();
    let first = heard(&world, &mut browser, |s| s.insert("theme", "dark")).await;
    assert!(reasons(&first.decisions()).values);
    assert_eq!(first.of("stored"), ["stored theme=\"dark\""]);
    let sealed = browser.cookie(COOKIE).unwrap().to_owned();
    let second = heard(&world, &mut browser, |s| s.get::<String>("theme").map(drop)).await;
    assert_eq!(second.of("verdict"), ["verdict Current"]);
    assert_eq!(second.decisions(), [Decision::NothingChanged]);
    for heard in [first, second] {
        let lines = heard.lines().join("\n");
        assert!(
            sealed
                .as_bytes()
                .chunks(16)
                .all(|part| { !lines.contains(std::str::from_utf8(part).unwrap()) })
        );
    }
    let (flight, heard) = world.begin_heard_with(Request::cookie(format!("{COOKIE}=AAAA")));
    flight.open(ACCOUNT).await;
    assert_eq!(heard.of("verdict"), ["verdict Unreadable"]);
}
