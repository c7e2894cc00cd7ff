//! Transports that are not possible, or not together, do not build.

use cloakroom_core::{
    ConfigError, Cookie, Namespace, RequestHead, ResponseHead, SessionManager, TokenTransport,
    Transport, TransportInfo,
};
use cloakroom_memory::MemoryStore;

#[derive(Debug)]
struct Nothing;

impl TokenTransport for Nothing {
    fn read(&self, _: &dyn RequestHead, _: &mut dyn FnMut(&[u8])) {}
    fn write(&self, _: Option<&str>, _: &mut dyn ResponseHead) {}
    fn varies_on(&self) -> &[&str] {
        &[]
    }
}

fn namespace(name: &str, transports: impl IntoIterator<Item = Transport>) -> Namespace {
    Namespace::new(name, MemoryStore::new()).transports(transports)
}

fn build(namespaces: impl IntoIterator<Item = Namespace>) -> Result<SessionManager, ConfigError> {
    let builder = SessionManager::builder();
    let builder = namespaces.into_iter().fold(builder, |b, n| b.namespace(n));
    builder.build()
}

/// The one problem, with its setting.
fn problem(namespaces: impl IntoIterator<Item = Namespace>) -> (&'static str, String) {
    let error = build(namespaces).unwrap_err();
    let [problem] = error.problems() else {
        panic!("{error}");
    };
    assert_eq!(problem.namespace(), Some("a"));
    (problem.setting(), problem.to_string())
}

#[test]
fn transports_that_can_t_work_do_not_build() {
    let nine = (0..9).map(|n| Transport::header(format!("x-{n}")));
    let cases: Vec<(Vec<Transport>, &str)> = vec![
        (vec![], "1 to 8"),
        (nine.collect(), "1 to 8"),
        (vec![Transport::header("")], "no header name"),
        (vec![Transport::header("X Session")], "no header name"),
        (vec![Transport::header("X-Session:")], "no header name"),
        (vec![Transport::header("X-Sess\r\nion")], "no header name"),
        (vec![Transport::header("x".repeat(257))], "at most 256"),
        (
            vec![Transport::header("Authorization")],
            "Transport::bearer()",
        ),
        (vec![Transport::header("Cookie")], "Transport::cookie(..)"),
        (vec![Transport::header("Host")], "means something else"),
        (
            vec![Transport::bearer().answer_in("Set-Cookie")],
            "Transport::cookie(..)",
        ),
        (
            vec![Transport::bearer().answer_in("Location")],
            "means something else",
        ),
        (vec![Transport::bearer().answer_in("a b")], "no header name"),
        (vec![Transport::query("")], "no parameter name"),
        (vec![Transport::query("s id")], "no parameter name"),
        (vec![Transport::query("sid=")], "no parameter name"),
        (vec![Transport::query("a&b")], "no parameter name"),
        (vec![Transport::query("s%69d")], "no parameter name"),
        (vec![Transport::query("sïd")], "no parameter name"),
        (vec![Transport::query("sid[]")], "no parameter name"),
        (
            vec![Transport::query("a"), Transport::query("b")],
            "one parameter",
        ),
        (
            vec![Transport::query("a"), Transport::query("a")],
            "parameter \"a\" twice",
        ),
        (
            vec![Transport::bearer(), Transport::bearer()],
            "header \"authorization\" twice",
        ),
        (
            vec![Transport::header("X-A"), Transport::header("x-a")],
            "header \"x-a\" twice",
        ),
        (
            vec![
                Transport::cookie(Cookie::default()),
                Transport::cookie(Cookie::named("a")),
            ],
            "cookie \"__Host-a\" twice",
        ),
        (vec![Transport::query("a").answer_in("b")], "answer_in()"),
        (
            vec![Transport::custom(Nothing).answer_in("b")],
            "answer_in()",
        ),
        (vec![Transport::bearer().unless(|_| true)], "unless()"),
    ];
    for (transports, expected) in cases {
        let shown = format!("{transports:?}");
        let (setting, message) = problem([namespace("a", transports)]);
        assert_eq!(setting, "transports", "{shown}");
        assert!(message.contains(expected), "{shown}: {message}");
    }
    let (setting, _) = problem([namespace("a", [Transport::cookie(Cookie::named("a b"))])]);
    assert_eq!(setting, "cookie.name");
}

#[test]
fn two_namespaces_with_one_transport_do_not_build() {
    let header = |name: &str| Transport::header(name);
    for (one, other, setting) in [
        (Transport::bearer(), Transport::bearer(), "transports"),
        (header("X-S"), header("x-s").answer_in("x-t"), "transports"),
        (header("X-S"), header("X-T").answer_in("X-S"), "transports"),
        (Transport::bearer(), header("X-Session-Token"), "transports"),
        (
            Transport::query("sid"),
            Transport::query("sid"),
            "transports",
        ),
        (
            Transport::cookie(Cookie::named("c")),
            Transport::cookie(Cookie::named("c")),
            "cookie",
        ),
    ] {
        let b = namespace("b", [header("X-Other"), one]);
        let a = namespace("a", [other]);
        let (found, message) = problem([b, a]);
        assert_eq!(found, setting, "{message}");
        assert!(message.contains("namespace \"b\" has"), "{message}");
    }
    let plain = Namespace::new("b", MemoryStore::new());
    let declared = [header("X-S"), Transport::cookie(Cookie::named("b"))];
    assert_eq!(problem([plain, namespace("a", declared)]).0, "cookie");
}

#[test]
fn an_inner_layer_shares_no_transport_with_an_outer_one() {
    let outer = build([namespace("b", [Transport::query("sid")])]).unwrap();
    let outer = cloakroom_core::RequestSessions::begin(&outer);
    for (transport, clashes) in [
        (Transport::query("sid"), true),
        (Transport::query("tid"), false),
        (Transport::header("sid"), false),
    ] {
        let inner = build([namespace("a", [transport])]).unwrap();
        let begun = cloakroom_core::RequestSessions::begin_inside(&inner, outer.clone());
        assert_eq!(begun.is_err(), clashes);
    }
}

#[test]
fn names_that_differ_in_what_counts_are_two() {
    let manager = build([
        namespace("a", [Transport::query("sid"), Transport::header("sid")]),
        namespace("b", [Transport::query("SID"), Transport::bearer()]),
        namespace(
            "c",
            [Transport::custom(Nothing), Transport::custom(Nothing)],
        ),
    ])
    .unwrap();
    let told: Vec<Vec<_>> = manager
        .namespaces()
        .map(|info| info.transports().collect())
        .collect();
    let header = TransportInfo::Header {
        name: "sid",
        answer: "sid",
    };
    let bearer = TransportInfo::Bearer {
        answer: "x-session-token",
    };
    assert_eq!(told[0], [TransportInfo::Query { parameter: "sid" }, header]);
    assert_eq!(told[1], [TransportInfo::Query { parameter: "SID" }, bearer]);
    assert_eq!(told[2], [TransportInfo::Custom; 2]);
    assert!(
        manager
            .namespaces()
            .all(|info| info.cookie_name().is_none())
    );
    assert!(manager.may_redirect());
}

#[test]
fn a_declared_cookie_is_the_cookie() {
    let cookie = Transport::cookie(Cookie::named("basket"));
    let manager = build([namespace("a", [cookie]).insecure_http()]).unwrap();
    let info = manager.namespaces().next().unwrap();
    assert_eq!(info.cookie_name(), Some("basket"));
    assert!(!info.cookie_attributes().unwrap().contains("Secure"));
    assert!(!manager.may_redirect());
}

#[cfg(feature = "client-side")]
#[test]
fn a_client_side_namespace_has_its_cookie_alone() {
    use cloakroom_core::{KeyRing, SecretKey};
    let keys = KeyRing::new(SecretKey::generate().unwrap());
    let in_cookie =
        |transports: Vec<Transport>| Namespace::in_cookie("a", &keys).transports(transports);
    for transports in [
        vec![Transport::bearer()],
        vec![Transport::query("sid")],
        vec![Transport::cookie(Cookie::default()), Transport::bearer()],
        vec![
            Transport::cookie(Cookie::default()),
            Transport::cookie(Cookie::named("b")),
        ],
    ] {
        let (setting, message) = problem([in_cookie(transports)]);
        assert_eq!(setting, "transports");
        assert!(message.contains("in its cookie"), "{message}");
    }
    let cookie = Transport::cookie(Cookie::named("c"));
    let manager = build([in_cookie(vec![cookie])]).unwrap();
    assert_eq!(
        manager.namespaces().next().unwrap().cookie_name(),
        Some("__Host-c")
    );
}
