//! What goes into the response's head, and what is read of the request's.

use cloakroom_core::{Cookie, Namespace, ResponseHeader as Header, SameSite, days};
use cloakroom_testkit::Fault;

use crate::support::{ACCOUNT, Browser, COOKIE, Handler, Request, Response, World};

#[tokio::test]
async fn the_defaults_are_the_strictest_that_work() {
    let world = World::new();
    let mut browser = Browser::new();
    let response = browser.visit(&world, |s| s.insert("k", 1)).await;
    let expected = format!(
        "__Host-account={}; Path=/; Secure; HttpOnly; SameSite=Lax",
        browser.token()
    );
    assert_eq!(response.only_cookie(), expected);
}

#[tokio::test]
async fn the_attributes_are_as_configured() {
    for (namespace, name, attributes) in [
        (
            named(Cookie::named("id").same_site(SameSite::Strict)),
            "__Host-id",
            "Path=/; Secure; HttpOnly; SameSite=Strict",
        ),
        (
            named(Cookie::named("id").path("/a")),
            "__Secure-id",
            "Path=/a; Secure; HttpOnly; SameSite=Lax",
        ),
        (
            named(Cookie::named("id").domain("example.com")),
            "__Secure-id",
            "Domain=example.com; Path=/; Secure; HttpOnly; SameSite=Lax",
        ),
        (
            named(Cookie::default()).insecure_http().persistent(days(1)),
            "account",
            "Path=/; HttpOnly; SameSite=Lax; Max-Age=86400",
        ),
    ] {
        let manager = cloakroom_core::SessionManager::builder()
            .namespace(namespace)
            .build()
            .unwrap();
        let sessions = cloakroom_core::RequestSessions::begin(&manager);
        let unopened = sessions.judge(ACCOUNT, &Request::default()).unwrap();
        let session = unopened.unwrap().open().await.unwrap();
        session.insert("k", 1).unwrap();
        let verdict = sessions.commit(cloakroom_core::Outcome::Success).await;
        assert_eq!(verdict.status(), None);
        let mut response = Response::new(200);
        sessions.finish(&mut response);
        let (pair, rest) = response.only_cookie().split_once("; ").unwrap();
        assert_eq!(pair.split('=').next(), Some(name));
        assert_eq!(rest, attributes);
        let info = manager.namespaces().next().unwrap();
        assert_eq!(info.cookie_name(), Some(name));
        assert!(rest.starts_with(info.cookie_attributes().unwrap()));
    }
}

fn named(cookie: Cookie) -> Namespace {
    Namespace::new(ACCOUNT, cloakroom_memory::MemoryStore::new()).cookie(cookie)
}

#[tokio::test]
async fn cve_2026_27205_any_use_of_a_session_varies_by_cookie() {
    let uses: [Handler; 6] = [
        |_| Ok(()),
        |s| {
            let _ = s.contains("k");
            Ok(())
        },
        |s| {
            let _ = s.is_empty();
            Ok(())
        },
        |s| {
            let _ = s.is_new();
            Ok(())
        },
        |s| s.get::<u32>("k").map(drop),
        |s| s.insert("k", 1),
    ];
    for (n, used) in uses.into_iter().enumerate() {
        let world = World::new();
        let response = Browser::new().visit(&world, used).await;
        assert_eq!(response.all(Header::Vary), ["Cookie"], "{n}");
    }
}

#[tokio::test]
async fn an_open_that_failed_varies_by_cookie_too() {
    // The handler may answer without the session, and only visitors with a cookie get that.
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let flight = world.begin(&browser);
    world.faults.always(Fault::BeforeEffect);
    flight.try_open(ACCOUNT).await.unwrap_err();
    assert_eq!(flight.finish().await.all(Header::Vary), ["Cookie"]);
}

#[tokio::test]
async fn vary_is_merged_with_the_applications() {
    for (before, after) in [
        ("Accept-Encoding", vec!["Accept-Encoding", "Cookie"]),
        ("Accept, Cookie", vec!["Accept, Cookie"]),
        ("*", vec!["*"]),
    ] {
        let world = World::new();
        let (flight, _session) = world.open(&Browser::new()).await;
        let response = Response::new(200).header(Header::Vary, before);
        let response = flight.answer(response).await;
        assert_eq!(response.all(Header::Vary), after);
    }
}

#[tokio::test]
async fn several_sessions_add_one_vary() {
    let world = World::build(|builder, store| {
        builder
            .namespace(Namespace::new(ACCOUNT, store.clone()))
            .namespace(Namespace::new("cart", store.clone()))
    });
    let flight = world.begin(&Browser::new());
    for name in [ACCOUNT, "cart"] {
        flight.open(name).await.insert("k", 1).unwrap();
    }
    let response = flight.finish().await;
    assert_eq!(response.all(Header::Vary), ["Cookie"]);
    assert_eq!(response.all(Header::CacheControl), ["no-store"]);
    assert_eq!(response.cookies().len(), 2);
}

#[tokio::test]
async fn cve_2025_48947_a_response_with_our_cookie_is_stored_by_no_cache() {
    for (before, after) in [
        ("public, s-maxage=600", "no-store"),
        ("private, max-age=5", "no-store"),
        ("private, No-Store", "private, No-Store"),
    ] {
        let world = World::new();
        let (flight, session) = world.open(&Browser::new()).await;
        session.insert("k", 1).unwrap();
        let response = Response::new(200).header(Header::CacheControl, before);
        let response = flight.answer(response).await;
        assert_eq!(response.all(Header::CacheControl), [after]);
    }
}

#[tokio::test]
async fn a_response_without_our_cookie_keeps_its_cache_control() {
    let world = World::new();
    let (flight, _session) = world.open(&Browser::new()).await;
    let response = Response::new(200).header(Header::CacheControl, "public");
    let response = flight.answer(response).await;
    assert_eq!(response.all(Header::CacheControl), ["public"]);
}

#[tokio::test]
async fn a_removal_is_stored_by_no_cache_either() {
    let world = World::new();
    let mut browser = Browser::known_to(&world).await;
    let response = browser.visit(&world, |s| s.end()).await;
    assert_eq!(response.all(Header::CacheControl), ["no-store"]);
}

#[tokio::test]
async fn one_response_has_one_set_cookie_per_cookie() {
    let handlers: [Handler; 4] = [
        |s| {
            s.rotate()?;
            s.login("alice")?;
            s.persist(days(3))?;
            s.insert("k", 1)
        },
        |s| {
            s.end()?;
            s.insert("k", 1)
        },
        |s| {
            s.login("alice")?;
            s.end()?;
            s.login("bob")?;
            s.rotate().map(drop)
        },
        |s| {
            s.rotate()?.revoke();
            s.rotate().map(drop)
        },
    ];
    for (n, handler) in handlers.into_iter().enumerate() {
        let world = World::new();
        let mut browser = Browser::known_to(&world).await;
        let response = browser.visit(&world, handler).await;
        assert_eq!(response.cookies().len(), 1, "{n}");
        let (_flight, session) = world.open(&browser).await;
        assert!(!session.is_new(), "{n}: it opens the session");
    }
}

#[tokio::test]
async fn several_saves_in_one_request_send_the_last_token_once() {
    let world = World::new();
    let mut browser = Browser::new();
    let (flight, session) = world.open(&browser).await;
    session.insert("k", 1).unwrap();
    session.save().await.unwrap();
    session.login("alice").unwrap();
    session.save().await.unwrap();
    session.rotate().unwrap();
    let response = flight.finish().await;
    assert_eq!(response.cookies().len(), 1);
    browser.receive(&response);
    assert_eq!(browser.read(&world, "k").await, Some(1));
}

#[tokio::test]
async fn cve_2025_7339_foreign_set_cookie_headers_are_left_alone() {
    let world = World::new();
    let (flight, session) = world.open(&Browser::new()).await;
    session.insert("k", 1).unwrap();
    let response = Response::new(200)
        .header(Header::SetCookie, "theme=dark")
        .header(Header::SetCookie, "theme=light");
    let response = flight.answer(response).await;
    let cookies = response.cookies();
    assert_eq!(cookies[..2], ["theme=dark", "theme=light"]);
    assert!(cookies[2].starts_with(COOKIE));
    assert_eq!(cookies.len(), 3);
}

#[tokio::test]
async fn several_cookie_headers_are_read_as_one() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let head = Request::cookie("a=b")
        .header("cookie", format!("{COOKIE}={}", browser.token()))
        .header("cookie", "c=d");
    let session = world.begin_with(head).open(ACCOUNT).await;
    assert!(session.contains("known"));
}

#[tokio::test]
async fn cve_2020_7070_mangled_and_nameless_cookies_are_ignored() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let token = browser.token();
    for cookie in [
        format!("__host-account={token}"),
        format!("__HOST-ACCOUNT={token}"),
        format!("%5F%5FHost-account={token}"),
        format!("..Host-account={token}"),
        format!("__Host-account%20={token}"),
        format!("=__Host-account={token}"),
        format!("account={token}"),
        format!("__Host-account=%{token}"),
    ] {
        let session = world.begin_with(Request::cookie(cookie.clone()));
        assert!(session.open(ACCOUNT).await.is_new(), "{cookie}");
    }
}

#[tokio::test]
async fn cve_2007_6077_an_id_in_the_url_is_ignored() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let mut head = Request::default();
    head.path = format!("/;{COOKIE}={}", browser.token());
    head.query = Some(format!("{COOKIE}={0}&account={0}", browser.token()));
    assert!(world.begin_with(head).open(ACCOUNT).await.is_new());
}

#[tokio::test]
async fn cve_2018_1283_other_headers_are_no_session() {
    let world = World::new();
    let browser = Browser::known_to(&world).await;
    let pair = format!("{COOKIE}={}", browser.token());
    let mut head = Request::default();
    for name in ["session", "set-cookie", "cookie2", "authorization"] {
        head = head.header(name, pair.clone());
    }
    assert!(world.begin_with(head).open(ACCOUNT).await.is_new());
}
