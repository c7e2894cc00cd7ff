//! Every mistake is found when the manager is built, and named.

use std::time::Duration;

use cloakroom_core::{
    ConfigError, Cookie, Limits, Namespace, RequestSessions, SameSite, SessionManager,
    SessionManagerBuilder, days, hours, minutes,
};
use cloakroom_memory::MemoryStore;

fn namespace(name: &str) -> Namespace {
    Namespace::new(name, MemoryStore::new())
}

fn errors(builder: SessionManagerBuilder) -> ConfigError {
    builder.build().expect_err("it is wrong")
}

fn errors_of(namespaces: impl IntoIterator<Item = Namespace>) -> ConfigError {
    let builder = SessionManager::builder();
    errors(
        namespaces
            .into_iter()
            .fold(builder, SessionManagerBuilder::namespace),
    )
}

/// The namespace and the setting of each problem.
fn named(error: &ConfigError) -> Vec<(Option<&str>, &str)> {
    let problems = error.problems().iter();
    problems.map(|p| (p.namespace(), p.setting())).collect()
}

#[test]
fn a_manager_without_a_namespace_does_not_build() {
    let error = errors_of([]);
    assert_eq!(named(&error), [(None, "namespace")]);
}

#[test]
fn a_repeated_name_is_refused() {
    let other_cookie = namespace("cart").cookie(Cookie::named("other"));
    let error = errors_of([namespace("cart"), other_cookie]);
    assert_eq!(named(&error), [(Some("cart"), "name")]);
}

#[test]
fn an_invalid_name_is_refused() {
    let long = "x".repeat(33);
    for name in [
        "", "Cart", "1cart", "-cart", "a b", "a/b", "../x", "é", "a\r\nb", &long,
    ] {
        let error = errors_of([namespace(name)]);
        assert!(named(&error).contains(&(Some(name), "name")), "{name:?}");
    }
    assert!(
        SessionManager::builder()
            .namespace(namespace("a-1_b"))
            .build()
            .is_ok()
    );
}

#[test]
fn a_repeated_cookie_is_refused_where_a_request_would_carry_both() {
    let id = || Cookie::named("id");
    let pairs = [
        (id(), id()),
        (id().path("/a"), id().path("/a/b")),
        (id().path("/a"), id().domain("example.com").path("/a")),
        (id().domain("example.com"), id().domain("shop.EXAMPLE.com")),
    ];
    for (first, second) in pairs {
        let error = errors_of([namespace("a").cookie(first), namespace("b").cookie(second)]);
        assert_eq!(named(&error), [(Some("b"), "cookie")]);
        assert!(error.to_string().contains("\"a\""), "{error}");
    }
    let pairs = [
        (id().path("/a"), id().path("/b")),
        (id().domain("a.example.com"), id().domain("b.example.com")),
        (id(), Cookie::named("ID")),
        // The prefix differs.
        (id(), id().path("/a")),
    ];
    for (first, second) in pairs {
        let builder = SessionManager::builder()
            .namespace(namespace("a").cookie(first))
            .namespace(namespace("b").cookie(second));
        builder.build().unwrap();
    }
}

#[test]
fn impossible_attributes_are_refused_and_the_error_says_which() {
    let none = || Cookie::default().same_site(SameSite::None);
    for (cookie, is_secure, setting) in [
        (Cookie::named(""), true, "cookie.name"),
        (Cookie::named("id; Domain=evil"), true, "cookie.name"),
        (Cookie::named("__Host-id"), true, "cookie.name"),
        (Cookie::named("__secure-id"), true, "cookie.name"),
        (Cookie::named("x".repeat(257)), true, "cookie.name"),
        (
            Cookie::default().domain(".example.com"),
            true,
            "cookie.domain",
        ),
        (
            Cookie::default().domain("evil; Path=/"),
            true,
            "cookie.domain",
        ),
        (Cookie::default().path("shop"), true, "cookie.path"),
        (Cookie::default().path("/a; Secure"), true, "cookie.path"),
        (
            Cookie::default().path("/".repeat(1_025)),
            true,
            "cookie.path",
        ),
        (none(), false, "cookie.same_site"),
        (Cookie::default().partitioned(), true, "cookie.partitioned"),
    ] {
        let wrong = namespace("a").cookie(cookie);
        let wrong = match is_secure {
            true => wrong,
            false => wrong.insecure_http(),
        };
        let shown = format!("{wrong:?}");
        let error = errors_of([wrong]);
        assert_eq!(named(&error), [(Some("a"), setting)], "{shown}");
    }
    let both = errors_of([namespace("a").cookie(none().partitioned()).insecure_http()]);
    let settings = ["cookie.same_site", "cookie.partitioned"];
    assert_eq!(named(&both), settings.map(|setting| (Some("a"), setting)));
    let longest = Cookie::default().path("/".repeat(1_024));
    let builder = SessionManager::builder().namespace(namespace("a").cookie(longest));
    builder.build().unwrap();
}

#[test]
fn contradicting_limits_are_refused() {
    for limits in [
        Limits::idle(hours(2)).absolute(hours(1)),
        Limits::idle(Duration::ZERO),
        Limits::absolute_only(Duration::ZERO),
        Limits::absolute_only(hours(1)).touch_after(minutes(1)),
        Limits::idle(minutes(10)).touch_after(minutes(6)),
    ] {
        let error = errors_of([namespace("a").limits(limits)]);
        assert_eq!(named(&error), [(Some("a"), "limits")], "{limits:?}");
    }
}

#[test]
fn a_lifetime_said_twice_has_to_be_the_same() {
    let absolute = |limit| Limits::idle(hours(1)).absolute(limit);
    let error = errors_of([namespace("a").limits(absolute(days(1))).persistent(days(2))]);
    assert_eq!(named(&error), [(Some("a"), "persistent")]);
    for right in [
        namespace("a").limits(absolute(days(2))).persistent(days(2)),
        namespace("a")
            .limits(Limits::idle(hours(1)))
            .persistent(days(2)),
        namespace("a").persistent(days(2)),
    ] {
        SessionManager::builder().namespace(right).build().unwrap();
    }
    let error = errors_of([namespace("a").persistent(Duration::ZERO)]);
    assert_eq!(named(&error), [(Some("a"), "limits")]);
    let never_idle = namespace("a")
        .limits(Limits::idle(days(3)))
        .persistent(days(2));
    assert_eq!(named(&errors_of([never_idle])), [(Some("a"), "limits")]);
}

#[test]
fn zero_deadlines_are_refused() {
    let builder = || SessionManager::builder().namespace(namespace("a"));
    let zero = Duration::ZERO;
    for (builder, setting) in [
        (builder().open_deadline(zero), "open_deadline"),
        (builder().commit_deadline(zero), "commit_deadline"),
        (builder().call_deadline(zero), "call_deadline"),
    ] {
        assert_eq!(named(&errors(builder)), [(None, setting)]);
    }
}

#[test]
fn other_settings_without_sense_are_refused() {
    let error = errors_of([namespace("a").max_size(0)]);
    assert_eq!(named(&error), [(Some("a"), "max_size")]);
    let error = errors_of([namespace("a").rotate_every(Duration::from_secs(59))]);
    assert_eq!(named(&error), [(Some("a"), "rotate_every")]);
}

#[cfg(feature = "client-side")]
#[test]
fn settings_of_the_other_kind_of_namespace_are_refused() {
    let keys = cloakroom_core::KeyRing::new(cloakroom_core::SecretKey::generate().unwrap());
    let in_cookie = || Namespace::in_cookie("a", &keys);
    for (wrong, setting) in [
        (namespace("a").signed(), "signed"),
        (namespace("a").accept_replay(), "accept_replay"),
        (in_cookie().strict(), "strict"),
        (in_cookie().rotate_every(hours(1)), "rotate_every"),
    ] {
        assert_eq!(named(&errors_of([wrong])), [(Some("a"), setting)]);
    }
}

#[test]
fn several_problems_are_all_listed() {
    let builder = SessionManager::builder()
        .namespace(namespace("Bad"))
        .namespace(
            namespace("a")
                .max_size(0)
                .cookie(Cookie::named("a b").path("x")),
        )
        .namespace(namespace("b").limits(Limits::idle(Duration::ZERO)))
        .open_deadline(Duration::ZERO);
    let error = errors(builder);
    let found = named(&error);
    for problem in [
        (None, "open_deadline"),
        (Some("Bad"), "name"),
        (Some("a"), "max_size"),
        (Some("a"), "cookie.name"),
        (Some("a"), "cookie.path"),
        (Some("b"), "limits"),
    ] {
        assert!(found.contains(&problem), "{problem:?} in {error}");
    }
    for problem in error.problems() {
        assert!(error.to_string().contains(&problem.to_string()));
    }
}

fn manager(namespaces: impl IntoIterator<Item = Namespace>) -> SessionManager {
    let builder = namespaces
        .into_iter()
        .fold(SessionManager::builder(), SessionManagerBuilder::namespace);
    builder.build().unwrap()
}

#[test]
fn nested_managers_with_one_name_or_cookie_are_refused() {
    let outer = manager([namespace("a"), namespace("b")]);
    let inner = manager([namespace("b").cookie(Cookie::named("c"))]);
    let sessions = RequestSessions::begin(&outer);
    let error = RequestSessions::begin_inside(&inner, sessions.clone()).unwrap_err();
    assert_eq!(named(&error), [(Some("b"), "name")]);
    let inner = manager([namespace("c").cookie(Cookie::named("a"))]);
    let error = RequestSessions::begin_inside(&inner, sessions.clone()).unwrap_err();
    assert_eq!(named(&error), [(Some("c"), "cookie")]);
    assert!(
        error.to_string().contains("\"a\""),
        "it says where: {error}"
    );
    let middle = RequestSessions::begin_inside(&manager([namespace("m")]), sessions).unwrap();
    let innermost = manager([namespace("a").cookie(Cookie::named("z"))]);
    let error = RequestSessions::begin_inside(&innermost, middle).unwrap_err();
    assert_eq!(named(&error), [(Some("a"), "name")], "two layers out");
}

#[test]
fn a_manager_tells_its_namespaces_without_loading() {
    let keyed = namespace("b")
        .only_if(|_| false)
        .limits(Limits::nist_aal2());
    let manager = manager([namespace("a"), keyed]);
    let told: Vec<_> = manager
        .namespaces()
        .map(|n| {
            (
                n.name(),
                n.cookie_name(),
                n.has_condition(),
                n.is_client_side(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("a", Some("__Host-a"), false, false),
            ("b", Some("__Host-b"), true, false)
        ]
    );
    let limits: Vec<_> = manager.namespaces().map(|n| n.limits()).collect();
    assert_eq!(limits, [Limits::owasp(), Limits::nist_aal2()]);
}
