//! Tokens in the query string, as Pesto has them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cloakroom_core::{Cookie, EventKind, ResponseHeader, SessionError, SessionHandle, Transport};
use cloakroom_store::Operation::{Create, Load, Replace};
use cloakroom_testkit::Fault;

use crate::support::{ACCOUNT, COOKIE, Captured, Flight, Request, Response, World, revoke};

fn world() -> World {
    World::with(|namespace| namespace.transports([Transport::query("sid")]))
}

fn to(method: &str, target: &str) -> Request {
    let request = Request::to(method, target);
    request.header("host", "shop.example")
}

fn get(target: &str) -> Request {
    to("GET", target)
}

/// Where a request is redirected to; `None` where it has a session.
async fn redirect(flight: &Flight) -> Option<String> {
    match flight.try_open(ACCOUNT).await {
        Ok(_) => None,
        Err(SessionError::Redirect { namespace, to }) => {
            assert_eq!(namespace, ACCOUNT);
            Some(to.location().to_owned())
        }
        Err(error) => panic!("{error}"),
    }
}

async fn redirected(world: &World, target: &str) -> String {
    redirect(&world.begin_with(get(target))).await.unwrap()
}

/// A visitor with a session.
async fn token(world: &World) -> String {
    let location = redirected(world, "/").await;
    world.calls();
    world.events.take();
    location.strip_prefix("/?sid=").unwrap().to_owned()
}

async fn visit(
    world: &World,
    request: Request,
    response: Response,
    handler: impl FnOnce(&SessionHandle),
) -> Response {
    let flight = world.begin_with(request);
    let session = flight.open(ACCOUNT).await;
    handler(&session);
    flight.answer(response).await
}

fn location(to: &str) -> Response {
    Response::new(303).header(ResponseHeader::Location, to)
}

fn rotate(session: &SessionHandle) {
    let _ = session.rotate().unwrap();
}

fn assert_guarded(response: &Response) {
    assert_eq!(
        response.all(ResponseHeader::ReferrerPolicy),
        ["no-referrer"]
    );
    assert_eq!(response.all(ResponseHeader::CacheControl), ["no-store"]);
    assert!(response.cookies().is_empty());
    assert!(response.all(ResponseHeader::Vary).is_empty());
}

#[tokio::test]
async fn pesto_p20_a_get_without_a_known_token_is_redirected_to_one_with_it() {
    let world = world();
    let flight = world.begin_with(get("/shop/item?b=2&a=1&b=3"));
    let location = redirect(&flight).await.unwrap();
    assert_eq!(world.calls(), [Create]);
    assert_eq!(
        world.events.take(),
        [EventKind::NoToken, EventKind::Created]
    );
    let token = location
        .strip_prefix("/shop/item?b=2&a=1&b=3&sid=")
        .unwrap();
    let response = Response::new(302).header(ResponseHeader::Location, &location);
    let response = flight.answer(response).await;
    assert_guarded(&response);
    assert_eq!(response.all(ResponseHeader::Location), [&*location]);
    assert!(world.calls().is_empty(), "it is stored already");
    assert_eq!(token.len(), 64);

    let flight = world.begin_with(get(&location));
    let session = flight.open(ACCOUNT).await;
    assert!(!session.is_new());
    assert_eq!(world.calls(), [Load], "pesto_p21: no loop");
    assert_guarded(&flight.finish().await);
}

#[tokio::test]
async fn pesto_p21_unknown_forged_and_expired_tokens_are_replaced() {
    let world = world();
    let unknown = "A".repeat(64);
    let good = token(&world).await;
    let forged = format!("{}{}", &good[..22], "A".repeat(42));
    for (query, event) in [
        (format!("a=1&sid={unknown}&b=2"), EventKind::UnknownToken),
        (format!("a=1&sid={forged}&b=2"), EventKind::WrongSecret),
        ("a=1&sid=&b=2".to_owned(), EventKind::MalformedToken),
        ("a=1&sid&b=2".to_owned(), EventKind::MalformedToken),
        (format!("a=1&sid={good}A&b=2"), EventKind::MalformedToken),
        (
            format!("sid=1&a=1&sid={unknown}&b=2&sid"),
            EventKind::UnknownToken,
        ),
        (
            "a=1&sid=../../etc/passwd&b=2".to_owned(),
            EventKind::MalformedToken,
        ),
    ] {
        let location = redirected(&world, &format!("/?{query}")).await;
        let new = location.strip_prefix("/?a=1&b=2&sid=").unwrap();
        assert_eq!(new.len(), 64);
        assert_ne!(new[..22], good[..22], "another session");
        assert!(world.events.has(event), "{query}");
        world.events.take();
    }
    world.clock.advance(cloakroom_core::days(1));
    redirected(&world, &format!("/?sid={good}")).await;
    assert!(world.events.has(EventKind::Expired));
}

#[tokio::test]
async fn pesto_row_76_what_only_looks_like_the_parameter_is_none_and_stays() {
    let world = world();
    let token = token(&world).await;
    for pair in [
        format!("xsid={token}"),
        format!("sid2={token}"),
        format!("SID={token}"),
        format!("%73id={token}"),
        format!("a=sid={token}"),
    ] {
        let location = redirected(&world, &format!("/?{pair}")).await;
        assert!(
            location.starts_with(&format!("/?{pair}&sid=")),
            "{location}"
        );
        assert!(!world.calls().contains(&Load));
    }
    // A longer value is not cut to the length of a token.
    redirected(&world, &format!("/?sid={token}0")).await;
    assert!(!world.calls().contains(&Load));
}

#[tokio::test]
async fn pesto_p22_other_methods_get_a_new_session_and_learn_its_token() {
    let world = world();
    for method in ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "get"] {
        let request = to(method, "/buy?x=1&sid=rubbish");
        let response = visit(&world, request, location("/cart?y=2#top"), |session| {
            assert!(session.is_new());
            assert_eq!(session.url("/a"), "/a");
            session.insert("k", 1).unwrap();
        })
        .await;
        assert_eq!(world.calls(), [Create], "{method}");
        assert_guarded(&response);
        let location = response.all(ResponseHeader::Location).concat();
        let token = location.strip_prefix("/cart?y=2&sid=").unwrap();
        let token = token.strip_suffix("#top").unwrap();
        let next = world.begin_with(get(&format!("/cart?sid={token}")));
        assert!(next.open(ACCOUNT).await.contains("k"));
        world.calls();
    }
}

#[tokio::test]
async fn what_is_not_changed_without_a_session_stores_nothing() {
    let world = world();
    let post = to("POST", "/");
    let response = visit(&world, post, location("/next"), |s| assert!(s.is_new())).await;
    assert_eq!(world.records(), 0);
    assert_eq!(response.all(ResponseHeader::Location), ["/next"]);
    assert_guarded(&response);
}

#[tokio::test]
async fn crawlers_are_left_out() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let world = World::with(|namespace| {
        let query = Transport::query("sid").unless(move |request| {
            counted.fetch_add(1, Ordering::Relaxed);
            request.header_is("user-agent", "bot")
        });
        namespace.transports([query])
    });
    let crawler = get("/").header("user-agent", "bot");
    let response = visit(&world, crawler, Response::new(200), |s| assert!(s.is_new())).await;
    assert_eq!(world.records(), 0);
    assert_guarded(&response);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    redirected(&world, "/").await;
    assert_eq!(world.records(), 1);
}

#[tokio::test]
async fn an_untouched_session_redirects_nobody() {
    let world = world();
    let flight = world.begin_with(get("/"));
    flight.sessions.judge_all(&flight.head);
    let response = flight.finish().await;
    assert!(response.all(ResponseHeader::ReferrerPolicy).is_empty());
    assert!(response.all(ResponseHeader::CacheControl).is_empty());
    assert!(world.calls().is_empty());
}

#[tokio::test]
async fn a_request_is_redirected_to_one_session_however_often_it_is_opened() {
    let world = world();
    let flight = Arc::new(world.begin_with(get("/")));
    flight.sessions.judge_all(&flight.head);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let flight = Arc::clone(&flight);
            tokio::spawn(async move { redirect(&flight).await.unwrap() })
        })
        .collect();
    let mut locations = Vec::new();
    for task in tasks {
        locations.push(task.await.unwrap());
    }
    let by_name = flight
        .sessions
        .judge_all(&flight.head)
        .open(ACCOUNT)
        .await
        .unwrap_err();
    assert!(matches!(by_name, SessionError::Redirect { to, .. } if to.location() == locations[0]));
    locations.dedup();
    assert_eq!(locations.len(), 1);
    assert_eq!(world.calls(), [Create]);
}

#[tokio::test]
async fn a_redirect_that_is_given_up_is_made_by_the_next() {
    tokio::time::pause();
    let world = world();
    let flight = world.begin_with(get("/"));
    world.faults.fail_next(Create, Fault::Hang);
    let first = tokio::time::timeout(Duration::from_millis(50), redirect(&flight));
    assert!(first.await.is_err());
    assert!(redirect(&flight).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_answers_503_within_the_time_for_opening() {
    for fault in [Fault::BeforeEffect, Fault::Timeout, Fault::Hang] {
        let world = world();
        world.faults.always_on(Create, fault);
        let began = tokio::time::Instant::now();
        let flight = world.begin_with(get("/"));
        let error = flight.try_open(ACCOUNT).await.unwrap_err();
        assert_eq!(error.status(), 503);
        assert!(began.elapsed() <= Duration::from_secs(1), "{fault:?}");
        world.faults.always_on(Create, Fault::BeforeEffect);
    }
    // Loading takes a part of the time away.
    let world = world();
    let slow = Fault::Delay(Duration::from_millis(450));
    let target = format!("/?sid={}&sid={}", "A".repeat(64), "B".repeat(64));
    world.faults.always_on(Load, slow);
    world.faults.always_on(Create, Fault::Hang);
    let began = tokio::time::Instant::now();
    let flight = world.begin_with(get(&target));
    assert_eq!(flight.try_open(ACCOUNT).await.unwrap_err().status(), 503);
    assert!(
        began.elapsed() <= Duration::from_millis(1010),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_create_of_unknown_outcome_is_looked_for_and_not_sent_again() {
    let world = world();
    world.faults.fail_next(Create, Fault::AfterEffect);
    let location = redirected(&world, "/").await;
    assert_eq!(world.calls(), [Create, Load]);
    assert!(redirect(&world.begin_with(get(&location))).await.is_none());
}

#[tokio::test]
async fn a_new_token_reaches_the_client_with_a_location_of_the_application() {
    let world = world();
    let mut token = token(&world).await;
    for step in [
        |s: &SessionHandle| s.login("alice").unwrap(),
        |s: &SessionHandle| rotate(s),
        |s: &SessionHandle| revoke(s).unwrap(),
    ] {
        let request = to("POST", &format!("/x?sid={token}"));
        let response = visit(&world, request, location("/y?a=1"), step).await;
        assert_guarded(&response);
        let location = response.all(ResponseHeader::Location).concat();
        let new = location.strip_prefix("/y?a=1&sid=").unwrap().to_owned();
        assert_ne!(new, token);
        assert_eq!(new[..21], token[..21], "one session all the time");
        assert!(redirect(&world.begin_with(get(&location))).await.is_none());
        token = new;
        world.clock.advance(cloakroom_core::minutes(2));
    }
}

#[tokio::test]
async fn a_token_that_is_not_new_goes_along_with_a_redirect_too() {
    let world = world();
    let token = token(&world).await;
    let with_old = format!("/next?sid={}&b=1", "A".repeat(64));
    for (to, expected) in [
        ("/next", format!("/next?sid={token}")),
        (&*with_old, format!("/next?b=1&sid={token}")),
        ("?page=2", format!("?page=2&sid={token}")),
        ("next", format!("next?sid={token}")),
        (
            "https://shop.example/a#b",
            format!("https://shop.example/a?sid={token}#b"),
        ),
    ] {
        let request = get(&format!("/?sid={token}"));
        let response = visit(&world, request, location(to), |_| {}).await;
        assert_eq!(response.all(ResponseHeader::Location), [&*expected]);
        assert_guarded(&response);
    }
}

#[tokio::test]
async fn no_token_goes_to_another_origin() {
    let world = world();
    let token = token(&world).await;
    for foreign in [
        "//evil.example/",
        "/\\evil.example/",
        "https://evil.example/",
        "http://shop.example/",
        "https://shop.example:8443/",
        "https://shop.example@evil.example/",
        "https://shop.example.evil.example/",
        "/\t/evil.example/",
        "javascript:alert(1)",
        "https:evil.example",
        "#top",
        "",
    ] {
        let request = get(&format!("/?sid={token}"));
        let response = visit(&world, request, location(foreign), |session| {
            assert_eq!(session.url(foreign), foreign);
            session.insert("k", 1).unwrap();
        })
        .await;
        assert_eq!(response.all(ResponseHeader::Location), [foreign]);
        assert_guarded(&response);
    }
    // Two of them are an error of the application's, and clients differ in which they take.
    let two = location("/a").header(ResponseHeader::Location, "//evil.example");
    let response = visit(&world, get(&format!("/?sid={token}")), two, |_| {}).await;
    assert_eq!(
        response.all(ResponseHeader::Location),
        ["/a", "//evil.example"]
    );
}

#[tokio::test]
async fn a_request_without_one_host_sends_its_token_to_paths_alone() {
    let world = world();
    let token = token(&world).await;
    let request = get(&format!("/?sid={token}")).header("host", "evil.example");
    for (to, is_changed) in [
        ("https://shop.example/", false),
        ("https://evil.example/", false),
        ("/a", true),
    ] {
        let response = visit(&world, request.clone(), location(to), |_| {}).await;
        assert_eq!(response.all(ResponseHeader::Location) != [to], is_changed);
    }
}

#[tokio::test]
async fn links_have_the_token_as_it_is_stored() {
    let world = world();
    let token = token(&world).await;
    let flight = world.begin_with(get(&format!("/?sid={token}")));
    let session = flight.open(ACCOUNT).await;
    let link = |path: &str, token: &str| format!("{path}sid={token}");
    assert_eq!(session.url("/a?x=1"), link("/a?x=1&", &token));
    assert_eq!(session.url("/a?sid=old"), link("/a?", &token));
    assert_eq!(session.read_only().url("/a"), link("/a?", &token));
    assert_eq!(session.url("/a#b"), link("/a?", &token) + "#b");
    session.login("alice").unwrap();
    assert_eq!(session.url("/a"), link("/a?", &token), "not yet");
    session.save().await.unwrap();
    let new = session.url("/a").into_owned();
    assert_ne!(new, link("/a?", &token));
    assert!(redirect(&world.begin_with(get(&new))).await.is_none());
    flight.finish().await;
    assert_eq!(session.url("/a"), new, "in a stream too");
}

#[tokio::test]
async fn a_link_after_a_rotation_that_nobody_saw_has_the_next_token() {
    let world = world();
    let token = token(&world).await;
    let target = format!("/?sid={token}");
    // The page has its links before the rotation is stored.
    visit(&world, get(&target), Response::new(200), rotate).await;
    let flight = world.begin_with(get(&target));
    let session = flight.open(ACCOUNT).await;
    let next = session.url("/").into_owned();
    assert_ne!(next, target);
    assert!(redirect(&world.begin_with(get(&next))).await.is_none());
    assert!(
        redirect(&world.begin_with(get(&target))).await.is_none(),
        "in its grace"
    );
}

#[tokio::test]
async fn an_ended_session_leaves_the_address() {
    let world = world();
    let token = token(&world).await;
    let to = format!("/bye?a=1&sid={token}");
    let request = self::to("POST", &format!("/logout?sid={token}"));
    let response = visit(&world, request, location(&to), |session| {
        session.end().unwrap();
        assert_eq!(session.url("/"), "/");
    })
    .await;
    assert_eq!(response.all(ResponseHeader::Location), ["/bye?a=1"]);
    assert_guarded(&response);
    assert_eq!(world.records(), 0);
}

#[tokio::test]
async fn what_is_ended_and_opened_again_in_one_request_is_not_redirected() {
    let world = world();
    let token = token(&world).await;
    let flight = world.begin_with(get(&format!("/?sid={token}")));
    flight.open(ACCOUNT).await.end().unwrap();
    assert!(flight.open(ACCOUNT).await.is_new());
}

#[tokio::test]
async fn ending_all_begins_nothing() {
    let world = world();
    let flight = world.begin_with(get("/"));
    assert!(
        flight
            .sessions
            .judge_all(&flight.head)
            .end_all()
            .await
            .is_empty()
    );
    assert!(flight.try_open(ACCOUNT).await.unwrap().unwrap().is_new());
    flight.finish().await;
    assert!(world.calls().is_empty());
}

#[tokio::test]
async fn a_late_request_is_not_redirected_and_told_nothing() {
    let world = world();
    let token = token(&world).await;
    let target = format!("/?sid={token}");
    let login = |session: &SessionHandle| session.login("alice").unwrap();
    visit(&world, get(&target), Response::new(200), login).await;
    let response = visit(&world, get(&target), location("/next"), |session| {
        assert!(session.is_empty());
        assert_eq!(session.url("/a"), "/a");
    })
    .await;
    assert!(world.events.has(EventKind::Late));
    assert_eq!(response.all(ResponseHeader::Location), ["/next"]);
    assert_guarded(&response);
    assert_eq!(world.records(), 1);
}

#[tokio::test]
async fn a_replaced_token_is_redirected_to_another_session_when_the_login_is_long_ago() {
    let world = world();
    let token = token(&world).await;
    let target = format!("/?sid={token}");
    let login = |session: &SessionHandle| session.login("alice").unwrap();
    visit(&world, get(&target), Response::new(200), login).await;
    world.clock.advance(Duration::from_secs(61));
    let location = redirected(&world, &target).await;
    assert_ne!(location[6..28], token[..22]);
}

#[tokio::test]
async fn several_in_one_address_that_disagree_are_none() {
    let world = world();
    let (one, other) = (token(&world).await, token(&world).await);
    let location = redirected(&world, &format!("/?sid={one}&sid={other}")).await;
    assert!(world.events.has(EventKind::DuplicateTokens));
    assert_eq!(location.matches("sid=").count(), 1);
    assert!(!location.contains(&one) && !location.contains(&other));
}

fn with_cookie() -> World {
    World::with(|namespace| {
        namespace.transports([
            Transport::query("sid").begins_if(|request| request.header_is("x-old", "yes")),
            Transport::cookie(Cookie::default()),
        ])
    })
}

#[tokio::test]
async fn beside_a_cookie_it_begins_where_it_is_said_to() {
    let world = with_cookie();
    assert!(redirect(&world.begin_with(get("/"))).await.is_none());
    let old = get("/").header("x-old", "yes");
    let location = redirect(&world.begin_with(old)).await.unwrap();
    // From there on it goes by itself.
    let response = visit(&world, get(&location), self::location("/a"), |s| {
        s.login("alice").unwrap();
    })
    .await;
    assert!(
        response
            .all(ResponseHeader::Location)
            .concat()
            .starts_with("/a?sid=")
    );
    assert!(response.cookies().is_empty());
}

#[tokio::test]
async fn a_link_moves_no_visitor_s_session_into_the_address() {
    let world = with_cookie();
    let first = visit(&world, get("/"), Response::new(200), |s| {
        s.insert("k", 1).unwrap()
    })
    .await;
    let cookie = first.only_cookie().split(';').next().unwrap().to_owned();
    let token = cookie
        .strip_prefix(&format!("{COOKIE}="))
        .unwrap()
        .to_owned();
    world.calls();
    let public_id = &token[..22];
    for planted in [
        "rubbish".to_owned(),
        "A".repeat(64),
        // Ids are public; a secret is not.
        format!("{public_id}{}", "A".repeat(42)),
    ] {
        let target = format!("/?sid={planted}");
        let request = get(&target).header("cookie", cookie.clone());
        let response = visit(&world, request, location("/a"), |session| {
            assert!(session.contains("k"));
            assert_eq!(session.url("/b"), "/b");
            let _ = session.rotate().unwrap();
        })
        .await;
        assert_eq!(response.all(ResponseHeader::Location), ["/a"]);
        assert_eq!(response.cookies().len(), 1);
        // Nor that of a visitor who has none.
        assert!(redirect(&world.begin_with(get(&target))).await.is_none());
    }
    assert!(world.calls().contains(&Replace));
}

#[tokio::test]
async fn two_namespaces_in_the_query_are_redirected_one_after_the_other() {
    let world = World::build(|builder, store| {
        ["a", "b"].iter().fold(builder, |builder, name| {
            let namespace = cloakroom_core::Namespace::new(*name, store.clone());
            builder.namespace(namespace.transports([Transport::query(*name)]))
        })
    });
    let mut target = "/x?y=1".to_owned();
    for name in ["a", "b"] {
        let flight = world.begin_with(get(&target));
        let error = flight.try_open(name).await.unwrap_err();
        let SessionError::Redirect { to, .. } = error else {
            panic!("{error}");
        };
        assert!(to.location().starts_with(&target));
        target = to.location().to_owned();
    }
    let flight = world.begin_with(get(&target));
    for name in ["a", "b"] {
        assert!(!flight.open(name).await.is_new());
    }
    let response = flight.answer(location("/z")).await;
    let location = response.all(ResponseHeader::Location).concat();
    assert!(
        location.starts_with("/z?a=") && location.contains("&b="),
        "{location}"
    );
    assert_eq!(
        response.all(ResponseHeader::ReferrerPolicy),
        ["no-referrer"]
    );
}

#[tokio::test]
async fn the_stricter_header_wins() {
    let world = world();
    let token = token(&world).await;
    let response = Response::new(200)
        .header(ResponseHeader::ReferrerPolicy, "no-referrer, unsafe-url")
        .header(ResponseHeader::ReferrerPolicy, "origin")
        .header(ResponseHeader::CacheControl, "public, max-age=600");
    assert_guarded(&visit(&world, get(&format!("/?sid={token}")), response, |_| {}).await);
}

#[tokio::test]
async fn the_location_is_shown_by_nothing() {
    let captured = Captured::begin();
    let world = world();
    let flight = world.begin_with(get("/page?card=4111"));
    let error = flight.try_open(ACCOUNT).await.unwrap_err();
    let SessionError::Redirect { to, .. } = &error else {
        panic!("{error}");
    };
    let token = to.location().rsplit_once('=').unwrap().1.to_owned();
    let shown = format!(
        "{error} {error:?} {to:?} {:?} {:?}",
        flight.sessions, world.manager
    );
    let next = world.begin_with(get(to.location()));
    let session = next.open(ACCOUNT).await;
    let url = session.url("/a").into_owned();
    assert!(url.contains(&token));
    let shown = format!("{shown} {session:?} {:?}", next.sessions);
    next.answer(location("/b")).await;
    for text in [shown, captured.text()] {
        assert!(!text.contains(&token[22..]), "a secret in {text}");
        assert!(!text.contains("4111"), "the address in {text}");
    }
}

#[tokio::test]
async fn a_path_that_a_router_has_cut_is_whole_in_the_redirect() {
    let world = world();
    let mut request = get("/item?x=1");
    request.target_path = Some("/shop/item".to_owned());
    let location = redirect(&world.begin_with(request)).await.unwrap();
    assert!(location.starts_with("/shop/item?x=1&sid="), "{location}");
}
