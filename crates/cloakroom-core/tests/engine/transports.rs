//! Tokens that travel in headers, in the application's own way, and in several ways.

use std::borrow::Cow;

use cloakroom_core::{
    Cookie, EventKind, RequestHead, ResponseHead, ResponseHeader, SessionHandle, Token,
    TokenTransport, Transport,
};
use cloakroom_store::Operation::{Create, Delete, Load, Replace};

use crate::support::{ACCOUNT, Browser, COOKIE, Flight, Request, Response, TestClock, World};

const TOKEN: ResponseHeader = ResponseHeader::Other("x-session-token");
const DEVICE: ResponseHeader = ResponseHeader::Other("x-device");

fn bearer(token: &str) -> Request {
    Request::default().header("authorization", format!("Bearer {token}"))
}

fn device(token: &str) -> Request {
    Request::default().header("x-device", token)
}

/// A cookie, the bearer header, and a header of one's own.
fn three() -> World {
    World::with(|namespace| {
        namespace.transports([
            Transport::cookie(Cookie::default()),
            Transport::bearer(),
            Transport::header("X-Device"),
        ])
    })
}

fn only(transport: Transport) -> World {
    World::with(|namespace| namespace.transports([transport]))
}

async fn visit(world: &World, request: Request, handler: impl FnOnce(&SessionHandle)) -> Response {
    let flight = world.begin_with(request);
    let session = flight.open(ACCOUNT).await;
    handler(&session);
    flight.finish().await
}

fn insert(session: &SessionHandle) {
    session.insert("k", 1).unwrap();
}

fn rotate(session: &SessionHandle) {
    let _ = session.rotate().unwrap();
}

fn is_known(session: &SessionHandle) {
    assert_eq!(session.get("k").unwrap(), Some(1));
}

/// A session of the namespace, by whatever transport begins.
async fn begin(world: &World, transport: ResponseHeader) -> String {
    let response = visit(world, Request::default(), insert).await;
    let token = match transport {
        ResponseHeader::SetCookie => {
            let pair = response.only_cookie().split(';').next().unwrap();
            pair.strip_prefix("__Host-account=").unwrap().to_owned()
        }
        other => response.all(other).concat(),
    };
    assert_eq!(token.len(), Token::LENGTH);
    world.calls();
    world.events.take();
    token
}

#[tokio::test]
async fn a_bearer_session_begins_goes_on_and_ends_in_headers() {
    let world = only(Transport::bearer());
    let token = begin(&world, TOKEN).await;
    let response = visit(&world, bearer(&token), is_known).await;
    assert_eq!(world.calls(), [Load]);
    assert_eq!(response.all(ResponseHeader::Vary), ["Authorization"]);
    assert!(response.all(TOKEN).is_empty(), "it has it");
    assert!(response.all(ResponseHeader::CacheControl).is_empty());
    let response = visit(&world, bearer(&token), |session| session.end().unwrap()).await;
    assert_eq!(response.all(TOKEN), [""]);
    assert_eq!(response.all(ResponseHeader::CacheControl), ["no-store"]);
    assert_eq!(world.calls(), [Load, Delete]);
    assert!(response.cookies().is_empty());
}

#[tokio::test]
async fn a_new_token_in_a_header_is_kept_by_no_cache() {
    let world = only(Transport::header("X-Device").answer_in("X-Next"));
    let response = visit(&world, Request::default(), insert).await;
    assert_eq!(response.all(ResponseHeader::Other("x-next"))[0].len(), 64);
    assert_eq!(response.all(ResponseHeader::CacheControl), ["no-store"]);
    assert_eq!(response.all(ResponseHeader::Vary), ["x-device"]);
    assert!(response.all(DEVICE).is_empty());
}

#[tokio::test]
async fn a_cookie_that_is_not_declared_is_not_read() {
    let world = only(Transport::bearer());
    let token = begin(&world, TOKEN).await;
    let cookie = Request::cookie(format!("{COOKIE}={token}"));
    visit(&world, cookie, |session| assert!(session.is_new())).await;
    assert!(world.calls().is_empty());
    // Nor is a token in any header but that one.
    visit(&world, device(&token), |session| assert!(session.is_new())).await;
    let basic = Request::default().header("authorization", format!("Basic {token}"));
    visit(&world, basic, |session| assert!(session.is_new())).await;
    let target = format!("/?account={token}&x-session-token={token}");
    let query = Request::to("GET", &target);
    visit(&world, query, |session| assert!(session.is_new())).await;
    assert!(world.calls().is_empty());
}

#[tokio::test]
async fn what_is_no_token_costs_no_store_call() {
    let world = only(Transport::bearer());
    for bad in ["", "x", &"A".repeat(63), &"A".repeat(65), &"=".repeat(64)] {
        visit(&world, bearer(bad), |session| assert!(session.is_new())).await;
        assert!(world.calls().is_empty(), "{bad}");
        assert!(world.events.has(EventKind::MalformedToken), "{bad}");
        world.events.take();
    }
}

#[tokio::test]
async fn an_unknown_token_is_never_adopted() {
    let world = only(Transport::bearer());
    let forged = "A".repeat(64);
    let response = visit(&world, bearer(&forged), insert).await;
    assert_ne!(response.all(TOKEN), [&*forged]);
    assert_eq!(world.calls(), [Load, Create]);
}

#[tokio::test]
async fn a_rotated_token_goes_back_by_the_transport_that_has_brought_the_session() {
    let world = three();
    let token = begin(&world, ResponseHeader::SetCookie).await;
    for (request, expected) in [
        (bearer(&token), [0, 1, 0]),
        (device(&token), [0, 0, 1]),
        (Request::cookie(format!("{COOKIE}={token}")), [1, 0, 0]),
    ] {
        let flight = world.begin_with(request);
        let session = flight.open(ACCOUNT).await;
        // The grace of the first rotation lasts: each of them is sent the same next token.
        let _ = session.rotate().unwrap();
        let response = flight.finish().await;
        let sent = [ResponseHeader::SetCookie, TOKEN, DEVICE].map(|h| response.all(h).len());
        assert_eq!(sent, expected);
        assert_eq!(response.all(ResponseHeader::CacheControl), ["no-store"]);
    }
}

#[tokio::test]
async fn a_session_that_came_in_two_ways_is_answered_in_both() {
    let world = three();
    let token = begin(&world, ResponseHeader::SetCookie).await;
    let both = || bearer(&token).header("cookie", format!("{COOKIE}={token}"));
    let response = visit(&world, both(), |session| session.login("alice").unwrap()).await;
    assert_eq!(world.calls(), [Load, Replace], "one token is loaded once");
    let sent = response.all(TOKEN).concat();
    assert!(response.only_cookie().contains(&sent));
    assert!(response.all(DEVICE).is_empty());
}

#[tokio::test]
async fn the_cookie_s_token_is_never_in_a_header_that_scripts_can_read() {
    let world = three();
    let mut browser = Browser::with_cookie(COOKIE, &begin(&world, ResponseHeader::SetCookie).await);
    let mut steps: Vec<fn(&SessionHandle)> = vec![
        |s| s.login("alice").unwrap(),
        |s| rotate(s),
        |s| s.rotate().unwrap().revoke(),
        |s| s.persist(cloakroom_core::days(1)).unwrap(),
        // Another subject: the session is ended, and another begins.
        |s| s.login("bob").unwrap(),
        |s| s.end().unwrap(),
    ];
    for step in steps.drain(..) {
        let response = visit(&world, browser.request(), step).await;
        assert_eq!(response.cookies().len(), 1);
        assert!(response.all(TOKEN).is_empty());
        assert!(response.all(DEVICE).is_empty());
        browser.receive(&response);
    }
    assert!(browser.cookie(COOKIE).is_none());
}

#[tokio::test]
async fn a_session_in_the_place_of_another_goes_by_the_same_way() {
    let world = three();
    let token = begin(&world, ResponseHeader::SetCookie).await;
    // A stale cookie beside the good header, and the cookie is declared first.
    let request = |token: &str| {
        let stale = format!("{COOKIE}={}", "A".repeat(64));
        bearer(token).header("cookie", stale)
    };
    let response = visit(&world, request(&token), |s| s.login("alice").unwrap()).await;
    let token = response.all(TOKEN).concat();
    let response = visit(&world, request(&token), |s| s.login("bob").unwrap()).await;
    assert_eq!(response.all(TOKEN).concat().len(), Token::LENGTH);
    assert!(response.cookies().is_empty());
}

#[tokio::test]
async fn two_transports_that_disagree_give_no_session_and_an_event() {
    let world = three();
    let one = begin(&world, ResponseHeader::SetCookie).await;
    let other = begin(&world, ResponseHeader::SetCookie).await;
    let request = bearer(&one).header("x-device", other);
    let flight = world.begin_with(request);
    let session = flight.open(ACCOUNT).await;
    assert!(session.is_new());
    assert!(session.is_empty());
    assert!(world.events.has(EventKind::DuplicateTokens));
    // It is told its new token in one way, the first of those that it came by.
    session.insert("k", 1).unwrap();
    let response = flight.finish().await;
    let sent = [ResponseHeader::SetCookie, TOKEN, DEVICE].map(|h| response.all(h).len());
    assert_eq!(sent, [0, 1, 0]);
}

#[tokio::test]
async fn a_token_that_opens_nothing_disagrees_with_none() {
    let world = three();
    let token = begin(&world, ResponseHeader::SetCookie).await;
    let unknown = format!("{COOKIE}={}", "A".repeat(64));
    visit(&world, bearer(&token).header("cookie", unknown), is_known).await;
    assert!(!world.events.has(EventKind::DuplicateTokens));
}

#[tokio::test]
async fn four_candidates_are_tried_in_all_in_the_declared_order() {
    let world = three();
    let token = begin(&world, ResponseHeader::SetCookie).await;
    let strangers = |count: usize| {
        let pairs: Vec<_> = ["A", "B", "C", "D"]
            .iter()
            .take(count)
            .map(|letter| format!("{COOKIE}={}", letter.repeat(64)))
            .collect();
        pairs.join("; ")
    };
    visit(
        &world,
        bearer(&token).header("cookie", strangers(3)),
        is_known,
    )
    .await;
    assert_eq!(world.calls(), [Load; 4]);
    visit(
        &world,
        bearer(&token).header("cookie", strangers(4)),
        |session| {
            assert!(session.is_new());
        },
    )
    .await;
    assert_eq!(world.calls(), [Load; 4]);
}

#[tokio::test]
async fn a_new_session_begins_by_what_was_brought_else_by_the_first_that_may_begin() {
    let world = World::with(|namespace| {
        let is_app = |request: &dyn RequestHead| request.header_is("x-app", "mobile");
        namespace.transports([
            Transport::cookie(Cookie::default()).begins_if(move |request| !is_app(request)),
            Transport::bearer().begins_if(is_app),
            Transport::header("X-Device"),
        ])
    });
    let app = |request: Request| request.header("x-app", "mobile");
    let stranger = "A".repeat(64);
    for (request, expected) in [
        (Request::default(), [1, 0, 0]),
        (app(Request::default()), [0, 1, 0]),
        (device("rubbish"), [0, 0, 1]),
        (app(device(&stranger)), [0, 0, 1]),
        // What it brings may not begin, so it counts for nothing.
        (bearer(&stranger), [1, 0, 0]),
        (
            app(Request::cookie(format!("{COOKIE}={stranger}"))),
            [0, 1, 0],
        ),
        (app(bearer("rubbish")), [0, 1, 0]),
    ] {
        let response = visit(&world, request, insert).await;
        let sent = [ResponseHeader::SetCookie, TOKEN, DEVICE].map(|h| response.all(h).len());
        assert_eq!(sent, expected);
    }
}

#[tokio::test]
async fn where_none_may_begin_the_first_does() {
    let world = World::with(|namespace| {
        let never = |transport: Transport| transport.begins_if(|_| false);
        namespace.transports([
            never(Transport::header("X-Device")),
            never(Transport::bearer()),
        ])
    });
    let response = visit(&world, Request::default(), insert).await;
    assert_eq!(response.all(DEVICE).len(), 1);
}

#[tokio::test]
async fn a_late_request_is_told_nothing_by_any_transport() {
    let world = three();
    let token = begin(&world, ResponseHeader::SetCookie).await;
    visit(&world, bearer(&token), |session| {
        session.login("alice").unwrap()
    })
    .await;
    for request in [bearer(&token), device(&token)] {
        let flight = world.begin_with(request);
        let session = flight.open(ACCOUNT).await;
        let _ = session.insert("k", 2);
        let response = flight.finish().await;
        assert!(world.events.has(EventKind::Late));
        let sent = [ResponseHeader::SetCookie, TOKEN, DEVICE].map(|h| response.all(h).len());
        assert_eq!(sent, [0, 0, 0]);
    }
}

#[tokio::test]
async fn a_token_that_is_void_before_the_head_is_sent_by_no_transport() {
    for by_query in [false, true] {
        let world = World::with(|namespace| {
            namespace.transports([Transport::bearer(), Transport::query("sid")])
        });
        let token = begin(&world, TOKEN).await;
        let request = match by_query {
            true => Request::to("POST", &format!("/?sid={token}")),
            false => bearer(&token),
        };
        let flight = world.begin_with(request.clone());
        let session = flight.open(ACCOUNT).await;
        let slow = world.begin_with(request);
        let late = slow.open(ACCOUNT).await;
        rotate(&late);
        late.save().await.unwrap();
        session.login("alice").unwrap();
        flight.finish().await;
        late.insert("k", 2).unwrap();
        let to = Response::new(303).header(ResponseHeader::Location, "/next");
        let response = slow.answer(to).await;
        assert!(
            world
                .events
                .has(EventKind::Void(cloakroom_core::VoidReason::NewEpoch))
        );
        assert!(response.all(TOKEN).is_empty());
        assert_eq!(response.all(ResponseHeader::Location), ["/next"]);
        assert_eq!(late.url("/a"), "/a");
    }
}

#[tokio::test]
async fn a_bad_token_alone_removes_nothing() {
    let world = three();
    let request = bearer(&"A".repeat(64)).header("cookie", format!("{COOKIE}=x"));
    let response = visit(&world, request, |session| assert!(session.is_new())).await;
    let sent = [ResponseHeader::SetCookie, TOKEN, DEVICE].map(|h| response.all(h).len());
    assert_eq!(sent, [0, 0, 0]);
}

#[tokio::test]
async fn vary_names_what_was_read_once() {
    let world = three();
    let flight = world.begin_with(Request::default());
    flight.open(ACCOUNT).await;
    let application = Response::new(200).header(ResponseHeader::Vary, "accept, AUTHORIZATION");
    let response = flight.answer(application).await;
    assert_eq!(
        response.all(ResponseHeader::Vary),
        ["accept, AUTHORIZATION", "Cookie", "x-device"]
    );
    let untouched = world.begin_with(Request::default());
    untouched.sessions.judge_all(&untouched.head);
    assert!(
        untouched
            .finish()
            .await
            .all(ResponseHeader::Vary)
            .is_empty()
    );
}

#[tokio::test]
async fn a_failed_delete_removes_the_token_where_it_came_from() {
    let world = three();
    let token = begin(&world, ResponseHeader::SetCookie).await;
    let flight = world.begin_with(device(&token));
    flight.open(ACCOUNT).await.end().unwrap();
    world.faults.always(cloakroom_testkit::Fault::BeforeEffect);
    let response = flight.finish().await;
    assert_eq!(response.status, 503);
    assert_eq!(response.all(DEVICE), [""]);
    assert!(response.cookies().is_empty());
}

#[tokio::test]
async fn two_cookies_let_a_cookie_be_renamed() {
    let world = World::with(|namespace| {
        namespace.transports([
            Transport::cookie(Cookie::named("new")),
            Transport::cookie(Cookie::named("old")).begins_if(|_| false),
        ])
    });
    let response = visit(&world, Request::default(), insert).await;
    let token = response
        .only_cookie()
        .split([';', '='])
        .nth(1)
        .unwrap()
        .to_owned();
    assert!(response.only_cookie().starts_with("__Host-new="));
    visit(
        &world,
        Request::cookie(format!("__Host-old={token}")),
        is_known,
    )
    .await;
}

/// A program for telephones: each request names the device, and its token is part of that name.
#[derive(Debug)]
struct MobileApi;

impl TokenTransport for MobileApi {
    fn read(&self, request: &dyn RequestHead, candidate: &mut dyn FnMut(&[u8])) {
        request.header("x-device", &mut |value| {
            let parts = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            parts
                .filter_map(|part| part.strip_prefix(b"token="))
                .for_each(&mut *candidate);
        });
    }

    fn write(&self, token: Option<&str>, response: &mut dyn ResponseHead) {
        let value = token.map_or(Cow::Borrowed("forget"), |token| {
            Cow::Owned(format!("token={token}"))
        });
        response.replace(DEVICE, value);
    }

    fn varies_on(&self) -> &[&str] {
        &["X-Device"]
    }
}

/// A telephone: it keeps what it is told.
#[derive(Default)]
struct Telephone {
    token: Option<String>,
}

impl Telephone {
    async fn call(&mut self, world: &World, handler: impl FnOnce(&SessionHandle)) -> Response {
        let mut name = "id=17".to_owned();
        if let Some(token) = &self.token {
            name.push_str("; token=");
            name.push_str(token);
        }
        let response = visit(world, device(&name), handler).await;
        match response.all(DEVICE)[..] {
            [] => {}
            ["forget"] => self.token = None,
            [told] => self.token = told.strip_prefix("token=").map(str::to_owned),
            ref several => unreachable!("{several:?}"),
        }
        response
    }
}

#[tokio::test]
async fn pylons_sessions_without_cookies_the_application_finds_the_token() {
    let world = only(Transport::custom(MobileApi));
    let mut telephone = Telephone::default();
    let response = telephone
        .call(&world, |session| session.login("alice").unwrap())
        .await;
    assert!(response.cookies().is_empty());
    assert_eq!(response.all(ResponseHeader::CacheControl), ["no-store"]);
    assert_eq!(response.all(ResponseHeader::Vary), ["X-Device"]);
    let before = telephone.token.clone();
    telephone
        .call(&world, |session| assert!(session.subject().is_some()))
        .await;
    assert_eq!(telephone.token, before, "it is told what is new alone");
    telephone.call(&world, rotate).await;
    assert_ne!(telephone.token, before);
    telephone
        .call(&world, |session| session.logout().unwrap())
        .await;
    assert_eq!(telephone.token, None);
    telephone
        .call(&world, |session| assert!(session.is_new()))
        .await;
    let mut other = Telephone { token: before };
    other
        .call(&world, |session| assert!(session.is_new()))
        .await;
}

#[tokio::test]
async fn pylons_without_cookies_sessions_expire_as_with_them() {
    let world = only(Transport::custom(MobileApi));
    let mut telephone = Telephone::default();
    telephone.call(&world, insert).await;
    let clock: &TestClock = &world.clock;
    clock.advance(cloakroom_core::days(1));
    telephone
        .call(&world, |session| assert!(session.is_new()))
        .await;
    assert!(world.events.has(EventKind::Expired));
}

#[tokio::test]
async fn a_nested_layer_has_transports_of_its_own() {
    let (outer, inner) = (three(), {
        World::build(|builder, store| {
            let namespace = cloakroom_core::Namespace::new("api", store.clone());
            builder.namespace(namespace.transports([Transport::custom(MobileApi)]))
        })
    });
    let request = Request::default();
    let sessions = cloakroom_core::RequestSessions::begin(&outer.manager);
    let below =
        cloakroom_core::RequestSessions::begin_inside(&inner.manager, sessions.clone()).unwrap();
    let all = below.judge_all(&request);
    insert(&all.open("api").await.unwrap().unwrap());
    insert(&all.open(ACCOUNT).await.unwrap().unwrap());
    let mut response = Response::new(200);
    for layer in [below, sessions] {
        assert_eq!(
            layer
                .commit(cloakroom_core::Outcome::Success)
                .await
                .status(),
            None
        );
        layer.finish(&mut response);
    }
    assert_eq!(response.all(DEVICE).len(), 1);
    assert_eq!(response.cookies().len(), 1);
}

#[tokio::test]
async fn what_came_by_a_header_is_streamed_to_as_any_other() {
    let world = only(Transport::bearer());
    let token = begin(&world, TOKEN).await;
    let flight: Flight = world.begin_with(bearer(&token));
    let session = flight.open(ACCOUNT).await;
    flight.finish().await;
    session.insert("k", 2).unwrap();
    session.save().await.unwrap();
    visit(&world, bearer(&token), |s| {
        assert_eq!(s.get("k").unwrap(), Some(2))
    })
    .await;
}
